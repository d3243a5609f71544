//! What a caller's integration must be.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use connectors::Connector;
use connectors::read::RetryMode;
use connectors::spec::{MASK, Spec};
use entity::ids::{IntegrationId, ScheduleId};
use entity::{Timestamp, schedule};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::model::{RetryInput, ScheduleInput};
use super::retry_policy::RetryPolicy;
use crate::Engine;
use crate::input::check_object;
use crate::outcome::Refusal;
use crate::schedule::{Calendar, ScheduleFault};

const LONGEST_JITTER_SECONDS: i32 = 3_600;
const LONGEST_CATCH_UP_SECONDS: i32 = 7 * 24 * 3_600;
const MOST_REQUESTS_PER_MINUTE: i32 = 1_000_000;

/// Refuses a configuration that the connector's specification does not take: each fault at its field.
pub(super) fn check_config(spec: &Spec, config: &Value, refusals: &mut Vec<Refusal>) {
    let before = refusals.len();
    check_object(config, "config", refusals);
    if refusals.len() > before {
        return;
    }
    for path in spec.secret_paths() {
        let value = path.iter().try_fold(config, |value, name| value.get(name));
        if value.and_then(Value::as_str) == Some(MASK) {
            let message =
                "This is the mask of a secret, not its value, and no value is kept; give the secret itself.";
            refusals.push(Refusal::invalid(message, in_config(&path)));
        }
    }
    for fault in spec.validate(config) {
        let named = if fault.path.is_empty() {
            "The configuration".to_owned()
        } else {
            fault.path.join(".")
        };
        let end = if fault.message.ends_with(['.', '?', '!']) {
            ""
        } else {
            "."
        };
        let message = format!("{named} {}{end}", fault.message);
        refusals.push(Refusal::invalid(message, in_config(&fault.path)));
    }
}

fn in_config(path: &[String]) -> impl Iterator<Item = &str> {
    std::iter::once("config").chain(path.iter().map(String::as_str))
}

/// The streams to read, in the connector's order; where none are named, all that are there under this configuration.
pub(super) fn streams(
    engine: &Engine,
    plan: &Connector,
    config: &Value,
    wanted: Option<&[String]>,
    refusals: &mut Vec<Refusal>,
) -> Vec<String> {
    if plan.makes_streams() {
        return made_streams(wanted, refusals);
    }
    // Of a configuration that is refused anyway, nobody can say which streams it has.
    let known = if refusals.is_empty() {
        let cancel = CancellationToken::new();
        let context = engine
            .connectors
            .read_context(RetryMode::LeaveToCaller, cancel, None);
        match plan.available_streams(&context, config) {
            Ok(available) => available,
            Err(error) => {
                refusals.push(Refusal::invalid(error.message, ["config"]));
                return Vec::new();
            }
        }
    } else {
        plan.streams().iter().map(|stream| stream.name.clone()).collect()
    };
    let Some(wanted) = wanted else { return known };
    if wanted.is_empty() {
        let message = "Name at least one stream, or leave streams out for all of them.";
        refusals.push(Refusal::invalid(message, ["streams"]));
    }
    for (index, name) in wanted
        .iter()
        .enumerate()
        .filter(|(_, name)| !known.contains(name))
    {
        let described = plan.streams().iter().any(|stream| stream.name == *name);
        let lacks = if described {
            "has, under this configuration,"
        } else {
            "has"
        };
        let message = format!(
            "The connector {lacks} no stream {name:?}; it has {}.",
            known.join(", ")
        );
        refusals.push(Refusal::invalid(
            message,
            ["streams".to_owned(), index.to_string()],
        ));
    }
    known.into_iter().filter(|name| wanted.contains(name)).collect()
}

/// The streams of a connector that makes some from the upstream's answers: nobody is asked here, so names are taken as
/// they are, and a run finds out.
fn made_streams(wanted: Option<&[String]>, refusals: &mut Vec<Refusal>) -> Vec<String> {
    let wanted = wanted.unwrap_or_default();
    if wanted.is_empty() {
        let message = "The connector makes its streams from the configuration or from what the upstream answers: name \
                       those that are read (`syncline connector discover` lists them).";
        refusals.push(Refusal::invalid(message, ["streams"]));
    }
    let mut named = BTreeSet::new();
    wanted
        .iter()
        .filter(|name| named.insert(*name))
        .cloned()
        .collect()
}

/// How failures are tried again.
pub(super) fn retry(wanted: &RetryInput, refusals: &mut Vec<Refusal>) -> Option<RetryPolicy> {
    RetryPolicy::from_input(wanted).unwrap_or_else(|faults| {
        refusals.extend(faults);
        None
    })
}

/// The most requests a minute.
pub(super) fn requests_per_minute(wanted: Option<i32>, refusals: &mut Vec<Refusal>) -> Option<i32> {
    if wanted.is_some_and(|wanted| !(1..=MOST_REQUESTS_PER_MINUTE).contains(&wanted)) {
        let message = format!("requestsPerMinute must be between 1 and {MOST_REQUESTS_PER_MINUTE}.");
        refusals.push(Refusal::invalid(message, ["requestsPerMinute"]));
    }
    wanted
}

/// Refuses a schedule that cannot be: not understood, never due, or out of bounds.
pub(super) fn check_schedule(input: &ScheduleInput, now: DateTime<Utc>, refusals: &mut Vec<Refusal>) {
    match Calendar::parse(&input.cron, &input.timezone) {
        Ok(calendar) if calendar.next_after(now).is_none() => {
            refusals.push(Refusal::invalid(
                sentence(&ScheduleFault::Never),
                ["schedule", "cron"],
            ));
        }
        Ok(_) => {}
        Err(fault @ ScheduleFault::Timezone(_)) => {
            refusals.push(Refusal::invalid(sentence(&fault), ["schedule", "timezone"]));
        }
        Err(fault) => refusals.push(Refusal::invalid(sentence(&fault), ["schedule", "cron"])),
    }
    let mut bound = |value: i32, field: &str, longest: i32| {
        if !(0..=longest).contains(&value) {
            let message = format!("{field} must be between 0 and {longest}.");
            refusals.push(Refusal::invalid(message, ["schedule", field]));
        }
    };
    bound(input.jitter_seconds, "jitterSeconds", LONGEST_JITTER_SECONDS);
    bound(input.catch_up_seconds, "catchUpSeconds", LONGEST_CATCH_UP_SECONDS);
}

fn sentence(fault: &ScheduleFault) -> String {
    let text = fault.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), letters.as_str())
    })
}

/// A schedule that was checked, as the table keeps it.
pub(super) fn schedule_row(
    id: ScheduleId,
    integration_id: IntegrationId,
    input: &ScheduleInput,
    now: DateTime<Utc>,
) -> schedule::Model {
    let calendar = Calendar::parse(&input.cron, &input.timezone);
    let next = calendar.ok().and_then(|calendar| calendar.next_after(now));
    schedule::Model {
        id,
        integration_id,
        cron: input.cron.trim().to_owned(),
        timezone: input.timezone.clone(),
        jitter_seconds: input.jitter_seconds,
        overlap: input.overlap,
        catch_up_seconds: input.catch_up_seconds,
        next_due_at: next.map(Timestamp::from),
        created_at: now.into(),
        updated_at: now.into(),
    }
}
