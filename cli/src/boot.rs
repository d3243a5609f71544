//! From settings to an engine: what `serve`, its split roles and `demo` have in common.
//!
//! The order is that of the cheapest refusal: what needs no file is judged before files are touched, the port is taken
//! before the database is opened, and only then are tables changed. Whatever stops us is one paragraph with its cure.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use connectors::read::ReadLimits;
use engine::Engine;
use engine::connectors::ConnectorRuntime;
use engine::protection::Protection;
use migration::{Migrator, MigratorTrait};
use platform::clock::{SharedClock, SystemClock};
use platform::coordination::{Coordinator, MemoryCoordinator, RedisCoordinator};
use platform::database::{Alone, Database};
use platform::http_client::HttpClient;
use platform::random::{SharedRandom, SystemRandom};
use platform::secrets::{Cipher, MasterKey};
use platform::settings::{Role, Settings};
use tokio::net::TcpListener;

use crate::arguments::Typed;
use crate::exit::Failure;

/// Reads the settings.
pub(crate) fn settings(typed: &Typed) -> Result<Settings, Failure> {
    Settings::load(&typed.overrides).map_err(|error| {
        Failure::cannot_start(format!(
            "The settings cannot be used. {}",
            sentences(&error.faults)
        ))
    })
}

/// Judges the settings for what this process is to be.
pub(crate) fn fit(settings: &Settings, role: Role) -> Result<(), Failure> {
    settings.validate_for(role).map_err(|error| {
        Failure::cannot_start(format!(
            "`syncline {role}` cannot start so. {}",
            sentences(&error.faults)
        ))
    })
}

fn sentences(faults: &[String]) -> String {
    faults
        .iter()
        .map(|fault| format!("{}.", fault.trim_end_matches('.')))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether the address can be had. The server binds for good once there is an engine to serve; asking first means that a
/// taken port stops us before a table was changed.
pub(crate) async fn can_listen(address: SocketAddr) -> Result<(), Failure> {
    TcpListener::bind(address)
        .await
        .map(drop)
        .map_err(|error| cannot_listen(address, &error))
}

pub(crate) fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let mend = match error.kind() {
        ErrorKind::AddrInUse => {
            "Another program listens there, perhaps another Syncline: stop it, or choose another port with \
             --listen 127.0.0.1:8010 or SYNCLINE_LISTEN."
        }
        ErrorKind::PermissionDenied => {
            "Ports below 1024 need a privilege: choose a higher one with --listen or SYNCLINE_LISTEN, and put a proxy in front."
        }
        _ => {
            "Name an address of this machine with --listen or SYNCLINE_LISTEN, such as 127.0.0.1:8000 or 0.0.0.0:8000."
        }
    };
    Failure::cannot_start(format!("Cannot listen on {address}: {error}. {mend}"))
}

/// Whether tables are brought up to date at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Migrate {
    Apply,
    RefuseWhenPending,
}

/// Opens everything an engine stands on.
pub(crate) async fn engine(settings: &Settings, role: Role, migrate: Migrate) -> Result<Engine, Failure> {
    let clock: SharedClock = SystemClock::shared();
    let random: SharedRandom = SystemRandom::shared();
    if settings.keeps_files() {
        data_directory(&settings.storage.data_dir)?;
    }
    let db = database(settings).await?;
    match migrate {
        Migrate::Apply => bring_up_to_date(settings, &db).await?,
        Migrate::RefuseWhenPending => refuse_when_pending(&db).await?,
    }
    // After the database: a wrong address must not leave a key behind that nothing was sealed with.
    let master_key = MasterKey::load(&settings.storage, role, &*random)
        .map_err(|error| Failure::cannot_start(format!("The master key cannot be used: {error}.")))?;
    let cipher = Arc::new(Cipher::new(master_key, Arc::clone(&random)));
    let http = HttpClient::new(settings.network.policy(), settings.network.limits)
        .map_err(|error| Failure::cannot_start(format!("{error}.")))?;
    let engine = Engine {
        db,
        coordinator: coordinator(settings, &clock).await?,
        connectors: Arc::new(
            ConnectorRuntime::new(
                http,
                Arc::clone(&clock),
                Arc::clone(&random),
                read_limits(settings),
                protection(settings),
            )
            .with_folders(&settings.network.allow_folders),
        ),
        clock,
        random,
        cipher,
    };
    the_key_fits(&engine).await?;
    engine.connectors().seed_shipped().await.map_err(|error| {
        Failure::cannot_start(format!(
            "The shipped connectors cannot be registered: {}.",
            error.chain()
        ))
    })?;
    Ok(engine)
}

/// Redis where one is configured; else this process is the only one.
async fn coordinator(settings: &Settings, clock: &SharedClock) -> Result<Arc<dyn Coordinator>, Failure> {
    let settings = &settings.coordination;
    let clock = Arc::clone(clock);
    if settings.redis_url.is_none() {
        return Ok(Arc::new(MemoryCoordinator::new(clock)));
    }
    match RedisCoordinator::connect(settings, clock).await {
        Ok(coordinator) => Ok(Arc::new(coordinator)),
        Err(error) => Err(Failure::cannot_start(format!(
            "Redis cannot be used: {error}. Check REDIS_URL: redis://:PASSWORD@HOST:6379, or rediss:// over TLS."
        ))),
    }
}

/// The bounds of a read are those of the network settings.
fn read_limits(settings: &Settings) -> ReadLimits {
    let network = &settings.network;
    ReadLimits {
        max_pages: network.max_pages,
        max_body_bytes: network.limits.max_body_bytes,
        page_timeout: network.limits.request_timeout,
        ..ReadLimits::default()
    }
}

fn protection(settings: &Settings) -> Protection {
    let protection = &settings.protection;
    Protection {
        requests_per_minute: protection.requests_per_minute,
        runs_per_client: protection.runs_per_client,
        runs_per_connector: protection.runs_per_connector,
    }
}

async fn the_key_fits(engine: &Engine) -> Result<(), Failure> {
    match engine.integrations().opens_with_this_key().await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::cannot_start(
            "The master key does not open the credentials in this database: they were sealed with another one. Restore \
             that key (the file master.key of the data directory it was made in, SYNCLINE_MASTER_KEY_FILE, or \
             SYNCLINE_MASTER_KEY); after a rotation, list both, the newest first. Nothing else opens them: if the key \
             is lost, start with a new database.",
        )),
        Err(error) => Err(Failure::cannot_start(format!(
            "The database cannot be read: {}.",
            error.chain()
        ))),
    }
}

/// Opens the database alone.
pub(crate) async fn database(settings: &Settings) -> Result<Database, Failure> {
    Database::connect(&settings.database).await.map_err(|error| {
        Failure::cannot_start(format!(
            "{}: is it right, does the server run, and does it let this machine in? `syncline doctor` looks at it piece by \
             piece.",
            error.to_string().trim_end_matches('.')
        ))
    })
}

/// Makes the directory, and finds out now whether files can be made in it: later it would be in the middle of something.
fn data_directory(directory: &Path) -> Result<(), Failure> {
    let unwritable = |error: std::io::Error| {
        Failure::cannot_start(format!(
            "The data directory {} cannot be written to: {error}. Give this user the right to write there, or name \
             another place with --data-dir or SYNCLINE_DATA_DIR.",
            directory.display()
        ))
    };
    std::fs::create_dir_all(directory).map_err(unwritable)?;
    let probe = directory.join(format!(".writable-{}", std::process::id()));
    std::fs::File::create(&probe).map_err(unwritable)?;
    std::fs::remove_file(&probe).map_err(unwritable)
}

/// Brings the tables up to date, one process at a time.
pub(crate) async fn bring_up_to_date(settings: &Settings, db: &Database) -> Result<(), Failure> {
    let turn = Alone::with(&settings.database)
        .await
        .map_err(|error| migration_failed(&error))?;
    let migrated = Migrator::up(db.for_migration(), None).await;
    turn.end().await;
    migrated.map_err(|error| migration_failed(&error))
}

async fn refuse_when_pending(db: &Database) -> Result<(), Failure> {
    let pending = Migrator::get_pending_migrations_read_only(db.for_migration())
        .await
        .map_err(|error| migration_failed(&error))?;
    if pending.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = pending.iter().map(|migration| migration.name()).collect();
    Err(Failure::cannot_start(format!(
        "The database's tables are not up to date, and --no-migrate says to leave them: run `syncline migrate`, or \
         start without it. Pending: {}.",
        names.join(", ")
    )))
}

pub(crate) fn migration_failed(error: &impl std::fmt::Display) -> Failure {
    Failure::cannot_start(format!(
        "The database's tables cannot be brought up to date: {error}. If the database belongs to a newer Syncline, \
         run that version; `syncline migrate --status` shows what is applied."
    ))
}
