//! `Idempotency-Key` on a mutation: an equal request under the same key gets the same answer, and is not executed again
//! (draft-ietf-httpapi-idempotency-key-header).
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

/// A request under what its header says.
pub(super) struct Keyed {
    header: HeaderValue,
    operation_name: Option<String>,
    variables: Value,
}

/// The request, if it came with the header. Whether that is a key matters to a mutation only.
pub(super) fn keyed(headers: &HeaderMap, parameters: &Parameters) -> Option<Keyed> {
    Some(Keyed {
        header: headers.get(&HEADER)?.clone(),
        operation_name: parameters.operation_name.clone(),
        variables: serde_json::to_value(&parameters.variables).unwrap_or_default(),
    })
}

/// The draft's own syntax is a quoted string; most callers send it bare.
fn key_of(header: &HeaderValue) -> Option<&str> {
    let key = header.to_str().ok()?.trim();
    let key = key
        .strip_prefix('"')
        .and_then(|key| key.strip_suffix('"'))
        .unwrap_or(key);
    let fits = (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(key)
}

/// Executes the mutation, unless it was.
pub(super) async fn answer_once(
    api: &Api,
    prepared: Prepared,
    keyed: Keyed,
    caller: &Caller,
    media_type: MediaType,
) -> Response<Body> {
    let id = RequestId(caller.correlation_id.clone());
    let Some(key) = key_of(&keyed.header).map(str::to_owned) else {
        let message = "Idempotency-Key must have 1 to 255 visible ASCII characters";
        return answer::failure(StatusCode::BAD_REQUEST, Code::BadUserInput, message, &id);
    };
    if prepared.only_field() == Some("triggerSync") {
        let prepared = prepared.with_run_key(key);
        return match timeout(api.graphql.request_time(), api.graphql.execute(prepared)).await {
            Ok(response) => answer::of(&response, media_type),
            Err(_) => too_long(api, &id),
        };
    }
    let refuse = |status, response: &GraphqlResponse| {
        let status = match media_type {
            MediaType::GraphqlResponse => status,
            MediaType::Json => StatusCode::OK,
        };
        answer::send(status, media_type, response)
    };
    let work = once(api.clone(), prepared, keyed, key, caller.actor);
    let ended = match tokio::spawn(work).await {
        Ok(ended) => ended,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return too_long(api, &id),
        },
    };
    match ended {
        Ok(Ended::Executed(Some(response))) => answer::of(&response, media_type),
        Ok(Ended::Executed(None)) => too_long(api, &id),
        Ok(Ended::Known(text)) => {
            let mut response = answer::sent(StatusCode::OK, media_type, text);
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
            response
        }
        Ok(Ended::InFlight) => {
            let message = "A request with this Idempotency-Key is being executed: ask again in a moment, with the same key";
            let refused = graphql::answer(Code::Conflict, message, &id.0);
            refuse(StatusCode::CONFLICT, &refused)
        }
        Ok(Ended::Erased) => {
            let message =
                "This request was executed; what it was answered was erased with the client that it spoke of";
            let refused = graphql::answer(Code::Conflict, message, &id.0);
            let refused = graphql::with_reason(refused, "ANSWER_ERASED");
            refuse(StatusCode::CONFLICT, &refused)
        }
        Ok(Ended::Mismatch) => {
            let message = "This Idempotency-Key was used for another request; a new request needs a new key";
            let refused = graphql::answer(Code::BadUserInput, message, &id.0);
            let refused = graphql::with_reason(refused, "IDEMPOTENCY_MISMATCH");
            refuse(StatusCode::UNPROCESSABLE_ENTITY, &refused)
        }
        Err(error) => answer::of(&graphql::failed(error, &id.0), media_type),
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
