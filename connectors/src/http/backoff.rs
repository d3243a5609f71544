//! How long to wait before asking again.
//!
//! The strategies of all of a requester's handlers form one list, and the first that gives a time decides.
//! Where none does, the read as the reference waits 1, 2, 4 … seconds; a server run takes `Retry-After` when
//! the upstream sends it and leaves the rest to the integration's policy.

use std::time::Duration;

use serde_json::{Map, Value};

use super::answer::Answer;
use super::retry_after;
use super::session::Session;
use crate::manifest::components::{BackoffStrategy, ErrorHandler, Number, Pattern, Text};
use crate::read::{ErrorKind, NoteLevel, ReadError};
use crate::template::Variable;

/// What the manifest's strategies say after this many attempts (at least one).
///
/// # Errors
/// When the upstream asks for more patience than the manifest allows.
pub(crate) fn wait(
    session: &Session,
    handler: &ErrorHandler,
    answer: Option<&Answer>,
    attempts: u32,
) -> Result<Option<Duration>, ReadError> {
    let mut strategies = Vec::new();
    collect(handler, &mut strategies);
    for strategy in strategies {
        let seconds = ask(session, strategy, answer, attempts)?;
        if let Some(wait) = seconds
            .filter(|seconds| *seconds != 0.0)
            .and_then(retry_after::seconds_to_duration)
        {
            return Ok(Some(wait));
        }
    }
    Ok(None)
}

fn collect<'a>(handler: &'a ErrorHandler, into: &mut Vec<&'a BackoffStrategy>) {
    match handler {
        ErrorHandler::Default(handler) => into.extend(&handler.backoff_strategies),
        ErrorHandler::Composite(handlers) => handlers.iter().for_each(|handler| collect(handler, into)),
    }
}

fn ask(
    session: &Session,
    strategy: &BackoffStrategy,
    answer: Option<&Answer>,
    attempts: u32,
) -> Result<Option<f64>, ReadError> {
    match strategy {
        BackoffStrategy::WaitTimeFromResponse {
            wait_time_in_seconds,
            max_waiting_time_in_seconds,
        } => {
            let Some(seconds) = from_response(session, answer, wait_time_in_seconds) else {
                return Ok(None);
            };
            if seconds == 0.0 {
                return Ok(None);
            }
            capped(session, seconds, max_waiting_time_in_seconds.as_ref()).map(Some)
        }
        BackoffStrategy::Constant {
            backoff_time_in_seconds,
            jitter_range_in_seconds,
        } => {
            let seconds = session.number(backoff_time_in_seconds, &[])?;
            Ok(Some(jittered(session, seconds, *jitter_range_in_seconds)))
        }
        BackoffStrategy::Exponential {
            factor,
            jitter_range_in_seconds,
        } => {
            let exponent = i32::try_from(attempts).unwrap_or(i32::MAX).min(62);
            let seconds = session.number(factor, &[])? * 2_f64.powi(exponent);
            Ok(Some(jittered(session, seconds, *jitter_range_in_seconds)))
        }
        BackoffStrategy::WaitTimeFromHeader {
            header,
            regex,
            max_waiting_time_in_seconds,
        } => {
            let Some(seconds) = from_header(session, answer, header, regex.as_ref())? else {
                return Ok(None);
            };
            if seconds == 0.0 {
                return Ok(Some(seconds));
            }
            capped(session, seconds, max_waiting_time_in_seconds.as_ref()).map(Some)
        }
        BackoffStrategy::WaitUntilTimeFromHeader {
            header,
            min_wait,
            regex,
            max_waiting_time_in_seconds,
        } => {
            let cap = max_waiting_time_in_seconds.as_ref();
            let least = match min_wait {
                None => None,
                Some(number) => Some(session.number(number, &[])?).filter(|least| *least != 0.0),
            };
            let until = from_header(session, answer, header, regex.as_ref())?.filter(|until| *until != 0.0);
            let Some(until) = until else {
                return least.map(|least| capped(session, least, cap)).transpose();
            };
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of this era fit a double exactly"
            )]
            let now = session.context.clock.now().timestamp_millis() as f64 / 1000.0;
            let wait = until - now;
            match least {
                Some(least) => capped(session, wait.max(least), cap).map(Some),
                None if wait < 0.0 => Ok(None),
                None => capped(session, wait, cap).map(Some),
            }
        }
    }
}

fn jittered(session: &Session, seconds: f64, range: Option<f64>) -> f64 {
    range.map_or(seconds, |range| {
        seconds + session.context.random.unit() * range * 2.0
    })
}

fn from_header(
    session: &Session,
    answer: Option<&Answer>,
    header: &Text,
    pattern: Option<&Pattern>,
) -> Result<Option<f64>, ReadError> {
    let Some(answer) = answer else { return Ok(None) };
    let name = session.text(header, &[])?;
    let Some(value) = answer.header(&name) else {
        return Ok(None);
    };
    // The pattern has to match where the value begins, as Python's `match` does.
    let found = pattern
        .and_then(|pattern| pattern.find(value))
        .filter(|found| found.start() == 0);
    let text = found.map_or(value, |found| found.as_str());
    Ok(text.trim().parse().ok())
}

/// What the template finds. It runs on every answer that is repeated, not only on the one it was written for, so where it
/// finds no time the next strategy is asked.
fn from_response(session: &Session, answer: Option<&Answer>, template: &Text) -> Option<f64> {
    let nothing = Map::new();
    let response = match answer {
        Some(answer) if template.template.mentions("response") => answer.json_or_empty(),
        _ => Value::Object(Map::new()),
    };
    let headers = answer.map_or(&nothing, |answer| &answer.headers);
    let names = [
        ("response", Variable::Json(&response)),
        ("headers", Variable::Headers(headers)),
    ];
    let seconds = match session.value(template, &names) {
        Ok(Value::Number(seconds)) => seconds.as_f64(),
        Ok(Value::String(text)) => text.trim().parse().ok(),
        Ok(Value::Bool(flag)) => Some(f64::from(u8::from(flag))),
        Ok(_) => None,
        Err(_) => {
            session.note(
                NoteLevel::Warning,
                "A WaitTimeFromResponse found no time in an answer; the next back-off strategy is taken.",
            );
            None
        }
    };
    seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

fn capped(session: &Session, seconds: f64, cap: Option<&Number>) -> Result<f64, ReadError> {
    let Some(cap) = cap else { return Ok(seconds) };
    let cap = session.number(cap, &[])?;
    if seconds < cap {
        return Ok(seconds);
    }
    let message = format!(
        "The upstream asks to wait {seconds:.0} seconds; the connector's manifest allows less than {cap:.0}."
    );
    let mut error = ReadError::new(ErrorKind::RateLimited, "WAIT_TOO_LONG", message).retryable();
    error.retry_after = retry_after::seconds_to_duration(seconds);
    Err(error)
}
