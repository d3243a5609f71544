//! Claim, execute, settle.
//!
//! A permit is one run at a time. The worker claims only with a permit in hand, and a permit goes back when
//! the task that holds it ends, by whatever end, panics included: a counter of running runs would leak there.
//!
//! It subscribes before it looks. What is queued after the look is heard, so a run starts within milliseconds
//! of being asked for; what no notice told of is found within a second. Runs that wait for a time (a back-off,
//! a jitter) are no business of the worker's until then: it sleeps until the first of them may run.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use engine::queue::{self, Claim, Claimer, Settler};
use engine::runs::{ErrorKind, SyncError};
use engine::sync::{self, Ending, Settlement, StopSignals};
use engine::{Engine, correlation, topics};
use futures::{FutureExt, StreamExt};
use platform::coordination::Subscription;
use platform::settings::WorkerSettings;
use platform::shutdown::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::AFTER_FAILURE;
use crate::leases::Leases;

/// How long work waits at most whose notice was lost.
const POLL: Duration = Duration::from_secs(1);
/// How often a settlement is tried while the database is away; then the lease's end settles it.
const SETTLE_TRIES: u32 = 5;
/// How long a settlement may take when the process must leave.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// Between two tries.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// Works until the shutdown; returns when every run that was claimed has been settled or let go.
pub(crate) async fn run(engine: Engine, name: String, settings: WorkerSettings, shutdown: Shutdown) {
    let leases = Arc::new(Leases::new(engine.clone(), settings.lease()));
    let all_settled = CancellationToken::new();
    let keeper = {
        let (leases, all_settled, every) = (Arc::clone(&leases), all_settled.clone(), settings.renew_every());
        tokio::spawn(async move { leases.keep(every, all_settled).await })
    };
    let tasks = TaskTracker::new();
    let settler = Arc::new(Settler::new(engine.clone()));
    let worker = Worker {
        engine,
        claimer: Arc::new(Claimer::new(name, settings.lease())),
        shutdown,
        leases,
        settler,
        tasks: tasks.clone(),
    };
    worker.work(settings.workers).await;
    tasks.close();
    tasks.wait().await;
    all_settled.cancel();
    if let Err(error) = keeper.await {
        tracing::error!(%error, "the task that renews leases failed");
    }
}

struct Worker {
    engine: Engine,
    claimer: Arc<Claimer>,
    shutdown: Shutdown,
    leases: Arc<Leases>,
    settler: Arc<Settler>,
    tasks: TaskTracker,
}

impl Worker {
    async fn work(&self, workers: usize) {
        let permits = Arc::new(Semaphore::new(workers));
        let mut notices = self.engine.coordinator.subscribe(topics::QUEUE);
        while !self.shutdown.soft.is_cancelled() {
            let first = tokio::select! {
                () = self.shutdown.soft.cancelled() => return,
                permit = Arc::clone(&permits).acquire_owned() => permit,
            };
            let Ok(first) = first else { return };
            let mut room = vec![first];
            while let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
                room.push(permit);
            }
            // What was heard until now is answered by the look that follows.
            while notices.next().now_or_never().flatten().is_some() {}
            let asked = room.len();
            match self.claimer.claim(&self.engine, asked).await {
                Ok(claims) => {
                    let full = claims.len() == asked;
                    for (claim, permit) in claims.into_iter().zip(room.drain(..)) {
                        self.begin(claim, permit);
                    }
                    if full {
                        continue;
                    }
                    drop(room);
                    self.wait(&mut notices, self.until_next_due().await).await;
                }
                Err(error) => {
                    drop(room);
                    tracing::warn!(error = %error.chain(), "the queue could not be read");
                    self.wait(&mut notices, AFTER_FAILURE).await;
                }
            }
        }
    }

    async fn until_next_due(&self) -> Duration {
        match queue::next_due(&self.engine).await {
            Ok(Some(at)) => (at - self.engine.clock.now())
                .to_std()
                .unwrap_or_default()
                .min(POLL),
            _ => POLL,
        }
    }

    async fn wait(&self, notices: &mut Subscription, at_most: Duration) {
        tokio::select! {
            () = self.shutdown.soft.cancelled() => {}
            Some(_) = notices.next() => {}
            () = self.engine.clock.sleep(at_most) => {}
        }
    }

    fn begin(&self, claim: Claim, permit: OwnedSemaphorePermit) {
        let (engine, claimer) = (self.engine.clone(), Arc::clone(&self.claimer));
        let (leases, settler) = (Arc::clone(&self.leases), Arc::clone(&self.settler));
        let shutdown = self.shutdown.clone();
        let span = tracing::info_span!(
            "run", client = %claim.client_id(), integration = %claim.integration_id(), run = %claim.id(),
            attempt = claim.attempt(), correlation_id = claim.correlation_id(),
        );
        let correlation = claim.correlation_id().to_owned();
        let work = async move {
            let (_entry, stop) = leases.enter(&claim, &shutdown);
            tracing::info!("run claimed");
            let began = engine.clock.monotonic();
            let mut settlement = leases
                .execute_locked(&claim, execute(&engine, &claim, &stop))
                .await;
            if settlement.ending == Ending::Lost && shutdown.hard.is_cancelled() {
                // We let go of it, and as far as we know nobody took it: it is put back as by a drain, if
                // that takes no longer than a moment. Where it is not ours any more, the fence says so.
                settlement.ending = Ending::Drained;
            }
            settle(&engine, &settler, &claim, settlement, &stop).await;
            claimer.charge(claim.client_id(), engine.clock.monotonic().saturating_sub(began));
            drop(permit);
        };
        self.tasks
            .spawn(correlation::scope(correlation, work).instrument(span));
    }
}

async fn execute(engine: &Engine, claim: &Claim, stop: &StopSignals) -> Settlement {
    let executed = AssertUnwindSafe(sync::execute(engine, claim, stop))
        .catch_unwind()
        .await;
    executed.unwrap_or_else(|_| {
        // The panic itself is in the log, with its place. The run is tried again as if its worker had died,
        // which in another process it would have.
        let error = SyncError {
            kind: ErrorKind::Internal,
            code: "PANIC".to_owned(),
            message: "A fault of Syncline's own stopped the run; the log has the details.".to_owned(),
            retryable: true,
            stream: None,
            http_status: None,
            url: None,
        };
        Settlement {
            ending: Ending::Failed {
                error,
                retry_after: None,
            },
            progressed: false,
        }
    })
}

async fn settle(
    engine: &Engine,
    settler: &Settler,
    claim: &Claim,
    settlement: Settlement,
    stop: &StopSignals,
) {
    for _ in 0..SETTLE_TRIES {
        let patience = async {
            stop.abort.cancelled().await;
            engine.clock.sleep(LAST_MOMENT).await;
        };
        tokio::select! {
            settled = settler.settle(claim, &settlement) => match settled {
                Ok(()) => return,
                Err(error) => tracing::warn!(error = %error.chain(), "the run could not be settled"),
            },
            () = patience => break,
        }
        tokio::select! {
            () = stop.abort.cancelled() => break,
            () = engine.clock.sleep(SETTLE_PAUSE) => {}
        }
    }
    tracing::error!("the run is left to its lease's end");
}
