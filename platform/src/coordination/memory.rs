//! Coordination inside one process: the default of `serve`, where everything that has to hear anything
//! lives in this one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::local::Local;
use super::topics::Topics;
use super::{
    Budget, Budgets, CircuitPolicy, CircuitState, Circuits, CoordinationError, Coordinator, Grant, Notice,
    Passage, Rate, Subscription, Verdict,
};
use crate::clock::SharedClock;

/// Coordination between the tasks of one process.
#[derive(Debug)]
pub struct MemoryCoordinator {
    clock: SharedClock,
    topics: Topics,
    locks: Mutex<Locks>,
    local: Local,
}

/// The fence is one counter for all names: it then grows for each, and expired locks can be forgotten.
#[derive(Debug, Default)]
struct Locks {
    fence: u64,
    held: HashMap<String, Held>,
}

#[derive(Debug)]
struct Held {
    owner: String,
    fence: u64,
    until: Duration,
}

impl MemoryCoordinator {
    /// A coordinator whose locks expire by this clock.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            local: Local::new(clock.clone()),
            clock,
            topics: Topics::default(),
            locks: Mutex::default(),
        }
    }

    /// The locks that have not expired.
    fn locks(&self) -> (MutexGuard<'_, Locks>, Duration) {
        let now = self.clock.monotonic();
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.held.retain(|_, held| held.until > now);
        (locks, now)
    }
}

#[async_trait]
impl Coordinator for MemoryCoordinator {
    async fn publish(&self, topic: &str, payload: &str) -> Result<(), CoordinationError> {
        self.topics.tell(topic, Notice::Message(payload.to_owned()));
        Ok(())
    }

    fn subscribe(&self, topic: &str) -> Subscription {
        self.topics.subscribe(topic)
    }

    async fn try_lock(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<u64>, CoordinationError> {
        let (mut locks, now) = self.locks();
        let until = now + ttl;
        if let Some(held) = locks.held.get_mut(name) {
            if held.owner != owner {
                return Ok(None);
            }
            held.until = until;
            return Ok(Some(held.fence));
        }
        locks.fence += 1;
        let fence = locks.fence;
        locks.held.insert(
            name.to_owned(),
            Held {
                owner: owner.to_owned(),
                fence,
                until,
            },
        );
        Ok(Some(fence))
    }

    async fn renew(&self, name: &str, owner: &str, ttl: Duration) -> Result<bool, CoordinationError> {
        let (mut locks, now) = self.locks();
        let Some(held) = locks.held.get_mut(name).filter(|held| held.owner == owner) else {
            return Ok(false);
        };
        held.until = now + ttl;
        Ok(true)
    }

    async fn unlock(&self, name: &str, owner: &str) -> Result<bool, CoordinationError> {
        let (mut locks, _) = self.locks();
        let held = locks.held.get(name).is_some_and(|held| held.owner == owner);
        if held {
            locks.held.remove(name);
        }
        Ok(held)
    }

    async fn ping(&self) -> Result<(), CoordinationError> {
        Ok(())
    }
}

#[async_trait]
impl Budgets for MemoryCoordinator {
    async fn draw(&self, name: &str, rate: Rate, most: u32) -> (Grant, Budget) {
        self.local.draw(name, rate, most)
    }

    async fn hold_back(&self, name: &str, wait: Duration) {
        self.local.hold_back(name, wait);
    }

    async fn budgets(&self, asked: &[(String, Rate)]) -> Vec<Budget> {
        self.local.budgets(asked)
    }
}

#[async_trait]
impl Circuits for MemoryCoordinator {
    async fn pass(&self, name: &str, owner: &str, policy: CircuitPolicy) -> Passage {
        self.local.pass(name, owner, policy)
    }

    async fn report(&self, name: &str, owner: &str, verdict: Verdict, policy: CircuitPolicy) {
        self.local.report(name, owner, verdict, policy);
    }

    async fn circuits(&self, names: &[String]) -> Vec<CircuitState> {
        self.local.circuits(names)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;

    use super::*;
    use crate::clock::ManualClock;
    use crate::coordination::contract::{Subject, contract};

    async fn in_memory() -> Subject {
        let clock = ManualClock::default();
        Subject {
            coordinator: Arc::new(MemoryCoordinator::new(clock.shared())),
            pass: Box::new(move |time| {
                clock.advance(time);
                async {}.boxed()
            }),
        }
    }

    contract!(in_memory);
}
