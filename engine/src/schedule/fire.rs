//! Firing schedules that are due.
//!
//! A due time is consumed by moving `next_due_at` on, in a conditional `UPDATE` that names the time it leaves;
//! in the same transaction it becomes a run, or a row that says why not. Two schedulers that see the same due
//! time therefore fire it once: the second finds it moved, and were it not, the run's `(schedule, due time)`
//! is unique.
//!
//! After a downtime, a schedule fires once, for the latest due time that it missed within its catch-up window: a
//! sync reads what is there now, and doing so once for each missed hour reads the same thing many times. The
//! others are rows with their reason, like every due time that did not become a run.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::ids::ScheduleId;
use entity::schedule::Model as Schedule;
use entity::sync_run::Model as Run;
use entity::words::{ClientStatus, OverlapPolicy, SkipReason, SyncMode, SyncRunStatus, SyncTrigger};
use entity::{client, integration};
use platform::database::{Durability, WriteTransaction};

use super::Calendar;
use super::calendar::jittered;
use crate::queue::{NewRun, enqueue, tell, told};
use crate::runs::max_attempts;
use crate::store::{queue, run_streams, runs, ticks};
use crate::{Engine, Result, Scope, correlation, topics};

/// Schedules looked at in one call.
const BATCH: u64 = 200;
/// What is seen to within this was not missed: a new version being rolled out may leave nobody there for a moment.
const ON_TIME: TimeDelta = TimeDelta::minutes(1);
/// How many of a schedule's missed due times are recorded at a time: a schedule of every second would have 600,000
/// after a week.
const RECORDED: usize = 1_000;

/// What became of the due times of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// Runs that were queued.
    pub queued: usize,
    /// Due times that did not become runs.
    pub skipped: usize,
}

enum Fate {
    Queued(Box<Run>),
    Skipped,
    /// Somebody else fired it.
    Gone,
}

/// Fires every schedule that is due.
///
/// # Errors
/// When the database is away; what was not fired stays due.
pub async fn fire_due(engine: &Engine) -> Result<Fired> {
    let mut fired = Fired::default();
    loop {
        let due = ticks::due(engine.db.reader(), engine.clock.now(), BATCH).await?;
        let more = due.len() as u64 == BATCH;
        for schedule in due {
            let id = correlation::fresh(&*engine.random);
            match correlation::scope(id, fire(engine, schedule)).await? {
                Fate::Queued(run) => {
                    fired.queued += 1;
                    told(engine, &run).await;
                }
                Fate::Skipped => fired.skipped += 1,
                Fate::Gone => {}
            }
        }
        if !more {
            return Ok(fired);
        }
    }
}

async fn fire(engine: &Engine, schedule: Schedule) -> Result<Fate> {
    let Some(first) = schedule.next_due_at else {
        return Ok(Fate::Gone);
    };
    let now = engine.clock.now();
    let calendar = match Calendar::parse(&schedule.cron, &schedule.timezone) {
        Ok(calendar) => calendar,
        Err(fault) => {
            // It was valid when it was written: a zone that an update of the zone database took away, say.
            tracing::error!(schedule = %schedule.id, %fault, "a schedule cannot be understood and will not fire");
            let transaction = engine.db.begin(Durability::Page).await?;
            ticks::consume(&transaction, schedule.id, first.into(), None, now).await?;
            transaction.commit().await?;
            return Ok(Fate::Gone);
        }
    };
    let (due, earlier) = calendar.owed(first.into(), now, RECORDED);
    let window = ON_TIME.max(TimeDelta::seconds(schedule.catch_up_seconds.into()));
    let missed = |due: DateTime<Utc>| now - due > window;
    let transaction = engine.begin_accepted().await?;
    if !ticks::consume(
        &transaction,
        schedule.id,
        first.into(),
        calendar.next_after(now),
        now,
    )
    .await?
    {
        transaction.rollback().await?;
        return Ok(Fate::Gone);
    }
    let found = runs::integration(&transaction, Scope::All, schedule.integration_id).await?;
    let Some((integration, client)) = found else {
        ticks::consume_all(&transaction, schedule.id, now).await?;
        transaction.commit().await?;
        return Ok(Fate::Gone);
    };
    let reasons = earlier.into_iter().map(|due| match missed(due) {
        true => (due, SkipReason::MissedOutsideCatchUp),
        false => (due, SkipReason::Coalesced),
    });
    ticks::skip(&transaction, schedule.id, reasons).await?;
    if missed(due) {
        return skip(transaction, schedule.id, due, SkipReason::MissedOutsideCatchUp).await;
    }
    if let Some(reason) = skip_reason(&integration, &client) {
        return skip(transaction, schedule.id, due, reason).await;
    }
    let active = runs::active(&transaction, integration.id).await?;
    let mut cancelled = Vec::new();
    match overlap(schedule.overlap, &active) {
        Overlap::Go => {}
        Overlap::Skip => return skip(transaction, schedule.id, due, SkipReason::Overlap).await,
        Overlap::Cancel => {
            for run in &active {
                cancelled.extend(cancel(&transaction, engine, run, now).await?);
            }
        }
    }
    let jitter = Duration::from_secs(u64::try_from(schedule.jitter_seconds).unwrap_or(0));
    let new = NewRun {
        client_id: integration.client_id,
        integration_id: integration.id,
        trigger: SyncTrigger::Schedule,
        mode: SyncMode::Incremental,
        streams: serde_json::from_value(integration.streams.clone()).unwrap_or_default(),
        idempotency: None,
        max_attempts: max_attempts(&integration),
        tick: Some((schedule.id, due)),
        not_before: jittered(due, jitter, engine.random.unit()),
    };
    let queued = enqueue(&transaction, engine, new).await?;
    transaction.commit().await?;
    for run in &cancelled {
        told(engine, run).await;
        engine.notify(topics::CANCEL, &run.id.to_string()).await;
    }
    Ok(queued.map_or(Fate::Gone, |run| Fate::Queued(Box::new(run))))
}

async fn skip(
    transaction: WriteTransaction,
    schedule: ScheduleId,
    due: DateTime<Utc>,
    reason: SkipReason,
) -> Result<Fate> {
    ticks::skip(&transaction, schedule, [(due, reason)]).await?;
    transaction.commit().await?;
    tracing::info!(%schedule, %due, reason = reason.as_str(), "a due time was skipped");
    Ok(Fate::Skipped)
}

fn skip_reason(integration: &integration::Model, client: &client::Model) -> Option<SkipReason> {
    if client.status == ClientStatus::Archived {
        return Some(SkipReason::ClientArchived);
    }
    let paused =
        integration.paused_manually || integration.paused_for_credential || integration.paused_for_failure;
    paused.then_some(SkipReason::Paused)
}

#[derive(Debug, PartialEq, Eq)]
enum Overlap {
    Go,
    Skip,
    Cancel,
}

fn overlap(policy: OverlapPolicy, active: &[Run]) -> Overlap {
    let queued = active.iter().any(|run| run.status == SyncRunStatus::Queued);
    match policy {
        _ if active.is_empty() => Overlap::Go,
        OverlapPolicy::Skip => Overlap::Skip,
        OverlapPolicy::BufferOne if queued => Overlap::Skip,
        OverlapPolicy::BufferOne => Overlap::Go,
        OverlapPolicy::CancelRunning => Overlap::Cancel,
    }
}

async fn cancel(
    transaction: &WriteTransaction,
    engine: &Engine,
    run: &Run,
    now: DateTime<Utc>,
) -> Result<Option<Run>> {
    if let Some(row) = queue::cancel_queued(transaction, run.id, now).await? {
        tell(transaction, engine, &row).await?;
        run_streams::close(transaction, run.id, row.status, row.status).await?;
        return Ok(Some(row));
    }
    Ok(queue::request_cancel(transaction, run.id, now).await?)
}
