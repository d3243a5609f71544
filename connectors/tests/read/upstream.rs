//! A small HTTP server whose answers are a function of the request, and what a test needs around it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use connectors::Connector;
use connectors::read::{
    Checkpoint, Page, PageStream, ReadContext, ReadError, ReadLimits, ReadRequest, RetryMode, Selection,
};
use futures::StreamExt;
use platform::clock::SystemClock;
use platform::http_client::{HttpClient, HttpLimits, NetworkPolicy};
use platform::random::SystemRandom;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// A request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Path and query, as one comparable text.
    pub(crate) fn line(&self) -> String {
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        if query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, query.join("&"))
        }
    }
}

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Upstream {
    pub(crate) async fn start<F>(answer: F) -> Self
    where
        F: Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
    {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let router = axum::Router::new().fallback(move |request: Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let query = parts.uri.query().unwrap_or_default();
                let seen = Seen {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: url::form_urlencoded::parse(query.as_bytes())
                        .into_owned()
                        .collect(),
                    headers: parts
                        .headers
                        .iter()
                        .map(|(name, value)| {
                            (name.to_string(), value.to_str().unwrap_or_default().to_owned())
                        })
                        .collect(),
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
                log.lock().unwrap().push(seen.clone());
                answer(&seen)
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            seen,
            server,
        }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    pub(crate) fn context(&self) -> ReadContext {
        context(vec![self.address])
    }
}

pub(crate) fn context(allow_addresses: Vec<SocketAddr>) -> ReadContext {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let policy = NetworkPolicy {
        allow_networks: Vec::new(),
        allow_addresses,
    };
    let limits = HttpLimits {
        stall_timeout: Duration::from_secs(1),
        ..HttpLimits::default()
    };
    ReadContext {
        http: HttpClient::new(policy, limits).unwrap(),
        clock: SystemClock::shared(),
        random: SystemRandom::shared(),
        retry: RetryMode::LeaveToCaller,
        folders: Arc::from([]),
        gate: None,
        limits: ReadLimits {
            max_backoff: Duration::from_millis(5),
            ..ReadLimits::default()
        },
        cancel: CancellationToken::new(),
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

pub(crate) fn ok(body: &Value) -> Response<Body> {
    answer(200, body.to_string())
}

/// A manifest of streams, each written as the fields of a `DeclarativeStream`.
pub(crate) fn manifest(base: &str, streams: &str, check: &str) -> String {
    format!(
        r#"version: 6.0.0
type: DeclarativeSource
check:
  type: CheckStream
  stream_names: ["{check}"]
definitions:
  base: &base
    type: HttpRequester
    url_base: {base}
    http_method: GET
{streams}
spec:
  type: Spec
  connection_specification:
    type: object
    additionalProperties: true
    properties:
      api_key: {{type: string, airbyte_secret: true}}
      start: {{type: string}}
"#
    )
}

/// A manifest of one stream `items` whose retriever has these fields besides, and whose stream has those.
pub(crate) fn items(base: &str, path: &str, retriever: &str, stream: &str) -> String {
    let indent = |text: &str, by: usize| {
        text.lines()
            .map(|line| format!("{}{line}\n", " ".repeat(by)))
            .collect::<String>()
    };
    let streams = format!(
        r"streams:
  - type: DeclarativeStream
    name: items
    primary_key: id
{stream}
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: {base}
        path: {path}
        http_method: GET
      record_selector:
        type: RecordSelector
        extractor:
          type: DpathExtractor
          field_path: [data]
{retriever}
    schema_loader:
      type: InlineSchemaLoader
      schema: {{type: object, properties: {{}}}}
",
        stream = indent(stream, 4),
        retriever = indent(retriever, 6),
    );
    manifest(base, &streams, "items")
}

pub(crate) fn connector(yaml: &str) -> Connector {
    match Connector::parse(yaml) {
        Ok(connector) => connector,
        Err(errors) => panic!("{yaml}\n{errors:#?}"),
    }
}

pub(crate) fn request(config: Value, checkpoint: Checkpoint) -> ReadRequest {
    ReadRequest {
        stream: "items".to_owned(),
        config,
        checkpoint,
        full_refresh: false,
        selection: Selection::default(),
    }
}

pub(crate) async fn pages(mut stream: PageStream) -> Result<Vec<Page>, (Vec<Page>, ReadError)> {
    let mut pages = Vec::new();
    while let Some(page) = stream.next().await {
        match page {
            Ok(page) => pages.push(page),
            Err(error) => return Err((pages, error)),
        }
    }
    Ok(pages)
}

/// Reads `items` to the end.
pub(crate) async fn read_all(upstream: &Upstream, yaml: &str, config: Value) -> Vec<Page> {
    let stream = connector(yaml)
        .read(&upstream.context(), request(config, Checkpoint::default()))
        .unwrap();
    match pages(stream).await {
        Ok(pages) => pages,
        Err((_, error)) => panic!("{error}"),
    }
}

/// Reads `items` until it fails.
pub(crate) async fn read_error(upstream: &Upstream, yaml: &str) -> ReadError {
    match connector(yaml).read(&upstream.context(), request(json!({}), Checkpoint::default())) {
        Err(error) => error,
        Ok(stream) => pages(stream).await.expect_err("the read must fail").1,
    }
}

pub(crate) fn ids(pages: &[Page]) -> Vec<i64> {
    records(pages)
        .iter()
        .map(|record| record["id"].as_i64().unwrap())
        .collect()
}

pub(crate) fn records(pages: &[Page]) -> Vec<Value> {
    pages
        .iter()
        .flat_map(|page| &page.records)
        .map(|record| serde_json::from_str(record.json()).unwrap())
        .collect()
}

/// A checkpoint through text, as a database would keep it.
pub(crate) fn kept(checkpoint: &Checkpoint) -> Checkpoint {
    let through_text = |value: &Option<Value>| {
        value
            .as_ref()
            .map(|value| serde_json::from_str(&value.to_string()).unwrap())
    };
    Checkpoint {
        state: through_text(&checkpoint.state),
        resume: through_text(&checkpoint.resume),
    }
}

/// Cuts the read after every page, resumes from that page's checkpoint, and expects the same records and the
/// same final state as the read that was not cut.
pub(crate) async fn cut_everywhere(upstream: &Upstream, yaml: &str, config: Value, state: Option<Value>) {
    let connector = connector(yaml);
    let context = upstream.context();
    let begin = Checkpoint { state, resume: None };
    let whole = pages(connector.read(&context, request(config.clone(), begin)).unwrap())
        .await
        .unwrap();
    assert!(
        whole.last().is_some_and(|page| page.last),
        "the last page says so"
    );
    let expected = records(&whole);
    for cut in 0..whole.len() - 1 {
        assert!(!whole[cut].last);
        let checkpoint = kept(&whole[cut].checkpoint);
        let rest = connector
            .read(&context, request(config.clone(), checkpoint))
            .unwrap();
        let rest = pages(rest).await.unwrap();
        let mut got = records(&whole[..=cut]);
        got.extend(records(&rest));
        assert_eq!(got, expected, "cut after page {cut}");
        assert_eq!(
            without_lookback(rest.last().unwrap().checkpoint.state.clone()),
            without_lookback(whole.last().unwrap().checkpoint.state.clone()),
            "state, cut after page {cut}"
        );
        assert_eq!(rest.last().unwrap().checkpoint.resume, None);
    }
}

/// How long the run took is part of a partitioned state.
fn without_lookback(state: Option<Value>) -> Option<Value> {
    let mut state = state;
    if let Some(Value::Object(fields)) = &mut state {
        fields.remove("lookback_window");
    }
    state
}
