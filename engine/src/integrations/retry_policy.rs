//! How often a failed run is tried again, and after what wait.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::{CustomRetry, RetryInput};
use crate::outcome::Refusal;

/// A retry policy: kept with the integration, read when an attempt fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// `aggressive`, `standard`, `conservative`, `no_retry` or `custom`.
    pub name: String,
    /// Attempts, the first included.
    pub max_attempts: i32,
    /// The wait after the first attempt, before jitter.
    pub base_delay_ms: u64,
    /// No wait is longer.
    pub max_delay_ms: u64,
    /// Each wait is this many times the one before.
    pub factor: f64,
}

const NAMED: [(&str, i32, u64); 4] = [
    ("aggressive", 10, 500),
    ("standard", 5, 1_000),
    ("conservative", 3, 5_000),
    ("no_retry", 1, 0),
];

const MAX_DELAY_MS: u64 = 60_000;
const FACTOR: f64 = 2.0;
const LONGEST_SECONDS: f64 = 3_600.0;

impl RetryPolicy {
    /// One of the four that have a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (name, max_attempts, base_delay_ms) = NAMED.into_iter().find(|(known, ..)| *known == name)?;
        Some(Self {
            name: name.to_owned(),
            max_attempts,
            base_delay_ms,
            max_delay_ms: MAX_DELAY_MS,
            factor: FACTOR,
        })
    }

    /// What a caller asked for; none where they asked for nothing.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn from_input(input: &RetryInput) -> Result<Option<Self>, Vec<Refusal>> {
        match (&input.policy, &input.custom) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(vec![Refusal::invalid("Give retryPolicy or retry, not both.", ["retry"])]),
            (Some(name), None) => Self::named(name).map(Some).ok_or_else(|| {
                let message = "The retry policy must be aggressive, standard, conservative or no_retry; for another one give retry.";
                vec![Refusal::invalid(message, ["retryPolicy"])]
            }),
            (None, Some(custom)) => Self::custom(custom).map(Some),
        }
    }

    fn custom(custom: &CustomRetry) -> Result<Self, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let mut refuse = |wrong: bool, field: &str, expected: &str| {
            if wrong {
                refusals.push(Refusal::invalid(
                    format!("{field} must be {expected}."),
                    ["retry", field],
                ));
            }
        };
        let CustomRetry {
            max_attempts,
            base_delay_seconds: base,
            max_delay_seconds: max,
            factor,
        } = *custom;
        refuse(
            !(1..=20).contains(&max_attempts),
            "maxAttempts",
            "between 1 and 20",
        );
        refuse(
            !(base > 0.0 && base <= LONGEST_SECONDS),
            "baseDelaySeconds",
            "above 0 and at most 3600",
        );
        refuse(
            !(max >= base && max <= LONGEST_SECONDS),
            "maxDelaySeconds",
            "at least baseDelaySeconds and at most 3600",
        );
        refuse(!(1.0..=10.0).contains(&factor), "factor", "between 1 and 10");
        if !refusals.is_empty() {
            return Err(refusals);
        }
        Ok(Self {
            name: "custom".to_owned(),
            max_attempts,
            base_delay_ms: Duration::from_secs_f64(base).as_millis() as u64,
            max_delay_ms: Duration::from_secs_f64(max).as_millis() as u64,
            factor,
        })
    }

    /// The longest wait after attempt `attempt` (1 for the first): jitter takes a part of it.
    #[must_use]
    pub fn ceiling(&self, attempt: i32) -> Duration {
        let exponent = f64::from(attempt.clamp(1, 64) - 1);
        let millis = self.base_delay_ms as f64 * self.factor.powf(exponent);
        Duration::from_millis(millis.min(self.max_delay_ms as f64) as u64)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::named("standard").expect("it is one of the four")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_until_the_cap() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.ceiling(1), Duration::from_secs(1));
        assert_eq!(policy.ceiling(4), Duration::from_secs(8));
        assert_eq!(policy.ceiling(40), Duration::from_secs(60));
        assert_eq!(
            RetryPolicy::named("aggressive").unwrap().ceiling(1),
            Duration::from_millis(500)
        );
    }

    #[test]
    fn a_custom_policy_stays_within_reason() {
        let bad = CustomRetry {
            max_attempts: 0,
            base_delay_seconds: f64::NAN,
            max_delay_seconds: 1e9,
            factor: 0.5,
        };
        let input = RetryInput {
            policy: None,
            custom: Some(bad),
        };
        let fields: Vec<_> = RetryPolicy::from_input(&input)
            .unwrap_err()
            .into_iter()
            .map(|r| r.field[1].clone())
            .collect();
        assert_eq!(
            fields,
            ["maxAttempts", "baseDelaySeconds", "maxDelaySeconds", "factor"]
        );
    }
}
