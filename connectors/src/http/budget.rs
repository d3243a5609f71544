//! A manifest's `HTTPAPIBudget`: which of its policies a request is counted by, and what an answer says of it.
//!
//! Nothing is counted here. A policy is a class of requests with limits of its own, and who keeps the count is the
//! gate that the read was handed: for a server's runs the budgets that all its processes share, for a read by hand
//! the [`Pacer`](super::pacer::Pacer). As in the reference the first policy that matches is the only one, and a
//! request that none matches is not counted by any.

use chrono::{DateTime, Utc};
use url::Url;

use super::answer::Answer;
use super::gate::{Allowed, CallRate, Counted, Told};
use super::session::Session;
use crate::manifest::components::{Allowance, ApiBudget, CallRatePolicy, Integer, RequestMatcher};
use crate::read::ReadError;

/// What the manifest allows of requests like this.
pub(super) fn allowed(session: &Session, request: &reqwest::Request) -> Result<Allowed, ReadError> {
    let Some(budget) = &session.budget else {
        return Ok(Allowed::Unsaid);
    };
    for (class, policy) in budget.policies.iter().enumerate() {
        let matcher = policy.matchers.iter().find(|matcher| fits(matcher, request));
        if matcher.is_none() && !policy.matchers.is_empty() {
            continue;
        }
        let weight = match matcher.and_then(|matcher| matcher.weight.as_ref()) {
            None => 1,
            Some(weight) => positive(session, weight, "weight")?,
        };
        return counted(session, class, policy, weight);
    }
    Ok(Allowed::Unsaid)
}

/// All that the manifest limits, each counted once.
pub(crate) fn limits(session: &Session) -> Result<Vec<Counted>, ReadError> {
    let policies = session.budget.iter().flat_map(|budget| &budget.policies);
    let mut limits = Vec::new();
    for (class, policy) in policies.enumerate() {
        if let Allowed::Counted(counted) = counted(session, class, policy, 1)? {
            limits.push(counted);
        }
    }
    Ok(limits)
}

fn counted(
    session: &Session,
    class: usize,
    policy: &CallRatePolicy,
    weight: u32,
) -> Result<Allowed, ReadError> {
    let (rates, in_windows) = match &policy.allowance {
        Allowance::Unlimited => return Ok(Allowed::Unlimited),
        Allowance::FixedWindow { call_limit, period } => {
            let rate = CallRate {
                limit: *call_limit,
                per: *period,
            };
            (vec![rate], true)
        }
        Allowance::MovingWindow { rates } => {
            let rate = |rate: &crate::manifest::components::CallRateLimit| {
                Ok(CallRate {
                    limit: positive(session, &rate.limit, "limit")?,
                    per: rate.interval,
                })
            };
            (rates.iter().map(rate).collect::<Result<_, ReadError>>()?, false)
        }
    };
    if let Some(rate) = rates.iter().find(|rate| rate.limit < weight) {
        return Err(ReadError::config(format!(
            "A request that counts for {weight} calls never fits into the manifest's limit of {}.",
            rate.limit
        )));
    }
    Ok(Allowed::Counted(Counted {
        class,
        rates,
        in_windows,
        weight,
    }))
}

fn positive(session: &Session, number: &Integer, what: &str) -> Result<u32, ReadError> {
    u32::try_from(session.integer(number, &[])?)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| ReadError::config(format!("The api_budget's {what} has to be at least 1.")))
}

/// Whether a request is one of those that a matcher means.
pub(super) fn fits(matcher: &RequestMatcher, request: &reqwest::Request) -> bool {
    let url = request.url();
    let there = |wanted: &(String, String), value: Option<&str>| value == Some(wanted.1.as_str());
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    matcher
        .method
        .as_deref()
        .is_none_or(|method| method == request.method().as_str())
        && matcher
            .url_base
            .as_deref()
            .is_none_or(|base| base == self::base(url))
        && matcher
            .url_path_pattern
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(url.path().trim_end_matches('/')))
        && matcher.params.iter().all(|wanted| {
            // Of a parameter that is there twice the last one counts.
            let value = url.query_pairs().filter(|(name, _)| *name == wanted.0).last();
            there(wanted, value.as_ref().map(|(_, value)| &**value))
        })
        && matcher
            .headers
            .iter()
            .all(|wanted| there(wanted, header(&wanted.0)))
}

fn base(url: &Url) -> String {
    format!("{}://{}", url.scheme(), super::gate::host(url))
}

/// What an answer says of the limit that its request was counted by.
pub(super) fn told(budget: Option<&ApiBudget>, answer: Option<&Answer>) -> Told {
    let (Some(budget), Some(answer)) = (budget, answer) else {
        return Told::default();
    };
    let header = |name: &str| answer.header(name).map(str::trim).filter(|text| !text.is_empty());
    let remaining = match header(&budget.remaining_header) {
        Some(text) => text.parse().ok(),
        None => budget.status_codes.contains(&answer.status).then_some(0),
    };
    let resets_at = header(&budget.reset_header)
        .and_then(|text| text.parse().ok())
        .and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    Told { remaining, resets_at }
}
