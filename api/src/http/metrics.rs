//! `/metrics`, in Prometheus' text format.
//!
//! How much runs and how much fails is the operator's business, so it is asked for as the API is: with the operator
//! key as a bearer token (`authorization: { credentials_file: … }` in Prometheus), or from loopback where
//! there is none. A scheduler answers by the same rule.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use engine::metrics::observe;
use platform::telemetry::metrics::{CONTENT_TYPE, render};
use tokio::time::timeout;

use super::graphql::{authenticate, unauthenticated};
use super::request_id::Id;
use super::{Api, keep_strangers_out};

/// Less than what Prometheus waits for a scrape: the counters come also while the database is away.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn router(api: &Api) -> Router<Api> {
    Router::new()
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(api.clone(), keep_strangers_out))
}

async fn metrics(State(api): State<Api>, id: Id, headers: HeaderMap) -> Response<Body> {
    if authenticate(&api, &headers, &id.0).is_err() {
        return unauthenticated(&id.0);
    }
    let gauges = match timeout(PATIENCE, api.engine.overview().gauges()).await {
        Ok(Ok(gauges)) => Some(gauges),
        Ok(Err(error)) => {
            tracing::warn!(error = %error.chain(), "the database's figures could not be read for the metrics");
            None
        }
        Err(_) => {
            tracing::warn!("the database's figures could not be read within 2 s for the metrics");
            None
        }
    };
    observe(gauges);
    let headers = [
        (header::CONTENT_TYPE, CONTENT_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, render()).into_response()
}
