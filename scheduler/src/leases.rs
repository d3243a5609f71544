//! The claims of this process, and what keeps them alive.
//!
//! Renewal is a task of its own: the one that executes a run may be busy with a page for longer than a third
//! of the lease, and a lease that is lost for being busy would be lost again by whoever takes the run over. A
//! run whose lease could not be renewed is stopped here before the database would refuse its writes: it would
//! otherwise go on asking an upstream for pages that nobody may keep.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ids::RunId;
use engine::queue::{self, Claim, IntegrationLock};
use engine::runs::WaitReason;
use engine::sync::{Ending, Settlement, StopSignals};
use engine::{Engine, topics};
use futures::StreamExt;
use futures::future::join_all;
use platform::coordination::Notice;
use platform::shutdown::Shutdown;
use tokio_util::sync::CancellationToken;

/// How often to look whether somebody asked to cancel a run whose notice was lost.
const LOOK_FOR_CANCELS: Duration = Duration::from_secs(1);
/// How long a run waits whose integration another process still holds the lock of: a process that died gives it
/// back when its lease ends, which may be a moment after the database's.
const LOCKED: Duration = Duration::from_secs(1);

struct Held {
    fence: i64,
    stop: StopSignals,
    renewed: Duration,
    lock: IntegrationLock,
}

/// The runs that this process executes.
pub(crate) struct Leases {
    engine: Engine,
    lease: Duration,
    held: Mutex<HashMap<RunId, Held>>,
}

/// Takes the run off the list when its execution ends, however that may be.
pub(crate) struct Entry<'a> {
    leases: &'a Leases,
    run: RunId,
    fence: i64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut held = self.leases.held();
        // A run that was lost and claimed again is another entry under the same id.
        if held.get(&self.run).is_some_and(|entry| entry.fence == self.fence) {
            held.remove(&self.run);
        }
    }
}

impl Leases {
    pub(crate) fn new(engine: Engine, lease: Duration) -> Self {
        Self {
            engine,
            lease,
            held: Mutex::default(),
        }
    }

    /// Puts a claim on the list. The signals end its execution.
    pub(crate) fn enter(&self, claim: &Claim, shutdown: &Shutdown) -> (Entry<'_>, StopSignals) {
        let stop = StopSignals {
            cancel: CancellationToken::new(),
            drain: shutdown.soft.clone(),
            abort: shutdown.hard.child_token(),
        };
        let (run, fence) = claim.key();
        let entry = Held {
            fence,
            stop: stop.clone(),
            renewed: self.engine.clock.monotonic(),
            lock: claim.integration_lock(),
        };
        if let Some(earlier) = self.held().insert(run, entry) {
            earlier.stop.abort.cancel();
        }
        (
            Entry {
                leases: self,
                run,
                fence,
            },
            stop,
        )
    }

    /// Renews and listens until `stop`.
    pub(crate) async fn keep(&self, renew_every: Duration, stop: CancellationToken) {
        let mut cancels = self.engine.coordinator.subscribe(topics::CANCEL);
        let mut renewal = self.engine.clock.sleep(renew_every);
        let mut look = self.engine.clock.sleep(LOOK_FOR_CANCELS);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut renewal => {
                    renewal = self.engine.clock.sleep(renew_every);
                    self.renew().await;
                }
                () = &mut look => {
                    look = self.engine.clock.sleep(LOOK_FOR_CANCELS);
                    self.look_for_cancels().await;
                }
                Some(notice) = cancels.next() => match notice {
                    Notice::Message(run) => if let Ok(run) = run.parse() { self.cancel(run) },
                    Notice::Lagged => self.look_for_cancels().await,
                },
            }
        }
    }

    /// Executes under the integration's lock; a run that does not get it waits, and holds no worker meanwhile.
    pub(crate) async fn execute_locked(
        &self,
        claim: &Claim,
        execution: impl Future<Output = Settlement>,
    ) -> Settlement {
        let lock = claim.integration_lock();
        if !lock.take(&self.engine, self.lease).await {
            tracing::warn!("another process still holds the integration's lock; the run waits");
            return Settlement {
                ending: Ending::Parked {
                    reason: WaitReason::Locked,
                    wait: LOCKED,
                },
                progressed: false,
            };
        }
        let settlement = execution.await;
        // Before the settlement: whoever claims the integration's next run must not find it locked.
        lock.give_back(&self.engine).await;
        settlement
    }

    async fn renew(&self) {
        // First the locks, so that none ends after its run's lease.
        let locks: Vec<IntegrationLock> = self.held().values().map(|held| held.lock.clone()).collect();
        join_all(locks.iter().map(|lock| lock.keep(&self.engine, self.lease))).await;
        let claims: Vec<(RunId, i64)> = self.held().iter().map(|(run, held)| (*run, held.fence)).collect();
        if claims.is_empty() {
            return;
        }
        let asked = self.engine.clock.monotonic();
        match queue::renew(&self.engine, &claims, self.lease).await {
            Ok(renewed) => {
                let renewed: HashMap<RunId, bool> = renewed
                    .into_iter()
                    .map(|renewed| (renewed.run, renewed.cancel_requested))
                    .collect();
                let mut held = self.held();
                for (run, fence) in claims {
                    let Some(entry) = held.get_mut(&run).filter(|entry| entry.fence == fence) else {
                        continue;
                    };
                    match renewed.get(&run) {
                        None => {
                            tracing::warn!(%run, "the lease is lost; stopping");
                            entry.stop.abort.cancel();
                        }
                        Some(cancel_requested) => {
                            // From before the statement: the lease may be longer than we think, never shorter.
                            entry.renewed = asked;
                            if *cancel_requested {
                                entry.stop.cancel.cancel();
                            }
                        }
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "leases could not be renewed");
                let now = self.engine.clock.monotonic();
                for (run, entry) in self.held().iter() {
                    if now.saturating_sub(entry.renewed) >= self.lease {
                        tracing::warn!(%run, "the lease has ended without renewal; stopping");
                        entry.stop.abort.cancel();
                    }
                }
            }
        }
    }

    async fn look_for_cancels(&self) {
        let runs: Vec<RunId> = self.held().keys().copied().collect();
        match queue::cancel_requested(&self.engine, &runs).await {
            Ok(asked) => asked.into_iter().for_each(|run| self.cancel(run)),
            Err(error) => tracing::debug!(error = %error.chain(), "cancellations could not be looked for"),
        }
    }

    fn cancel(&self, run: RunId) {
        if let Some(held) = self.held().get(&run) {
            held.stop.cancel.cancel();
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<RunId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
