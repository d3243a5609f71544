//! `syncline migrate`.

use std::fmt::Write;
use std::process::ExitCode;

use migration::{Migrator, MigratorTrait};

use crate::arguments::MigrateArguments;
use crate::exit::{Exit, Outcome};
use crate::{boot, console};

pub(crate) async fn run(arguments: &MigrateArguments) -> Outcome {
    let settings = boot::settings(&arguments.settings.0)?;
    let missing = settings
        .database
        .url
        .sqlite_path()
        .is_some_and(|path| !path.exists());
    if arguments.status && missing {
        // Opening it would make it.
        console::print(&format!(
            "{} does not exist yet: every migration is pending.\n",
            settings.database.url
        ))?;
        return Ok(Exit::Failed.into());
    }
    let db = boot::database(&settings).await?;
    let connection = db.for_migration();
    let pending = async || {
        let pending = Migrator::get_pending_migrations_read_only(connection).await;
        pending
            .map(|pending| {
                pending
                    .iter()
                    .map(|migration| migration.name().to_owned())
                    .collect::<Vec<_>>()
            })
            .map_err(|error| boot::migration_failed(&error))
    };
    let before = pending().await?;
    if arguments.status {
        let mut text = String::new();
        for migration in Migrator::migrations() {
            let state = if before.iter().any(|name| name == migration.name()) {
                "pending"
            } else {
                "applied"
            };
            let _ = writeln!(text, "{state}  {}", migration.name());
        }
        console::print(&text)?;
        return Ok(if before.is_empty() {
            ExitCode::SUCCESS
        } else {
            Exit::Failed.into()
        });
    }
    boot::bring_up_to_date(&settings, &db).await?;
    let mut text = String::new();
    for name in &before {
        let _ = writeln!(text, "applied  {name}");
    }
    let _ = writeln!(text, "{} is up to date.", settings.database.url);
    console::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
