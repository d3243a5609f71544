//! From rows to models.

use entity::{run_log, sync_attempt, sync_run, sync_run_stream};
use serde_json::Value;

use super::model::{
    LogEntry, LogLevel, StreamProgress, SyncAttempt, SyncError, SyncProgress, SyncRun, SyncRunStatus,
};

/// An error that an older or a newer version wrote in another form is shown as none rather than failing the
/// whole list it stands in.
fn error(column: Option<Value>) -> Option<SyncError> {
    serde_json::from_value(column?).ok()
}

impl From<sync_run::Model> for SyncRun {
    fn from(row: sync_run::Model) -> Self {
        Self {
            id: row.id,
            client_id: row.client_id,
            integration_id: row.integration_id,
            trigger: row.trigger,
            mode: row.mode,
            status: row.status,
            wait_reason: row.wait_reason,
            wait_until: None,
            streams: serde_json::from_value(row.streams).unwrap_or_default(),
            idempotency_key: row.idempotency_key,
            correlation_id: row.correlation_id,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            schedule_id: row.schedule_id,
            scheduled_for: row.scheduled_for.map(Into::into),
            queued_at: row.queued_at.into(),
            started_at: row.started_at.map(Into::into),
            finished_at: row.finished_at.map(Into::into),
            progress: SyncProgress {
                requests: row.requests,
                pages: row.pages,
                records_read: row.records_read,
                records_added: row.records_added,
                records_updated: row.records_updated,
                records_unchanged: row.records_unchanged,
                records_deleted: row.records_deleted,
                records_failed: row.records_failed,
                bytes_read: row.bytes_read,
            },
            error: match row.status {
                SyncRunStatus::Cancelled => Some(SyncError::cancelled()),
                _ => error(row.error),
            },
            held_deletions: row.held_deletions,
            updated_at: row.updated_at.into(),
        }
    }
}

impl From<sync_run_stream::Model> for StreamProgress {
    fn from(row: sync_run_stream::Model) -> Self {
        Self {
            run_id: row.run_id,
            stream: row.stream,
            status: row.status,
            progress: SyncProgress {
                requests: row.requests,
                pages: row.pages,
                records_read: row.records_read,
                records_added: row.records_added,
                records_updated: row.records_updated,
                records_unchanged: row.records_unchanged,
                records_deleted: row.records_deleted,
                records_failed: row.records_failed,
                bytes_read: row.bytes_read,
            },
            cursor: row.cursor,
        }
    }
}

impl From<sync_attempt::Model> for SyncAttempt {
    fn from(row: sync_attempt::Model) -> Self {
        Self {
            run_id: row.run_id,
            number: row.number,
            started_at: row.started_at.into(),
            finished_at: row.finished_at.map(Into::into),
            worker: row.worker,
            error: error(row.error),
        }
    }
}

impl From<run_log::Model> for LogEntry {
    fn from(row: run_log::Model) -> Self {
        Self {
            at: row.at.into(),
            level: LogLevel::from_code(row.level).unwrap_or(LogLevel::Info),
            message: row.message,
            fields: row.fields,
        }
    }
}
