//! One HTTP exchange: a request out, an answer with its whole body back, or a classified failure.

use bytes::Bytes;
use platform::clock::SharedClock;
use platform::http_client::{BodyStream, HttpError};
use serde_json::{Map, Value};
use url::Url;

use super::budget;
use super::gate::{self, Ask, Seen};
use super::session::Session;
use crate::read::{ErrorKind, ReadError};

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case; several headers of one name are joined with commas.
    pub(crate) headers: Map<String, Value>,
    /// The final address, after redirects.
    pub(crate) url: Url,
    pub(crate) body: Bytes,
}

impl Answer {
    /// What would have been answered, had it not been in another answer already.
    pub(crate) fn embedded(json: &str) -> Result<Self, ReadError> {
        let nowhere = Url::parse("data:application/json,");
        Ok(Self {
            status: 200,
            headers: Map::new(),
            url: nowhere.map_err(|_| ReadError::config("A page in a record has no address."))?,
            body: Bytes::copy_from_slice(json.as_bytes()),
        })
    }

    /// Whether there is something to read in it.
    pub(crate) fn is_usable(&self) -> bool {
        self.status < 400
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(&name.to_ascii_lowercase())
            .and_then(Value::as_str)
    }

    /// The body as a tree, for error handlers: an empty object where it is not JSON.
    pub(crate) fn json_or_empty(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| Value::Object(Map::new()))
    }
}

/// What becomes of a good answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is read with its answer.
    Whole,
    /// It is left where it is, to be read piece by piece.
    Flowing,
    /// The same, and it may be as large as a file.
    File,
}

/// An answer, and its body where that was left to flow.
pub(super) type Exchanged = (Answer, Option<BodyStream>);

/// Sends a request and reads the body, within the session's bounds.
pub(crate) async fn exchange(session: &Session, request: reqwest::Request) -> Result<Answer, ReadError> {
    exchange_as(session, request, Reading::Whole)
        .await
        .map(|(answer, _)| answer)
}

/// The same, with the body read as told.
pub(super) async fn exchange_as(
    session: &Session,
    request: reqwest::Request,
    reading: Reading,
) -> Result<Exchanged, ReadError> {
    let context = &session.context;
    let Some(gate) = &context.gate else {
        return exchange_ungated(session, request, reading).await.0;
    };
    let url = request.url().clone();
    let host = gate::host(&url);
    let allowed = budget::allowed(session, &request)?;
    let ask = Ask {
        host: &host,
        allowed: &allowed,
    };
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => return Err(ReadError::cancelled()),
        admitted = gate.admit(&ask) => admitted.map_err(|held_back| {
            let mut error = held_back.error(&url);
            error.url = error.url.map(|url| session.scrub(&url));
            error
        })?,
    }
    let (answer, seen) = exchange_ungated(session, request, reading).await;
    let whole = answer.as_ref().ok().map(|(answer, _)| answer);
    let told = budget::told(session.budget.as_deref(), whole);
    gate.seen(&ask, seen, told).await;
    answer
}

async fn exchange_ungated(
    session: &Session,
    request: reqwest::Request,
    reading: Reading,
) -> (Result<Exchanged, ReadError>, Seen) {
    let context = &session.context;
    let url = request.url().clone();
    let limit = context.limits.page_timeout;
    let outcome = tokio::select! {
        biased;
        () = context.cancel.cancelled() => return (Err(ReadError::cancelled()), Seen::Nothing),
        outcome = talk(session, request, reading) => outcome,
        () = context.clock.sleep(limit) => {
            session.count(0);
            let message = format!("No whole answer came within {} seconds.", limit.as_secs());
            let error = ReadError::new(ErrorKind::Timeout, "TIMEOUT", message).retryable().at(&url);
            return (Err(error), Seen::Fails { patience: None });
        }
    };
    let seen = Seen::of(outcome.as_ref().map(|(answer, _)| answer), context.clock.now());
    let answer = outcome.map_err(|error| {
        session.count(0);
        let mut error = classify(session, &error);
        error.url = Some(session.scrub(&platform::http_client::redacted(&url)));
        error
    });
    (answer, seen)
}

async fn talk(
    session: &Session,
    request: reqwest::Request,
    reading: Reading,
) -> Result<Exchanged, HttpError> {
    let http = &session.context.http;
    let limits = session.context.limits;
    let response = match reading {
        Reading::Whole => http.execute(request).await?,
        Reading::Flowing | Reading::File => http.open(request).await?,
    };
    let status = response.status().as_u16();
    let url = response.url().clone();
    let mut headers = Map::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match headers.get_mut(name.as_str()) {
            Some(Value::String(present)) => {
                present.push_str(", ");
                present.push_str(&value);
            }
            _ => {
                headers.insert(name.as_str().to_owned(), Value::String(value));
            }
        }
    }
    let mut answer = Answer {
        status,
        headers,
        url,
        body: Bytes::new(),
    };
    if reading != Reading::Whole && answer.is_usable() {
        session.count(0);
        let most = match reading {
            Reading::File => limits.max_file_bytes,
            Reading::Whole | Reading::Flowing => limits.max_body_bytes,
        };
        let clock = SharedClock::clone(&session.context.clock);
        let stream = http.stream_body(response, most, limits.page_timeout, clock);
        return Ok((answer, Some(stream)));
    }
    answer.body = http.read_body(response, limits.max_body_bytes).await?;
    session.count(answer.body.len());
    Ok((answer, None))
}

pub(super) fn classify(session: &Session, error: &HttpError) -> ReadError {
    let (kind, retryable) = match error {
        HttpError::Blocked(_) => (ErrorKind::Config, false),
        HttpError::Timeout { .. } | HttpError::Stalled { .. } => (ErrorKind::Timeout, true),
        HttpError::TooLarge { .. } => (ErrorKind::Malformed, false),
        HttpError::Undecodable { .. } => (ErrorKind::Malformed, true),
        HttpError::Redirects { .. } => (ErrorKind::Upstream, false),
        HttpError::Dns { .. }
        | HttpError::Refused { .. }
        | HttpError::Connect { .. }
        | HttpError::Tls { .. }
        | HttpError::Truncated
        | HttpError::Other { .. } => (ErrorKind::Network, true),
    };
    let mut classified = ReadError::new(kind, error.code(), session.scrub(&sentence(&error.to_string())));
    classified.retryable = retryable;
    classified
}

/// The client's errors are clauses; ours are sentences.
fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
