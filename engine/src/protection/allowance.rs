//! Which budgets a request is taken from.
//!
//! A manifest's `HTTPAPIBudget` and the installation's budgets mean the same thing by different words. The manifest
//! has policies, each a class of requests (what its matchers match) with one rate or several; the coordinator has
//! named buckets, each of one rate. They meet like this:
//!
//! - A class is an endpoint class: each rate of each policy has a bucket of its own, named by the integration (which is
//!   one connector and one credential), the policy's place and the rate's. A request has to pass every rate of the
//!   one policy that counts it, and takes its weight from each.
//! - What the manifest limits replaces the installation's default: whoever wrote the manifest knows the upstream, and
//!   the default only guesses. A request that the manifest calls unlimited has no budget; one that no policy matches
//!   has the default, because then nobody has said anything about it.
//! - `requestsPerMinute` of the integration counts every request, whatever its class, beside all of this. So it can
//!   lower what the manifest allows, and cannot raise it.
//!
//! A bucket gives back evenly what is spent at once, so one that holds a whole limit would let nearly twice the limit
//! through in its first window. The manifest's number is a promise to the upstream's vendor, who counts by windows that
//! begin whenever they like. So a bucket holds an eighth of the limit, and what comes back in one window is what the
//! limit leaves beside that eighth and beside what a run has taken and not used yet: no window, wherever it begins, sees
//! more than the limit. It costs up to a fifth of the rate in the long run. The exception are requests that weigh more
//! than half of a limit; kept strictly, they would come at a fraction of the rate that they may have.
//!
//! # Rejected
//! One bucket for all classes at the strictest rate: an export endpoint that may be asked once a minute would slow
//! down everything else. Windows that begin anew as a whole, as the manifest's word `FixedWindow` has it: when they do
//! is known to the upstream alone, and where its headers say it, [`Gate::seen`](connectors::read::Gate) holds back
//! until then.

use std::time::Duration;

use connectors::read::{Allowed, CallRate, Counted};
use platform::coordination::Rate;

use super::{Protection, budget};
use crate::ids::IntegrationId;

/// A bucket, and how much of it a request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) bucket: String,
    pub(super) rate: Rate,
    pub(super) weight: u32,
    /// The most that is taken at a time, where that is bounded: what is taken and not used belongs to a later window.
    pub(super) most: Option<u32>,
}

/// Buckets hold this part of a manifest's limit.
const BURST: u32 = 8;
/// This part of a manifest's limit is taken at a time.
const TAKEN: u32 = 16;
/// By so much two requests may be closer to one another when they arrive than when they were let through.
const JITTER: Duration = Duration::from_millis(100);

/// Every bucket that such a request of the integration is taken from.
pub(super) fn shares(
    integration: IntegrationId,
    own: Option<i32>,
    protection: Protection,
    allowed: &Allowed,
) -> Vec<Share> {
    let mut shares = Vec::new();
    if own.is_some() || *allowed == Allowed::Unsaid {
        shares.push(Share {
            bucket: budget(integration),
            rate: protection.rate(own),
            weight: 1,
            most: None,
        });
    }
    if let Allowed::Counted(counted) = allowed {
        shares.extend(of_class(integration, counted));
    }
    shares
}

/// The buckets of one of the manifest's policies.
pub(super) fn of_class(integration: IntegrationId, counted: &Counted) -> impl Iterator<Item = Share> {
    counted.rates.iter().enumerate().map(move |(index, rate)| Share {
        bucket: format!("{}/{}.{index}", budget(integration), counted.class),
        rate: held(*rate, counted.weight),
        weight: counted.weight,
        most: Some(taken(*rate, counted.weight)),
    })
}

/// How much of a limit is taken at a time; never less than one request.
fn taken(rate: CallRate, weight: u32) -> u32 {
    (rate.limit / TAKEN).max(weight).max(1)
}

/// A bucket of which no window of the limit's length sees more than the limit.
fn held(rate: CallRate, weight: u32) -> Rate {
    let limit = rate.limit.max(1);
    let holds = (limit / BURST).max(weight).clamp(1, limit);
    // What comes back is there a moment after a window's end, not before it: hence the one.
    let spare = (taken(rate, weight) - weight.max(1)) + holds - 1;
    let comes_back = limit.saturating_sub(spare).max(limit.div_ceil(2));
    let window = rate.per.saturating_add(JITTER);
    Rate::new(holds, window.mul_f64(f64::from(holds) / f64::from(comes_back)))
}

/// How much is let through in a minute.
pub(super) fn per_minute(rate: Rate) -> u32 {
    let minute = Duration::from_secs(60).as_nanos();
    let requests = minute * u128::from(rate.limit()) / rate.per().as_nanos().max(1);
    u32::try_from(requests).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(rates: &[(u32, u64)], weight: u32) -> Allowed {
        let rate = |&(limit, seconds): &(u32, u64)| CallRate {
            limit,
            per: Duration::from_secs(seconds),
        };
        Allowed::Counted(Counted {
            class: 3,
            rates: rates.iter().map(rate).collect(),
            in_windows: false,
            weight,
        })
    }

    fn taken(own: Option<i32>, allowed: &Allowed) -> Vec<(String, u32, u32, Duration)> {
        let id = IntegrationId::new(uuid::Uuid::nil());
        let shares = shares(id, own, Protection::default(), allowed);
        let short = |share: Share| {
            let name = share.bucket.replace(&budget(id), "I");
            (name, share.weight, share.rate.limit(), share.rate.interval())
        };
        shares.into_iter().map(short).collect()
    }

    #[test]
    fn the_manifest_replaces_the_default_and_the_integration_lowers_both() {
        let millis = Duration::from_millis;
        let unsaid = ("I".to_owned(), 1, 100, millis(600));
        let own = ("I".to_owned(), 1, 30, millis(2_000));
        // Five at once; thirty-five come back in a minute, which with the two that are taken at a time is all.
        let class = ("I/3.0".to_owned(), 1, 5, (millis(60_100) * 5).div_f64(35.0) / 5);
        assert_eq!(taken(None, &Allowed::Unsaid), [unsaid]);
        assert_eq!(taken(Some(30), &Allowed::Unsaid), std::slice::from_ref(&own));
        assert_eq!(taken(None, &Allowed::Unlimited), []);
        assert_eq!(taken(Some(30), &Allowed::Unlimited), std::slice::from_ref(&own));
        assert_eq!(
            taken(None, &counted(&[(40, 60)], 1)),
            std::slice::from_ref(&class)
        );
        assert_eq!(taken(Some(30), &counted(&[(40, 60)], 1)), [own, class]);
    }

    #[test]
    fn every_rate_has_a_bucket_that_holds_the_heaviest_request() {
        let found = taken(None, &counted(&[(4, 1), (1_000, 3_600)], 3));
        let short: Vec<_> = found
            .iter()
            .map(|(name, weight, holds, _)| (name.as_str(), *weight, *holds))
            .collect();
        assert_eq!(short, [("I/3.0", 3, 3), ("I/3.1", 3, 125)]);
    }

    #[test]
    fn no_window_sees_more_than_the_limit_and_the_rate_is_used() {
        for limit in 1..2_000 {
            for seconds in [1, 10, 60, 3_600] {
                for weight in [1, 2, 5] {
                    if weight > 1 && weight * 2 > limit {
                        continue;
                    }
                    let per = Duration::from_secs(seconds);
                    let rate = CallRate { limit, per };
                    let held = held(rate, weight);
                    let window = per.as_secs_f64();
                    // Of a bucket n more than it holds are there after n intervals.
                    let came_back = (window / held.interval().as_secs_f64()).ceil() - 1.0;
                    let unused = super::taken(rate, weight) - weight;
                    let most = f64::from(held.limit() + unused) + came_back;
                    let (rate, limit) = (window / held.interval().as_secs_f64(), f64::from(limit));
                    assert!(
                        most <= limit,
                        "{most} of {limit} in {seconds} seconds, weight {weight}"
                    );
                    let floor = if weight == 1 { 0.7 } else { 0.4 };
                    assert!(
                        rate >= limit * floor,
                        "{rate} of {limit} in {seconds} seconds, weight {weight}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_shown_is_by_the_minute() {
        assert_eq!(
            per_minute(held(
                CallRate {
                    limit: 10,
                    per: Duration::from_secs(1)
                },
                1
            )),
            545
        );
        assert_eq!(
            per_minute(held(
                CallRate {
                    limit: 1,
                    per: Duration::from_secs(86_400)
                },
                1
            )),
            1
        );
    }
}
