//! `/export`: what there is, as files that are streamed.
//!
//! | path | gives |
//! |---|---|
//! | `/export/{integrationId}/{stream}` | a stream's records ([`records`]) |
//! | `/export/clients/{clientId}` | everything of a client ([`client`]) |
//!
//! A GraphQL answer is a whole that is held in memory; a million records are not one. What holds here is the API's:
//! the same credentials and rights, and what is somebody else's is answered as what is not there. An answer ends
//! regularly only when everything was in it. Whatever goes wrong in the middle cuts the connection ([`body`]), so that
//! no reader takes a part for the whole.
//!
//! # Rejected
//! - Files that are made in the background and fetched later: a second copy of somebody's data, to be kept, guarded,
//!   found by all processes and deleted in time. Streaming keeps none, and begins at once.
//! - The last cursor in a trailer or a last line: most clients drop the one, and the other is a line that is no
//!   record. An export knows its end when it begins, so a header says it.

mod body;
mod client;
mod csv;
mod jsonl;
mod places;
mod portrait;
mod query;
mod records;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use axum::{Extension, Router, middleware};
use tower_http::compression::CompressionLayer;

use self::places::Places;
use super::request_id::RequestId;
use super::{Api, admission, answer, keep_strangers_out};
use crate::graphql::{self, Code};

pub(super) fn router(api: &Api) -> Router<Api> {
    Router::new()
        .route("/export/{integration}/{stream}", get(records::handle))
        .route("/export/clients/{client}", get(client::handle))
        .route_layer(CompressionLayer::new())
        .route_layer(Extension(Arc::new(Places::default())))
        .route_layer(middleware::from_fn_with_state(api.clone(), admission::admit))
        .route_layer(middleware::from_fn_with_state(api.clone(), keep_strangers_out))
}

/// What nobody may tell from what is somebody else's.
fn not_there(what: &str, id: &RequestId) -> Response<Body> {
    let message = format!("There is no {what} here");
    answer::failure(StatusCode::NOT_FOUND, Code::BadUserInput, &message, id)
}

fn unreadable(message: &str, id: &RequestId) -> Response<Body> {
    answer::failure(StatusCode::BAD_REQUEST, Code::BadUserInput, message, id)
}

/// There is no place for another export.
fn too_many(id: &RequestId) -> Response<Body> {
    let message = "As many exports are running as may: ask again when one has ended";
    let mut refused = answer::failure(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, message, id);
    refused
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    refused
}

/// The answer to an export that could not begin.
fn failed(error: engine::Error, id: &RequestId) -> Response<Body> {
    let status = match &error {
        engine::Error::Forbidden(_) => StatusCode::FORBIDDEN,
        engine::Error::BadCursor | engine::Error::BadInput(_) => StatusCode::BAD_REQUEST,
        engine::Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        engine::Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    answer::send(
        status,
        super::accept::MediaType::Json,
        &graphql::failed(error, &id.0),
    )
}

/// The headers of a file to keep. Names are ours or made of letters, digits and `-_.`.
fn file(body: Body, content_type: &'static str, name: &str) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

/// A name that is harmless in a header and on every disk.
fn plain(name: &str) -> String {
    let harmless = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => character,
        _ => '-',
    };
    name.chars().take(100).map(harmless).collect()
}
