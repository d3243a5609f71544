//! Leases: kept while a worker lives, taken back when it does not.

use std::time::Duration;

use entity::words::SyncRunStatus;
use platform::database::Durability;
use serde_json::json;

use super::settle::{follow, follow_integration};
use super::{Claim, tell, told};
use crate::ids::RunId;
use crate::runs::{ErrorKind, SyncError};
use crate::store::queue::Hold;
use crate::store::{attempts, queue};
use crate::{Engine, Result};

/// Runs taken back in one transaction.
const BATCH: i64 = 50;

/// A run whose lease was renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The run.
    pub run: RunId,
    /// Whether somebody asked to cancel it.
    pub cancel_requested: bool,
}

/// Renews the leases of claims, each named by its run and fence. What is missing in the answer is lost.
///
/// # Errors
/// When the database is away; the leases stand as they stood.
pub async fn renew(engine: &Engine, claims: &[(RunId, i64)], lease: Duration) -> Result<Vec<Renewed>> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let holds: Vec<Hold> = claims.iter().map(|&(run, fence)| Hold { run, fence }).collect();
    let transaction = engine.db.begin(Durability::Page).await?;
    let kept = queue::renew(&transaction, &holds, lease, engine.clock.now()).await?;
    transaction.commit().await?;
    Ok(kept
        .into_iter()
        .map(|(run, cancel_requested)| Renewed {
            run,
            cancel_requested,
        })
        .collect())
}

impl Claim {
    /// What names the claim for [`renew`].
    #[must_use]
    pub const fn key(&self) -> (RunId, i64) {
        (self.id(), self.fence())
    }
}

/// Takes back runs whose lease has ended, and says how many. A lost lease spends an attempt: a run that kills
/// its worker must not do so for ever.
///
/// # Errors
/// When the database is away.
pub async fn requeue_lost(engine: &Engine) -> Result<usize> {
    let error = json!(SyncError {
        kind: ErrorKind::Internal,
        code: "LEASE_LOST".to_owned(),
        message: "The worker that ran it stopped without a word, or lost its lease.".to_owned(),
        retryable: true,
        stream: None,
        http_status: None,
        url: None,
    });
    let mut total = 0;
    while queue::any_expired(engine.db.reader(), engine.clock.now()).await? {
        let transaction = engine.db.begin(Durability::Page).await?;
        let now = engine.clock.now();
        let rows = queue::take_back(&transaction, &error, BATCH, now).await?;
        if rows.is_empty() {
            transaction.rollback().await?;
            return Ok(total);
        }
        let mut integrations = Vec::new();
        for row in &rows {
            attempts::end(
                &transaction,
                Hold {
                    run: row.id,
                    fence: row.fence,
                },
                Some(&error),
                now,
            )
            .await?;
            tell(&transaction, engine, row).await?;
            follow(&transaction, engine, row).await?;
            if row.status == SyncRunStatus::Failed {
                integrations.extend(follow_integration(&transaction, engine, row, false).await?);
            }
        }
        transaction.commit().await?;
        for row in &rows {
            tracing::warn!(run = %row.id, integration = %row.integration_id, client = %row.client_id,
                attempt = row.attempt, status = row.status.as_str(), "a run's lease had ended");
            told(engine, row).await;
        }
        for integration in integrations {
            engine
                .notify(crate::topics::INTEGRATIONS, &integration.to_string())
                .await;
        }
        total += rows.len();
    }
    Ok(total)
}
