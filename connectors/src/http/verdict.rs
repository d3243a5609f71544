//! What an answer means: the manifest's filters in order, then good if its status is good, then the defaults
//! by status.

use serde_json::{Map, Value};

use super::answer::Answer;
use super::excerpt;
use super::session::{Names, Session};
use crate::manifest::components::{
    BackoffStrategy, Condition, DefaultErrorHandler, ErrorHandler, FailureType, HttpResponseFilter, Integer,
    ResponseAction, Text,
};
use crate::read::{Demand, ErrorKind, ReadError};
use crate::template::Variable;

/// Repetitions where the manifest does not say.
const MAX_RETRIES: i64 = 5;

/// What to do with an answer, and what to say about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) action: ResponseAction,
    /// Whose fault it is, where a filter says so.
    failure: Option<FailureType>,
    /// What the manifest's author wants said.
    message: Option<String>,
    /// The answer's own word, where it decided.
    said: Option<Said>,
}

/// What an answer says of itself in the words of its protocol, which then decides instead of its status.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) kind: ErrorKind,
    pub(crate) code: &'static str,
    /// Whether asking again may help.
    pub(crate) retryable: bool,
    /// A sentence; scrubbed and short.
    pub(crate) message: String,
}

impl Said {
    fn verdict(self) -> Verdict {
        let action = match (self.kind, self.retryable) {
            (ErrorKind::RateLimited, _) => ResponseAction::RateLimited,
            (_, true) => ResponseAction::Retry,
            (_, false) => ResponseAction::Fail,
        };
        Verdict {
            said: Some(self),
            ..Verdict::of(action)
        }
    }
}

impl Verdict {
    fn of(action: ResponseAction) -> Self {
        Self {
            action,
            failure: None,
            message: None,
            said: None,
        }
    }
}

/// Interprets an answer: by the manifest's filters, else by its own word, else by its status.
pub(crate) fn interpret(
    session: &Session,
    handler: &ErrorHandler,
    answer: &Answer,
    said: Option<&Said>,
) -> Result<Verdict, ReadError> {
    match handler {
        ErrorHandler::Default(handler) => single(session, handler, answer, said),
        ErrorHandler::Composite(handlers) => {
            let mut last = None;
            for handler in handlers {
                let verdict = interpret(session, handler, answer, said)?;
                if matches!(
                    verdict.action,
                    ResponseAction::Success | ResponseAction::Retry | ResponseAction::Ignore
                ) || demand(verdict.action).is_some()
                {
                    return Ok(verdict);
                }
                last = Some(verdict);
            }
            Ok(last.unwrap_or_else(|| otherwise(answer, said)))
        }
    }
}

fn otherwise(answer: &Answer, said: Option<&Said>) -> Verdict {
    said.cloned()
        .map_or_else(|| by_status(answer.status), Said::verdict)
}

fn single(
    session: &Session,
    handler: &DefaultErrorHandler,
    answer: &Answer,
    said: Option<&Said>,
) -> Result<Verdict, ReadError> {
    let mut lazy = Lazy { answer, json: None };
    for filter in &handler.response_filters {
        if let Some(verdict) = filtered(session, filter, &mut lazy)? {
            return Ok(verdict);
        }
    }
    Ok(otherwise(answer, said))
}

/// The body is parsed when the first filter asks for it: filters are asked of every page, good ones included.
struct Lazy<'a> {
    answer: &'a Answer,
    json: Option<Value>,
}

impl Lazy<'_> {
    fn with<T>(&mut self, text: &Text, run: impl FnOnce(&Names<'_>) -> T) -> T {
        let answer = self.answer;
        let nothing = Value::Null;
        let json = if text.template.mentions("response") {
            self.json.get_or_insert_with(|| answer.json_or_empty())
        } else {
            &nothing
        };
        let address = Value::String(platform::http_client::redacted(&answer.url));
        run(&[
            ("response", Variable::Json(json)),
            ("headers", Variable::Headers(&answer.headers)),
            ("request_url", Variable::Json(&address)),
        ])
    }
}

fn filtered(
    session: &Session,
    filter: &HttpResponseFilter,
    lazy: &mut Lazy<'_>,
) -> Result<Option<Verdict>, ReadError> {
    let answer = lazy.answer;
    let matched = filter.http_codes.contains(&answer.status)
        || predicate(session, filter.predicate.as_ref(), lazy)?
        || contains(session, filter, answer)?;
    if !matched {
        return Ok(None);
    }
    // A filter without an action matches and decides nothing in the reference.
    let Some(action) = filter.action else {
        return Ok(None);
    };
    let message = match &filter.error_message {
        None => None,
        Some(text) => {
            let said = lazy.with(text, |names| session.text(text, names))?;
            excerpt::presentable(&said).map(|said| session.scrub(&said))
        }
    };
    let failure = if action == ResponseAction::Fail {
        filter.failure_type
    } else {
        None
    };
    Ok(Some(Verdict {
        action,
        failure,
        message,
        said: None,
    }))
}

fn predicate(
    session: &Session,
    predicate: Option<&Condition>,
    lazy: &mut Lazy<'_>,
) -> Result<bool, ReadError> {
    match predicate {
        None => Ok(false),
        Some(Condition::Fixed(flag)) => Ok(*flag),
        Some(condition @ Condition::Computed(text)) => {
            lazy.with(text, |names| session.condition(condition, names))
        }
    }
}

fn contains(session: &Session, filter: &HttpResponseFilter, answer: &Answer) -> Result<bool, ReadError> {
    let Some(text) = &filter.error_message_contains else {
        return Ok(false);
    };
    let wanted = text.source();
    if wanted.is_empty() {
        return Ok(false);
    }
    let wanted = match text.constant() {
        Some(constant) => constant.to_owned(),
        None => session.text(text, &[])?,
    };
    if is_absent(&answer.body, &wanted) {
        return Ok(false);
    }
    Ok(excerpt::error_message(&answer.body).is_some_and(|message| message.contains(&wanted)))
}

/// A plain text that is nowhere in the bytes is not in the message either, which spares good pages a parse.
fn is_absent(body: &[u8], wanted: &str) -> bool {
    let plain = wanted
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" ._-:".contains(&byte));
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    plain && !text.contains(wanted) && !text.contains("\\u")
}

/// Whether a good answer's body may decide: such a body is read whole, also where it would be read piece by piece.
pub(crate) fn looks_at_bodies(handler: &ErrorHandler) -> bool {
    let looks = |filter: &HttpResponseFilter| {
        filter.error_message_contains.is_some()
            || matches!(&filter.predicate, Some(Condition::Computed(text)) if text.template.mentions("response"))
    };
    let waits = |strategy: &BackoffStrategy| {
        matches!(strategy, BackoffStrategy::WaitTimeFromResponse { wait_time_in_seconds: text, .. }
            if text.template.mentions("response"))
    };
    match handler {
        ErrorHandler::Default(handler) => {
            handler.response_filters.iter().any(looks) || handler.backoff_strategies.iter().any(waits)
        }
        ErrorHandler::Composite(handlers) => handlers.iter().any(looks_at_bodies),
    }
}

/// The defaults. Statuses that nobody thought of are taken for passing trouble.
fn by_status(status: u16) -> Verdict {
    Verdict::of(match status {
        0..=399 => ResponseAction::Success,
        400 | 401 | 403 | 404 | 405 => ResponseAction::Fail,
        429 => ResponseAction::RateLimited,
        _ => ResponseAction::Retry,
    })
}

/// How often a request may be repeated: in a composite handler the first one's word counts.
pub(crate) fn max_retries(session: &Session, handler: &ErrorHandler) -> Result<u32, ReadError> {
    match handler {
        ErrorHandler::Default(handler) => {
            let count = handler
                .max_retries
                .as_ref()
                .unwrap_or(&Integer::Fixed(MAX_RETRIES));
            Ok(u32::try_from(session.integer(count, &[])?).unwrap_or(0))
        }
        ErrorHandler::Composite(handlers) => match handlers.first() {
            Some(first) => max_retries(session, first),
            None => Ok(u32::try_from(MAX_RETRIES).unwrap_or(0)),
        },
    }
}

/// The error of an answer that ends the read, or that is worth repeating.
pub(crate) fn error(session: &Session, verdict: &Verdict, answer: &Answer) -> ReadError {
    let status = answer.status;
    if let Some(said) = &verdict.said {
        let mut error = ReadError::new(said.kind, said.code, said.message.clone());
        error.retryable = said.retryable;
        error.http_status = Some(status);
        error.url = Some(session.scrub(&platform::http_client::redacted(&answer.url)));
        return error;
    }
    let transient = match verdict.action {
        ResponseAction::Fail => verdict.failure == Some(FailureType::TransientError),
        _ => true,
    };
    let kind = match (status, verdict.action, verdict.failure) {
        (_, ResponseAction::RateLimited, _) => ErrorKind::RateLimited,
        (429, ..) => ErrorKind::RateLimited,
        (401 | 403, ResponseAction::Fail | ResponseAction::RefreshTokenThenRetry, _) => ErrorKind::Auth,
        (408 | 504, ..) => ErrorKind::Timeout,
        (_, _, Some(FailureType::ConfigError)) | (404, ResponseAction::Fail, None) => ErrorKind::Config,
        _ => ErrorKind::Upstream,
    };
    let said = verdict.message.clone().or_else(|| {
        let said = excerpt::error_message(&answer.body)?;
        excerpt::presentable(&session.scrub(&said))
    });
    let reason = reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let mut message = format!("The upstream answered {status}");
    if let Some(reason) = reason {
        message.push(' ');
        message.push_str(reason);
    }
    match said {
        Some(said) => {
            message.push_str(": ");
            message.push_str(&said);
        }
        None => message.push('.'),
    }
    let mut error = ReadError::new(kind, format!("HTTP_{status}"), message);
    error.demand = demand(verdict.action);
    error.retryable = transient;
    error.http_status = Some(status);
    error.url = Some(session.scrub(&platform::http_client::redacted(&answer.url)));
    error
}

/// What an action asks of whoever reads the pages.
fn demand(action: ResponseAction) -> Option<Demand> {
    match action {
        ResponseAction::ResetPagination => Some(Demand::ResetPagination),
        ResponseAction::ReducePageSize => Some(Demand::ReducePageSize),
        ResponseAction::SplitRequestWindow => Some(Demand::SplitRequestWindow),
        _ => None,
    }
}

/// Answers that end the read have to be told apart from those that only delay it.
pub(crate) fn is_retried(action: ResponseAction) -> bool {
    matches!(
        action,
        ResponseAction::Retry | ResponseAction::RateLimited | ResponseAction::RefreshTokenThenRetry
    )
}

/// Headers as paginators see them: with `link` taken apart.
pub(crate) fn headers_with_links(answer: &Answer) -> Map<String, Value> {
    let mut headers = answer.headers.clone();
    headers.insert(
        "link".to_owned(),
        super::link::parse(answer.header("link").unwrap_or_default()),
    );
    headers
}
