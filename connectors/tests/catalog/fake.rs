//! A vendor that is not there: an HTTP server on the loopback whose answers are a function of the request, with a list
//! of the faults that it has in store. One that is given a clock also counts, and refuses what is beyond the vendor's
//! documented limits; one without has no time in which a limit could be exceeded.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use platform::clock::{Clock, ManualClock};
use serde_json::Value;

/// A request as the vendor sees it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// The parameter, where it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// The parameter as a number; `None` where it is not one.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The fields of a form.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes())
            .into_owned()
            .collect()
    }

    /// The first parameter that is not one of these, or that is there twice.
    pub(crate) fn stranger(&self, known: &[&str]) -> Option<&str> {
        let mut seen = Vec::new();
        self.query.iter().map(|(name, _)| name.as_str()).find(|name| {
            let strange = !known.contains(name) || seen.contains(name);
            seen.push(*name);
            strange
        })
    }

    /// Path and query, as one comparable text.
    pub(crate) fn line(&self) -> String {
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{} {}?{}", self.method, self.path, query.join("&"))
    }
}

pub(crate) fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// What the vendor answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
    /// The body is a text that is no JSON.
    csv: bool,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            csv: false,
        }
    }

    pub(crate) fn csv(text: String) -> Self {
        Self {
            csv: true,
            ..Self::new(200, Value::String(text))
        }
    }

    pub(crate) fn with(mut self, header: &str, value: impl ToString) -> Self {
        self.headers.push((header.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn body(&self) -> &Value {
        &self.body
    }

    fn response(&self) -> Response<Body> {
        let mut response = Response::builder().status(self.status).header(
            "content-type",
            if self.csv { "text/csv" } else { "application/json" },
        );
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        // An answer that something has not changed has no body.
        let body = match &self.body {
            _ if self.status == 304 => String::new(),
            Value::String(text) if self.csv => text.clone(),
            body => body.to_string(),
        };
        response.body(Body::from(body)).unwrap()
    }
}

/// What one vendor does with a request: an answer, or the refusal that its documentation describes.
pub(crate) trait Vendor: Send + Sync + 'static {
    /// `base` is the fake's own address, for links.
    fn answer(&self, request: &Request, base: &str) -> Result<Answer, Answer>;

    /// The documented limits that a request counts against.
    fn limits(&self, request: &Request) -> Vec<Limit>;

    /// The documented answer to a request beyond a limit, which lasts for so long.
    fn beyond(&self, limit: &Limit, lasts: Duration) -> Answer;
}

/// How many requests of a kind are let through in how long, whenever that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    /// The kind.
    pub(crate) of: &'static str,
    pub(crate) most: usize,
    pub(crate) per: Duration,
}

impl Limit {
    pub(crate) fn new(of: &'static str, most: usize, seconds: u64) -> Self {
        let per = Duration::from_secs(seconds);
        Self { of, most, per }
    }
}

/// When requests were let through, by the limit that they counted against.
struct Meter {
    clock: ManualClock,
    passed: HashMap<(&'static str, Duration), VecDeque<Duration>>,
    refused: usize,
}

impl Meter {
    /// Counts the request, or says which limit it is beyond, and for how long.
    fn pass(&mut self, limits: &[Limit]) -> Result<(), (Limit, Duration)> {
        let now = self.clock.monotonic();
        for limit in limits {
            let passed = self.passed.entry((limit.of, limit.per)).or_default();
            while passed.front().is_some_and(|at| *at + limit.per <= now) {
                passed.pop_front();
            }
            if let Some(first) = passed.front().filter(|_| passed.len() >= limit.most) {
                self.refused += 1;
                return Err((limit.clone(), *first + limit.per - now));
            }
        }
        for limit in limits {
            self.passed
                .entry((limit.of, limit.per))
                .or_default()
                .push_back(now);
        }
        Ok(())
    }
}

/// The answers that the vendor has in store for the next requests; `None` is an ordinary one.
type Store = Arc<Mutex<VecDeque<Option<Answer>>>>;

/// A running fake.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<Request>>>,
    store: Store,
    meter: Option<Arc<Mutex<Meter>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    pub(crate) async fn start(vendor: impl Vendor) -> Self {
        Self::start_with(vendor, None).await
    }

    /// A fake that keeps to the vendor's limits, by this clock.
    pub(crate) async fn timed(vendor: impl Vendor, clock: &ManualClock) -> Self {
        let meter = Meter {
            clock: clock.clone(),
            passed: HashMap::new(),
            refused: 0,
        };
        Self::start_with(vendor, Some(Arc::new(Mutex::new(meter)))).await
    }

    async fn start_with(vendor: impl Vendor, meter: Option<Arc<Mutex<Meter>>>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (log, store) = (Arc::<Mutex<Vec<Request>>>::default(), Store::default());
        let shared = Arc::new((vendor, format!("http://{address}")));
        let (logged, stored, metered) = (Arc::clone(&log), Arc::clone(&store), meter.clone());
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let (shared, log, store) = (Arc::clone(&shared), Arc::clone(&logged), Arc::clone(&stored));
            let meter = metered.clone();
            async move {
                let request = received(request).await;
                log.lock().unwrap().push(request.clone());
                let (vendor, base) = &*shared;
                let planned = store.lock().unwrap().pop_front().flatten();
                let answer = planned.unwrap_or_else(|| match vendor.answer(&request, base) {
                    Ok(answer) | Err(answer) => answer,
                });
                // What has not changed is not counted.
                let passed = meter.filter(|_| answer.status != 304).map_or(Ok(()), |meter| {
                    meter.lock().unwrap().pass(&vendor.limits(&request))
                });
                let answer = match passed {
                    Err((limit, lasts)) => vendor.beyond(&limit, lasts),
                    Ok(()) => answer,
                };
                answer.response()
            }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            log,
            store,
            meter,
            server,
        }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the request after so many others like this.
    pub(crate) fn plan(&self, after: usize, answer: Answer) {
        let mut store = self.store.lock().unwrap();
        store.extend(std::iter::repeat_n(None, after));
        store.push_back(Some(answer));
    }

    /// How many requests were beyond a limit, since it was last asked for.
    pub(crate) fn take_refused(&self) -> usize {
        let refused = |meter: &Arc<Mutex<Meter>>| std::mem::take(&mut meter.lock().unwrap().refused);
        self.meter.as_ref().map_or(0, refused)
    }

    /// What was asked since it was last asked for.
    pub(crate) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

async fn received(request: axum::extract::Request) -> Request {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let query = parts.uri.query().unwrap_or_default();
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}
