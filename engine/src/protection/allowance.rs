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
//! through in its first window. The manifest's number is a promise of the upstream's vendor, and so its buckets hold
//! a quarter of it: at most five quarters in the worst window, and the full rate in every long one.
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
}

/// Buckets hold this part of a manifest's limit.
const BURST: u32 = 4;

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
    })
}

/// The same rate in a bucket that holds less, and never less than one request.
fn held(rate: CallRate, weight: u32) -> Rate {
    let limit = rate.limit.max(1);
    let holds = (limit / BURST).max(weight).clamp(1, limit);
    Rate::new(holds, rate.per.mul_f64(f64::from(holds) / f64::from(limit)))
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
        let class = ("I/3.0".to_owned(), 1, 10, millis(1_500));
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
        let expected = [
            ("I/3.0".to_owned(), 3, 3, Duration::from_millis(250)),
            ("I/3.1".to_owned(), 3, 250, Duration::from_millis(3_600)),
        ];
        assert_eq!(found, expected);
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
            600
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
