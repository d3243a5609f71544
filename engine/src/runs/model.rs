//! What is known of a run.

use chrono::{DateTime, Utc};
pub use entity::words::{ErrorKind, LogLevel, SyncMode, SyncRunStatus, SyncTrigger, WaitReason};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ClientId, IntegrationId, RunId, ScheduleId};

/// One synchronisation.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncRun {
    /// Its id.
    pub id: RunId,
    /// Whose it is.
    pub client_id: ClientId,
    /// The integration.
    pub integration_id: IntegrationId,
    /// What made it.
    pub trigger: SyncTrigger,
    /// How much it reads.
    pub mode: SyncMode,
    /// Where it stands.
    pub status: SyncRunStatus,
    /// Why it waits; none unless it is queued.
    pub wait_reason: Option<WaitReason>,
    /// When the wait is expected to end; none when nobody can know.
    pub wait_until: Option<DateTime<Utc>>,
    /// The names of the streams that it reads.
    pub streams: Vec<String>,
    /// The caller's key.
    pub idempotency_key: Option<String>,
    /// Joins it to the request that made it.
    pub correlation_id: String,
    /// 1 for the first.
    pub attempt: i32,
    /// The last attempt's number.
    pub max_attempts: i32,
    /// The schedule that made it.
    pub schedule_id: Option<ScheduleId>,
    /// The due time that it stands for.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub queued_at: DateTime<Utc>,
    /// When its first attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What it did so far, over all streams.
    pub progress: SyncProgress,
    /// The last attempt's error; none when it succeeded.
    pub error: Option<SyncError>,
    /// Records that a suspicious full refresh would delete, until approved.
    pub held_deletions: Option<i64>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a run, or one stream of it, did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncProgress {
    /// HTTP requests made.
    pub requests: i64,
    /// Pages committed.
    pub pages: i64,
    /// Records that the upstream gave.
    pub records_read: i64,
    /// Of them new.
    pub records_added: i64,
    /// Of them with another content than before.
    pub records_updated: i64,
    /// Of them as they were.
    pub records_unchanged: i64,
    /// Records marked as deleted.
    pub records_deleted: i64,
    /// Records that became dead letters.
    pub records_failed: i64,
    /// Bytes of answers, decompressed.
    pub bytes_read: i64,
}

/// What went wrong with an upstream, a configuration or a record: kept as it was, in runs, attempts and
/// dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncError {
    /// The kind of thing.
    pub kind: ErrorKind,
    /// Which, in SCREAMING_SNAKE_CASE.
    pub code: String,
    /// What happened and what to do, for a person. Holds no secret.
    pub message: String,
    /// Whether trying again can help.
    pub retryable: bool,
    /// The stream that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The answer's status, where there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// What was asked, without its query and its secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl SyncError {
    /// What a cancelled run shows.
    pub(crate) fn cancelled() -> Self {
        Self {
            kind: ErrorKind::Cancelled,
            code: "CANCELLED".to_owned(),
            message: "The run was cancelled; what it had committed stays. Trigger a sync to go on."
                .to_owned(),
            retryable: false,
            stream: None,
            http_status: None,
            url: None,
        }
    }
}

/// One stream of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamProgress {
    /// The run.
    pub run_id: RunId,
    /// The stream.
    pub stream: String,
    /// Where it stands.
    pub status: SyncRunStatus,
    /// What it did so far.
    pub progress: SyncProgress,
    /// The stream's cursor as it was last written.
    pub cursor: Option<Value>,
}

/// One attempt at a run.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncAttempt {
    /// The run.
    pub run_id: RunId,
    /// 1 for the first.
    pub number: i32,
    /// When a worker took it.
    pub started_at: DateTime<Utc>,
    /// When it ended; none while it runs.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who ran it.
    pub worker: String,
    /// Why it failed.
    pub error: Option<SyncError>,
}

/// A line of a run's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// How grave.
    pub level: LogLevel,
    /// What happened.
    pub message: String,
    /// What belongs to it; an object.
    pub fields: Value,
}

/// Which runs; what is not given does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SyncRunFilter {
    /// Whose.
    pub client_id: Option<ClientId>,
    /// Of which integration.
    pub integration_id: Option<IntegrationId>,
    /// In one of these states; all where empty.
    pub status: Vec<SyncRunStatus>,
    /// Made by one of these; all where empty.
    pub trigger: Vec<SyncTrigger>,
    /// Asked for after this instant.
    pub queued_after: Option<DateTime<Utc>>,
    /// Asked for before this instant.
    pub queued_before: Option<DateTime<Utc>>,
    /// Ended after this.
    pub finished_after: Option<DateTime<Utc>>,
    /// Ended before this.
    pub finished_before: Option<DateTime<Utc>>,
    /// Of an integration on this connector: its slug.
    pub connector: Option<String>,
    /// Whose last error is of one of these kinds; all where empty.
    pub error_kind: Vec<ErrorKind>,
}

impl SyncRunFilter {
    /// Whether it asks for nothing but whose runs and where they stand: how many those are is kept, and not counted.
    pub(super) fn asks_what_is_kept(&self) -> bool {
        let kept = Self {
            client_id: self.client_id,
            status: self.status.clone(),
            ..Self::default()
        };
        *self == kept
    }
}

/// A request to run an integration now.
#[derive(Clone, Debug, PartialEq)]
pub struct TriggerSync {
    /// The integration.
    pub integration_id: IntegrationId,
    /// The same key with the same input gives back the same run.
    pub idempotency_key: Option<String>,
    /// How much to read.
    pub mode: SyncMode,
    /// Which of the integration's streams; all of them where none.
    pub streams: Option<Vec<String>>,
    /// What asks.
    pub trigger: SyncTrigger,
}

/// The run that a request gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Triggered {
    /// The run.
    pub run: SyncRun,
    /// Whether an earlier request with the same key made it.
    pub deduplicated: bool,
}
