//! Maintenance: one handler a file, each with its time in the calendar.
//!
//! With several schedulers a job runs in one of them: whoever gets its lock. Losing the lock to a failure of
//! the coordinator costs work done twice and nothing else, since every handler deletes what is old, which is
//! gone the second time.

mod purge;

use std::time::Duration;

use engine::Engine;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::SchedulerSettings;

/// A job's lock is believed for so long; a job that takes longer may be started a second time.
const LOCK: Duration = Duration::from_secs(30 * 60);

/// A job of the maintenance calendar.
#[derive(Clone, Copy)]
pub(crate) struct Maintenance {
    pub(crate) name: &'static str,
    /// Second, minute, hour, day, month, weekday, in UTC.
    pub(crate) cron: &'static str,
    handle: fn(Engine, SchedulerSettings, CancellationToken) -> BoxFuture<'static, engine::Result<u64>>,
}

/// The calendar.
pub(crate) fn all() -> [Maintenance; 1] {
    [Maintenance {
        name: "purge",
        cron: "0 17 * * * *",
        handle: purge::handle,
    }]
}

/// Runs a job, if no other process does.
pub(crate) fn run(
    job: Maintenance,
    engine: Engine,
    settings: SchedulerSettings,
    stop: CancellationToken,
) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let lock = format!("job:{}", job.name);
        match engine.coordinator.try_lock(&lock, &settings.name, LOCK).await {
            Ok(None) => return,
            Ok(Some(_)) => {}
            Err(error) => tracing::debug!(%error, job = job.name, "no lock to be had; running without"),
        }
        match (job.handle)(engine.clone(), settings.clone(), stop).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(job = job.name, rows, "maintenance done"),
            Err(error) => tracing::warn!(job = job.name, error = %error.chain(), "maintenance failed"),
        }
        if let Err(error) = engine.coordinator.unlock(&lock, &settings.name).await {
            tracing::debug!(%error, job = job.name, "the lock was not given back; it expires");
        }
    })
}
