//! The sample upstream: somebody else's API, in our own binary.
//!
//! A first impression must not depend on a network, an account or a rate limit, and yet it must be honest: real HTTP, real
//! paging, real trouble. So `syncline demo` starts this server on a loopback port of its own and syncs from it
//! exactly as it would from anybody: through the guarded client, with the shipped `sample` manifest, knowing nothing
//! that the manifest does not say. (A shortcut that handed records to the engine in process was rejected: it
//! would show a product that does not exist.)
//!
//! | route | style | trouble |
//! |---|---|---|
//! | `GET /users` | `_page`, `_limit`; a bare array | page 2 takes its time |
//! | `GET /posts` | `_start`, `_limit`; a bare array | a 500 now and then |
//! | `GET /posts/{id}/comments` | a bare array, one request a post | a 500 now and then |
//! | `GET /orders` | `cursor`; `updated_since`, `updated_before`; an envelope | wants an API key; a 429 with `Retry-After` now and then |
//!
//! Everything it says is a function of two things that are passed in: the clock and the instant the business opened.
//! There is no store to fill, nothing to clean up, and a test that sets the clock knows every answer. Trouble comes by
//! counting requests, not by chance ([`trouble`]), so that two runs of the demo fail alike.

mod blog;
mod directory;
mod paging;
mod shop;
mod trouble;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use platform::clock::SharedClock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use paging::{CursorQuery, OffsetQuery, PageQuery};
use trouble::{Route, Trouble, Troubles};

/// What the orders API wants to see in `X-Api-Key`. Not a secret: it opens nothing but made-up orders.
pub(crate) const API_KEY: &str = "sample-key-0000";

const SLOW_PAGE: u32 = 2;
const SLOWNESS: Duration = Duration::from_millis(1_500);

/// What the server is a function of.
pub(crate) struct Upstream {
    clock: SharedClock,
    opened_at: DateTime<Utc>,
    troubles: Troubles,
}

impl Upstream {
    /// `opened_at` anchors every order and comment in time and must be kept across restarts, or the business would
    /// start afresh; `seed` shifts which requests meet trouble.
    pub(crate) fn new(clock: SharedClock, opened_at: DateTime<Utc>, seed: u64) -> Self {
        Self {
            clock,
            opened_at: paging::whole_seconds(opened_at),
            troubles: Troubles::new(seed),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// A bound but not yet serving upstream: its address must be known before the guard that allows it is built.
pub(crate) struct BoundUpstream {
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundUpstream {
    /// Binds the preferred loopback port, or any free one when that is taken.
    pub(crate) async fn bind(preferred_port: u16) -> std::io::Result<Self> {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, preferred_port)).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
        };
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The exact address and port that the guard must let through, and nothing else.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`.
    pub(crate) async fn serve(self, upstream: Upstream, stop: CancellationToken) -> std::io::Result<()> {
        axum::serve(self.listener, router(upstream))
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    }
}

fn router(upstream: Upstream) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/users", get(users))
        .route("/users/{id}", get(user))
        .route("/posts", get(posts))
        .route("/posts/{id}/comments", get(comments))
        .route("/orders", get(orders))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "no such route; GET / lists them") })
        .with_state(Arc::new(upstream))
}

type Shared = State<Arc<Upstream>>;

async fn index(State(upstream): Shared) -> Json<Value> {
    Json(json!({
        "about": "A sample API for trying Syncline. Everything in it is made up.",
        "routes": ["/users?_page=1&_limit=20", "/posts?_start=0&_limit=10", "/posts/1/comments", "/orders?limit=50&updated_since=2026-01-01T00:00:00Z"],
        "orders": { "header": "X-Api-Key", "key": API_KEY },
        "open_since": upstream.opened_at,
    }))
}

async fn users(State(upstream): Shared, Query(query): Query<PageQuery>) -> Response {
    if query.page() == SLOW_PAGE {
        upstream.clock.sleep(SLOWNESS).await;
    }
    array(query.cut(&directory::users()), directory::COUNT)
}

async fn user(Path(id): Path<u32>) -> Response {
    match directory::user(id) {
        Some(user) => Json(user).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "no such user"),
    }
}

async fn posts(State(upstream): Shared, Query(query): Query<OffsetQuery>) -> Response {
    if let Some(trouble) = upstream.troubles.next(Route::Blog) {
        return troubled(trouble);
    }
    let posts = blog::posts(upstream.opened_at, upstream.now());
    let total = posts.len();
    array(query.cut(&posts), total)
}

async fn comments(State(upstream): Shared, Path(post): Path<u32>) -> Response {
    if let Some(trouble) = upstream.troubles.next(Route::Blog) {
        return troubled(trouble);
    }
    match blog::comments(post, upstream.opened_at, upstream.now()) {
        Some(comments) => {
            let total = comments.len();
            array(comments, total)
        }
        None => refusal(StatusCode::NOT_FOUND, "no such post"),
    }
}

async fn orders(State(upstream): Shared, headers: HeaderMap, Query(query): Query<CursorQuery>) -> Response {
    if headers.get("x-api-key").and_then(|key| key.to_str().ok()) != Some(API_KEY) {
        return refusal(
            StatusCode::UNAUTHORIZED,
            "an API key is needed: send it as X-Api-Key",
        );
    }
    if let Some(trouble) = upstream.troubles.next(Route::Orders) {
        return troubled(trouble);
    }
    match query.window(upstream.now()) {
        Ok(window) => Json(shop::list(upstream.opened_at, &window)).into_response(),
        Err(what) => refusal(StatusCode::BAD_REQUEST, what),
    }
}

fn array(items: Vec<Value>, total: usize) -> Response {
    ([("x-total-count", total.to_string())], Json(items)).into_response()
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

fn troubled(trouble: Trouble) -> Response {
    match trouble {
        Trouble::TooManyRequests { retry_after_seconds } => (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, retry_after_seconds.to_string())],
            Json(json!({ "error": "too many requests; slow down" })),
        )
            .into_response(),
        Trouble::ServerError => refusal(StatusCode::INTERNAL_SERVER_ERROR, "something broke; try again"),
    }
}

#[cfg(test)]
mod tests;
