//! The gate of a read by hand: it keeps to the manifest's `HTTPAPIBudget` as the reference does, by waiting.
//!
//! There is one process and one person who waits for it, so what a server must not do (hold a worker while it
//! sleeps) is right here. The counts are exact: of a moving window it is remembered when calls were made, in
//! slots of a thousandth of the window, so that memory does not grow with the limit.
//!
//! One difference from the reference is deliberate. There a fixed window without rate-limit headers ends ten days
//! after the read began, and a read that spends it sleeps for as long. Here it ends one period after its first call.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use platform::clock::SharedClock;

use super::gate::{Allowed, Ask, CallRate, Counted, Gate, HeldBack, Seen, Told};

/// Slots that a moving window is remembered in.
const SLOTS: u32 = 1_000;

/// See the module.
#[derive(Debug)]
pub struct Pacer {
    clock: SharedClock,
    /// By policy; there are as many as the manifest has.
    classes: Mutex<HashMap<usize, Class>>,
}

#[derive(Debug, Default)]
struct Class {
    /// Of a fixed window: when it is over, and what was spent of it.
    ends: Option<Duration>,
    spent: u32,
    /// Of moving windows: one for each rate.
    moving: Vec<Moving>,
}

#[derive(Debug, Default)]
struct Moving {
    slots: VecDeque<Slot>,
    sum: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    opened: Duration,
    last: Duration,
    calls: u32,
}

impl Pacer {
    /// A pacer that has seen no request yet.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            classes: Mutex::default(),
        }
    }

    /// Counts the call, or says how long it has to wait.
    fn take(&self, counted: &Counted) -> Result<(), Duration> {
        let now = self.clock.monotonic();
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        let class = classes.entry(counted.class).or_default();
        if counted.in_windows {
            class.take_of_window(counted, now)
        } else {
            class.take_of_moving(counted, now)
        }
    }
}

impl Class {
    fn take_of_window(&mut self, counted: &Counted, now: Duration) -> Result<(), Duration> {
        let Some(rate) = counted.rates.first() else {
            return Ok(());
        };
        if self.ends.is_none_or(|ends| ends <= now) {
            self.ends = Some(now + rate.per);
            self.spent = 0;
        }
        if self.spent.saturating_add(counted.weight) > rate.limit {
            return Err(self.ends.map_or(rate.per, |ends| ends.saturating_sub(now)));
        }
        self.spent += counted.weight;
        Ok(())
    }

    fn take_of_moving(&mut self, counted: &Counted, now: Duration) -> Result<(), Duration> {
        self.moving.resize_with(counted.rates.len(), Moving::default);
        let windows = || self.moving.iter().zip(&counted.rates);
        let wait = windows()
            .filter_map(|(moving, rate)| moving.wait(*rate, counted.weight, now))
            .max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        for (moving, rate) in self.moving.iter_mut().zip(&counted.rates) {
            moving.push(*rate, counted.weight, now);
        }
        Ok(())
    }

    fn hear(
        &mut self,
        counted: &Counted,
        remaining: Option<u32>,
        resets_in: Option<Duration>,
        now: Duration,
    ) {
        if counted.in_windows {
            let Some(rate) = counted.rates.first() else { return };
            if let Some(remaining) = remaining {
                // More than we count is no news: the manifest may stay below the upstream's limit.
                self.spent = self.spent.max(rate.limit.saturating_sub(remaining));
            }
            if let Some(resets_in) = resets_in {
                self.ends = Some(now + resets_in);
            }
        } else if remaining == Some(0) && resets_in.is_none() {
            let free = self.moving.iter().zip(&counted.rates);
            let free = free
                .map(|(moving, rate)| rate.limit.saturating_sub(moving.within(*rate, now)))
                .min();
            for (moving, rate) in self.moving.iter_mut().zip(&counted.rates) {
                moving.push(*rate, free.unwrap_or(0), now);
            }
        }
    }
}

impl Moving {
    /// The calls that count at this moment.
    fn within(&self, rate: CallRate, now: Duration) -> u32 {
        let gone = self.slots.iter().take_while(|slot| slot.last + rate.per <= now);
        self.sum.saturating_sub(gone.map(|slot| slot.calls).sum())
    }

    /// Until so many calls fit; `None`: they fit now.
    fn wait(&self, rate: CallRate, weight: u32, now: Duration) -> Option<Duration> {
        let mut left = self.sum;
        for slot in &self.slots {
            if left.saturating_add(weight) <= rate.limit {
                break;
            }
            left -= slot.calls;
            let free = slot.last + rate.per;
            if left.saturating_add(weight) <= rate.limit {
                return Some(free.saturating_sub(now)).filter(|wait| !wait.is_zero());
            }
        }
        None
    }

    fn push(&mut self, rate: CallRate, calls: u32, now: Duration) {
        while let Some(slot) = self.slots.front().filter(|slot| slot.last + rate.per <= now) {
            self.sum -= slot.calls;
            self.slots.pop_front();
        }
        self.sum += calls;
        match self.slots.back_mut() {
            Some(slot) if now < slot.opened + rate.per / SLOTS => {
                slot.last = now;
                slot.calls += calls;
            }
            _ => self.slots.push_back(Slot {
                opened: now,
                last: now,
                calls,
            }),
        }
    }
}

#[async_trait]
impl Gate for Pacer {
    async fn admit(&self, ask: &Ask<'_>) -> Result<(), HeldBack> {
        if let Allowed::Counted(counted) = ask.allowed {
            while let Err(wait) = self.take(counted) {
                self.clock.sleep(wait).await;
            }
        }
        Ok(())
    }

    async fn seen(&self, ask: &Ask<'_>, _seen: Seen, told: Told) {
        let Allowed::Counted(counted) = ask.allowed else {
            return;
        };
        let resets_in = told
            .resets_at
            .map(|at| (at - self.clock.now()).to_std().unwrap_or_default());
        let now = self.clock.monotonic();
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        let class = classes.entry(counted.class).or_default();
        class.hear(counted, told.remaining, resets_in, now);
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};
    use platform::clock::{Clock, ManualClock};

    use super::*;

    fn second(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn counted(rates: &[(u32, u64)], in_windows: bool) -> Counted {
        let rate = |&(limit, seconds): &(u32, u64)| CallRate {
            limit,
            per: second(seconds),
        };
        Counted {
            class: 0,
            rates: rates.iter().map(rate).collect(),
            in_windows,
            weight: 1,
        }
    }

    /// How many calls fit now, and how long the next one has to wait.
    fn exhaust(pacer: &Pacer, counted: &Counted) -> (u32, Duration) {
        let mut calls = 0;
        loop {
            match pacer.take(counted) {
                Ok(()) => calls += 1,
                Err(wait) => return (calls, wait),
            }
        }
    }

    fn start() -> (ManualClock, Pacer) {
        let clock = ManualClock::at(Utc.with_ymd_and_hms(2026, 6, 15, 12, 0, 0).unwrap());
        let pacer = Pacer::new(clock.shared());
        (clock, pacer)
    }

    #[test]
    fn a_moving_window_counts_the_calls_of_the_last_interval() {
        let (clock, pacer) = start();
        let three = counted(&[(3, 10)], false);
        assert!(pacer.take(&three).is_ok());
        clock.advance(second(4));
        assert_eq!(exhaust(&pacer, &three), (2, second(6)));
        clock.advance(second(6));
        assert_eq!(
            exhaust(&pacer, &three),
            (1, second(4)),
            "only the first call is old enough"
        );
    }

    #[test]
    fn every_rate_of_a_policy_counts() {
        let (clock, pacer) = start();
        let both = counted(&[(2, 1), (3, 60)], false);
        assert_eq!(exhaust(&pacer, &both), (2, second(1)));
        clock.advance(second(1));
        assert_eq!(exhaust(&pacer, &both), (1, second(59)));
    }

    #[test]
    fn a_heavy_call_waits_until_all_of_it_fits() {
        let (clock, pacer) = start();
        let light = counted(&[(3, 10)], false);
        let heavy = Counted {
            weight: 3,
            ..light.clone()
        };
        assert!(pacer.take(&light).is_ok());
        clock.advance(second(1));
        assert!(pacer.take(&light).is_ok());
        assert_eq!(pacer.take(&heavy), Err(second(10)));
        clock.advance(second(10));
        assert!(pacer.take(&heavy).is_ok());
        assert_eq!(pacer.take(&light), Err(second(10)));
    }

    #[test]
    fn a_fixed_window_starts_anew_as_a_whole() {
        let (clock, pacer) = start();
        let two = counted(&[(2, 60)], true);
        assert_eq!(exhaust(&pacer, &two), (2, second(60)));
        clock.advance(second(59));
        assert_eq!(exhaust(&pacer, &two), (0, second(1)));
        clock.advance(second(1));
        assert_eq!(exhaust(&pacer, &two), (2, second(60)));
    }

    #[tokio::test]
    async fn what_the_upstream_says_counts_where_it_is_less() {
        let (clock, pacer) = start();
        let ten = counted(&[(10, 60)], true);
        let allowed = Allowed::Counted(ten.clone());
        let ask = Ask {
            host: "api.example.com",
            allowed: &allowed,
        };
        assert!(pacer.take(&ten).is_ok());
        let told = |remaining, seconds: Option<i64>| Told {
            remaining,
            resets_at: seconds.map(|seconds| clock.now() + chrono::TimeDelta::seconds(seconds)),
        };
        let works = Seen::Works { patience: None };
        pacer.seen(&ask, works, told(Some(2), Some(30))).await;
        pacer.seen(&ask, works, told(Some(9), None)).await;
        assert_eq!(exhaust(&pacer, &ten), (2, second(30)));

        let (_, pacer) = start();
        let moving = counted(&[(10, 60)], false);
        let allowed = Allowed::Counted(moving.clone());
        let ask = Ask {
            host: "api.example.com",
            allowed: &allowed,
        };
        assert!(pacer.take(&moving).is_ok());
        pacer.seen(&ask, works, told(Some(0), None)).await;
        assert_eq!(exhaust(&pacer, &moving), (0, second(60)));
    }

    #[test]
    fn memory_does_not_grow_with_the_limit() {
        let (clock, pacer) = start();
        let many = counted(&[(1_000_000, 1_000)], false);
        for _ in 0..20_000 {
            assert!(pacer.take(&many).is_ok());
            clock.advance(Duration::from_millis(10));
        }
        let kept = pacer.classes.lock().unwrap()[&0].moving[0].slots.len();
        assert!(kept <= 1_001, "{kept} slots");
    }
}
