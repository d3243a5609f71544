//! The transports, each a thin handler of ours over one executor.
//!
//! async-graphql-axum would serve GraphQL in a line; measured, it fails a quarter of the protocol audits,
//! ignores the body limit, and holds 135 kB for each WebSocket. What it does is little enough to do right here.

mod accept;
mod admission;
mod answer;
mod cors;
mod export;
mod graphql;
mod health;
mod idempotency;
mod metrics;
mod pages;
mod places;
mod request;
mod request_id;
mod stream;
mod trace_context;
mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use engine::Engine;
use platform::random::uuid_v7;
use platform::shutdown::Shutdown;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use self::request_id::RequestId;
use crate::auth::{Gate, Sessions};
use crate::graphql::{Code, GraphQl};

pub(crate) use self::places::Places;
pub(crate) use self::request::Parameters;
pub(crate) use self::request_id::what as panic_text;

/// What handlers share.
pub(crate) type Api = Arc<Shared>;

/// The inside of [`Api`].
pub(crate) struct Shared {
    pub(crate) graphql: GraphQl,
    pub(crate) engine: Engine,
    pub(crate) gate: Gate,
    pub(crate) sessions: Sessions,
    pub(crate) streams: Places,
    pub(crate) web_sockets: Places,
    pub(crate) shutdown: Shutdown,
    /// The largest body that is read.
    pub(crate) body_bytes: usize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    fn new_id(&self) -> Arc<str> {
        uuid_v7(self.engine.clock.now(), &*self.engine.random)
            .to_string()
            .into()
    }
}

/// Every route.
pub(crate) fn router(api: Api) -> Router {
    let graphql = Router::new()
        .route(
            "/graphql",
            any(graphql::handle).layer(CompressionLayer::new().compress_when(SizeAbove::new(1024))),
        )
        .route("/graphql/stream", any(stream::handle))
        .route_layer(middleware::from_fn_with_state(api.clone(), admission::admit))
        // Admitted by its connection_init.
        .route("/graphql/ws", get(websocket::upgrade))
        .route_layer(middleware::from_fn_with_state(api.clone(), keep_strangers_out))
        .merge(export::router(&api));
    // Outside of whoever refuses: a page that may call must be able to read why it was refused.
    let graphql = match cors::layer(api.gate.origins()) {
        Some(cors) => graphql.route_layer(cors),
        None => graphql,
    };
    Router::new()
        .merge(graphql)
        .merge(health::router())
        .merge(metrics::router(&api))
        .merge(pages::router())
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(api.clone(), request_id::assign))
        .with_state(api)
}

/// The routes of a process that serves no API.
pub(crate) fn health_router(api: Api) -> Router {
    health::router()
        .merge(metrics::router(&api))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(api.clone(), request_id::assign))
        .with_state(api)
}

/// Without an operator key, only loopback's own callers (see [`crate::auth`]).
async fn keep_strangers_out(
    State(api): State<Api>,
    id: request_id::Id,
    request: Request,
    next: Next,
) -> Response {
    if let Some(loopback) = api.gate.loopback()
        && let Err(stranger) = loopback.check(request.uri(), request.headers())
    {
        return answer::failure(StatusCode::FORBIDDEN, Code::Forbidden, stranger.message(), &id.0);
    }
    next.run(request).await
}

async fn nothing_here(id: request_id::Id, request: Request) -> Response {
    let id: RequestId = id.0;
    let message = format!(
        "There is nothing at {}; the API is at /graphql",
        request.uri().path()
    );
    answer::failure(StatusCode::NOT_FOUND, Code::BadUserInput, &message, &id).into_response()
}
