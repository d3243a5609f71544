//! The events of a run's life.

use entity::sync_run::Model as Run;
use entity::words::SyncRunStatus;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::json;

use crate::events::EventDraft;
use crate::store::events;
use crate::{Engine, metrics, topics};

/// Writes the event of a transition, in its transaction.
pub(crate) async fn tell(connection: &impl ConnectionTrait, engine: &Engine, run: &Run) -> Result<(), DbErr> {
    events::append(connection, engine, draft(run)).await
}

/// As [`tell`], for many runs at once.
pub(crate) async fn tell_all(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    runs: &[Run],
) -> Result<(), DbErr> {
    events::append_all(connection, engine, runs.iter().map(draft)).await
}

fn draft(run: &Run) -> EventDraft {
    let event_type = match run.status {
        SyncRunStatus::Queued if run.started_at.is_none() => "sync_run.queued",
        SyncRunStatus::Queued => "sync_run.requeued",
        SyncRunStatus::Running => "sync_run.started",
        SyncRunStatus::Succeeded => "sync_run.succeeded",
        SyncRunStatus::PartiallySucceeded => "sync_run.partially_succeeded",
        SyncRunStatus::Failed => "sync_run.failed",
        SyncRunStatus::Cancelled => "sync_run.cancelled",
    };
    EventDraft::about(event_type, run.id, Some(run.client_id))
        .with(json!({
            "integrationId": run.integration_id, "status": run.status, "trigger": run.trigger, "mode": run.mode,
            "attempt": run.attempt, "error": run.error, "waitReason": run.wait_reason,
            "progress": {
                "requests": run.requests, "pages": run.pages, "recordsRead": run.records_read,
                "recordsAdded": run.records_added, "recordsUpdated": run.records_updated,
                "recordsUnchanged": run.records_unchanged, "recordsDeleted": run.records_deleted,
                "recordsFailed": run.records_failed, "bytesRead": run.bytes_read,
            },
        }))
        .correlated(run.correlation_id.clone())
}

/// Tells who listens, after the commit.
pub(crate) async fn told(engine: &Engine, run: &Run) {
    metrics::told(run);
    // What is queued can be claimed; what has ended makes room for the run behind it.
    if run.status != SyncRunStatus::Running {
        engine.notify(topics::QUEUE, "").await;
    }
    engine.notify(topics::RUNS, &run.id.to_string()).await;
    engine.notify(topics::EVENTS, "").await;
}

/// As [`told`], for many runs that were queued: who claims and who relays looks once for all of them.
pub(crate) async fn told_queued(engine: &Engine, runs: &[Run]) {
    if runs.is_empty() {
        return;
    }
    engine.notify(topics::QUEUE, "").await;
    for run in runs {
        engine.notify(topics::RUNS, &run.id.to_string()).await;
    }
    engine.notify(topics::EVENTS, "").await;
}
