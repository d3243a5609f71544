//! Budgets: how many requests may be made of somebody in a while, whichever process makes them.
//!
//! The rule is GCRA (the generic cell rate algorithm): of a budget only one time is kept, at which it will be
//! whole again, and each request moves it on by the interval between two requests at the full rate. It needs no
//! timer and no list of past requests, and one conditional write is all of it, which is what lets many processes
//! share a budget through one small script.
//!
//! A budget that is whole may be spent at once; after that it comes back evenly. A fixed window was rejected: it
//! lets twice the limit through around its edge and then stops everybody until the next one.

use std::time::Duration;

use async_trait::async_trait;

/// So many requests in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    limit: u32,
    per: Duration,
}

impl Rate {
    /// So many in a minute, at least one.
    #[must_use]
    pub fn per_minute(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(60))
    }

    /// So many in so long, at least one. More than one in a microsecond cannot be counted.
    #[must_use]
    pub fn new(limit: u32, per: Duration) -> Self {
        let limit = limit.max(1);
        Self {
            limit,
            per: per.max(Duration::from_micros(limit.into())),
        }
    }

    /// How many.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// In how long.
    #[must_use]
    pub fn per(&self) -> Duration {
        self.per
    }

    /// Between two requests that keep to the rate.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.per / self.limit
    }
}

/// What came of asking for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// So many may be made, at least one.
    Granted(u32),
    /// None may be made before this has passed.
    Refused {
        /// Until one may be made.
        wait: Duration,
    },
}

/// How much of a budget there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests that may be made now.
    pub remaining: u32,
    /// Until it is whole; zero where it is.
    pub whole_in: Duration,
}

/// Budgets that all processes of an installation share. None of this fails: where the others cannot be asked, each
/// process keeps to the rate by itself, which is less than the whole truth and more than nothing.
#[async_trait]
pub trait Budgets: Send + Sync {
    /// Takes up to `most` requests from a budget, as many as there are, and says what is left.
    async fn draw(&self, name: &str, rate: Rate, most: u32) -> (Grant, Budget);

    /// Takes up to `most` requests from a budget, as many as there are.
    async fn spend(&self, name: &str, rate: Rate, most: u32) -> Grant {
        self.draw(name, rate, most).await.0
    }

    /// Lets nothing be spent for so long: the upstream asked for it. A longer wait that was asked for stands.
    async fn hold_back(&self, name: &str, wait: Duration);

    /// How much there is of each of these.
    async fn budgets(&self, asked: &[(String, Rate)]) -> Vec<Budget>;
}

/// One budget, in time that begins anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    /// When it will be whole.
    whole_at: Duration,
    held_until: Duration,
}

impl Bucket {
    pub(super) fn spend(&mut self, rate: Rate, most: u32, now: Duration) -> Grant {
        let there = self.there(rate, now);
        if there == 0 {
            let one = (self.whole_at + rate.interval()).saturating_sub(rate.per() + now);
            return Grant::Refused {
                wait: one
                    .max(self.held_until.saturating_sub(now))
                    .max(Duration::from_micros(1)),
            };
        }
        let granted = there.min(most.max(1));
        self.whole_at = self.whole_at.max(now) + rate.interval() * granted;
        Grant::Granted(granted)
    }

    pub(super) fn hold_back(&mut self, wait: Duration, now: Duration) {
        self.held_until = self.held_until.max(now + wait);
    }

    pub(super) fn look(&self, rate: Rate, now: Duration) -> Budget {
        Budget {
            remaining: self.there(rate, now),
            whole_in: self.whole_at.max(self.held_until).saturating_sub(now),
        }
    }

    /// Whether it is as if nobody had ever spent of it.
    pub(super) fn is_whole(&self, now: Duration) -> bool {
        self.whole_at <= now && self.held_until <= now
    }

    fn there(&self, rate: Rate, now: Duration) -> u32 {
        if self.held_until > now {
            return 0;
        }
        let owed = self.whole_at.saturating_sub(now);
        let free = rate.per().saturating_sub(owed).as_nanos() / rate.interval().as_nanos().max(1);
        u32::try_from(free).unwrap_or(u32::MAX).min(rate.limit())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is asked whenever: in no stretch of time is more granted than the whole budget and what came
        /// back meanwhile; and who waits as long as was said is granted one.
        #[test]
        fn never_more_than_the_rate_allows_and_always_when_promised(
            limit in 1_u32..5_000,
            seconds in 1_u64..4_000,
            asks in prop::collection::vec((0_u64..5_000, 1_u32..50), 1..200),
        ) {
            let rate = Rate::new(limit, Duration::from_secs(seconds));
            let (mut bucket, mut now) = (Bucket::default(), Duration::from_secs(1000));
            let mut granted: Vec<(Duration, u32)> = Vec::new();
            for (pause, most) in asks {
                now += Duration::from_millis(pause);
                let before = bucket.look(rate, now).remaining;
                match bucket.spend(rate, most, now) {
                    Grant::Granted(count) => {
                        prop_assert!(count >= 1 && count <= most && count <= before);
                        granted.push((now, count));
                    }
                    Grant::Refused { wait } => {
                        prop_assert_eq!(before, 0);
                        prop_assert!(wait <= rate.interval() + Duration::from_micros(1));
                        let mut later = bucket;
                        prop_assert!(matches!(later.spend(rate, 1, now + wait), Grant::Granted(1)));
                    }
                }
            }
            for (index, (from, _)) in granted.iter().enumerate() {
                let mut sum = 0;
                for (at, count) in &granted[index..] {
                    sum += u128::from(*count);
                    let back = (*at - *from).as_nanos() / rate.interval().as_nanos();
                    prop_assert!(sum <= u128::from(limit) + back + 1, "{sum} in {:?}", *at - *from);
                }
            }
        }
    }
}
