//! The process that works.
//!
//! | part | does | wakes |
//! |---|---|---|
//! | [`ticker`] | finds the schedules that are due, and queues their runs | every second, by tokio-cron-scheduler |
//! | [`worker`] | claims runs, executes them, settles them | at a notice; at the next time a run may run; every second |
//! | [`reaper`] | takes back runs whose worker is gone | every two seconds |
//! | [`relay`] | gives events their sequence | at a notice; every half second |
//! | [`figures`] | adds the runs that ended to the counts that an overview reads | every five seconds |
//! | [`erasures`] | deletes everything of clients that are to be erased | at a notice; every five seconds |
//! | [`jobs`] | maintenance: what is not kept for ever | by the calendar, on the same cron clock |
//!
//! Every part holds an `Engine` and decides nothing itself. Any number of processes may run all of them: what
//! must happen once is decided by the database, row by row.

mod erasures;
mod figures;
mod jobs;
mod leases;
mod reaper;
mod relay;
mod ticker;
mod worker;

use std::time::Duration;

use engine::Engine;
use platform::settings::{RetentionSettings, WorkerSettings};
use platform::shutdown::Shutdown;
use tokio::task::JoinSet;

pub use ticker::TickerError;

/// How the process works.
#[derive(Clone, Debug)]
pub struct SchedulerSettings {
    /// Who claims: shown at attempts, and best unique among processes.
    pub name: String,
    /// Runs at the same time, and how long a silent worker is believed.
    pub worker: WorkerSettings,
    /// What is kept for how long.
    pub retention: RetentionSettings,
}

/// Runs every part until the shutdown, and returns when what was running has been put down.
///
/// # Errors
/// When the cron clock cannot be set up.
pub async fn run(engine: Engine, settings: SchedulerSettings, shutdown: Shutdown) -> Result<(), TickerError> {
    let clock = ticker::start(&engine, &settings, &shutdown.soft).await?;
    let mut parts = JoinSet::new();
    parts.spawn(reaper::run(engine.clone(), shutdown.soft.clone()));
    parts.spawn(relay::run(engine.clone(), shutdown.soft.clone()));
    parts.spawn(figures::run(engine.clone(), shutdown.soft.clone()));
    parts.spawn(erasures::run(
        engine.clone(),
        settings.name.clone(),
        shutdown.soft.clone(),
    ));
    parts.spawn(worker::run(
        engine.clone(),
        settings.name,
        settings.worker,
        shutdown.clone(),
    ));
    tracing::info!("the scheduler is running");
    while let Some(ended) = parts.join_next().await {
        if let Err(error) = ended {
            // A part ends only at the shutdown. One that panicked would be missed silently, so all stop and
            // whoever supervises the process starts it again.
            tracing::error!(%error, "a part of the scheduler failed; stopping");
            shutdown.drain();
        }
    }
    ticker::stop(clock).await;
    Ok(())
}

/// After a failure that is not the part's own (the database is away), how long until it tries again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
