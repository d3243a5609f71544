//! Whether this process lives, and whether it should be sent work.
//!
//! Live is answered from memory: a supervisor that restarts us because the database is away would only add
//! to the trouble. Ready asks each dependency: without the database there is no service (503); without
//! coordination work goes on by polling, which is "degraded" and 200; while draining it is 503, so that a load
//! balancer stops sending.

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::time::timeout;

use super::Api;

const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    version: &'static str,
    dependencies: Dependencies,
}

#[derive(Serialize)]
struct Dependencies {
    database: Dependency,
    coordination: Dependency,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    status: &'static str,
    duration_ms: f64,
    error: Option<&'static str>,
}

pub(crate) fn router() -> Router<Api> {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health", get(ready))
}

async fn live() -> Response {
    (uncached(), Json(Live { status: "live" })).into_response()
}

async fn ready(State(api): State<Api>) -> Response {
    let engine = &api.engine;
    let (database, coordination) = tokio::join!(
        ask(&api, async {
            engine.db.ping().await.map_err(|error| error.to_string())
        }),
        ask(&api, async {
            engine.coordinator.ping().await.map_err(|error| error.to_string())
        }),
    );
    let (code, status) = match (&database.error, &coordination.error) {
        _ if api.shutdown.soft.is_cancelled() => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        (Some(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (None, Some(_)) => (StatusCode::OK, "degraded"),
        (None, None) => (StatusCode::OK, "ready"),
    };
    let dependencies = Dependencies {
        database,
        coordination,
    };
    let body = Ready {
        status,
        version: env!("CARGO_PKG_VERSION"),
        dependencies,
    };
    (code, uncached(), Json(body)).into_response()
}

fn uncached() -> [(header::HeaderName, &'static str); 1] {
    [(header::CACHE_CONTROL, "no-store")]
}

/// The cause goes to the log: a driver's message can name hosts and users.
async fn ask(api: &Api, ping: impl Future<Output = Result<(), String>>) -> Dependency {
    let clock = &api.engine.clock;
    let before = clock.monotonic();
    let error = match timeout(PATIENCE, ping).await {
        Ok(Ok(())) => None,
        Ok(Err(cause)) => {
            tracing::warn!(cause, "a dependency does not answer");
            Some("unreachable")
        }
        Err(_) => Some("no answer within 2 s"),
    };
    let spent = clock.monotonic().saturating_sub(before);
    let status = if error.is_none() { "up" } else { "down" };
    Dependency {
        status,
        duration_ms: (spent.as_secs_f64() * 1e5).round() / 100.0,
        error,
    }
}
