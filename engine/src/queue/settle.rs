//! Settling: what becomes of a run when its execution has ended.
//!
//! Like everything a worker writes, a settlement names the fence and finds the lease alive, or changes
//! nothing. What follows from it commits with it: the attempt's end, the streams, the log, the event, the
//! integration's health, a dead letter.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::sync_run::Model as Run;
use entity::words::{LogLevel, SyncRunStatus, WaitReason};
use platform::database::Durability;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::{Value, json};

use super::settler::complete;
use super::{Claim, backoff, tell, told};
use crate::events::EventDraft;
use crate::ids::IntegrationId;
use crate::integrations::RetryPolicy;
use crate::runs::{ErrorKind, SyncError};
use crate::store::queue::Requeue;
use crate::store::run_log::LogLine;
use crate::store::stored_json::storable;
use crate::store::{attempts, events, health, queue, rejected, run_log, run_streams, runs};
use crate::sync::{Ending, Settlement};
use crate::{Engine, Result, Scope, topics};

/// Failed runs in a row after which an integration is paused: something is wrong that does not go away, and
/// an upstream that is being asked in vain every minute will end by blocking the client.
pub const FAILURES_BEFORE_PAUSE: i32 = 10;

/// Settles a claim. When the run is not the worker's any more, nothing changes.
///
/// # Errors
/// When the database is away: the lease will end, and the run be taken back.
pub async fn settle(engine: &Engine, claim: &Claim, settlement: &Settlement) -> Result<()> {
    let Settlement { ending, progressed } = settlement;
    let progressed = *progressed;
    if *ending == Ending::Lost {
        tracing::warn!("the run was lost to another worker or to its lease's end; nothing more is written");
        return Ok(());
    }
    if *ending == Ending::Completed {
        let ended = complete(engine, &[claim.hold()]).await?;
        say(ended.first());
        return Ok(());
    }
    let transaction = engine.db.begin(Durability::Page).await?;
    let now = engine.clock.now();
    let moved = match ending {
        Ending::Cancelled => end(&transaction, claim, SyncRunStatus::Cancelled, None, now).await?,
        Ending::Drained => {
            put_back(
                &transaction,
                claim,
                None,
                "put back by a worker that is stopping",
                now,
            )
            .await?
        }
        Ending::Parked { reason, wait } => {
            let wait = Some((*reason, *wait));
            put_back(&transaction, claim, wait, "put back to wait", now).await?
        }
        Ending::Failed { error, retry_after } => {
            let value = storable(json!(error));
            let mut moved = None;
            if let Some(wait) = wait(engine, &transaction, claim, error, *retry_after, progressed).await? {
                let how = Requeue {
                    spend: true,
                    earned: progressed,
                    not_before: now + wait,
                    reason: Some(reason(error)),
                    error: Some(&value),
                };
                moved = retry(&transaction, claim, how, now).await?;
            }
            if moved.is_none() {
                let status = if cancelled_meanwhile(&transaction, claim).await? {
                    SyncRunStatus::Cancelled
                } else {
                    SyncRunStatus::Failed
                };
                moved = end(&transaction, claim, status, Some(&value), now).await?;
            }
            moved
        }
        Ending::Completed | Ending::Lost => None,
    };
    let Some(run) = moved else {
        transaction.rollback().await?;
        say(None);
        return Ok(());
    };
    attempts::end(&transaction, claim.hold(), run.error.as_ref(), now).await?;
    tell(&transaction, engine, &run).await?;
    follow(&transaction, engine, &run).await?;
    let mut integration = None;
    if run.status.is_terminal() && run.status != SyncRunStatus::Cancelled {
        let refused = matches!(ending, Ending::Failed { error, .. } if error.kind == ErrorKind::Auth);
        integration = follow_integration(&transaction, engine, &run, refused).await?;
    }
    transaction.commit().await?;
    say(Some(&run));
    told(engine, &run).await;
    if let Some(integration) = integration {
        engine
            .notify(topics::INTEGRATIONS, &integration.to_string())
            .await;
    }
    Ok(())
}

/// Puts into the log what became of a run; none where it was not ours any more.
pub(super) fn say(settled: Option<&Run>) {
    let Some(run) = settled else {
        tracing::warn!("the run was not ours any more when it was to be settled; nothing was written");
        return;
    };
    tracing::info!(
        status = run.status.as_str(),
        wait = run.wait_reason.map(WaitReason::as_str),
        records_read = run.records_read,
        records_added = run.records_added,
        records_updated = run.records_updated,
        "run settled"
    );
}

async fn end(
    connection: &impl ConnectionTrait,
    claim: &Claim,
    status: SyncRunStatus,
    error: Option<&Value>,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DbErr> {
    let ended = queue::finish(connection, claim.hold(), status, error, now).await?;
    if let (Some(run), Some(error)) = (&ended, error) {
        let line = LogLine::new(LogLevel::Error, "the run failed", error.clone());
        run_log::append(connection, run.id, [line], now).await?;
    }
    Ok(ended)
}

/// Back into the queue, without spending an attempt.
async fn put_back(
    connection: &impl ConnectionTrait,
    claim: &Claim,
    wait: Option<(WaitReason, Duration)>,
    why: &str,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DbErr> {
    let (reason, wait) = wait.unzip();
    let how = Requeue {
        spend: false,
        earned: false,
        not_before: now + wait.unwrap_or_default(),
        reason,
        error: None,
    };
    match queue::requeue(connection, claim.hold(), how, now).await? {
        Some(run) => {
            let line = LogLine::new(LogLevel::Info, why, json!({ "wait": reason }));
            run_log::append(connection, run.id, [line], now).await?;
            Ok(Some(run))
        }
        // Somebody asked to cancel it meanwhile, or it is lost: the end tells which.
        None => end(connection, claim, SyncRunStatus::Cancelled, None, now).await,
    }
}

/// How long until the next attempt; none where there is to be none.
async fn wait(
    engine: &Engine,
    connection: &impl ConnectionTrait,
    claim: &Claim,
    error: &SyncError,
    asked: Option<Duration>,
    progressed: bool,
) -> Result<Option<TimeDelta>, DbErr> {
    let Run {
        attempt,
        max_attempts,
        ..
    } = *claim.row();
    if !error.retryable || (attempt >= max_attempts && !progressed) {
        return Ok(None);
    }
    let integration = runs::integration(connection, Scope::All, claim.integration_id()).await?;
    let policy: RetryPolicy = integration
        .and_then(|(row, _)| serde_json::from_value(row.retry).ok())
        .unwrap_or_default();
    // An integration that retries nothing gets no second attempt by progress either.
    if max_attempts <= 1 {
        return Ok(None);
    }
    let failures = backoff::fruitless(&policy, attempt, max_attempts, progressed);
    let wait = backoff::delay(&policy, failures, asked, &*engine.random);
    Ok(Some(TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1))))
}

const fn reason(error: &SyncError) -> WaitReason {
    match error.kind {
        ErrorKind::RateLimited => WaitReason::RateLimited,
        _ => WaitReason::Backoff,
    }
}

async fn retry(
    connection: &impl ConnectionTrait,
    claim: &Claim,
    how: Requeue<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DbErr> {
    let fields = json!({
        "error": how.error, "next_attempt_at": how.not_before.to_rfc3339(), "attempt": claim.attempt(),
    });
    let requeued = queue::requeue(connection, claim.hold(), how, now).await?;
    if let Some(run) = &requeued {
        let line = LogLine::new(LogLevel::Warn, "trying again later", fields);
        run_log::append(connection, run.id, [line], now).await?;
    }
    Ok(requeued)
}

async fn cancelled_meanwhile(connection: &impl ConnectionTrait, claim: &Claim) -> Result<bool, DbErr> {
    Ok(runs::find(connection, Scope::All, claim.id())
        .await?
        .is_some_and(|run| run.cancel_requested))
}

/// What follows from a transition for the run's streams, and the dead letter of one that failed.
pub(super) async fn follow(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    run: &Run,
) -> Result<(), DbErr> {
    use SyncRunStatus::{Cancelled, Failed, Queued};
    match run.status {
        Queued => run_streams::close(connection, run.id, Queued, Queued).await,
        Cancelled => run_streams::close(connection, run.id, Cancelled, Cancelled).await,
        Failed => {
            run_streams::close(connection, run.id, Failed, Cancelled).await?;
            rejected::insert_run(connection, engine, run).await
        }
        _ => Ok(()),
    }
}

/// What the end of a run means for its integration: its health, and whether it is paused. Gives the
/// integration, for who listens.
pub(super) async fn follow_integration(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    run: &Run,
    refused: bool,
) -> Result<Option<IntegrationId>, DbErr> {
    let failed = run.status == SyncRunStatus::Failed;
    let changed = health::record(connection, run, failed, refused, FAILURES_BEFORE_PAUSE).await?;
    let Some(paused) = changed else { return Ok(None) };
    if let Some(reason) = paused {
        tracing::warn!(integration = %run.integration_id, reason, "the integration is paused");
        let draft = EventDraft::about("integration.paused", run.integration_id, Some(run.client_id))
            .with(json!({ "reason": reason, "runId": run.id }))
            .correlated(run.correlation_id.clone());
        events::append(connection, engine, draft).await?;
    }
    Ok(Some(run.integration_id))
}
