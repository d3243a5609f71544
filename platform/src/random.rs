//! Randomness, passed in.
//!
//! Jitter, ids and nonces are random in production and must be the same twice in a test. There is one
//! trait for all of them rather than one for secrets and one for the rest, because the dangerous mistake is
//! to reach for the fast one where the strong one was due: the production source is strong throughout.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// A source of random numbers, fit for secrets.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);

    /// A number from the whole range.
    fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number in `0.0 <= x < 1.0`.
    fn unit(&self) -> f64 {
        // The 53 bits that a double holds exactly.
        (self.u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A source of randomness as it is handed about.
pub type SharedRandom = Arc<dyn Random>;

impl fmt::Debug for dyn Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// The thread's cryptographic generator, seeded and reseeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl SystemRandom {
    /// The system's randomness, ready to be handed about.
    pub fn shared() -> SharedRandom {
        Arc::new(Self)
    }
}

impl Random for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks for ambient randomness"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        rand::rng().fill_bytes(buffer);
    }
}

/// A generator that gives the same numbers for the same seed: for tests only.
#[derive(Debug)]
pub struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// The generator of this seed, ready to be handed about.
    pub fn shared(seed: u64) -> SharedRandom {
        Arc::new(Self::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(buffer);
    }
}

/// A UUIDv7 of this moment, which sorts by it to a quarter of a microsecond: the twelve bits after the
/// milliseconds hold their fraction (RFC 9562, section 6.2, method 3). So what one task does after another, with a
/// database in between, sorts in that order; what happens at once on two machines has none.
pub fn uuid_v7(now: DateTime<Utc>, random: &dyn Random) -> Uuid {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    let fraction = (now.timestamp_subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    let [_, _, high, low] = fraction.to_be_bytes();
    (bytes[0], bytes[1]) = (high, low);
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_uuid_carries_its_time_and_sorts_by_it() {
        let random = SeededRandom::new(1);
        let now = DateTime::from_timestamp_millis(1_767_268_800_123).unwrap();
        let (first, second) = (
            uuid_v7(now, &random),
            uuid_v7(now + TimeDelta::nanoseconds(300), &random),
        );
        assert_eq!(first.get_version_num(), 7);
        assert!(first < second);
        let (seconds, nanos) = first.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_767_268_800, 123_000_000));
    }

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        assert_eq!(SeededRandom::new(7).u64(), SeededRandom::new(7).u64());
        assert_ne!(SeededRandom::new(7).u64(), SeededRandom::new(8).u64());
        assert_ne!(SystemRandom.u64(), SystemRandom.u64());
    }

    #[test]
    fn a_unit_is_at_least_zero_and_below_one() {
        let random = SeededRandom::new(3);
        assert!(
            (0..10_000)
                .map(|_| random.unit())
                .all(|x| (0.0..1.0).contains(&x))
        );
    }
}
