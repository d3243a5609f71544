//! `Idempotency-Key` on a mutation: an equal request under the same key gets the same answer, and is not executed again
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! Over HTTP the key is a header. An operation on a WebSocket has none, so it may be in `extensions.idempotencyKey` of the
//! operation, on every transport: the one place that the protocols leave to the two ends. A key is the same whichever way
//! it came, and so are its guarantees.
//!
//! An answer is kept when the operation was executed, its userErrors included, and also errors that are the request's
//! own (a nested field's cursor that makes no sense): the mutation before them was done. One with an error that says
//! UNAVAILABLE or INTERNAL_SERVER_ERROR is not kept, nor is there one after a time-out: asking again under the same key
//! is what the caller should do. Of an operation of several fields those that were done are then done again.
//!
//! The work goes on when the caller hangs up, because its answer is what the next call asks for.
//!
//! A triggerSync alone takes the key as its run's own (the input's, where it has one): then all callers get the run,
//! also those that come before the first was answered, and nothing has to be awaited.

use async_graphql::Response as GraphqlResponse;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use engine::Actor;
use engine::idempotency::{Asked, Begun};
use serde_json::Value;
use tokio::time::timeout;
use tracing::Instrument;

use super::accept::MediaType;
use super::graphql::too_long;
use super::request::Parameters;
use super::request_id::RequestId;
use super::{Api, answer};
use crate::graphql::{self, Caller, Code, Prepared};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in bytes.
const LONGEST: usize = 255;
const NO_KEY: &str = "Idempotency-Key must have 1 to 255 visible ASCII characters";
const TWO_KEYS: &str =
    "The header Idempotency-Key and extensions.idempotencyKey are two different keys: send one";

/// A request under what its caller says.
pub(super) struct Keyed {
    /// Or why it is none.
    key: Result<String, &'static str>,
    operation_name: Option<String>,
    variables: Value,
}

/// The request, if it came with a key: in the header, or in its own extensions, which is all that an operation on a
/// WebSocket has. Whether that is a key matters to a mutation only.
pub(super) fn keyed(headers: Option<&HeaderMap>, parameters: &Parameters) -> Option<Keyed> {
    let header = headers.and_then(|headers| headers.get(&HEADER));
    let key = match (header.map(text_of), parameters.idempotency_key.as_deref()) {
        (None, None) => return None,
        (Some(header), Some(own)) if header != Some(own) => Err(TWO_KEYS),
        (Some(text), _) => key_of(text),
        (None, own) => key_of(own),
    };
    Some(Keyed {
        key,
        operation_name: parameters.operation_name.clone(),
        variables: serde_json::to_value(&parameters.variables).unwrap_or_default(),
    })
}

/// The draft's own syntax is a quoted string; most callers send it bare.
fn text_of(header: &HeaderValue) -> Option<&str> {
    let text = header.to_str().ok()?.trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    Some(quoted.unwrap_or(text))
}

fn key_of(text: Option<&str>) -> Result<String, &'static str> {
    let fits =
        |key: &&str| (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    text.filter(fits).map(str::to_owned).ok_or(NO_KEY)
}

/// What a mutation under a key is answered, whatever it came by.
enum Outcome {
    /// It was executed now.
    Executed(GraphqlResponse),
    /// It was executed before, and this is what [`answer::text`] gave.
    Known(String),
    /// What it came under is no key.
    Malformed(&'static str),
    /// It is not executed; over HTTP with this status.
    Refused(StatusCode, GraphqlResponse),
    TooLong,
}

/// Executes the mutation, unless it was; for HTTP.
pub(super) async fn answer_once(
    api: &Api,
    prepared: Prepared,
    keyed: Keyed,
    caller: &Caller,
    media_type: MediaType,
) -> Response<Body> {
    let id = RequestId(caller.correlation_id.clone());
    match outcome(api, prepared, keyed, caller).await {
        Outcome::Executed(response) => answer::of(&response, media_type),
        Outcome::Known(text) => {
            let mut response = answer::sent(StatusCode::OK, media_type, text);
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
            response
        }
        Outcome::Malformed(message) => {
            answer::failure(StatusCode::BAD_REQUEST, Code::BadUserInput, message, &id)
        }
        Outcome::Refused(status, response) => {
            let status = match media_type {
                MediaType::GraphqlResponse => status,
                MediaType::Json => StatusCode::OK,
            };
            answer::send(status, media_type, &response)
        }
        Outcome::TooLong => too_long(api, &id),
    }
}

/// Executes the mutation, unless it was; for what streams its answers. That it was, is an extension of the answer.
pub(super) async fn told_once(api: Api, prepared: Prepared, keyed: Keyed, caller: Caller) -> GraphqlResponse {
    let id = &caller.correlation_id;
    match outcome(&api, prepared, keyed, &caller).await {
        Outcome::Executed(response) | Outcome::Refused(_, response) => response,
        Outcome::Known(text) => match serde_json::from_str::<GraphqlResponse>(&text) {
            Ok(response) => response.extension("idempotencyReplayed", true.into()),
            Err(error) => graphql::failed(engine::Error::internal(error.to_string()), id),
        },
        Outcome::Malformed(message) => graphql::answer(Code::BadUserInput, message, id),
        Outcome::TooLong => graphql::too_long(api.graphql.request_time(), id),
    }
}

async fn outcome(api: &Api, prepared: Prepared, keyed: Keyed, caller: &Caller) -> Outcome {
    let id = &caller.correlation_id;
    let key = match &keyed.key {
        Ok(key) => key.clone(),
        Err(message) => return Outcome::Malformed(message),
    };
    if prepared.only_field() == Some("triggerSync") {
        let prepared = prepared.with_run_key(key);
        return match timeout(api.graphql.request_time(), api.graphql.execute(prepared)).await {
            Ok(response) => Outcome::Executed(response),
            Err(_) => Outcome::TooLong,
        };
    }
    let work = once(api.clone(), prepared, keyed, key, caller.actor);
    let ended = match tokio::spawn(work.in_current_span()).await {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return Outcome::TooLong,
        },
    };
    match ended {
        Ok(Ended::Executed(Some(response))) => Outcome::Executed(response),
        Ok(Ended::Executed(None)) => Outcome::TooLong,
        Ok(Ended::Known(text)) => Outcome::Known(text),
        Ok(Ended::InFlight) => {
            let message = "A request with this Idempotency-Key is being executed: ask again in a moment, with the same key";
            Outcome::Refused(StatusCode::CONFLICT, graphql::answer(Code::Conflict, message, id))
        }
        Ok(Ended::Erased) => {
            let message =
                "This request was executed; what it was answered was erased with the client that it spoke of";
            let refused = graphql::answer(Code::Conflict, message, id);
            Outcome::Refused(
                StatusCode::CONFLICT,
                graphql::with_reason(refused, "ANSWER_ERASED"),
            )
        }
        Ok(Ended::Mismatch) => {
            let message = "This Idempotency-Key was used for another request; a new request needs a new key";
            let refused = graphql::answer(Code::BadUserInput, message, id);
            let refused = graphql::with_reason(refused, "IDEMPOTENCY_MISMATCH");
            Outcome::Refused(StatusCode::UNPROCESSABLE_ENTITY, refused)
        }
        Err(error) => Outcome::Executed(graphql::failed(error, id)),
    }
}

/// What became of a request under a key.
enum Ended {
    /// It was executed; there is no answer when that took too long.
    Executed(Option<GraphqlResponse>),
    /// An equal one has this answer.
    Known(String),
    /// An equal one was executed, and its answer was erased.
    Erased,
    InFlight,
    Mismatch,
}

/// A task of its own from the claim on: a caller who hangs up after that would leave a key taken by nobody.
async fn once(
    api: Api,
    prepared: Prepared,
    keyed: Keyed,
    key: String,
    actor: Actor,
) -> Result<Ended, engine::Error> {
    let asked = Asked {
        key: &key,
        operation: (
            &graphql::canonical(prepared.text()),
            keyed.operation_name.as_deref(),
        ),
        variables: &keyed.variables,
    };
    let ticket = match api.engine.idempotency().begin(&actor, asked).await? {
        Begun::First(ticket) => ticket,
        Begun::Answered(text) => return Ok(Ended::Known(text)),
        Begun::Erased => return Ok(Ended::Erased),
        Begun::InFlight => return Ok(Ended::InFlight),
        Begun::Mismatch => return Ok(Ended::Mismatch),
    };
    let response = timeout(api.graphql.request_time(), api.graphql.execute(prepared))
        .await
        .ok();
    let kept = response.as_ref().filter(|response| graphql::is_final(response));
    let text = kept.map(answer::text);
    if let Err(error) = api.engine.idempotency().finish(ticket, text.as_deref()).await {
        tracing::warn!(error = %error.chain(), "the answer under an idempotency key was not kept");
    }
    Ok(Ended::Executed(response))
}
