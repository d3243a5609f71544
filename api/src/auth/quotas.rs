//! How many requests a caller gets, and how many wrong credentials an address.
//!
//! Both are budgets of the coordinator, so every process takes from the same ones. A request costs one of its
//! credential's; where none is needed, one of its address's. It is counted before its body is read.
//!
//! A credential that turns out to be none costs one of its address's failures, and once those are spent nothing is looked
//! at that comes from there, right or wrong: a limit that lets a right guess through limits nothing. Behind a proxy that
//! the settings do not name, everybody has one address, and a guesser would lock them all out; so a credential that this
//! process has let in within the last quarter of an hour is looked at all the same. Whoever holds one has nothing to
//! guess.
//!
//! Rejected: counting in this process alone, since a guesser would multiply by as many as there are; and a lock on the
//! credential, since those that are guessed do not exist.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::Engine;
use futures::future::join_all;
use platform::coordination::{Budget, Grant, Rate};
use platform::gather::Gather;
use platform::settings::LimitSettings;

use super::Peer;

/// How long a credential that was let in is remembered.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);
/// How many are remembered. One that is not costs a look at its address's failures, which is all.
const MOST_REMEMBERED: usize = 10_000;
/// A credential's hash.
pub(super) type Hash = [u8; 32];

/// What is left of a budget after a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quota {
    /// The budget's name in headers.
    pub(crate) policy: &'static str,
    /// The whole budget, and in how long it comes back.
    pub(crate) rate: Rate,
    /// Requests that are left.
    pub(crate) remaining: u32,
    /// Until it is whole again.
    pub(crate) whole_in: Duration,
    /// Until the next request, where there was none left.
    pub(crate) wait: Option<Duration>,
}

/// The budgets of callers.
#[derive(Debug)]
pub(crate) struct Quotas {
    requests: Rate,
    failures: Rate,
    /// When each was let in last, on the monotonic clock.
    known: Mutex<HashMap<Hash, Duration>>,
    /// Payers whose requests wait to be counted.
    counting: Gather<Arc<str>, Quota>,
}

impl Quotas {
    pub(super) fn new(limits: &LimitSettings) -> Self {
        Self {
            requests: Rate::per_minute(limits.requests_per_minute),
            failures: Rate::per_minute(limits.failed_logins_per_minute),
            known: Mutex::default(),
            counting: Gather::default(),
        }
    }

    /// Takes a request from the budget of whoever pays. Those that come at the same time are counted together, each as
    /// though it were alone.
    pub(super) async fn request(&self, engine: &Engine, payer: &Arc<str>) -> Quota {
        let (engine_of_many, rate) = (engine.clone(), self.requests);
        let count = move |payers: Vec<Arc<str>>| {
            let engine = engine_of_many.clone();
            async move {
                let mut counts: HashMap<Arc<str>, u32> = HashMap::new();
                for payer in &payers {
                    *counts.entry(Arc::clone(payer)).or_default() += 1;
                }
                let draws = counts.into_iter().map(|(payer, count)| {
                    let engine = &engine;
                    async move {
                        let quotas = draw(engine, &payer, rate, count).await;
                        (payer, quotas.into_iter())
                    }
                });
                let mut drawn: HashMap<_, _> = join_all(draws).await.into_iter().collect();
                let quotas = payers.iter().filter_map(|payer| drawn.get_mut(payer)?.next());
                quotas.collect()
            }
        };
        match self.counting.ask(Arc::clone(payer), count).await {
            Some(quota) => quota,
            None => draw(engine, payer, rate, 1).await.swap_remove(0),
        }
    }

    /// Takes a failure from the address's budget.
    pub(super) async fn failure(&self, engine: &Engine, peer: Peer) -> Quota {
        let name = failures_of(peer);
        let (_, left) = engine.coordinator.draw(&name, self.failures, 1).await;
        quota("failed-logins", self.failures, left, None)
    }

    /// What keeps this credential from being looked at: that its address has no failure left.
    pub(super) async fn spent(
        &self,
        engine: &Engine,
        peer: Peer,
        credential: Option<&Hash>,
    ) -> Option<Quota> {
        let now = engine.clock.monotonic();
        if credential.is_some_and(|credential| self.knows(credential, now)) {
            return None;
        }
        let asked = [(failures_of(peer), self.failures)];
        let left = engine.coordinator.budgets(&asked).await.pop()?;
        (left.remaining == 0).then(|| {
            let rate = self.failures;
            let one = (left.whole_in + rate.interval()).saturating_sub(rate.per());
            quota("failed-logins", rate, left, Some(one))
        })
    }

    /// Remembers a credential that was let in.
    pub(super) fn remember(&self, engine: &Engine, credential: Hash) {
        let now = engine.clock.monotonic();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_REMEMBERED && !known.contains_key(&credential) {
            known.retain(|_, seen| *seen + REMEMBERED > now);
            if known.len() >= MOST_REMEMBERED {
                return;
            }
        }
        known.insert(credential, now);
    }

    fn knows(&self, credential: &Hash, now: Duration) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(credential).is_some_and(|seen| *seen + REMEMBERED > now)
    }
}

/// What becomes of so many requests of one payer, one after the other.
async fn draw(engine: &Engine, payer: &str, rate: Rate, count: u32) -> Vec<Quota> {
    let name = format!("api/{payer}");
    let (grant, left) = engine.coordinator.draw(&name, rate, count).await;
    let granted = match grant {
        Grant::Granted(granted) => granted,
        Grant::Refused { wait } => {
            let refused = quota("requests", rate, left, Some(wait));
            return vec![refused; count as usize];
        }
    };
    let mut quotas: Vec<Quota> = (0..granted)
        .rev()
        .map(|later| {
            let before = Budget {
                remaining: left.remaining.saturating_add(later),
                whole_in: left.whole_in.saturating_sub(rate.interval() * later),
            };
            quota("requests", rate, before, None)
        })
        .collect();
    if granted < count {
        // There was no room for all of them: the others hear for how long.
        let rest = Box::pin(draw(engine, payer, rate, count - granted)).await;
        quotas.extend(rest);
    }
    quotas
}

fn failures_of(peer: Peer) -> String {
    format!("login/{}", peer.payer())
}

fn quota(policy: &'static str, rate: Rate, left: Budget, wait: Option<Duration>) -> Quota {
    Quota {
        policy,
        rate,
        remaining: left.remaining,
        whole_in: left.whole_in,
        wait,
    }
}
