//! Settling many runs in one transaction.
//!
//! A commit costs a wait for the disk, and each statement a round trip, however little it writes. So what is
//! ready when a transaction ends goes into the next one together, as a log's group commit does. Nobody waits for
//! company: a run that ends while nothing is being settled is settled at once, and alone.
//!
//! There is no task that settles. Whoever gets the turn takes all that is waiting with it, and whoever comes
//! after that finds its run settled. So nothing has to be started, stopped or supervised, and a caller who is
//! cut off in its turn rolls back and leaves the others to themselves.
//!
//! Only what ended well is settled so. It is nearly everything, and it is all alike: an ending of another kind
//! decides by what it finds in the row, and is settled alone.
//!
//! A run's guarantee does not depend on its company. Each row of the statement is judged by its own fence, state
//! and lease, what follows is written for those only that the statement gave back, and where a group fails each
//! of its runs is settled alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use entity::sync_run::Model as Run;
use platform::database::Durability;
use tokio::sync::oneshot;

use super::Claim;
use super::settle::{say, settle};
use super::telling::{tell_all, told_all};
use crate::store::queue::Hold;
use crate::store::{attempts, health, queue};
use crate::sync::{Ending, Settlement};
use crate::{Engine, Result, topics};

/// Settles the runs of a worker.
#[derive(Debug)]
pub struct Settler {
    engine: Engine,
    ready: Mutex<Vec<Ready>>,
    turn: tokio::sync::Mutex<()>,
}

/// A run that ended well, and who waits for its settlement.
#[derive(Debug)]
struct Ready {
    hold: Hold,
    settled: oneshot::Sender<Option<Run>>,
}

impl Settler {
    /// One that has nothing to settle yet.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            ready: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Settles a claim, as [`settle`] does.
    ///
    /// # Errors
    /// When the database is away: the lease will end, and the run be taken back.
    pub async fn settle(&self, claim: &Claim, settlement: &Settlement) -> Result<()> {
        if settlement.ending != Ending::Completed {
            return settle(&self.engine, claim, settlement).await;
        }
        match self.in_company(claim.hold()).await {
            Some(run) => {
                say(run.as_ref());
                Ok(())
            }
            None => settle(&self.engine, claim, settlement).await,
        }
    }

    /// The run as it was settled, if it was ours still. None when the group failed, or was given up.
    async fn in_company(&self, hold: Hold) -> Option<Option<Run>> {
        let (settled, mut answer) = oneshot::channel();
        self.ready().push(Ready { hold, settled });
        tokio::select! {
            biased;
            settled = &mut answer => return settled.ok(),
            _turn = self.turn.lock() => {
                // Whoever had the turn before may have settled it while this one came.
                if matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                    self.settle_ready().await;
                }
            }
        }
        answer.await.ok()
    }

    async fn settle_ready(&self) {
        let group = std::mem::take(&mut *self.ready());
        let holds: Vec<Hold> = group.iter().map(|ready| ready.hold).collect();
        match complete(&self.engine, &holds).await {
            Ok(runs) => {
                let key = |run: Run| {
                    let hold = Hold {
                        run: run.id,
                        fence: run.fence,
                    };
                    (hold, run)
                };
                let mut runs: HashMap<Hold, Run> = runs.into_iter().map(key).collect();
                for ready in group {
                    // Who does not wait any more has no use for it either.
                    let _ = ready.settled.send(runs.remove(&ready.hold));
                }
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), runs = group.len(), "a group could not be settled; each run is now alone");
            }
        }
    }

    fn ready(&self) -> std::sync::MutexGuard<'_, Vec<Ready>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Settles these runs as ended well; gives those that were held still, as they are now.
pub(super) async fn complete(engine: &Engine, holds: &[Hold]) -> Result<Vec<Run>> {
    let transaction = engine.db.begin(Durability::Page).await?;
    let now = engine.clock.now();
    let runs = queue::complete(&transaction, holds, now).await?;
    if runs.is_empty() {
        transaction.rollback().await?;
        return Ok(runs);
    }
    let ended: Vec<Hold> = runs
        .iter()
        .map(|run| Hold {
            run: run.id,
            fence: run.fence,
        })
        .collect();
    attempts::end_well(&transaction, &ended, now).await?;
    tell_all(&transaction, engine, &runs).await?;
    health::record_well(&transaction, &runs).await?;
    transaction.commit().await?;
    told_all(engine, &runs).await;
    for run in &runs {
        engine
            .notify(topics::INTEGRATIONS, &run.integration_id.to_string())
            .await;
    }
    Ok(runs)
}
