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

/// Writes the events of many runs' transitions, in their transaction.
pub(crate) async fn tell_all(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    runs: &[Run],
) -> Result<(), DbErr> {
    let drafts = runs.iter().map(|run| (run.client_id, draft(run))).collect();
    events::append_all(connection, engine, drafts).await
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
    told_all(engine, std::slice::from_ref(run)).await;
}

/// Tells who listens of many runs' transitions, after their commit. To look again need only be said once.
pub(crate) async fn told_all(engine: &Engine, runs: &[Run]) {
    if runs.is_empty() {
        return;
    }
    runs.iter().for_each(metrics::told);
    // What is queued can be claimed; what has ended makes room for the run behind it.
    if runs.iter().any(|run| run.status != SyncRunStatus::Running) {
        engine.notify(topics::QUEUE, "").await;
    }
    for run in runs {
        engine.notify(topics::RUNS, &run.id.to_string()).await;
    }
    engine.notify(topics::EVENTS, "").await;
}
