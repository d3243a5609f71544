//! The clock: tokio-cron-scheduler.
//!
//! It has a handful of jobs that are there from the start, and does no work itself: one asks every second
//! which schedules are due, the others are the maintenance calendar. The schedules of integrations are rows of
//! a table, with due times that the engine computes, because as jobs of this crate they would be lost with the
//! process, frozen to the offset of the day they were added (an hour off after a change of the clocks), and
//! unmoved by a second scheduler. What was measured of it decides how it is used:
//!
//! - Jobs are async: a sync job that panics never runs again.
//! - Jobs are cron jobs, not `new_repeated`, which die after one stall of the runtime.
//! - Jobs are never added while it runs: a thousand concurrent `add`s hung it for good.
//! - It starts a job again while the last one still runs: each has a guard.
//! - Its shutdown does not wait: the work is tracked here, and waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Engine, schedule};
use futures::future::BoxFuture;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{SchedulerSettings, jobs};

/// Second, minute, hour, day, month, weekday: every second.
const EVERY_SECOND: &str = "* * * * * *";
const EVERY_MINUTE: &str = "30 * * * * *";

/// The cron clock could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the cron clock cannot be set up: {0}")]
pub struct TickerError(#[from] JobSchedulerError);

/// The running clock.
pub(crate) struct Ticker {
    scheduler: JobScheduler,
    work: TaskTracker,
}

/// Starts the clock.
pub(crate) async fn start(
    engine: &Engine,
    settings: &SchedulerSettings,
    stop: &CancellationToken,
) -> Result<Ticker, TickerError> {
    let scheduler = JobScheduler::new().await?;
    let work = TaskTracker::new();
    let due = engine.clone();
    let tick = move || -> BoxFuture<'static, ()> {
        let engine = due.clone();
        Box::pin(async move {
            match schedule::fire::fire_due(&engine).await {
                Ok(fired) if fired == schedule::fire::Fired::default() => {}
                Ok(fired) => {
                    tracing::info!(queued = fired.queued, skipped = fired.skipped, "schedules fired")
                }
                Err(error) => tracing::warn!(error = %error.chain(), "due schedules could not be fired"),
            }
        })
    };
    scheduler.add(job(EVERY_SECOND, &work, stop, tick)?).await?;
    let upkeep = || -> BoxFuture<'static, ()> { Box::pin(async { platform::telemetry::metrics::upkeep() }) };
    scheduler.add(job(EVERY_MINUTE, &work, stop, upkeep)?).await?;
    for maintenance in jobs::all() {
        let (engine, settings, stop_work) = (engine.clone(), settings.clone(), stop.clone());
        let run = move || jobs::run(maintenance, engine.clone(), settings.clone(), stop_work.clone());
        scheduler.add(job(maintenance.cron, &work, stop, run)?).await?;
    }
    scheduler.start().await?;
    Ok(Ticker { scheduler, work })
}

/// Stops the clock, and waits for what it started.
pub(crate) async fn stop(mut ticker: Ticker) {
    if let Err(error) = ticker.scheduler.shutdown().await {
        tracing::debug!(%error, "the cron clock did not stop in order");
    }
    ticker.work.close();
    ticker.work.wait().await;
}

/// A job that is left out while its last run is under way.
fn job(
    cron: &str,
    work: &TaskTracker,
    stop: &CancellationToken,
    run: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
) -> Result<Job, JobSchedulerError> {
    let busy = Arc::new(AtomicBool::new(false));
    let (work, stop) = (work.clone(), stop.clone());
    Job::new_async(cron, move |_, _| {
        let free = !stop.is_cancelled() && !busy.swap(true, Ordering::AcqRel);
        let running = free.then(|| work.track_future(guarded(Guard(Arc::clone(&busy)), run())));
        Box::pin(async move {
            if let Some(running) = running {
                running.await;
            }
        })
    })
}

async fn guarded(guard: Guard, run: BoxFuture<'static, ()>) {
    run.await;
    drop(guard);
}

/// Frees the job also when its run panics.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
