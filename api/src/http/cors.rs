//! What a browser is told when a page of another origin wants to call.
//!
//! Nothing, unless settings list that origin: without permission the browser sends no request that has JSON or a key in
//! it, and shows the page no answer. No origin is ever answered with `*`, and no credentials are allowed, for there
//! are none that a browser adds by itself. A listed page may send any header: it is trusted, and which ones
//! clients and their tracing add is not ours to know.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::auth::Origins;

/// For how long a browser need not ask again. Chromium takes two hours at most.
const MAX_AGE: Duration = Duration::from_secs(2 * 60 * 60);
/// Of an answer, beside those that a page may always read.
const READABLE: [HeaderName; 7] = [
    super::request_id::HEADER,
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("syncline-cursor"),
    header::RETRY_AFTER,
    super::admission::LEFT,
    super::admission::POLICY,
    header::WWW_AUTHENTICATE,
];

/// The layer, where any origin is listed.
pub(super) fn layer(origins: &Origins) -> Option<CorsLayer> {
    let allowed: Vec<HeaderValue> = origins
        .allowed()
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok())
        .collect();
    (!allowed.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(allowed))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(READABLE)
            .max_age(MAX_AGE)
    })
}
