//! An API to sync from, which does on demand what real ones do at the worst moment.
//!
//! `/items` is a well-behaved list: offset paging, `updated_since`. Every other path is a way to misbehave
//! ([`misbehaving`]), so that one manifest (its path comes from the config) meets all of them. It counts what it is asked, because "exactly
//! once" is a statement about requests as well as about rows.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use platform::clock::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::misbehaving;

/// One record of the upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its key.
    pub id: u64,
    /// What changes.
    pub name: String,
    /// RFC 3339; the cursor.
    pub updated_at: String,
}

/// Requests at or beyond an offset wait here until the test lets them through.
#[derive(Clone)]
pub struct Gate(watch::Sender<Option<u64>>);

#[derive(Clone)]
struct Shared {
    items: Arc<Mutex<BTreeMap<u64, Value>>>,
    requests: Arc<Mutex<Vec<(Duration, String)>>>,
    faults: Arc<Mutex<BTreeMap<u64, u16>>>,
    gate: Gate,
}

/// A running upstream; it stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    shared: Shared,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    pub(crate) offset: u64,
    #[serde(default = "default_limit")]
    pub(crate) limit: u64,
    updated_since: Option<String>,
}

fn default_limit() -> u64 {
    100
}

/// The manifest of a connector for this upstream. Config: `base_url`, `path` (what to read), `token` (secret).
#[must_use]
pub fn manifest(page_size: u32) -> String {
    include_str!("upstream.yaml").replace("PAGE_SIZE", &page_size.to_string())
}

/// A day of 2026 and a second of it, as RFC 3339.
pub(crate) fn moment(day: u64, second: u64) -> String {
    let start = chrono::DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01");
    let at =
        start + chrono::TimeDelta::days(day.cast_signed()) + chrono::TimeDelta::seconds(second.cast_signed());
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Gate {
    /// Holds requests for offsets at or beyond this one.
    pub fn close_from(&self, offset: u64) {
        self.0.send_replace(Some(offset));
    }

    /// Lets everything through.
    pub fn open(&self) {
        self.0.send_replace(None);
    }

    async fn pass(&self, offset: u64) {
        let mut state = self.0.subscribe();
        let _ = state
            .wait_for(|closed_from| closed_from.is_none_or(|from| offset < from))
            .await;
    }
}

impl Upstream {
    /// Starts one that holds `count` records, each updated a second after the one before.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(count: u64) -> Self {
        let items = (1..=count)
            .map(|id| (id, item(id, "first", moment(0, id))))
            .collect();
        let shared = Shared {
            items: Arc::new(Mutex::new(items)),
            requests: Arc::default(),
            faults: Arc::default(),
            gate: Gate(watch::channel(None).0),
        };
        let router = Router::new()
            .route("/items", get(items_page))
            .route("/whole", get(whole))
            .merge(misbehaving::routes())
            .with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the upstream serves");
        });
        Self {
            address,
            shared,
            server,
        }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A config for [`manifest`] that reads this path.
    #[must_use]
    pub fn config(&self, path: &str) -> Value {
        json!({ "base_url": self.url(), "path": path, "token": "s3cret-token" })
    }

    /// The gate in front of `/items`.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// What was asked so far: path and query of each request.
    ///
    /// # Panics
    /// Never in practice: the lock is only held for a push.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let requests = self.shared.requests.lock().expect("requests");
        requests.iter().map(|(_, request)| request.clone()).collect()
    }

    /// How many requests at most came in any stretch of this length, wherever it begins.
    ///
    /// # Panics
    /// Never in practice.
    #[must_use]
    pub fn most_requests_in(&self, window: Duration) -> usize {
        let requests = self.shared.requests.lock().expect("requests");
        let times: Vec<Duration> = requests.iter().map(|(at, _)| *at).collect();
        let within = |first: usize| {
            times[first..]
                .iter()
                .take_while(|at| **at < times[first] + window)
                .count()
        };
        (0..times.len()).map(within).max().unwrap_or(0)
    }

    /// Forgets what was asked.
    ///
    /// # Panics
    /// Never in practice.
    pub fn forget_requests(&self) {
        self.shared.requests.lock().expect("requests").clear();
    }

    /// The next `times` answers of `/items` have this status (429 with `Retry-After: 0`).
    ///
    /// # Panics
    /// Never in practice.
    pub fn fail_next(&self, times: u64, status: u16) {
        let mut faults = self.shared.faults.lock().expect("faults");
        let start = faults.last_key_value().map_or(0, |(index, _)| index + 1);
        faults.extend((start..start + times).map(|index| (index, status)));
    }

    /// Gives all records this name.
    ///
    /// # Panics
    /// When a request handler panicked.
    pub fn call_all(&self, name: &str) {
        for item in self.shared.items.lock().expect("items").values_mut() {
            item["name"] = name.into();
        }
    }

    /// Changes these records on a later day.
    ///
    /// # Panics
    /// Never in practice.
    pub fn touch(&self, ids: impl IntoIterator<Item = u64>, day: u64) {
        let mut items = self.shared.items.lock().expect("items");
        for (second, id) in (1..).zip(ids) {
            items.insert(
                id,
                item(id, &format!("changed on day {day}"), moment(day, second)),
            );
        }
    }

    /// Removes these records.
    ///
    /// # Panics
    /// Never in practice.
    pub fn remove(&self, ids: impl IntoIterator<Item = u64>) {
        let mut items = self.shared.items.lock().expect("items");
        for id in ids {
            items.remove(&id);
        }
    }

    /// Its records now, by key as text.
    ///
    /// # Panics
    /// Never in practice.
    #[must_use]
    pub fn items(&self) -> BTreeMap<String, Value> {
        self.shared
            .items
            .lock()
            .expect("items")
            .iter()
            .map(|(id, item)| (id.to_string(), item.clone()))
            .collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn item(id: u64, name: &str, updated_at: String) -> Value {
    json!({ "id": id, "name": name, "updated_at": updated_at })
}

async fn items_page(
    State(shared): State<Shared>,
    Query(page): Query<Page>,
    request: axum::extract::Request,
) -> Response {
    shared
        .requests
        .lock()
        .expect("requests")
        .push((SystemClock.monotonic(), request.uri().to_string()));
    let fault = shared.faults.lock().expect("faults").pop_first();
    if let Some((_, status)) = fault {
        let status = StatusCode::from_u16(status).expect("a status");
        return (
            status,
            [(header::RETRY_AFTER, "0")],
            json!({ "error": "try again" }).to_string(),
        )
            .into_response();
    }
    shared.gate.pass(page.offset).await;
    let items = shared.items.lock().expect("items");
    let matching = items.values().filter(|item| {
        page.updated_since
            .as_deref()
            .is_none_or(|since| item["updated_at"].as_str().is_some_and(|at| at >= since))
    });
    let offset = usize::try_from(page.offset).expect("an offset");
    let limit = usize::try_from(page.limit).expect("a limit");
    let data: Vec<_> = matching.skip(offset).take(limit).collect();
    json_answer(&json!({ "data": data }))
}

/// All items at once, with their entity tag; not modified for whoever has them already.
async fn whole(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let data: Vec<_> = shared.items.lock().expect("items").values().cloned().collect();
    let body = json!({ "data": data });
    let mut hasher = DefaultHasher::new();
    body.to_string().hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| *known == tag);
    let asked = headers.contains_key(header::IF_NONE_MATCH);
    let line = format!(
        "/whole{}",
        match (asked, known) {
            (false, _) => "",
            (true, false) => ", changed",
            (true, true) => ", not modified",
        }
    );
    shared
        .requests
        .lock()
        .expect("requests")
        .push((SystemClock.monotonic(), line));
    if known {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let mut answer = json_answer(&body);
    answer
        .headers_mut()
        .insert(header::ETAG, tag.parse().expect("a value"));
    answer
}

pub(crate) fn json_answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
