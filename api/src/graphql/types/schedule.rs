//! When an integration runs by itself.

use async_graphql::{Object, SimpleObject};

use super::{DateTime, OverlapPolicy, SkipReason};

pub(crate) struct Schedule(pub(crate) engine::integrations::Schedule);

/// When an integration runs by itself.
#[Object]
impl Schedule {
    /// A cron expression: five fields, or six with seconds first.
    async fn cron(&self) -> &str {
        &self.0.cron
    }

    /// The IANA time zone that the expression is read in.
    async fn timezone(&self) -> &str {
        &self.0.timezone
    }

    /// A run begins up to this many seconds after its due time, never before it. 0 to 3600.
    async fn jitter_seconds(&self) -> i32 {
        i32::try_from(self.0.jitter_seconds).unwrap_or(i32::MAX)
    }

    /// What to do while a run is active.
    async fn overlap(&self) -> OverlapPolicy {
        self.0.overlap.into()
    }

    /// Due times missed this many seconds ago or less still run, once. 0 to 604800.
    async fn catch_up_seconds(&self) -> i32 {
        i32::try_from(self.0.catch_up_seconds).unwrap_or(i32::MAX)
    }
}

/// A due time that did not become a run.
#[derive(SimpleObject)]
pub(crate) struct SkippedTick {
    /// The due time.
    due_at: DateTime,
    /// Why there is no run.
    reason: SkipReason,
}

impl From<engine::integrations::SkippedTick> for SkippedTick {
    fn from(tick: engine::integrations::SkippedTick) -> Self {
        Self {
            due_at: tick.due_at.into(),
            reason: tick.reason.into(),
        }
    }
}
