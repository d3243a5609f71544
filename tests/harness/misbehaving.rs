//! What an upstream does at the worst moment, a path each.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde_json::json;

use crate::upstream::{Page, item, json_answer, moment};

pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/status/{code}", get(status))
        .route(
            "/html",
            get(|| async {
                (
                    [(header::CONTENT_TYPE, "text/html")],
                    "<html><body>Sign in</body></html>",
                )
            }),
        )
        .route("/empty", get(|| async { StatusCode::OK }))
        .route("/half", get(half))
        .route("/nothing", get(nothing))
        .route("/huge", get(huge))
        .route("/bomb", get(bomb))
        .route("/endless", get(endless))
        .route("/same-token", get(same_token))
        .route("/redirect", get(redirect))
        .route("/silent", get(std::future::pending::<StatusCode>))
        .route("/mixed", get(mixed))
}

async fn status(Path(code): Path<u16>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT);
    let mut response = (status, json!({ "error": "as you asked" }).to_string()).into_response();
    if code == 429 {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, "0".parse().expect("a value"));
    }
    response
}

/// Promises more than it sends, then closes.
async fn half() -> Response {
    let body = br#"{"data":[{"id":1,"name":"first","updated_at":"2026-01-01T00:00:01Z"},{"id":2,"na"#;
    let parts = futures::stream::unfold(0, move |part| async move {
        match part {
            0 => Some((Ok(Bytes::from_static(body)), 1)),
            // What was written must be on its way before the connection is cut, else nothing is sent at all.
            _ => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Err(std::io::Error::other("the connection is cut")), 2))
            }
        }
    });
    (
        [(header::CONTENT_TYPE, "application/json")],
        Body::from_stream(parts),
    )
        .into_response()
}

/// Accepts the request and closes the connection without a byte.
async fn nothing() -> Response {
    let parts = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("closed"))]);
    Body::from_stream(parts).into_response()
}

/// Two gigabytes of one JSON text, a megabyte at a time.
async fn huge() -> Response {
    let head = futures::stream::iter([Bytes::from_static(
        br#"{"data":[{"id":1,"updated_at":"2026-01-01T00:00:01Z","name":""#,
    )]);
    let filler = Bytes::from(vec![b'x'; 1 << 20]);
    let body = futures::stream::iter(std::iter::repeat_n(filler, 2048));
    let tail = futures::stream::iter([Bytes::from_static(br#""}]}"#)]);
    let parts = futures::StreamExt::map(
        futures::StreamExt::chain(futures::StreamExt::chain(head, body), tail),
        Ok::<_, Infallible>,
    );
    (
        [(header::CONTENT_TYPE, "application/json")],
        Body::from_stream(parts),
    )
        .into_response()
}

/// Half a megabyte of gzip that unpacks to 512 MiB of spaces, which JSON allows between any two tokens.
///
/// One megabyte is compressed, with a full flush: such a block stands on its own and may be repeated.
async fn bomb() -> Response {
    let block = |text: &[u8]| {
        let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
        let mut out = Vec::with_capacity(text.len() + 64);
        deflate
            .compress_vec(text, &mut out, flate2::FlushCompress::Full)
            .expect("it fits");
        out
    };
    let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    body.extend(block(br#"{"data":["#));
    body.extend(block(&vec![b' '; 1 << 20]).repeat(512));
    (
        [
            (header::CONTENT_TYPE, "application/json"),
            (header::CONTENT_ENCODING, "gzip"),
        ],
        body,
    )
        .into_response()
}

/// Always one more page, always full.
async fn endless(Query(page): Query<Page>) -> Response {
    let data: Vec<_> = (page.offset..page.offset + page.limit)
        .map(|id| item(id, "endless", moment(0, 1)))
        .collect();
    json_answer(&json!({ "data": data }))
}

/// A cursor page whose next token is the one it was asked with.
async fn same_token() -> Response {
    json_answer(&json!({ "data": [item(1, "again", moment(0, 1))], "next": "again" }))
}

/// To an address inside the operator's network that no upstream may reach.
async fn redirect() -> Response {
    (
        StatusCode::FOUND,
        [(header::LOCATION, "http://169.254.169.254/latest/meta-data/")],
    )
        .into_response()
}

/// Four good records, and one without its key.
async fn mixed(headers: HeaderMap) -> Response {
    let _ = headers;
    let mut data: Vec<_> = (1..=4).map(|id| item(id, "good", moment(0, id))).collect();
    data.insert(2, json!({ "name": "no id", "updated_at": moment(0, 9) }));
    json_answer(&json!({ "data": data }))
}
