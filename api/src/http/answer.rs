//! Bodies and headers of what the GraphQL endpoint answers.

use std::collections::BTreeMap;

use async_graphql::{Response as GraphqlResponse, ServerError, Value};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::accept::MediaType;
use super::request_id::RequestId;
use crate::graphql::{self, Code};

/// An answer as it goes over any of the transports. `data` is absent, not null, when nothing was executed.
#[derive(Debug, Serialize)]
pub(crate) struct Envelope<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

impl<'a> Envelope<'a> {
    pub(crate) fn new(response: &'a GraphqlResponse) -> Self {
        let data = (!graphql::is_request_error(response)).then_some(&response.data);
        Self {
            errors: &response.errors,
            data,
            extensions: &response.extensions,
        }
    }
}

/// A GraphQL answer. Under the older type whatever was understood as GraphQL is 200, because clients of that
/// type take another status for a broken proxy; under the newer one a request that was not executed is 400.
pub(crate) fn of(response: &GraphqlResponse, media_type: MediaType) -> Response<Body> {
    let refused = graphql::is_request_error(response);
    let status = match (media_type, refused) {
        (MediaType::GraphqlResponse, true) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    send(status, media_type, response)
}

/// A failure of the transport: nothing of GraphQL was looked at, and the status says it under both types.
pub(crate) fn failure(status: StatusCode, code: Code, message: &str, id: &RequestId) -> Response<Body> {
    send(status, MediaType::Json, &graphql::answer(code, message, &id.0))
}

/// That everything of a kind is taken, which passes.
pub(crate) fn full(message: &str, id: &RequestId) -> Response<Body> {
    let mut full = failure(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message, id);
    full.headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    full
}

pub(crate) fn send(status: StatusCode, media_type: MediaType, response: &GraphqlResponse) -> Response<Body> {
    sent(status, media_type, text(response))
}

/// An answer as it goes over HTTP.
pub(crate) fn text(response: &GraphqlResponse) -> String {
    serde_json::to_string(&Envelope::new(response)).expect("an answer has string keys only")
}

/// Sends a text that [`text`] gave.
pub(crate) fn sent(status: StatusCode, media_type: MediaType, text: String) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type.header());
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}
