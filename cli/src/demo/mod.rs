//! `syncline demo`: a first impression that is true.
//!
//! It is `serve`, by the same code, on a data directory of its own; beside it runs the [sample upstream](upstream), which the
//! guard lets through by its exact address and port. A client and three integrations are registered as anybody would
//! register theirs. Nothing here is known to the rest of the product.
//!
//! `DATABASE_URL`, `REDIS_URL` and the master key in the environment are left aside: somebody who tries the demo on a
//! machine that also runs the real thing must not find a client named acme in the real thing's database.

mod opening;
mod seed;
pub(crate) mod upstream;
mod welcome;

use std::io::ErrorKind;
use std::net::SocketAddr;

use platform::clock::SystemClock;
use platform::settings::{DatabaseUrl, Role, ServerSettings, Settings, TelemetrySettings};
use tokio::net::TcpListener;

use crate::arguments::{DemoArguments, Typed};
use crate::exit::{Failure, Outcome};
use crate::{boot, console, serve};
use upstream::{BoundUpstream, Upstream};

/// Where the demo keeps its data when nothing is said.
pub(crate) const DATA_DIR: &str = "./data/demo";

/// How many ports after a taken default are tried.
const PORTS_TO_TRY: u16 = 50;

pub(crate) async fn run(arguments: DemoArguments) -> Outcome {
    let mut settings = settings(arguments.settings.0)?;
    boot::fit(&settings, Role::Serve)?;
    serve::telemetry(&settings.telemetry)?;

    let busy = free_port(&mut settings.server.listen).await?;
    let sample = BoundUpstream::bind(arguments.sample_port)
        .await
        .map_err(|error| {
            Failure::cannot_start(format!("The sample API cannot listen on 127.0.0.1: {error}."))
        })?;
    let sample_address = sample.address();
    settings.network.allow_addresses.push(sample_address);

    let engine = boot::engine(&settings, Role::Serve, boot::Migrate::Apply).await?;
    let opened_at = opening::opened_at(&settings.storage.data_dir, engine.clock.now())?;
    let shutdown = serve::shutdown()?;
    let server = serve::bind(&engine, &settings, Role::Serve, &shutdown).await?;
    let upstream = Upstream::new(SystemClock::shared(), opened_at, 0);
    // It outlives the drain: a page that is being finished may still be coming from it.
    let serving = tokio::spawn(sample.serve(upstream, shutdown.hard.clone()));

    let seeded = seed::seed(&engine, &format!("http://{sample_address}")).await?;
    let outcome = serve::until_stopped(engine, &settings, Role::Serve, server, shutdown, |listen| {
        let welcome = welcome::Welcome {
            listen,
            busy,
            sample: sample_address,
            data_dir: &settings.storage.data_dir,
            operator_key: settings.server.operator_key.is_some(),
            seeded: &seeded,
        };
        console::print(&welcome.text())
    })
    .await;
    serving.abort();
    outcome
}

/// What was typed or is in the environment, except what would lead to somebody else's data.
fn settings(mut typed: Typed) -> Result<Settings, Failure> {
    if !typed.was_typed("storage.data_dir") {
        typed.set("storage.data_dir", DATA_DIR);
    }
    let mut settings = boot::settings(&typed)?;
    settings.database.url = DatabaseUrl::sqlite(settings.storage.default_database());
    settings.coordination.redis_url = None;
    settings.storage.master_key = None;
    settings.storage.master_key_file = None;
    if settings.telemetry.filter == TelemetrySettings::default().filter {
        // Five lines a minute about syncs that went well would push what to paste off the screen.
        settings.telemetry.filter = "warn".to_owned();
    }
    Ok(settings)
}

/// Where the default address is busy, the next port that is free takes its place; gives back the address that was busy.
async fn free_port(listen: &mut SocketAddr) -> Result<Option<SocketAddr>, Failure> {
    let default = ServerSettings::default().listen;
    if *listen != default {
        return boot::can_listen(*listen).await.map(|()| None);
    }
    for port in default.port()..default.port() + PORTS_TO_TRY {
        let candidate = SocketAddr::new(default.ip(), port);
        match TcpListener::bind(candidate).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(boot::cannot_listen(candidate, &error)),
            Ok(_) => {
                *listen = candidate;
                return Ok((candidate != default).then_some(default));
            }
        }
    }
    boot::can_listen(default).await.map(|()| None)
}
