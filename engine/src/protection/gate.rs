//! What a run's requests have to pass.
//!
//! Two things keep the coordinator out of the way of an upstream that is fast and works. Requests are taken from the
//! budget by the second, not one by one; and a circuit that was closed a moment ago is taken to be closed. So the
//! round trips are a few in a second, whatever the number of requests.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use connectors::read::{Allowed, Ask, Gate, HeldBack, Holder, Seen, Told};
use entity::integration::Model as Integration;
use platform::coordination::{CircuitPolicy, Grant, Passage, Verdict};

use super::allowance::{Share, shares};
use super::{Protection, circuit};
use crate::Engine;
use crate::ids::{ConnectorId, IntegrationId};

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
    integration: IntegrationId,
    own: Option<i32>,
    protection: Protection,
    owner: String,
    policy: CircuitPolicy,
    mine: Mutex<Mine>,
}

#[derive(Default)]
struct Mine {
    /// Requests that were taken from each bucket and not made yet; there are as many as the manifest has limits.
    requests: HashMap<String, u32>,
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
            integration: integration.id,
            own: integration.requests_per_minute,
            protection,
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

    /// Takes the request from every bucket, or from none.
    async fn take_request(&self, allowed: &Allowed) -> Result<(), HeldBack> {
        let shares = shares(self.integration, self.own, self.protection, allowed);
        while let Some(short) = self.take(&shares) {
            self.fetch(short).await?;
        }
        Ok(())
    }

    /// Takes the request from what is there; else the first share that there is not enough for.
    fn take<'a>(&self, shares: &'a [Share]) -> Option<&'a Share> {
        let mut mine = self.mine();
        let there = |share: &Share| mine.requests.get(&share.bucket).copied().unwrap_or(0);
        let short = shares.iter().find(|share| there(share) < share.weight);
        if short.is_none() {
            for share in shares {
                if let Some(there) = mine.requests.get_mut(&share.bucket) {
                    *there -= share.weight;
                }
            }
        }
        short
    }

    async fn fetch(&self, share: &Share) -> Result<(), HeldBack> {
        let rate = share.rate;
        let by_the_second = TAKEN.as_nanos() / rate.interval().as_nanos().max(1);
        let most = u32::try_from(by_the_second)
            .unwrap_or(MOST_TAKEN)
            .clamp(1, share.most.unwrap_or(MOST_TAKEN).min(MOST_TAKEN))
            .max(share.weight);
        match self.engine.coordinator.spend(&share.bucket, rate, most).await {
            Grant::Granted(count) => {
                *self.mine().requests.entry(share.bucket.clone()).or_default() += count;
            }
            Grant::Refused { wait } if wait <= SHORT => self.engine.clock.sleep(wait).await,
            Grant::Refused { wait } => {
                let half = rate.interval() * (rate.limit() / 2);
                return Err(HeldBack {
                    by: Holder::Budget,
                    wait: wait.max(half.min(LONGEST_PARKED)),
                });
            }
        }
        Ok(())
    }

    /// For how long the upstream asks to be left alone by requests of this class.
    fn patience(&self, ask: &Ask<'_>, seen: Seen, told: Told) -> Option<Duration> {
        let asked = match seen {
            Seen::Works { patience } | Seen::Fails { patience } => patience,
            Seen::Nothing => None,
        };
        let (Allowed::Counted(counted), Some(0)) = (ask.allowed, told.remaining) else {
            return asked;
        };
        let now = self.engine.clock.now();
        let until_reset = match told.resets_at {
            Some(at) => (at - now).to_std().ok(),
            // Without a time, and without another's word for it, the shortest window has to pass.
            None if asked.is_none() => counted.rates.iter().map(|rate| rate.per).min(),
            None => None,
        };
        asked.max(until_reset)
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
    async fn admit(&self, ask: &Ask<'_>) -> Result<(), HeldBack> {
        self.pass_circuit(ask.host).await?;
        let taken = self.take_request(ask.allowed).await;
        if taken.is_err() && self.owes_report(ask.host) {
            // The probe is not made after all: somebody else's may be.
            self.report(ask.host, Verdict::Unknown).await;
        }
        taken
    }

    async fn seen(&self, ask: &Ask<'_>, seen: Seen, told: Told) {
        let host = ask.host;
        let verdict = match seen {
            Seen::Works { .. } => Verdict::Success,
            Seen::Fails { .. } => Verdict::Failure,
            Seen::Nothing => Verdict::Unknown,
        };
        if verdict == Verdict::Failure {
            self.mine().hosts.remove(host);
            self.report(host, verdict).await;
        } else if self.owes_report(host) {
            self.report(host, verdict).await;
        }
        let patience = self.patience(ask, seen, told);
        let Some(patience) = patience.filter(|patience| !patience.is_zero()) else {
            return;
        };
        // Of a request without a budget there is none to hold back; its error says how long to wait.
        for share in shares(self.integration, self.own, self.protection, ask.allowed) {
            self.mine().requests.remove(&share.bucket);
            self.engine.coordinator.hold_back(&share.bucket, patience).await;
        }
    }
}
