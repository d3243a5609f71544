//! Budgets and circuits inside one process: all there is without Redis, and what is left while Redis is away.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::budget::{Bucket, Budget, Grant, Rate};
use super::circuit::{Breaker, CircuitPolicy, CircuitState, Passage, Verdict};
use crate::clock::SharedClock;

/// When so many names are kept, those that say nothing any more are forgotten.
const SWEEP: usize = 1024;

/// The budgets and circuits of a process.
#[derive(Debug)]
pub(super) struct Local {
    clock: SharedClock,
    buckets: Mutex<Kept<Bucket>>,
    breakers: Mutex<Kept<Breaker>>,
}

#[derive(Debug)]
struct Kept<T> {
    by_name: HashMap<String, T>,
    sweep_at: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            sweep_at: SWEEP,
        }
    }
}

impl<T: Default> Kept<T> {
    fn of(&mut self, name: &str, is_forgotten: impl Fn(&T) -> bool) -> &mut T {
        if self.by_name.len() >= self.sweep_at {
            self.by_name.retain(|_, it| !is_forgotten(it));
            self.sweep_at = SWEEP.max(self.by_name.len() * 2);
        }
        self.by_name.entry(name.to_owned()).or_default()
    }
}

impl Local {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            buckets: Mutex::default(),
            breakers: Mutex::default(),
        }
    }

    pub(super) fn draw(&self, name: &str, rate: Rate, most: u32) -> (Grant, Budget) {
        self.bucket(name, |bucket, now| {
            let grant = bucket.spend(rate, most, now);
            (grant, bucket.look(rate, now))
        })
    }

    pub(super) fn hold_back(&self, name: &str, wait: Duration) {
        self.bucket(name, |bucket, now| bucket.hold_back(wait, now));
    }

    pub(super) fn budgets(&self, asked: &[(String, Rate)]) -> Vec<Budget> {
        let now = self.clock.monotonic();
        let kept = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        asked
            .iter()
            .map(|(name, rate)| {
                let bucket = kept.by_name.get(name).copied().unwrap_or_default();
                bucket.look(*rate, now)
            })
            .collect()
    }

    pub(super) fn pass(&self, name: &str, owner: &str, policy: CircuitPolicy) -> Passage {
        self.breaker(name, |breaker, now| breaker.pass(owner, policy, now))
    }

    pub(super) fn report(&self, name: &str, owner: &str, verdict: Verdict, policy: CircuitPolicy) {
        self.breaker(name, |breaker, now| breaker.report(owner, verdict, policy, now));
    }

    pub(super) fn circuits(&self, names: &[String]) -> Vec<CircuitState> {
        let now = self.clock.monotonic();
        let kept = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        names
            .iter()
            .map(|name| {
                kept.by_name
                    .get(name)
                    .map_or_else(CircuitState::default, |breaker| breaker.state(now))
            })
            .collect()
    }

    fn bucket<T>(&self, name: &str, act: impl FnOnce(&mut Bucket, Duration) -> T) -> T {
        let now = self.clock.monotonic();
        let mut kept = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        act(kept.of(name, |bucket| bucket.is_whole(now)), now)
    }

    fn breaker<T>(&self, name: &str, act: impl FnOnce(&mut Breaker, Duration) -> T) -> T {
        let now = self.clock.monotonic();
        let mut kept = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        act(kept.of(name, |breaker| breaker.is_forgotten(now)), now)
    }
}
