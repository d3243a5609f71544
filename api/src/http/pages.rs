//! The pages: GraphiQL, and the ways that lead to it.
//!
//! Everything comes out of the binary, compressed when it was built; nothing is fetched from elsewhere, and
//! the content security policy holds the page to that. Styles may be inline because CodeMirror and GraphiQL
//! set them so; scripts may not.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;

use super::Api;
use crate::assets::{self, Asset};

pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/", get(to_graphiql))
        .route("/docs", get(to_graphiql))
        .route("/graphiql", get(graphiql))
        .route("/assets/{*path}", get(asset))
}

async fn to_graphiql() -> Redirect {
    Redirect::temporary("/graphiql")
}

async fn graphiql(State(api): State<Api>, headers: HeaderMap) -> Response<Body> {
    if api.graphql.is_listed() {
        let message = "GraphiQL is off: only listed operations run here";
        return (StatusCode::NOT_FOUND, message).into_response();
    }
    page("graphiql.html", &headers)
}

async fn asset(Path(path): Path<String>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    match assets::find(&format!("assets/{path}")) {
        // The build puts a hash of the content into these names.
        Some(asset) => send(&asset, &headers, "public, max-age=31536000, immutable"),
        None => (
            StatusCode::NOT_FOUND,
            format!("There is no page part {}", uri.path()),
        )
            .into_response(),
    }
}

fn page(name: &str, headers: &HeaderMap) -> Response<Body> {
    let Some(asset) = assets::page(name) else {
        return (StatusCode::NOT_FOUND, "This page is not part of this binary").into_response();
    };
    let mut response = send(&asset, headers, "no-cache");
    let policy = policy(headers);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// `'self'` does not cover WebSockets everywhere, so the page's own host is named for them.
fn policy(headers: &HeaderMap) -> HeaderValue {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .filter(|host| {
            host.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']'))
        });
    let sockets = host
        .map(|host| format!(" ws://{host} wss://{host}"))
        .unwrap_or_default();
    let policy = format!(
        "default-src 'self'; connect-src 'self'{sockets}; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; \
         font-src 'self' data:; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'self'"))
}

fn send(asset: &Asset, request: &HeaderMap, cache: &'static str) -> Response<Body> {
    let encoding = asset.best_encoding(request);
    let etag = asset.etag(encoding);
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let fresh = known.is_some_and(|known| {
        known
            .split(',')
            .any(|tag| tag.trim().trim_start_matches("W/") == etag)
    });
    let mut response = Response::new(if fresh {
        Body::empty()
    } else {
        Body::from(asset.bytes(encoding))
    });
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type()),
    );
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Some(name) = encoding.name() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    response
}
