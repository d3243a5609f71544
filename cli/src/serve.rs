//! `syncline serve`: GraphQL, scheduler and workers in one process; `syncline api` and `syncline scheduler`: each alone.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;

use api::{Server, ServerError};
use engine::Engine;
use platform::settings::{Role, Settings, TelemetrySettings};
use platform::shutdown::Shutdown;
use scheduler::SchedulerSettings;

use crate::arguments::ServeArguments;
use crate::exit::{Failure, Outcome};
use crate::{boot, console};

pub(crate) async fn run(arguments: &ServeArguments, role: Role) -> Outcome {
    let settings = boot::settings(&arguments.settings.0)?;
    boot::fit(&settings, role)?;
    telemetry(&settings.telemetry)?;
    boot::can_listen(settings.server.listen).await?;
    let migrate = if arguments.no_migrate {
        boot::Migrate::RefuseWhenPending
    } else {
        boot::Migrate::Apply
    };
    let engine = boot::engine(&settings, role, migrate).await?;
    let shutdown = shutdown()?;
    let server = bind(&engine, &settings, role, &shutdown).await?;
    until_stopped(engine, &settings, role, server, shutdown, greet).await
}

pub(crate) fn shutdown() -> Result<Shutdown, Failure> {
    Shutdown::on_signals()
        .map_err(|error| Failure::cannot_start(format!("Cannot listen for signals: {error}.")))
}

/// Binds what the role serves: a scheduler alone only says that it lives.
pub(crate) async fn bind(
    engine: &Engine,
    settings: &Settings,
    role: Role,
    shutdown: &Shutdown,
) -> Result<Server, Failure> {
    let (engine, settings, shutdown) = (engine.clone(), &settings.server, shutdown.clone());
    let bound = match role {
        Role::Serve | Role::Api => Server::bind(engine, settings, shutdown).await,
        Role::Scheduler => Server::bind_health(engine, settings, shutdown).await,
    };
    bound.map_err(|error| match &error {
        ServerError::Listen(address, cause) => boot::cannot_listen(*address, cause),
        _ => Failure::cannot_start(format!("{error}.")),
    })
}

/// Serves, and works if that is the role's, until a signal. When one of the two ends by itself, the other is asked to end too: half a Syncline that
/// looks alive helps nobody.
pub(crate) async fn until_stopped(
    engine: Engine,
    settings: &Settings,
    role: Role,
    server: Server,
    shutdown: Shutdown,
    greet: impl FnOnce(SocketAddr) -> Result<(), Failure>,
) -> Outcome {
    let address = server.address();
    let db = engine.db.clone();
    let work = SchedulerSettings {
        // Two processes on one machine must not answer to one name, nor one that was started again.
        name: format!("{}-{:08x}", std::process::id(), engine.random.u64() >> 32),
        worker: settings.worker.clone(),
        retention: settings.retention.clone(),
    };
    let ended = {
        let shutdown = shutdown.clone();
        move |result: Result<(), Failure>| {
            shutdown.drain();
            result
        }
    };
    let serving = async {
        let result = server
            .serve()
            .await
            .map_err(|error| Failure::failed(format!("The server stopped: {error}.")));
        ended(result)
    };
    let working = async {
        if role == Role::Api {
            return Ok(());
        }
        let result = scheduler::run(engine, work, shutdown.clone())
            .await
            .map_err(|error| Failure::failed(format!("The scheduler stopped: {error}.")));
        ended(result)
    };
    if role != Role::Scheduler {
        greet(address)?;
    }
    let (served, worked) = tokio::join!(serving, working);
    // Every page was committed with its checkpoint; a connection that does not close takes nothing with it.
    let _ = db.close().await;
    served.and(worked).map(|()| ExitCode::SUCCESS)
}

pub(crate) fn telemetry(settings: &TelemetrySettings) -> Result<(), Failure> {
    platform::telemetry::init(settings).map_err(|error| Failure::cannot_start(format!("{error}.")))?;
    engine::metrics::begin();
    api::begin_metrics();
    Ok(())
}

/// A person at a terminal is told where to click; a supervisor reads the log.
fn greet(listen: SocketAddr) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() {
        return Ok(());
    }
    let page = if listen.ip().is_unspecified() {
        format!("http://localhost:{}", listen.port())
    } else {
        format!("http://{listen}")
    };
    console::print(&format!(
        "Syncline {} listens on {listen}. GraphiQL: {page}/graphiql\n",
        env!("CARGO_PKG_VERSION")
    ))
}
