//! Claiming.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::sync_run::Model as Run;
use platform::database::Durability;
use sea_orm::{DbErr, SqlErr};

use super::{tell, told};
use crate::ids::{ClientId, IntegrationId, RunId};
use crate::store::queue::Hold;
use crate::store::{attempts, queue};
use crate::{Engine, Result};

/// How often a claim is tried again that another worker's claim of the same integration got in the way of.
const CONFLICTS: usize = 5;

/// A run that is ours for as long as its lease is renewed. Not cloned: one claim, one execution.
#[derive(Debug)]
pub struct Claim {
    row: Run,
}

impl Claim {
    /// The run.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.row.id
    }

    /// Whose it is.
    #[must_use]
    pub const fn client_id(&self) -> ClientId {
        self.row.client_id
    }

    /// The integration.
    #[must_use]
    pub const fn integration_id(&self) -> IntegrationId {
        self.row.integration_id
    }

    /// 1 for the first.
    #[must_use]
    pub const fn attempt(&self) -> i32 {
        self.row.attempt
    }

    /// The fence that the claim raised.
    #[must_use]
    pub const fn fence(&self) -> i64 {
        self.row.fence
    }

    /// The id of the request that made the run.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        &self.row.correlation_id
    }

    /// The streams to read, in order.
    #[must_use]
    pub fn streams(&self) -> Vec<String> {
        serde_json::from_value(self.row.streams.clone()).unwrap_or_default()
    }

    pub(crate) const fn row(&self) -> &Run {
        &self.row
    }

    pub(crate) const fn hold(&self) -> Hold {
        Hold {
            run: self.row.id,
            fence: self.row.fence,
        }
    }
}

/// Claims up to `room` runs for a worker, at most one of an integration.
///
/// # Errors
/// When the database is away.
pub async fn claim(engine: &Engine, worker: &str, lease: Duration, room: usize) -> Result<Vec<Claim>> {
    // Idle workers look every second: the look is a read, and takes no turn to write from anybody.
    if room == 0 || !queue::any_due(engine.db.reader(), engine.clock.now()).await? {
        return Ok(Vec::new());
    }
    // Another process may have claimed a run of the same integration after our statement had looked: the
    // index on running runs refuses the whole batch then. What is to be claimed has changed, so the statement
    // is tried again, in a transaction of its own: this one is dead on PostgreSQL.
    for _ in 0..=CONFLICTS {
        if let Some(claims) = try_claim(engine, worker, lease, room).await? {
            return Ok(claims);
        }
    }
    Ok(Vec::new())
}

/// None when another claim of the same integration got in the way.
async fn try_claim(
    engine: &Engine,
    worker: &str,
    lease: Duration,
    room: usize,
) -> Result<Option<Vec<Claim>>> {
    let transaction = engine.db.begin(Durability::Page).await?;
    let now = engine.clock.now();
    let rows = match queue::claim(&transaction, worker, lease, room as u64, now).await {
        Err(error) if is_conflict(&error) => {
            transaction.rollback().await?;
            return Ok(None);
        }
        claimed => claimed?,
    };
    if rows.is_empty() {
        transaction.rollback().await?;
        return Ok(Some(Vec::new()));
    }
    attempts::begin(&transaction, &rows, worker, now).await?;
    for row in &rows {
        tell(&transaction, engine, row).await?;
    }
    transaction.commit().await?;
    for row in &rows {
        told(engine, row).await;
    }
    Ok(Some(rows.into_iter().map(|row| Claim { row }).collect()))
}

fn is_conflict(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// When the next queued run that waits for its time may run; none where none waits.
///
/// # Errors
/// When the database is away.
pub async fn next_due(engine: &Engine) -> Result<Option<DateTime<Utc>>> {
    Ok(queue::next_not_before(engine.db.reader(), engine.clock.now()).await?)
}

/// Which of these runs somebody asked to cancel.
///
/// # Errors
/// When the database is away.
pub async fn cancel_requested(engine: &Engine, runs: &[RunId]) -> Result<Vec<RunId>> {
    Ok(queue::cancel_requested(engine.db.reader(), runs).await?)
}
