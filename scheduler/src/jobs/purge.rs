//! Deleting what is past its retention, and what belonged to deleted integrations.

use chrono::Days;
use engine::{Engine, Result};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::SchedulerSettings;

/// Skipped ticks are kept as long as the logs: both answer "what happened last week?".
pub(super) fn handle(
    engine: Engine,
    settings: SchedulerSettings,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<u64>> {
    Box::pin(async move {
        let now = engine.clock.now();
        let before = |days: u32| now.checked_sub_days(Days::new(days.into())).unwrap_or(now);
        let (logs, events) = (
            before(settings.retention.logs_days),
            before(settings.retention.events_days),
        );
        let retention = engine.retention();
        let mut rows = retention.purge_logs(logs, &stop).await?;
        rows += retention.purge_events(events, &stop).await?;
        rows += retention.purge_skipped_ticks(logs, &stop).await?;
        rows += retention.purge_answers(&stop).await?;
        rows += retention.purge_deleted_integrations(&stop).await?;
        Ok(rows)
    })
}
