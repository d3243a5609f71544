//! A run, and what it consists of.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use engine::Listing;
use serde_json::Value;

use super::{
    DateTime, Integration, LogConnection, LogLevel, SyncError, SyncMode, SyncRunStatus, SyncTrigger,
    WaitReason, list_cost, page,
};
use crate::graphql::context::{loaders, owner};
use crate::graphql::loaders::{AttemptsOf, StreamsOf};

pub(crate) struct SyncRun(pub(crate) engine::runs::SyncRun);

impl From<engine::runs::SyncRun> for SyncRun {
    fn from(run: engine::runs::SyncRun) -> Self {
        Self(run)
    }
}

/// One synchronisation of an integration, from the queue to its end.
#[Object]
impl SyncRun {
    /// `run_…`
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it synchronises.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Integration> {
        Ok(Integration(owner(
            loaders(ctx).load_one(self.0.integration_id).await?,
        )?))
    }

    /// What made it.
    async fn trigger(&self) -> SyncTrigger {
        self.0.trigger.into()
    }

    /// How much it reads.
    async fn mode(&self) -> SyncMode {
        self.0.mode.into()
    }

    /// Where it stands.
    async fn status(&self) -> SyncRunStatus {
        self.0.status.into()
    }

    /// Why it does not run yet; null unless it is QUEUED.
    async fn wait_reason(&self) -> Option<WaitReason> {
        self.0.wait_reason.map(WaitReason::from)
    }

    /// When the wait is expected to end; null when nobody can know.
    async fn wait_until(&self) -> Option<DateTime> {
        self.0.wait_until.map(DateTime)
    }

    /// The key that triggerSync was given; null when none was.
    async fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }

    /// Joins it to the request that made it, in logs and events.
    async fn correlation_id(&self) -> &str {
        &self.0.correlation_id
    }

    /// 1 for the first. A drain does not spend one, a lost lease and a retry do.
    async fn attempt(&self) -> i32 {
        self.0.attempt
    }

    /// After this attempt there is no other.
    async fn max_attempts(&self) -> i32 {
        self.0.max_attempts
    }

    /// The due time that it stands for; null unless a schedule made it.
    async fn scheduled_for(&self) -> Option<DateTime> {
        self.0.scheduled_for.map(DateTime)
    }

    /// When it was asked for.
    async fn queued_at(&self) -> DateTime {
        self.0.queued_at.into()
    }

    /// When its first attempt began; null while it waits for that.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at.map(DateTime)
    }

    /// When it ended; null before.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }

    /// What it did so far, over all streams and attempts.
    async fn progress(&self) -> SyncProgress {
        self.0.progress.into()
    }

    /// What it did so far, stream by stream, in the order in which they are read.
    #[graphql(complexity = "child_complexity.saturating_mul(10).saturating_add(1).min(1_000_000_000)")]
    async fn streams(&self, ctx: &Context<'_>) -> Result<Vec<StreamProgress>> {
        let streams = loaders(ctx)
            .load_one(StreamsOf(self.0.id))
            .await?
            .unwrap_or_default();
        Ok(streams.into_iter().map(StreamProgress::from).collect())
    }

    /// The last attempt's error; null when it succeeded or none has ended.
    async fn error(&self) -> Option<SyncError> {
        self.0.error.clone().map(SyncError)
    }

    /// Its attempts, the first one first.
    #[graphql(complexity = "child_complexity.saturating_mul(5).saturating_add(1).min(1_000_000_000)")]
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<SyncAttempt>> {
        let attempts = loaders(ctx)
            .load_one(AttemptsOf(self.0.id))
            .await?
            .unwrap_or_default();
        Ok(attempts.into_iter().map(SyncAttempt::from).collect())
    }

    /// Records that a suspicious full refresh would delete, until approveDeletions; null otherwise.
    async fn held_deletions(&self) -> Option<i32> {
        self.0
            .held_deletions
            .map(|count| i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// What it tells of itself, oldest first. Kept for some days.
    #[graphql(complexity = "list_cost(first, None, child_complexity)")]
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when not given")] first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Only lines at least this grave; all when not given")] min_level: Option<LogLevel>,
    ) -> Result<LogConnection> {
        let listing = Listing {
            of: (self.0.id, min_level.unwrap_or(LogLevel::Debug).into()),
            page: page(first, after, None, None)?,
        };
        let found = loaders(ctx).load_one(listing).await?;
        Ok(LogConnection::new(owner(found)??))
    }
}

/// What was done so far. Whole numbers, as Float because they may pass 2^31.
#[derive(SimpleObject)]
pub(crate) struct SyncProgress {
    /// HTTP requests made.
    requests: f64,
    /// Pages committed.
    pages: f64,
    /// Records that the upstream gave.
    records_read: f64,
    /// Of them new.
    records_added: f64,
    /// Of them with another content than before.
    records_updated: f64,
    /// Of them as they were.
    records_unchanged: f64,
    /// Records marked as deleted.
    records_deleted: f64,
    /// Records that became dead letters.
    records_failed: f64,
    /// Bytes of the upstream's answers, decompressed.
    bytes_read: f64,
}

impl From<engine::runs::SyncProgress> for SyncProgress {
    fn from(progress: engine::runs::SyncProgress) -> Self {
        Self {
            requests: progress.requests as f64,
            pages: progress.pages as f64,
            records_read: progress.records_read as f64,
            records_added: progress.records_added as f64,
            records_updated: progress.records_updated as f64,
            records_unchanged: progress.records_unchanged as f64,
            records_deleted: progress.records_deleted as f64,
            records_failed: progress.records_failed as f64,
            bytes_read: progress.bytes_read as f64,
        }
    }
}

/// One stream of a run.
#[derive(SimpleObject)]
pub(crate) struct StreamProgress {
    /// The stream.
    stream: String,
    /// Where it stands.
    status: SyncRunStatus,
    /// What it did so far.
    progress: SyncProgress,
    /// The stream's cursor as it was last written; null when it has none yet.
    cursor: Option<Value>,
}

impl From<engine::runs::StreamProgress> for StreamProgress {
    fn from(stream: engine::runs::StreamProgress) -> Self {
        Self {
            stream: stream.stream,
            status: stream.status.into(),
            progress: stream.progress.into(),
            cursor: stream.cursor,
        }
    }
}

/// One attempt at a run.
#[derive(SimpleObject)]
pub(crate) struct SyncAttempt {
    /// 1 for the first.
    number: i32,
    /// When a worker took it.
    started_at: DateTime,
    /// When it ended; null while it runs.
    finished_at: Option<DateTime>,
    /// Who ran it.
    worker: String,
    /// Why it failed; null when it did not.
    error: Option<SyncError>,
}

impl From<engine::runs::SyncAttempt> for SyncAttempt {
    fn from(attempt: engine::runs::SyncAttempt) -> Self {
        Self {
            number: attempt.number,
            started_at: attempt.started_at.into(),
            finished_at: attempt.finished_at.map(DateTime),
            worker: attempt.worker,
            error: attempt.error.map(SyncError),
        }
    }
}

/// A line of a run's log.
#[derive(SimpleObject)]
pub(crate) struct LogEntry {
    /// When.
    at: DateTime,
    /// How grave.
    level: LogLevel,
    /// What happened.
    message: String,
    /// What belongs to it: an object.
    fields: Value,
}

impl From<engine::runs::LogEntry> for LogEntry {
    fn from(entry: engine::runs::LogEntry) -> Self {
        Self {
            at: entry.at.into(),
            level: entry.level.into(),
            message: entry.message,
            fields: entry.fields,
        }
    }
}
