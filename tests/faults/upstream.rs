//! An upstream that counts what it is asked, for many integrations at once.
//!
//! Each has a list of its own under its number, a few pages long, slow enough that a fault finds runs under way, and now
//! and then failing as upstreams do. It knows how many requests of one integration are open at a time: more than one
//! would be two runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// Records of each integration.
pub(crate) const RECORDS: u64 = 200;
/// How long a page of a slow list takes: its run is still under way when a paused worker wakes.
const SLOW: Duration = Duration::from_millis(800);
/// One of so many answers is a failure.
const FAILS_ONE_IN: u64 = 97;

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// Requests that began while another one of their integration was open.
    pub(crate) overlaps: AtomicU64,
    /// A process that was paused may end a request that it had begun before: such overlaps are not counted.
    pub(crate) woken: AtomicBool,
    touched: AtomicU64,
    open: Mutex<BTreeMap<u32, u32>>,
    /// What was changed, by integration and record: the number of the change.
    changes: Mutex<BTreeMap<(u32, u64), u64>>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    offset: u64,
    limit: u64,
    updated_since: Option<String>,
}

/// Keeps the count of open requests right, however the request ends.
struct Open<'a>(&'a Counts, u32);

impl<'a> Open<'a> {
    fn new(counts: &'a Counts, integration: u32) -> Self {
        let mut open = counts.open.lock().expect("open");
        let count = open.entry(integration).or_default();
        if *count > 0 && !counts.woken.load(Ordering::SeqCst) {
            counts.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        *count += 1;
        Self(counts, integration)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0.open.lock().expect("open").get_mut(&self.1) {
            *count -= 1;
        }
    }
}

pub(crate) async fn start() -> (SocketAddr, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let router = axum::Router::new()
        .route("/{integration}", axum::routing::get(page))
        .with_state(Arc::clone(&counts));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, counts)
}

impl Counts {
    /// Changes a record.
    pub(crate) fn touch(&self, integration: u32, record: u64) {
        let number = self.touched.fetch_add(1, Ordering::SeqCst) + 1;
        self.changes
            .lock()
            .expect("changes")
            .insert((integration, record), number);
    }

    /// The records of an integration, by key.
    pub(crate) fn records(&self, integration: u32) -> BTreeMap<String, Value> {
        let changes = self.changes.lock().expect("changes");
        (1..=RECORDS)
            .map(|id| {
                let change = changes.get(&(integration, id)).copied().unwrap_or(0);
                (id.to_string(), record(id, change))
            })
            .collect()
    }
}

/// A change is a second later than the one before.
fn record(id: u64, change: u64) -> Value {
    let start = chrono::DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01");
    let second = if change == 0 { id } else { RECORDS + change };
    let at = start + chrono::TimeDelta::seconds(second.cast_signed());
    json!({ "id": id, "name": format!("change {change}"), "updated_at": at.format("%Y-%m-%dT%H:%M:%SZ").to_string() })
}

async fn page(
    State(counts): State<Arc<Counts>>,
    Path(integration): Path<u32>,
    Query(page): Query<Page>,
) -> Response {
    let _open = Open::new(&counts, integration);
    let number = counts.requests.fetch_add(1, Ordering::SeqCst);
    let takes = if crate::SLOW.contains(&integration) {
        SLOW
    } else {
        Duration::from_millis(5 + number % 20)
    };
    tokio::time::sleep(takes).await;
    if number % FAILS_ONE_IN == 0 {
        counts.failures.fetch_add(1, Ordering::SeqCst);
        let status = if number.is_multiple_of(2) {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            StatusCode::BAD_GATEWAY
        };
        return (status, [(header::RETRY_AFTER, "0")]).into_response();
    }
    let since = page.updated_since.unwrap_or_default();
    let mut records: Vec<Value> = counts.records(integration).into_values().collect();
    records.retain(|record| {
        record["updated_at"]
            .as_str()
            .is_some_and(|at| at >= since.as_str())
    });
    records.sort_by_key(|record| record["id"].as_u64());
    let start = usize::try_from(page.offset)
        .expect("an offset")
        .min(records.len());
    let end = start
        .saturating_add(usize::try_from(page.limit).expect("a limit"))
        .min(records.len());
    let body = json!({ "data": records[start..end] }).to_string();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
