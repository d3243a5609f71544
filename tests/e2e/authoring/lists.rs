//! An API with one list in every style of paging that there is a proposal for.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

/// Records of every list.
pub(super) const COUNT: usize = 55;

type Parameters = Query<std::collections::BTreeMap<String, String>>;

#[derive(Clone)]
struct Api {
    base: String,
    requests: Arc<Mutex<Vec<String>>>,
}

pub(super) struct Running {
    api: Api,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Running {
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api.base)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.api.requests.lock().expect("requests"))
    }
}

pub(super) async fn api() -> Running {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let api = Api {
        base: format!("http://{}", listener.local_addr().expect("its address")),
        requests: Arc::default(),
    };
    let router = Router::new()
        .route("/v1/{style}", get(list))
        .with_state(api.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    Running { api, server }
}

fn record(id: usize) -> Value {
    json!({
        "id": id, "name": format!("number {id}"), "updated_at": format!("2026-01-{:02}T00:00:00Z", 1 + id % 28),
        "note": if id == 3 { Value::Null } else { json!("n") }, "price": if id == 2 { json!(1.5) } else { json!(2) },
    })
}

/// The records from one on, at most so many.
pub(super) fn cut(from: usize, limit: usize) -> Vec<Value> {
    (1..=COUNT).skip(from).take(limit).map(record).collect()
}

async fn list(
    State(api): State<Api>,
    Path(style): Path<String>,
    Query(query): Parameters,
    headers: HeaderMap,
    uri: axum::http::Uri,
) -> Response {
    api.requests.lock().expect("requests").push(uri.to_string());
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    let base = &api.base;
    let body = match style.as_str() {
        "link" => {
            let (page, size) = (number("page").unwrap_or(1), number("per_page").unwrap_or(10));
            let mut answer = json_answer(&json!(cut((page - 1) * size, size)));
            if page * size < COUNT {
                let next = format!("<{base}/v1/link?page={}&per_page={size}>; rel=\"next\"", page + 1);
                answer
                    .headers_mut()
                    .insert(header::LINK, next.parse().expect("a header"));
            }
            return answer;
        }
        "address" => {
            let from = number("from_row").unwrap_or(0);
            let next = (from + 20 < COUNT).then(|| format!("{base}/v1/address?from_row={}", from + 20));
            json!({ "results": cut(from, 20), "links": { "next": next, "self": uri.to_string() } })
        }
        "token" => {
            if headers
                .get("authorization")
                .is_none_or(|value| value != "Bearer t0p-s3cret")
            {
                let body = json!({ "error": { "message": "no such token" } });
                return (StatusCode::UNAUTHORIZED, body.to_string()).into_response();
            }
            let from = text("pageToken")
                .strip_prefix("t-")
                .and_then(|from| from.parse().ok())
                .unwrap_or(0);
            let next = (from + 25 < COUNT).then(|| format!("t-{}", from + 25));
            json!({ "items": cut(from, 25), "nextPageToken": next })
        }
        "after" => {
            let from = number("starting_after").unwrap_or(0);
            json!({ "object": "list", "data": cut(from, 30), "has_more": from + 30 < COUNT })
        }
        "pages" => {
            let (page, size) = (number("page").unwrap_or(0), number("size").unwrap_or(20));
            json!({ "content": { "rows": cut(page * size, size) }, "total": COUNT })
        }
        "offsets" => json!(cut(number("skip").unwrap_or(0), number("limit").unwrap_or(20))),
        "broken-second" => {
            let from = number("offset").unwrap_or(0);
            if from > 0 {
                return (StatusCode::BAD_REQUEST, "{}").into_response();
            }
            json!(cut(0, 20))
        }
        "single" => json!({ "id": 7, "name": "the only one" }),
        "html" => return ([(header::CONTENT_TYPE, "text/html")], "<html>Sign in</html>").into_response(),
        "empty" => json!({ "data": [] }),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    json_answer(&body)
}

fn json_answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
