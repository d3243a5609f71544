//! `Idempotency-Key` on a mutation: an equal request under the same key gets the same answer, and is not executed again
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! An answer is kept when the operation was executed, its userErrors included. One with errors is not: those say that
//! something was away or broken, and asking again under the same key is what the caller should do.
//!
//! The work goes on when the caller hangs up, because its answer is what the next call asks for.
//!
//! A triggerSync alone takes the key as its run's own (the input's, where it has one): then all callers get the run,
//! also those that come before the first was answered, and nothing has to be awaited.

use async_graphql::Response as GraphqlResponse;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use engine::idempotency::{Asked, Begun};
use serde_json::Value;
use tokio::time::timeout;

use super::accept::MediaType;
use super::graphql::ANSWER_TIMEOUT;
use super::request::{Parameters, Unreadable};
use super::request_id::RequestId;
use super::{Api, answer};
use crate::graphql::{self, Caller, Code, Prepared};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in bytes.
const LONGEST: usize = 255;

/// A request under a key.
pub(super) struct Keyed {
    key: String,
    query: String,
    operation_name: Option<String>,
    variables: Value,
}

/// The request's key, if it has one.
pub(super) fn keyed(headers: &HeaderMap, parameters: &Parameters) -> Result<Option<Keyed>, Unreadable> {
    let Some(value) = headers.get(&HEADER) else {
        return Ok(None);
    };
    let key = value.to_str().ok().map(str::trim);
    // The draft's own syntax is a quoted string; most callers send it bare.
    let key = key.map(|key| {
        key.strip_prefix('"')
            .and_then(|key| key.strip_suffix('"'))
            .unwrap_or(key)
    });
    match key {
        Some(key) if !key.is_empty() && key.len() <= LONGEST => Ok(Some(Keyed {
            key: key.to_owned(),
            query: parameters.query.clone(),
            operation_name: parameters.operation_name.clone(),
            variables: serde_json::to_value(&parameters.variables).unwrap_or_default(),
        })),
        _ => Err(Unreadable(
            StatusCode::BAD_REQUEST,
            "Idempotency-Key must have 1 to 255 visible ASCII characters".into(),
        )),
    }
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
    if prepared.only_field() == Some("triggerSync") {
        let prepared = prepared.with_run_key(keyed.key);
        return match timeout(ANSWER_TIMEOUT, api.graphql.execute(prepared)).await {
            Ok(response) => answer::of(&response, media_type),
            Err(_) => too_long(&id),
        };
    }
    let asked = Asked {
        key: &keyed.key,
        operation: (&keyed.query, keyed.operation_name.as_deref()),
        variables: &keyed.variables,
    };
    let refuse = |status, code, message: &str| {
        let status = match media_type {
            MediaType::GraphqlResponse => status,
            MediaType::Json => StatusCode::OK,
        };
        answer::send(status, media_type, &graphql::answer(code, message, &id.0))
    };
    let ticket = match api.engine.idempotency().begin(&caller.actor, asked).await {
        Ok(Begun::First(ticket)) => ticket,
        Ok(Begun::Answered(text)) => {
            let mut response = answer::sent(StatusCode::OK, media_type, text);
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
            return response;
        }
        Ok(Begun::InFlight) => {
            let message = "A request with this Idempotency-Key is being executed: ask again in a moment, with the same key";
            return refuse(StatusCode::CONFLICT, Code::Conflict, message);
        }
        Ok(Begun::Mismatch) => {
            let message = "This Idempotency-Key was used for another request; a new request needs a new key";
            return refuse(StatusCode::UNPROCESSABLE_ENTITY, Code::BadUserInput, message);
        }
        Err(error) => return answer::of(&graphql::failed(error, &id.0), media_type),
    };
    let (graphql, engine) = (api.graphql.clone(), api.engine.clone());
    let executing = tokio::spawn(async move {
        let response = timeout(ANSWER_TIMEOUT, graphql.execute(prepared)).await.ok();
        let text = response
            .as_ref()
            .filter(|response| response.errors.is_empty())
            .map(answer::text);
        let finished = engine.idempotency().finish(ticket, text.as_deref()).await;
        if let Err(error) = finished {
            tracing::warn!(error = %error.chain(), "the answer under an idempotency key was not kept");
        }
        response
    });
    let response: Option<GraphqlResponse> = match executing.await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    };
    response.map_or_else(|| too_long(&id), |response| answer::of(&response, media_type))
}

fn too_long(id: &RequestId) -> Response<Body> {
    let message = "The answer took too long";
    answer::failure(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message, id)
}
