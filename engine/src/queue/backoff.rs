//! How long a failed run waits.
//!
//! Exponential with full jitter: the wait is a random part of a ceiling that doubles. The jitter is the
//! whole of it, not a fringe, because what is to be avoided is that all the runs which one outage failed
//! come back in one moment (equal and decorrelated jitter spread worse for the same mean).
//!
//! What the upstream asks for in `Retry-After` is a floor under that, and not subject to the ceiling: who
//! says "in an hour" is answered with silence until then, since coming earlier is how one is banned.
//!
//! # What the exponent counts
//! Fruitless attempts, not attempts. An attempt that committed a page earns another one, so that a long
//! sync with a 429 every hour ends well however long it is; its next wait starts small again. A run that
//! commits nothing spends its policy's attempts and fails.

use std::time::Duration;

use platform::random::Random;

use crate::integrations::RetryPolicy;

/// A wait that an upstream asked for is not believed beyond this.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// How many attempts in a row were fruitless, this failed one included (so at least 1).
pub(super) fn fruitless(policy: &RetryPolicy, attempt: i32, max_attempts: i32, progressed: bool) -> i32 {
    let earned = (max_attempts - policy.max_attempts).max(0);
    if progressed { 1 } else { (attempt - earned).max(1) }
}

/// How long to wait after the `failures`-th fruitless attempt in a row.
pub(super) fn delay(
    policy: &RetryPolicy,
    failures: i32,
    asked: Option<Duration>,
    random: &dyn Random,
) -> Duration {
    let own = policy.ceiling(failures).mul_f64(random.unit());
    own.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use platform::random::SeededRandom;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_upstream_asks_for_is_a_floor_even_above_the_cap() {
        let policy = RetryPolicy::named("aggressive").unwrap();
        let random = SeededRandom::new(1);
        assert_eq!(
            delay(&policy, 1, Some(Duration::from_secs(3600)), &random),
            Duration::from_secs(3600)
        );
        assert_eq!(delay(&policy, 1, Some(Duration::MAX), &random), LONGEST_ASKED);
    }

    #[test]
    fn progress_starts_the_waits_again() {
        let policy = RetryPolicy::named("standard").unwrap();
        assert_eq!(fruitless(&policy, 1, 5, false), 1);
        assert_eq!(fruitless(&policy, 4, 5, false), 4);
        assert_eq!(fruitless(&policy, 40, 41, true), 1);
        assert_eq!(fruitless(&policy, 40, 41, false), 4);
    }

    proptest! {
        #[test]
        fn a_wait_lies_between_what_was_asked_and_the_ceiling(
            base in 0_u64..100_000, cap in 0_u64..600_000, factor in 1.0_f64..10.0,
            failures in 1_i32..1_000_000, asked in prop::option::of(0_u64..7200), seed in any::<u64>(),
        ) {
            let policy = RetryPolicy { name: "custom".to_owned(), max_attempts: 5, base_delay_ms: base, max_delay_ms: cap, factor };
            let asked = asked.map(Duration::from_secs);
            let wait = delay(&policy, failures, asked, &SeededRandom::new(seed));
            prop_assert!(wait >= asked.unwrap_or_default());
            prop_assert!(wait <= policy.ceiling(failures).max(asked.unwrap_or_default()));
            prop_assert!(policy.ceiling(failures) <= Duration::from_millis(cap));
            prop_assert!(policy.ceiling(failures + 1) >= policy.ceiling(failures));
        }
    }
}
