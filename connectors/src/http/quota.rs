//! What tokens that take turns have left, and whose turn it is.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use super::answer::Answer;
use super::session::display;
use crate::manifest::components::{RotatingTokensAuthenticator, TokenQuota};
use crate::read::ReadError;

/// The longest pause that spreads the last calls of a quota.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How much an answer's window may be older than the one that is known, and count as the same.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// What all tokens have left.
#[derive(Default)]
pub(super) struct State {
    active: usize,
    /// For each token its quotas; empty before they were asked for.
    pub(super) pools: Vec<Vec<Pool>>,
}

/// What one token has left of one quota.
#[derive(Clone, Copy)]
pub(super) struct Pool {
    pub(super) remaining: i64,
    limit: i64,
    resets_at: DateTime<Utc>,
    /// Whether the upstream counts at all.
    pub(super) tracked: bool,
}

/// Whose turn it is.
pub(super) enum Turn {
    Given(usize, Option<Duration>),
    Wait(Duration),
}

impl State {
    /// Takes a call, of the active token or of the next that has one.
    pub(super) fn turn(
        &mut self,
        rotating: &RotatingTokensAuthenticator,
        quota: usize,
        now: DateTime<Utc>,
    ) -> Turn {
        let count = self.pools.len();
        for _ in 0..count {
            let token = self.active % count.max(1);
            let pool = &mut self.pools[token][quota];
            if !pool.tracked {
                // Nothing tells them apart, so they take turns.
                self.active = (token + 1) % count;
                return Turn::Given(token, None);
            }
            if pool.remaining > 0 {
                pool.remaining -= 1;
                return Turn::Given(token, self.pause(rotating, token, quota, now));
            }
            self.active = (token + 1) % count;
        }
        let soonest = self
            .pools
            .iter()
            .map(|pools| pools[quota].resets_at)
            .min()
            .unwrap_or(now);
        Turn::Wait((soonest - now).to_std().unwrap_or_default())
    }

    /// No token has a call left.
    pub(super) fn is_spent(&self, quota: usize) -> bool {
        self.pools
            .iter()
            .all(|pools| pools[quota].tracked && pools[quota].remaining <= 0)
    }

    /// The last calls are spread over the time until there are more.
    fn pause(
        &self,
        rotating: &RotatingTokensAuthenticator,
        token: usize,
        quota: usize,
        now: DateTime<Utc>,
    ) -> Option<Duration> {
        let pools = || self.pools.iter().map(|pools| pools[quota]);
        #[expect(clippy::cast_precision_loss, reason = "numbers of calls")]
        let scarce = |pool: Pool| {
            let reserve = (pool.limit as f64 * rotating.budget_reserve_fraction)
                .max(rotating.budget_min_reserve as f64);
            pool.tracked && pool.remaining as f64 <= reserve
        };
        if !pools().all(scarce) {
            return None;
        }
        let left: i64 = pools().map(|pool| pool.remaining.max(0)).sum();
        let until = (self.pools[token][quota].resets_at - now).to_std().ok()?;
        let pause = until.checked_div(u32::try_from(left).ok()?)?.min(LONGEST_PAUSE);
        (pause >= Duration::from_millis(100)).then_some(pause)
    }
}

impl Pool {
    /// One that the upstream does not count.
    pub(super) fn untracked(now: DateTime<Utc>) -> Self {
        Self {
            remaining: 0,
            limit: 0,
            resets_at: now,
            tracked: false,
        }
    }

    /// What the answer about a token's quotas says.
    pub(super) fn read(quota: &TokenQuota, told: &Value) -> Result<Self, ReadError> {
        let at = |path: &[String]| {
            let found = path.iter().try_fold(told, |value, part| value.get(part));
            found.ok_or_else(|| {
                ReadError::config(format!(
                    "The answer about the tokens' quotas has no {} for the quota {}.",
                    path.join("."),
                    quota.name
                ))
            })
        };
        let number = |path: &[String]| {
            whole(&display(at(path)?)).ok_or_else(|| {
                ReadError::config(format!(
                    "The quota {} is no number at {}.",
                    quota.name,
                    path.join(".")
                ))
            })
        };
        let remaining = number(&quota.remaining_path)?;
        let resets_at = moment(&display(at(&quota.reset_path)?)).ok_or_else(|| {
            let path = quota.reset_path.join(".");
            ReadError::config(format!("The quota {} has no time at {path}.", quota.name))
        })?;
        Ok(Self {
            remaining,
            limit: match &quota.limit_path {
                Some(path) => number(path)?,
                None => remaining,
            },
            resets_at,
            tracked: true,
        })
    }

    /// What an answer's headers say. Answers come in any order, so within a window only fewer calls are believed.
    pub(super) fn correct(&mut self, quota: &TokenQuota, answer: &Answer) {
        if !self.tracked {
            return;
        }
        let header = |name: &Option<String>| answer.header(name.as_deref()?);
        let exhausted = quota.exhaustion_status_codes.contains(&answer.status);
        let remaining = header(&quota.remaining_header)
            .and_then(whole)
            .or(exhausted.then_some(0));
        let resets_at = header(&quota.reset_header).and_then(moment);
        let limit = header(&quota.limit_header).and_then(whole);
        let is_older = |by: TimeDelta| resets_at.is_some_and(|resets_at| resets_at < self.resets_at - by);
        if let Some(limit) = limit.filter(|limit| *limit > 0 && !is_older(TimeDelta::zero())) {
            self.limit = limit;
        }
        match (resets_at, remaining) {
            (Some(later), _) if later > self.resets_at => {
                self.resets_at = later;
                self.remaining = remaining.unwrap_or(self.limit);
            }
            (_, Some(remaining)) if (remaining <= 0 && exhausted) || !is_older(SKEW) => {
                self.remaining = self.remaining.min(remaining);
            }
            _ => {}
        }
    }
}

fn whole(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// Unix seconds, or a date as upstreams write it.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return DateTime::from_timestamp(seconds, 0);
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    if let Ok(moment) = DateTime::parse_from_rfc2822(text) {
        return Some(moment.to_utc());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_time(chrono::NaiveTime::MIN).and_utc())
}
