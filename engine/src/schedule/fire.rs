//! Firing schedules that are due.
//!
//! A due time is consumed by moving `next_due_at` on, in a conditional `UPDATE` that names the time it leaves;
//! in the same transaction it becomes a run, or a row that says why not. Two schedulers that see the same due
//! time therefore fire it once: the second finds it moved, and were it not, the run's `(schedule, due time)`
//! is unique.
//!
//! After a downtime, a schedule fires once, for the latest due time that it missed within its catch-up window: a
//! sync reads what is there now, and doing so once for each missed hour reads the same thing many times. The
//! others are rows with their reason, like every due time that did not become a run.
//!
//! # The herd
//! Everybody's schedule is due at midnight. So they are fired in batches, each one transaction of some ten
//! statements whatever its size: a transaction for each schedule was that many for each. On PostgreSQL a batch
//! passes over the rows that another scheduler's batch holds, so that several share the herd.
//!
//! A batch must not be what one of its schedules can spoil. What may have to wait for somebody else's lock (a
//! run that is to be cancelled, and whose worker is writing) is fired in a transaction of its own, after the
//! batch; so is every schedule of a batch that failed. One that fails alone stays due, is seen in the lag, and holds
//! nobody up.

use chrono::{DateTime, Utc};
use entity::ids::{IntegrationId, RunId, ScheduleId};
use entity::schedule::Model as Schedule;
use entity::sync_run::Model as Run;
use entity::words::{SkipReason, SyncMode, SyncTrigger};
use platform::database::WriteTransaction;
use sea_orm::DbErr;

use super::decide::{Decision, Fate, decide, not_before};
use crate::queue::{NewRun, enqueue_all, tell, told, told_all};
use crate::runs::max_attempts;
use crate::store::ticks::{self, Move, Owner, Skipped, Which};
use crate::store::{queue, run_streams, runs};
use crate::{Engine, Error, Result, metrics, topics};

/// Schedules fired in one transaction.
const BATCH: u32 = 200;
/// Skipped due times after which a batch is full: after a long downtime each schedule has many.
const BATCH_SKIPS: usize = 5_000;

/// What became of the due times of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// Runs that were queued.
    pub queued: usize,
    /// Schedules that were due and did not become runs.
    pub skipped: usize,
}

/// What became of one transaction's schedules.
#[derive(Debug, Default)]
struct Batch {
    fired: Fired,
    /// Whether there was anything to take.
    took: bool,
    /// Schedules that need a transaction of their own.
    apart: Vec<ScheduleId>,
}

/// Fires every schedule that is due.
///
/// # Errors
/// When the database is away; what was not fired stays due.
pub async fn fire_due(engine: &Engine) -> Result<Fired> {
    let mut fired = Fired::default();
    let mut given_up = Vec::new();
    loop {
        let herd = Which::Herd(&given_up);
        // The look is a read: nobody is kept from writing where nothing is due.
        let next = ticks::due_ids(engine.db.reader(), herd, engine.clock.now(), BATCH).await?;
        if next.is_empty() {
            return Ok(fired);
        }
        let batch = match fire_batch(engine, herd).await {
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(error = %error.chain(), "a batch of schedules could not be fired; firing each alone");
                Batch {
                    apart: next,
                    ..Batch::default()
                }
            }
            Ok(batch) => batch,
        };
        fired.add(batch.fired);
        if !batch.took && batch.apart.is_empty() {
            // Other schedulers hold what is left.
            return Ok(fired);
        }
        for schedule in batch.apart {
            match fire_batch(engine, Which::One(schedule)).await {
                Err(error @ Error::Unavailable(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(%schedule, error = %error.chain(), "a schedule could not be fired and stays due");
                    given_up.push(schedule);
                }
                Ok(alone) if alone.took => fired.add(alone.fired),
                Ok(_) => given_up.push(schedule),
            }
        }
    }
}

impl Fired {
    fn add(&mut self, other: Self) {
        self.queued += other.queued;
        self.skipped += other.skipped;
    }
}

async fn fire_batch(engine: &Engine, which: Which<'_>) -> Result<Batch> {
    let transaction = engine.begin_accepted().await?;
    let planned = match plan_batch(engine, &transaction, which).await {
        Ok(Planned::Fired(fired)) => fired,
        Ok(Planned::Nothing(batch)) => {
            transaction.rollback().await?;
            return Ok(batch);
        }
        Err(error) => {
            // A transaction that is only dropped ends at some later time, and until then holds rows that are fired alone
            // next: they would be passed over.
            transaction.rollback().await?;
            return Err(error);
        }
    };
    transaction.commit().await?;
    let FiredBatch {
        plan,
        queued,
        cancelled,
        skipped,
    } = planned;
    for run in &cancelled {
        told(engine, run).await;
        engine.notify(topics::CANCEL, &run.id.to_string()).await;
    }
    told_all(engine, &queued).await;
    metrics::fired(queued.len());
    for (_, _, reason) in skipped {
        metrics::skipped(reason, 1);
    }
    Ok(Batch {
        fired: Fired {
            queued: queued.len(),
            skipped: plan.tell_skipped(),
        },
        took: true,
        apart: plan.apart,
    })
}

/// What a transaction is to end with.
enum Planned {
    /// A commit.
    Fired(FiredBatch),
    /// Nothing was changed.
    Nothing(Batch),
}

struct FiredBatch {
    plan: Plan,
    queued: Vec<Run>,
    cancelled: Vec<Run>,
    skipped: Vec<Skipped>,
}

async fn plan_batch(engine: &Engine, transaction: &WriteTransaction, which: Which<'_>) -> Result<Planned> {
    // After the turn to write has come: what is due is judged by the time at which it is fired.
    let now = engine.clock.now();
    let due = ticks::take(transaction, which, now, BATCH).await?;
    let alone = matches!(which, Which::One(_));
    if alone && let [schedule] = due.unreadable[..] {
        tracing::error!(%schedule, "a schedule's row cannot be read by this version; it stays due");
        return Ok(Planned::Nothing(Batch::default()));
    }
    let mut plan = Plan::of(transaction, due.schedules, alone, now).await?;
    plan.apart.extend(due.unreadable);
    if plan.decided.is_empty() {
        return Ok(Planned::Nothing(Batch {
            apart: plan.apart,
            ..Batch::default()
        }));
    }
    let moved = ticks::move_on(transaction, &plan.moves(), now).await?;
    plan.decided
        .retain(|decided| moved.contains(&decided.schedule.id));
    let skipped = plan.skipped();
    ticks::skip(transaction, &skipped).await?;
    let mut cancelled = Vec::new();
    for run in plan.replaced() {
        cancelled.extend(cancel(transaction, engine, run, now).await?);
    }
    let queued = enqueue_all(transaction, engine, plan.new_runs(engine)).await?;
    Ok(Planned::Fired(FiredBatch {
        plan,
        queued,
        cancelled,
        skipped,
    }))
}

/// A schedule, and what is to become of it.
struct Decided {
    schedule: Schedule,
    first: DateTime<Utc>,
    owner: Option<Owner>,
    active: Vec<RunId>,
    decision: Decision,
}

#[derive(Default)]
struct Plan {
    decided: Vec<Decided>,
    apart: Vec<ScheduleId>,
}

impl Plan {
    async fn of(
        transaction: &WriteTransaction,
        due: Vec<Schedule>,
        alone: bool,
        now: DateTime<Utc>,
    ) -> Result<Self, DbErr> {
        let mut plan = Self::default();
        if due.is_empty() {
            return Ok(plan);
        }
        let integrations: Vec<IntegrationId> = due.iter().map(|schedule| schedule.integration_id).collect();
        let mut owners = ticks::owners(transaction, &integrations).await?;
        let mut active = runs::active(transaction, &integrations).await?;
        active.sort_by_key(|run| run.integration_id);
        let mut skips = 0;
        for schedule in due {
            let Some(first) = schedule.next_due_at else {
                continue;
            };
            let id = schedule.integration_id;
            let owner = owners.remove(&id);
            let from = active.partition_point(|run| run.integration_id < id);
            let to = active.partition_point(|run| run.integration_id <= id);
            let active = &active[from..to];
            let decision = decide(&schedule, first.into(), owner.as_ref(), active, now).unwrap_or_else(|fault| {
                // It was valid when it was written: a zone that an update of the zone database took away, say.
                tracing::error!(schedule = %schedule.id, %fault, "a schedule cannot be understood and will not fire");
                Decision::default()
            });
            if decision.fate == Fate::Replace && !alone {
                plan.apart.push(schedule.id);
                continue;
            }
            skips += decision.earlier.len();
            plan.decided.push(Decided {
                schedule,
                first: first.into(),
                owner,
                active: active.iter().map(|run| run.id).collect(),
                decision,
            });
            if skips >= BATCH_SKIPS {
                break;
            }
        }
        Ok(plan)
    }

    fn moves(&self) -> Vec<Move> {
        let moves = self.decided.iter().map(|decided| Move {
            schedule: decided.schedule.id,
            from: decided.first,
            to: decided.decision.next,
        });
        moves.collect()
    }

    fn skipped(&self) -> Vec<Skipped> {
        let mut skipped = Vec::new();
        for Decided {
            schedule, decision, ..
        } in &self.decided
        {
            let earlier = decision.earlier.iter();
            skipped.extend(earlier.map(|&(due, reason)| (schedule.id, due, reason)));
            skipped.extend(
                decision
                    .reason()
                    .map(|reason| (schedule.id, decision.due, reason)),
            );
        }
        skipped
    }

    /// The runs that others take the place of.
    fn replaced(&self) -> impl Iterator<Item = RunId> {
        self.decided
            .iter()
            .filter(|decided| decided.decision.fate == Fate::Replace)
            .flat_map(|decided| decided.active.iter().copied())
    }

    fn new_runs(&self, engine: &Engine) -> Vec<NewRun> {
        let new = self.decided.iter().filter_map(|decided| {
            let Decision { due, fate, .. } = decided.decision;
            let (integration, _) = decided.owner.as_ref()?;
            matches!(fate, Fate::Run | Fate::Replace).then(|| NewRun {
                client_id: integration.client_id,
                integration_id: integration.id,
                trigger: SyncTrigger::Schedule,
                mode: SyncMode::Incremental,
                streams: serde_json::from_value(integration.streams.clone()).unwrap_or_default(),
                idempotency: None,
                max_attempts: max_attempts(integration),
                tick: Some((decided.schedule.id, due)),
                not_before: not_before(&decided.schedule, due, engine.random.unit()),
            })
        });
        new.collect()
    }

    /// Tells the log of each schedule that did not become a run, and gives how many.
    fn tell_skipped(&self) -> usize {
        let mut count = 0;
        for Decided {
            schedule, decision, ..
        } in &self.decided
        {
            if let Some(reason) = decision.reason() {
                count += 1;
                tracing::info!(schedule = %schedule.id, due = %decision.due, reason = reason.as_str(), "a due time was skipped");
            }
        }
        count
    }
}

impl Decision {
    fn reason(&self) -> Option<SkipReason> {
        match self.fate {
            Fate::Skip(reason) => Some(reason),
            _ => None,
        }
    }
}

async fn cancel(
    transaction: &WriteTransaction,
    engine: &Engine,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DbErr> {
    if let Some(row) = queue::cancel_queued(transaction, run, now).await? {
        tell(transaction, engine, &row).await?;
        run_streams::close(transaction, run, row.status, row.status).await?;
        return Ok(Some(row));
    }
    queue::request_cancel(transaction, run, now).await
}
