//! What is not kept for ever: the logs of runs, events that were told, ticks that were skipped, answers
//! whose idempotency keys hold no longer, and everything of an integration that was deleted.
//!
//! Each function deletes batch after batch, each in a transaction of its own, and looks between two whether
//! it shall stop: a purge of a million rows must hold up neither a page's commit nor a shutdown.

use chrono::{DateTime, Utc};
use entity::Timestamp;
use platform::database::Durability;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::error::Result;
use crate::idempotency::KEYS_HOLD;
use crate::ids::IntegrationId;
use crate::integrations::cancel;
use crate::store::{idempotency, integrations, purge as store};

/// What can be deleted.
#[derive(Debug)]
pub struct Retention<'a>(&'a Engine);

impl Engine {
    /// What can be deleted.
    #[must_use]
    pub fn retention(&self) -> Retention<'_> {
        Retention(self)
    }
}

impl Retention<'_> {
    /// Deletes the lines of runs' logs from before then; gives how many.
    pub async fn purge_logs(&self, before: DateTime<Utc>, stop: &CancellationToken) -> Result<u64> {
        self.batches(stop, What::Logs(before.into())).await
    }

    /// Deletes the events from before then that were given their sequence; gives how many. The last of all
    /// stays: the sequence goes on from it.
    pub async fn purge_events(&self, before: DateTime<Utc>, stop: &CancellationToken) -> Result<u64> {
        self.batches(stop, What::Events(before.into())).await
    }

    /// Deletes the ticks from before then that were skipped; gives how many.
    pub async fn purge_skipped_ticks(&self, before: DateTime<Utc>, stop: &CancellationToken) -> Result<u64> {
        self.batches(stop, What::SkippedTicks(before.into())).await
    }

    /// Deletes the answers under idempotency keys that hold no longer; gives how many.
    pub async fn purge_answers(&self, stop: &CancellationToken) -> Result<u64> {
        let before = self.0.clock.now() - KEYS_HOLD;
        self.batches(stop, What::Answers(before.into())).await
    }

    /// Deletes the rows of deleted integrations; gives how many. One whose run has not stopped yet is left
    /// for the next time.
    pub async fn purge_deleted_integrations(&self, stop: &CancellationToken) -> Result<u64> {
        let mut deleted = 0;
        while let Some(id) = store::deleted_integration(self.0.db.reader()).await? {
            let unfinished = integrations::unfinished_runs(self.0.db.reader(), id).await?;
            if !unfinished.is_empty() {
                cancel(self.0, unfinished).await?;
                break;
            }
            let rows = self.batches(stop, What::Integration(id)).await?;
            deleted += rows;
            if rows == 0 || stop.is_cancelled() {
                break;
            }
        }
        Ok(deleted)
    }

    async fn batches(&self, stop: &CancellationToken, what: What) -> Result<u64> {
        let mut deleted = 0;
        while !stop.is_cancelled() {
            let transaction = self.0.db.begin(Durability::Page).await?;
            let rows = match what {
                What::Logs(before) => store::logs(&transaction, before).await?,
                What::Events(before) => store::events(&transaction, before).await?,
                What::SkippedTicks(before) => store::skipped_ticks(&transaction, before).await?,
                What::Answers(before) => idempotency::purge(&transaction, before).await?,
                What::Integration(id) => store::integration(&transaction, id).await?.rows,
            };
            transaction.commit().await?;
            deleted += rows;
            if rows == 0 {
                break;
            }
        }
        Ok(deleted)
    }
}

#[derive(Clone, Copy)]
enum What {
    Logs(Timestamp),
    Events(Timestamp),
    SkippedTicks(Timestamp),
    Answers(Timestamp),
    Integration(IntegrationId),
}
