//! `HTTPAPIBudget` and its policies.

use std::time::Duration;

use super::super::component::Component;
use super::super::components::{
    Allowance, ApiBudget, CallRateLimit, CallRatePolicy, Integer, RequestMatcher,
};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::auth::statuses;
use super::errors::compiled;
use super::values::integer;

const POLICIES: &[&str] = &[
    "FixedWindowCallRatePolicy",
    "MovingWindowCallRatePolicy",
    "UnlimitedCallRatePolicy",
];

pub(super) fn budget(slot: &Slot<'_>) -> Option<ApiBudget> {
    let component = slot.component(&["HTTPAPIBudget"])?;
    component.check_fields();
    let policies = component.required("policies").and_then(|slot| slot.each(policy));
    let reset_header = component.or("ratelimit_reset_header", String::new(), Slot::literal);
    let remaining_header = component.or("ratelimit_remaining_header", String::new(), Slot::literal);
    let status_codes = component.or("status_codes_for_ratelimit_hit", Vec::new(), statuses);
    let named = |name: String, default: &str| match name.as_str() {
        "" => default.to_owned(),
        _ => name.to_ascii_lowercase(),
    };
    let mut status_codes = status_codes?;
    if status_codes.is_empty() {
        status_codes.push(429);
    }
    Some(ApiBudget {
        policies: policies?,
        reset_header: named(reset_header?, "ratelimit-reset"),
        remaining_header: named(remaining_header?, "ratelimit-remaining"),
        status_codes,
    })
}

fn policy(slot: &Slot<'_>) -> Option<CallRatePolicy> {
    let component = slot.component(POLICIES)?;
    component.check_fields();
    let matchers = component.required("matchers").and_then(|slot| slot.each(matcher));
    let allowance = match &*component.kind {
        "UnlimitedCallRatePolicy" => Some(Allowance::Unlimited),
        "FixedWindowCallRatePolicy" => fixed_window(&component),
        _ => {
            let rates = component.required("rates")?.each(rate)?;
            if rates.is_empty() {
                component.fault("MovingWindowCallRatePolicy needs at least one rate in rates");
                return None;
            }
            Some(Allowance::MovingWindow { rates })
        }
    };
    let (matchers, allowance) = (matchers?, allowance?);
    let least = match &allowance {
        Allowance::Unlimited => None,
        Allowance::FixedWindow { call_limit, .. } => Some(i64::from(*call_limit)),
        Allowance::MovingWindow { rates } => {
            let fixed = |rate: &CallRateLimit| match rate.limit {
                Integer::Fixed(limit) => Some(limit),
                Integer::Computed(_) => None,
            };
            rates.iter().filter_map(fixed).min()
        }
    };
    for matcher in &matchers {
        if let (Some(Integer::Fixed(weight)), Some(least)) = (&matcher.weight, least)
            && *weight > least
        {
            component.fault(format!(
                "a request of weight {weight} never fits into a limit of {least} calls"
            ));
            return None;
        }
    }
    Some(CallRatePolicy { matchers, allowance })
}

fn fixed_window(component: &Component<'_>) -> Option<Allowance> {
    let period = component.required("period").and_then(|slot| length(&slot));
    let call_limit = component.required("call_limit").and_then(|slot| {
        let number = slot.whole_number()?;
        let limit = u32::try_from(number).ok().filter(|limit| *limit > 0);
        if limit.is_none() {
            slot.fault(format!("call_limit is {number}; it has to be at least 1"));
        }
        limit
    });
    Some(Allowance::FixedWindow {
        call_limit: call_limit?,
        period: period?,
    })
}

/// A mapping without a type of its own, as the schema has it.
fn rate(slot: &Slot<'_>) -> Option<CallRateLimit> {
    let (mut limit, mut interval) = (None, None);
    for (key, _, value) in slot.entries()? {
        match &*key {
            "type" => {}
            "limit" => limit = Some(at_least_one(&value)?),
            "interval" => interval = Some(length(&value)?),
            other => value.strange_field(other, &["limit", "interval"]),
        }
    }
    match (limit, interval) {
        (Some(limit), Some(interval)) => Some(CallRateLimit { limit, interval }),
        _ => {
            slot.fault("a rate needs the fields limit and interval, such as limit: 100 and interval: PT1M");
            None
        }
    }
}

const MATCHER_FIELDS: &[&str] = &[
    "method",
    "url_base",
    "url_path_pattern",
    "params",
    "headers",
    "weight",
];

/// A mapping without a type of its own, as the schema has it.
pub(super) fn matcher(slot: &Slot<'_>) -> Option<RequestMatcher> {
    let mut matcher = RequestMatcher {
        method: None,
        url_base: None,
        url_path_pattern: None,
        params: Vec::new(),
        headers: Vec::new(),
        weight: None,
    };
    for (key, _, value) in slot.entries()? {
        if matches!(value.node.kind, Kind::Null) {
            continue;
        }
        match &*key {
            "type" => {}
            "method" => {
                matcher.method = Some(value.literal()?.to_ascii_uppercase()).filter(|it| !it.is_empty())
            }
            "url_base" => {
                let base = value.literal()?.trim_end_matches('/').to_owned();
                matcher.url_base = Some(base).filter(|base| !base.is_empty());
            }
            "url_path_pattern" => matcher.url_path_pattern = compiled(&value)?,
            "params" => matcher.params = pairs(&value)?,
            "headers" => {
                let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
                matcher.headers = pairs(&value)?.into_iter().map(lower).collect();
            }
            "weight" => matcher.weight = Some(at_least_one(&value)?),
            other => value.strange_field(other, MATCHER_FIELDS),
        }
    }
    Some(matcher)
}

fn pairs(slot: &Slot<'_>) -> Option<Vec<(String, String)>> {
    let text = |slot: &Slot<'_>| Some(crate::http::session::display(&slot.json()?));
    slot.entries()?
        .iter()
        .map(|(key, _, value)| Some((key.to_string(), text(value)?)))
        .collect()
}

fn at_least_one(slot: &Slot<'_>) -> Option<Integer> {
    let number = integer(slot)?;
    if let Integer::Fixed(number) = number
        && number < 1
    {
        slot.fault(format!("{} is {number}; it has to be at least 1", slot.name()));
        return None;
    }
    Some(number)
}

/// An ISO 8601 duration of a fixed length.
fn length(slot: &Slot<'_>) -> Option<Duration> {
    let text = slot.literal()?;
    let length = crate::datetime::duration::parse(&text)
        .ok()
        .filter(|duration| duration.is_exact() && duration.micros > 0)
        .and_then(|duration| u64::try_from(duration.micros).ok());
    if length.is_none() {
        slot.fault(format!(
            "{text:?} has to be an ISO 8601 duration of a fixed length, such as PT1M or P1D"
        ));
    }
    length.map(Duration::from_micros)
}
