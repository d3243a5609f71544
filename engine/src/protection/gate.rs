//! What a run's requests have to pass.
//!
//! Two things keep the coordinator out of the way of an upstream that is fast and works. Requests are taken from the
//! budget by the second, not one by one; and a circuit that was closed a moment ago is taken to be closed. So the
//! round trips are a few in a second, whatever the number of requests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use connectors::read::{Gate, HeldBack, Holder, Seen};
use entity::integration::Model as Integration;
use platform::coordination::{CircuitPolicy, Grant, Passage, Rate, Verdict};

use super::{Protection, budget, circuit};
use crate::Engine;
use crate::ids::ConnectorId;

/// Waits so short are waited out: putting the run back would cost more.
const SHORT: Duration = Duration::from_millis(100);
/// A run that is parked for its budget comes back when half of it is there, or so much later. Coming back for each
/// single request would be a claim, a settlement and an opened stream a request.
const LONGEST_PARKED: Duration = Duration::from_secs(15);
/// Requests taken at a time are those of so long.
const TAKEN: Duration = Duration::from_secs(1);
/// The most that are taken at a time: what a run has left when it ends is lost to the budget.
const MOST_TAKEN: u32 = 100;
/// For how long a circuit that works is not asked about.
const TRUSTED: Duration = Duration::from_millis(250);
/// Runs that wait for one circuit come back spread over so much of the wait.
const SPREAD: f64 = 0.2;

/// The gate of one run, or of one check.
pub(crate) struct UpstreamGate {
    engine: Engine,
    connector: ConnectorId,
    budget: String,
    rate: Rate,
    owner: String,
    policy: CircuitPolicy,
    mine: Mutex<Mine>,
}

#[derive(Default)]
struct Mine {
    requests: u32,
    hosts: HashMap<String, Host>,
}

#[derive(Default, Clone, Copy)]
struct Host {
    trusted_until: Duration,
    /// Whether a success is news to the circuit.
    report: bool,
}

impl UpstreamGate {
    /// The owner tells one run's probe from another's.
    pub(crate) fn new(
        engine: &Engine,
        protection: Protection,
        integration: &Integration,
        owner: String,
    ) -> Self {
        Self {
            engine: engine.clone(),
            connector: integration.connector_id,
            budget: budget(integration.id),
            rate: protection.rate(integration.requests_per_minute),
            owner,
            policy: CircuitPolicy::default(),
            mine: Mutex::default(),
        }
    }

    fn mine(&self) -> MutexGuard<'_, Mine> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass_circuit(&self, host: &str) -> Result<(), HeldBack> {
        let now = self.engine.clock.monotonic();
        if self
            .mine()
            .hosts
            .get(host)
            .is_some_and(|host| host.trusted_until > now)
        {
            return Ok(());
        }
        let name = circuit(self.connector, host);
        let passage = self
            .engine
            .coordinator
            .pass(&name, &self.owner, self.policy)
            .await;
        let known = match passage {
            Passage::Closed { failing: false } => Host {
                trusted_until: now + TRUSTED,
                report: false,
            },
            Passage::Closed { failing: true } | Passage::Probe => Host {
                trusted_until: Duration::ZERO,
                report: true,
            },
            Passage::Refused { wait } => {
                let spread = 1.0 + SPREAD * self.engine.random.unit();
                return Err(HeldBack {
                    by: Holder::Circuit,
                    wait: wait.mul_f64(spread),
                });
            }
        };
        self.mine().hosts.insert(host.to_owned(), known);
        Ok(())
    }

    async fn take_request(&self) -> Result<(), HeldBack> {
        loop {
            {
                let mut mine = self.mine();
                if mine.requests > 0 {
                    mine.requests -= 1;
                    return Ok(());
                }
            }
            let by_the_second = TAKEN.as_nanos() / self.rate.interval().as_nanos().max(1);
            let most = u32::try_from(by_the_second)
                .unwrap_or(MOST_TAKEN)
                .clamp(1, MOST_TAKEN);
            match self.engine.coordinator.spend(&self.budget, self.rate, most).await {
                Grant::Granted(count) => self.mine().requests += count,
                Grant::Refused { wait } if wait <= SHORT => self.engine.clock.sleep(wait).await,
                Grant::Refused { wait } => {
                    let half = self.rate.interval() * (self.rate.limit() / 2);
                    return Err(HeldBack {
                        by: Holder::Budget,
                        wait: wait.max(half.min(LONGEST_PARKED)),
                    });
                }
            }
        }
    }

    async fn report(&self, host: &str, verdict: Verdict) {
        let name = circuit(self.connector, host);
        let coordinator = &self.engine.coordinator;
        coordinator.report(&name, &self.owner, verdict, self.policy).await;
    }

    /// Whether anybody has to be told that the host works, or that nothing is known of it.
    fn owes_report(&self, host: &str) -> bool {
        self.mine().hosts.get(host).is_some_and(|host| host.report)
    }
}

#[async_trait]
impl Gate for UpstreamGate {
    async fn admit(&self, host: &str) -> Result<(), HeldBack> {
        self.pass_circuit(host).await?;
        let taken = self.take_request().await;
        if taken.is_err() && self.owes_report(host) {
            // The probe is not made after all: somebody else's may be.
            self.report(host, Verdict::Unknown).await;
        }
        taken
    }

    async fn seen(&self, host: &str, seen: Seen) {
        let (verdict, patience) = match seen {
            Seen::Works { patience } => (Verdict::Success, patience),
            Seen::Fails { patience } => (Verdict::Failure, patience),
            Seen::Nothing => (Verdict::Unknown, None),
        };
        if verdict == Verdict::Failure {
            self.mine().hosts.remove(host);
            self.report(host, verdict).await;
        } else if self.owes_report(host) {
            self.report(host, verdict).await;
        }
        if let Some(patience) = patience.filter(|patience| !patience.is_zero()) {
            self.mine().requests = 0;
            self.engine.coordinator.hold_back(&self.budget, patience).await;
        }
    }
}
