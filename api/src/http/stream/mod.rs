//! `/graphql/stream`: GraphQL over server-sent events, in the mode of distinct connections: one operation, one request,
//! one answer that goes on.
//!
//! It is for whoever cannot have a WebSocket: a proxy that lets only HTTP pass, a `curl`. It does what the WebSocket does
//! and by the same rules: the guard, the limits, a revocation that ends it, an end when the server stops. What
//! the caller cannot be told by a status once the stream has begun is an event: a document that is refused gives `next`
//! with the errors and `complete`, as the protocol has it, because a browser shows a page nothing of a 400.
//!
//! Rejected: the mode of a single connection, which keeps state between requests that may reach different processes, to
//! work around HTTP/1.1's six connections a browser; HTTP/2 in front and the WebSocket do that better. Rejected
//! as well: multipart subscriptions and `@defer`. async-graphql has no `@defer`, and the multipart answers that
//! async-graphql-axum writes are a third transport for subscriptions, with heartbeats of its own, for one client library
//! that speaks the other two.

mod event;
mod feed;

use std::convert::Infallible;

use async_graphql::Response as GraphqlResponse;
use async_graphql::parser::types::OperationType;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;

use self::feed::Feed;
use super::accept::takes_event_stream;
use super::request_id::{Id, RequestId};
use super::{Api, admission, answer, graphql, idempotency};
use crate::auth::Admitted;
use crate::counters::{self, By};
use crate::graphql::Code;

/// Frames between an operation and the connection. While they wait nothing is asked of the operation.
const FRAMES: usize = 1;

pub(super) async fn handle(State(api): State<Api>, id: Id, request: Request) -> Response<Body> {
    let id = id.0;
    match serve(&api, &id, request).await {
        Ok(response) | Err(response) => response,
    }
}

async fn serve(api: &Api, id: &RequestId, request: Request) -> Result<Response<Body>, Response<Body>> {
    let (parts, body) = request.into_parts();
    let refusal = |status, code, message: &str| answer::failure(status, code, message, id);
    if !takes_event_stream(&parts.headers) {
        let message = "Accept text/event-stream; plain answers are at /graphql";
        return Err(refusal(StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message));
    }
    let parameters = graphql::parameters(api, &parts, body, id).await?;
    let keyed = idempotency::keyed(Some(&parts.headers), &parameters);
    let admitted = parts.extensions.get::<Admitted>();
    let (Some(admitted), Some(caller)) = (admitted, admission::caller(&parts.extensions)) else {
        return Err(admission::unauthenticated(id));
    };
    let prepared = match api.graphql.prepare(parameters, caller.clone()) {
        Ok(prepared) => prepared,
        Err(refused) => return Ok(told(&refused)),
    };
    let operation = prepared.operation();
    if operation == OperationType::Mutation && parts.method == Method::GET {
        return Err(graphql::not_allowed("POST", "A mutation is sent with POST", id));
    }
    let mut place = api.streams.take().ok_or_else(|| {
        counters::refused(By::Connections);
        answer::full(
            "All event streams of this server are taken: try again, or use the WebSocket",
            id,
        )
    })?;
    place.claim(admitted).map_err(|most| {
        counters::refused(By::Connections);
        let message = format!("You have {most} event streams open: end some, or use one WebSocket for many");
        refusal(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, &message)
    })?;
    let mut session = api.sessions.open(&api.engine, admitted);
    let permit = match operation {
        OperationType::Subscription => Some(session.subscribe().map_err(|most| {
            counters::refused(By::Subscriptions);
            let message =
                format!("This credential has {most} subscriptions open, which is the most: end one");
            refusal(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, &message)
        })?),
        _ => None,
    };
    let answers = match keyed.filter(|_| operation == OperationType::Mutation) {
        Some(keyed) => stream::once(idempotency::told_once(api.clone(), prepared, keyed, caller)).boxed(),
        None => api.graphql.stream(prepared),
    };
    let (frames, body) = mpsc::channel(FRAMES);
    let feed = Feed {
        answers,
        revoked: async move { session.ended().await }.boxed().fuse(),
        stopping: api.shutdown.soft.clone(),
        clock: api.engine.clock.clone(),
        id: id.clone(),
        frames,
        _place: place,
        _permit: permit,
    };
    tokio::spawn(feed.run().in_current_span());
    Ok(events(Body::from_stream(
        ReceiverStream::new(body).map(Ok::<Bytes, Infallible>),
    )))
}

/// A stream of one answer.
fn told(response: &GraphqlResponse) -> Response<Body> {
    events(Body::from(event::last(response)))
}

/// Whatever stands between may neither keep, nor change, nor collect what it passes on.
fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "Accept"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
