//! `/metrics`, in Prometheus' text format.
//!
//! How much runs and how much fails is the operator's business, so it is asked for as the API is: with the operator
//! key, or an API key that no client binds, as a bearer token (`authorization: { credentials_file: … }` in
//! Prometheus), or from loopback where there is none. A scheduler answers by the same rule.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use engine::access::Resource;
use engine::metrics::observe;
use engine::{Actor, Scope};
use platform::telemetry::metrics::{CONTENT_TYPE, render};
use tokio::time::timeout;

use super::request_id::Id;
use super::{Api, admission, answer, keep_strangers_out};
use crate::graphql::{Caller, Code};

/// Less than what Prometheus waits for a scrape: the counters come also while the database is away.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn router(api: &Api) -> Router<Api> {
    Router::new()
        .route("/metrics", get(metrics))
        .route_layer(middleware::from_fn_with_state(api.clone(), admission::admit))
        .route_layer(middleware::from_fn_with_state(api.clone(), keep_strangers_out))
}

fn may_see(actor: &Actor) -> bool {
    matches!(actor.reads(Resource::Overview), Ok(Scope::All))
}

async fn metrics(State(api): State<Api>, id: Id, Extension(caller): Extension<Caller>) -> Response<Body> {
    if !may_see(&caller.actor) {
        let message = "These are the figures of the whole installation: a key that is not bound to a client, with the scope overview:read, sees them";
        return answer::failure(StatusCode::FORBIDDEN, Code::Forbidden, message, &id.0);
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
