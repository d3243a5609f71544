//! The requester: from a plan, a slice and a page token to an answer that is worth reading.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use super::answer::{Answer, Exchanged, Reading, exchange_as};
use super::flow::{Flow, Source};
use super::merge::{self, Part};
use super::session::{Names, Session, display};
use super::tries::{Failure, Tries};
use super::validators::Validators;
use super::{address, authenticator, graphql, retry_after, rotation, soap, verdict};
use crate::manifest::components::{Decoder, HttpMethod, HttpRequester, RequestBody, ResponseAction};
use crate::read::{ErrorKind, NoteLevel, ReadError, RetryMode};
use crate::template::ValidTypes;

/// What the paginator, the cursor and the partition add to a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Injected {
    pub(crate) parameters: Map<String, Value>,
    pub(crate) headers: Map<String, Value>,
    pub(crate) data: Map<String, Value>,
    pub(crate) json: Map<String, Value>,
    /// Answer only if what these are of has changed.
    pub(crate) unless: Option<Arc<Validators>>,
}

/// Sends the request, and repeats it as the manifest and the mode say.
///
/// `path` is a page token that is an address or a path.
pub(crate) async fn send(
    session: &Session,
    requester: &HttpRequester,
    names: &Names<'_>,
    path: Option<&str>,
    injected: &Injected,
) -> Result<Answer, ReadError> {
    send_as(session, requester, names, path, injected, Reading::Whole)
        .await
        .map(|(answer, _)| answer)
}

/// The same, for a body that is rows: they are there as soon as the answer's head is.
pub(crate) async fn open(
    session: &Session,
    requester: &HttpRequester,
    names: &Names<'_>,
    path: Option<&str>,
    injected: &Injected,
    decoder: &Decoder,
) -> Result<(Answer, Flow), ReadError> {
    let reading = unless_looked_into(requester, Reading::Flowing);
    let exchanged = send_as(session, requester, names, path, injected, reading).await?;
    let (answer, source) = sourced(exchanged);
    let limit = session.context.limits.max_body_bytes;
    let flow = Flow::new(source, answer.url.clone(), answer.status, decoder, limit);
    Ok((answer, flow))
}

/// The same, for a body that is a file.
pub(crate) async fn file(
    session: &Session,
    requester: &HttpRequester,
    names: &Names<'_>,
) -> Result<(Answer, Source), ReadError> {
    let reading = unless_looked_into(requester, Reading::File);
    send_as(session, requester, names, None, &Injected::default(), reading)
        .await
        .map(sourced)
}

/// A body that says what went wrong has to be there before anybody takes the answer for a good one.
fn unless_looked_into(requester: &HttpRequester, reading: Reading) -> Reading {
    let says_errors_itself = matches!(requester.body, RequestBody::Graphql(_) | RequestBody::Soap(_));
    if says_errors_itself || verdict::looks_at_bodies(&requester.error_handler) {
        Reading::Whole
    } else {
        reading
    }
}

fn sourced((answer, stream): Exchanged) -> (Answer, Source) {
    let source = match stream {
        Some(stream) => Source::Stream(stream),
        None => Source::Whole(answer.body.clone()),
    };
    (answer, source)
}

async fn send_as(
    session: &Session,
    requester: &HttpRequester,
    names: &Names<'_>,
    path: Option<&str>,
    injected: &Injected,
    reading: Reading,
) -> Result<Exchanged, ReadError> {
    let mut tries = Tries::default();
    let started = session.context.clock.monotonic();
    loop {
        let mut request = build(session, requester, names, path, injected).await?;
        let signed = rotation::sign(session, &requester.authenticator, &mut request).await?;
        let failure = match exchange_as(session, request, reading).await {
            Ok((answer, stream)) => {
                rotation::observe(session, &requester.authenticator, signed.as_ref(), &answer).await?;
                let (answer, said) = match &requester.body {
                    RequestBody::Graphql(operation) => {
                        let said = graphql::said(session, operation, &answer);
                        (answer, said)
                    }
                    RequestBody::Soap(operation) => soap::understand(session, operation, answer),
                    RequestBody::None | RequestBody::Data(_) | RequestBody::Json(_) => (answer, None),
                };
                let verdict = verdict::interpret(session, &requester.error_handler, &answer, said.as_ref())?;
                match verdict.action {
                    ResponseAction::Success => return Ok((answer, stream)),
                    ResponseAction::Ignore => {
                        let message = format!(
                            "An answer with status {} was ignored, as the manifest says.",
                            answer.status
                        );
                        session.note(NoteLevel::Info, message);
                        return Ok((answer, stream));
                    }
                    _ => {}
                }
                let mut error = verdict::error(session, &verdict, &answer);
                if !verdict::is_retried(verdict.action) {
                    return Err(error);
                }
                if verdict.action == ResponseAction::RefreshTokenThenRetry {
                    if tries.refreshed {
                        error.kind = ErrorKind::Auth;
                        error.retryable = false;
                        return Err(error);
                    }
                    tries.refreshed = true;
                    authenticator::forget(session, &requester.authenticator).await;
                    if session.context.retry == RetryMode::LeaveToCaller {
                        continue;
                    }
                }
                // What a token has spent another one may still have.
                if verdict.action == ResponseAction::RateLimited
                    && tries.rotated < rotation::count(signed.as_ref())
                    && rotation::has_another(signed.as_ref()).await
                {
                    tries.rotated += 1;
                    continue;
                }
                Failure {
                    error,
                    action: verdict.action,
                    answer: Some(answer),
                }
            }
            Err(error) if error.held_back.is_some() => return Err(error),
            Err(error) if error.retryable => Failure {
                error,
                action: ResponseAction::Retry,
                answer: None,
            },
            Err(error) => return Err(error),
        };
        let wait = tries.next(session, requester, failure, started)?;
        tokio::select! {
            biased;
            () = session.context.cancel.cancelled() => return Err(ReadError::cancelled()),
            () = session.context.clock.sleep(wait) => {}
        }
    }
}

async fn build(
    session: &Session,
    requester: &HttpRequester,
    names: &Names<'_>,
    path: Option<&str>,
    injected: &Injected,
) -> Result<reqwest::Request, ReadError> {
    let credentials = authenticator::credentials(session, &requester.authenticator).await?;
    let parameters = merge::combine(
        [
            mapping(session.pairs(&requester.request_parameters, names, ValidTypes::REQUEST)?),
            credentials.parameters,
            injected.parameters.clone(),
        ],
        false,
    )?;
    if let Some(name) = parameters
        .iter()
        .find_map(|(name, value)| value.is_object().then_some(name))
    {
        return Err(ReadError::config(format!(
            "The query parameter \"{name}\" is an object; it must be a scalar."
        )));
    }
    let headers = merge::combine(
        [
            mapping(session.pairs(&requester.request_headers, names, ValidTypes::ANY)?),
            credentials.headers,
            injected.headers.clone(),
        ],
        false,
    )?;
    let target = target(session, requester, names, path)?;
    let target = address::with_query(target, &flat(&parameters));
    let method = match requester.method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
    };
    let (own_data, own_json) = match &requester.body {
        RequestBody::None => (Part::Mapping(Map::new()), Map::new()),
        RequestBody::Data(map) => (session.pairs(map, names, ValidTypes::REQUEST)?, Map::new()),
        RequestBody::Json(template) => match session.json(template, names)? {
            Value::Object(fields) => (Part::Mapping(Map::new()), fields),
            Value::Null => (Part::Mapping(Map::new()), Map::new()),
            Value::String(text) if text.is_empty() => (Part::Mapping(Map::new()), Map::new()),
            _ => return Err(ReadError::config("The request's JSON body must be an object.")),
        },
        RequestBody::Graphql(operation) => (
            Part::Mapping(Map::new()),
            graphql::body(session, operation, names)?,
        ),
        RequestBody::Soap(operation) => match session.json(&operation.body, names)? {
            Value::Object(fields) => (Part::Mapping(Map::new()), fields),
            _ => return Err(ReadError::config("The SOAP body must be a mapping.")),
        },
    };
    let data = merge::combine_parts(vec![
        own_data,
        Part::Mapping(credentials.data),
        Part::Mapping(injected.data.clone()),
    ])?;
    let json = merge::combine([own_json, credentials.json, injected.json.clone()], true)?;

    let http = &session.context.http;
    let builder = http.request(method, &target).map_err(|blocked| {
        ReadError::new(
            ErrorKind::Config,
            "BLOCKED_ADDRESS",
            session.scrub(&format!("{blocked}.")),
        )
        .at(&target)
    })?;
    let mut header_map = header_map(&headers)?;
    if let Some(validators) = &injected.unless {
        validators.condition(&mut header_map);
    }
    let soap = match &requester.body {
        RequestBody::Soap(operation) => {
            let envelope = soap::write(session, operation, names, &json)?;
            for (name, value) in envelope.labels {
                header_map.entry(name).or_insert(value);
            }
            Some(envelope.text)
        }
        _ => None,
    };
    if session.context.retry == RetryMode::AsReference {
        header_map
            .entry(ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("gzip, deflate"));
    }
    let body = match (json.is_empty(), data.is_empty()) {
        (_, true) if soap.is_some() => soap,
        (false, false) => {
            return Err(ReadError::config(
                "A request carries either a JSON body or a form, not both.",
            ));
        }
        (false, true) => {
            header_map
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("application/json"));
            Some(Value::Object(json).to_string())
        }
        (true, false) => Some(match data {
            Part::Text(text) => text,
            Part::Mapping(fields) => {
                header_map
                    .entry(CONTENT_TYPE)
                    .or_insert(HeaderValue::from_static("application/x-www-form-urlencoded"));
                address::form(&flat(&fields))
            }
        }),
        (true, true) => None,
    };
    let mut builder = builder.headers(header_map);
    if let Some(body) = body {
        builder = builder.body(body);
    }
    if let Some(seconds) = requester
        .read_timeout_seconds
        .and_then(retry_after::seconds_to_duration)
    {
        builder = builder.timeout(seconds);
    }
    builder
        .build()
        .map_err(|_| ReadError::config("The request cannot be built from the manifest.").at(&target))
}

fn target(
    session: &Session,
    requester: &HttpRequester,
    names: &Names<'_>,
    token: Option<&str>,
) -> Result<Url, ReadError> {
    let base = session.text(requester.address.text(), names)?;
    let own;
    let path = match token {
        Some(token) => token,
        None => {
            own = match &requester.path {
                Some(path) => session.text(path, names)?,
                None => String::new(),
            };
            own.trim_start_matches('/')
        }
    };
    address::join(&base, path)
}

fn mapping(part: Part) -> Map<String, Value> {
    match part {
        Part::Mapping(fields) => fields,
        // The reference sends no parameters where the whole does not give a mapping.
        Part::Text(_) => Map::new(),
    }
}

/// Lists become repeated fields, nulls nothing.
pub(super) fn flat(fields: &Map<String, Value>) -> Vec<(String, Vec<String>)> {
    fields
        .iter()
        .map(|(name, value)| {
            let values = match value {
                Value::Null => Vec::new(),
                Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(display).collect(),
                other => vec![display(other)],
            };
            (name.clone(), values)
        })
        .collect()
}

pub(super) fn header_map(headers: &Map<String, Value>) -> Result<HeaderMap, ReadError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let parsed = HeaderName::try_from(name.as_str())
            .map_err(|_| ReadError::config(format!("{name:?} is not a header's name.")))?;
        let mut value = HeaderValue::try_from(display(value).trim()).map_err(|_| {
            ReadError::config(format!(
                "The value of the header {name:?} has characters that headers cannot carry."
            ))
        })?;
        value.set_sensitive(true);
        map.insert(parsed, value);
    }
    Ok(map)
}
