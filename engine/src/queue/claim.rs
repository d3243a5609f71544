//! Claiming.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::integration::Model as Integration;
use entity::sync_run::Model as Run;
use platform::database::{Durability, WriteTransaction};
use sea_orm::{DbErr, SqlErr};

use super::telling::{tell_all, told_all};
use super::turns::Turns;
use crate::ids::{ClientId, IntegrationId, RunId};
use crate::store::queue::Hold;
use crate::store::{attempts, claims, fairness, integrations, queue};
use crate::{Engine, Result, Scope};

/// How often a claim is tried again that another worker's claim of the same integration got in the way of.
const CONFLICTS: usize = 5;
/// Clients looked at together.
const WINDOW: usize = 64;
/// How many times that in one claim. What is behind them is looked at by the next one.
const WINDOWS: usize = 16;

/// A run that is ours for as long as its lease is renewed. Not cloned: one claim, one execution.
#[derive(Debug)]
pub struct Claim {
    row: Run,
    integration: Option<Integration>,
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

    /// The integration as it was when the run had been claimed, if it could be read then.
    pub(crate) const fn integration(&self) -> Option<&Integration> {
        self.integration.as_ref()
    }

    pub(crate) const fn hold(&self) -> Hold {
        Hold {
            run: self.row.id,
            fence: self.row.fence,
        }
    }
}

/// Who claims in a process, and whose turn it is there.
#[derive(Debug)]
pub struct Claimer {
    worker: String,
    lease: Duration,
    turns: Mutex<Turns>,
}

/// What one client was allowed, and what it took.
type Share = (ClientId, u32);

impl Claimer {
    /// A claimer of this name, whose claims hold for so long.
    #[must_use]
    pub fn new(worker: impl Into<String>, lease: Duration) -> Self {
        Self {
            worker: worker.into(),
            lease,
            turns: Mutex::default(),
        }
    }

    /// Claims up to `room` runs, at most one of an integration, in fair turns between the clients.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn claim(&self, engine: &Engine, room: usize) -> Result<Vec<Claim>> {
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        let mut claims: Vec<Claim> = Vec::new();
        let mut had_enough: HashSet<ClientId> = HashSet::new();
        for _ in 0..WINDOWS {
            let left = room.saturating_sub(u32::try_from(claims.len()).unwrap_or(u32::MAX));
            if left == 0 {
                break;
            }
            // Idle workers look every second: the look is a read, and takes no turn to write from anybody.
            let (waiting, last) = self.waiting(engine).await?;
            let waiting: Vec<ClientId> = waiting
                .into_iter()
                .filter(|client| !had_enough.contains(client))
                .collect();
            if waiting.is_empty() {
                match last {
                    Some(last) => self.turns().pass_by(last),
                    None => break,
                }
                continue;
            }
            let shares = self.turns().share(&waiting, left);
            let claimed = self.claim_shares(engine, &shares).await?;
            let mut taken: HashMap<ClientId, u32> = HashMap::new();
            for claim in &claimed {
                *taken.entry(claim.client_id()).or_default() += 1;
            }
            let unused = shares
                .iter()
                .filter(|(client, share)| taken.get(client).unwrap_or(&0) < share);
            had_enough.extend(unused.map(|(client, _)| *client));
            claims.extend(claimed);
            // What comes meanwhile says so, and another look would only make the first of these wait for it.
            if last.is_none() && waiting.iter().all(|client| had_enough.contains(client)) {
                break;
            }
        }
        Ok(claims)
    }

    /// Charges a client for a run that took so long of a worker's time.
    pub fn charge(&self, client: ClientId, took: Duration) {
        self.turns().charge(client, took);
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clients that have something due, in the ring's order; and the last of them where there may be more.
    async fn waiting(&self, engine: &Engine) -> Result<(Vec<ClientId>, Option<ClientId>)> {
        let (at, now, reader) = (self.turns().at(), engine.clock.now(), engine.db.reader());
        let mut first = fairness::waiting_clients(reader, None, WINDOW, now).await?;
        let Some(at) = at else {
            let last = (first.len() == WINDOW).then(|| first.last().copied()).flatten();
            return Ok((first, last));
        };
        // Usually one look shows everybody, and the ring is turned here.
        if first.len() < WINDOW {
            let behind = first.partition_point(|client| *client <= at);
            first.rotate_left(behind);
            return Ok((first, None));
        }
        let mut waiting = fairness::waiting_clients(reader, Some(at), WINDOW, now).await?;
        if waiting.len() == WINDOW {
            let last = waiting.last().copied();
            return Ok((waiting, last));
        }
        let room = WINDOW - waiting.len();
        waiting.extend(first.into_iter().take(room).take_while(|client| *client <= at));
        Ok((waiting, None))
    }

    async fn claim_shares(&self, engine: &Engine, shares: &[Share]) -> Result<Vec<Claim>> {
        // Another process may have claimed a run of the same integration after our statement had looked: the
        // index on running runs refuses the whole batch then. What is to be claimed has changed, so the statement
        // is tried again, in a transaction of its own: this one is dead on PostgreSQL.
        for _ in 0..=CONFLICTS {
            if let Some(claims) = self.try_claim(engine, shares).await? {
                return Ok(claims);
            }
        }
        Ok(Vec::new())
    }

    /// None when another claim of the same integration got in the way.
    async fn try_claim(&self, engine: &Engine, shares: &[Share]) -> Result<Option<Vec<Claim>>> {
        let transaction = engine.db.begin(Durability::Page).await?;
        let now = engine.clock.now();
        let rows = match self.choose(engine, &transaction, shares, now).await {
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
        attempts::begin(&transaction, &rows, &self.worker, now).await?;
        tell_all(&transaction, engine, &rows).await?;
        transaction.commit().await?;
        let ((), integrations) = tokio::join!(told_all(engine, &rows), integrations_of(engine, &rows));
        Ok(Some(with_integrations(rows, integrations)))
    }

    /// Claims what the caps leave of the shares.
    async fn choose(
        &self,
        engine: &Engine,
        transaction: &WriteTransaction,
        shares: &[Share],
        now: DateTime<Utc>,
    ) -> Result<Vec<Run>, DbErr> {
        let protection = engine.connectors.protection();
        let clients: Vec<ClientId> = shares.iter().map(|(client, _)| *client).collect();
        let mine = fairness::lock_clients(transaction, &clients).await?;
        let running = fairness::running(transaction, &mine).await?;
        let shares: Vec<Share> = shares
            .iter()
            .filter(|(client, _)| mine.contains(client))
            .map(|(client, share)| {
                let running = running.get(client).copied().unwrap_or_default();
                (
                    *client,
                    protection.runs_per_client.saturating_sub(running).min(*share),
                )
            })
            .filter(|(_, share)| *share > 0)
            .collect();
        let who = claims::Claiming {
            worker: &self.worker,
            lease: self.lease,
            now,
        };
        let Some(cap) = protection.runs_per_connector else {
            return claims::claim(transaction, who, &shares, &[]).await;
        };
        // One after the other, because each may be the last that its connector has room for.
        fairness::lock_connectors(transaction).await?;
        let mut rows = Vec::new();
        for (client, share) in shares {
            for _ in 0..share {
                let full = fairness::connectors_at(transaction, cap).await?;
                let claimed = claims::claim(transaction, who, &[(client, 1)], &full).await?;
                if claimed.is_empty() {
                    break;
                }
                rows.extend(claimed);
            }
        }
        Ok(rows)
    }
}

/// Reads what the runs are of, in one statement for all. Where that fails each execution reads its own, and
/// knows what to do when it cannot.
async fn integrations_of(engine: &Engine, rows: &[Run]) -> Vec<Integration> {
    let ids: Vec<IntegrationId> = rows.iter().map(|row| row.integration_id).collect();
    let found = integrations::by_ids(engine.db.reader(), Scope::All, &ids).await;
    found.unwrap_or_else(|error| {
        tracing::warn!(%error, "the integrations of claimed runs could not be read");
        Vec::new()
    })
}

fn with_integrations(rows: Vec<Run>, integrations: Vec<Integration>) -> Vec<Claim> {
    let mut found: HashMap<_, _> = integrations.into_iter().map(|found| (found.id, found)).collect();
    rows.into_iter()
        .map(|row| Claim {
            integration: found.remove(&row.integration_id),
            row,
        })
        .collect()
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
