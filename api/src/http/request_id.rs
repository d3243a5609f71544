//! The request's id, in and out.
//!
//! A caller (or a proxy) may send `X-Request-Id`; otherwise it is the trace's that the request belongs to, or one that we
//! make. It is on the answer, in every log
//! line of the request, in every error as `correlationId`, and on the runs and events that the request
//! caused, so one value leads from a complaint to its log. This middleware is also where a panic ends: it is the
//! innermost place that still knows the id.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use tracing::Instrument;

use super::trace_context::TraceParent;
use super::{Api, answer};
use crate::graphql::Code;

pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request being served.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

pub(crate) async fn assign(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .filter(|value| is_sound(value));
    let trace = TraceParent::of(request.headers());
    let id = id
        .or(trace.map(|trace| trace.trace_id))
        .map_or_else(|| api.new_id(), Arc::from);
    let id = RequestId(id);
    let span = tracing::info_span!(
        "request",
        request_id = %id.0,
        trace_id = trace.map(|trace| trace.trace_id),
        parent_span_id = trace.map(|trace| trace.span_id),
    );
    request.extensions_mut().insert(id.clone());
    let served = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let mut response = served.unwrap_or_else(|panic| {
        let _entered = span.enter();
        tracing::error!(panic = what(panic.as_ref()), "a request handler panicked");
        answer::failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::Internal,
            "Internal error",
            &id,
        )
    });
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// What handlers take to know the id.
pub(crate) type Id = Extension<RequestId>;

/// Short, and harmless in a log line and in a header.
fn is_sound(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'=')
        })
}

pub(crate) fn what(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("not text")
}
