//! The commands against the sample API, over real HTTP.

use chrono::{DateTime, Utc};
use connectors::Connector;
use connectors::spec::Spec;
use platform::clock::ManualClock;
use serde_json::{Value, json};

use super::input::Wanted;
use super::read::{FileFolders, Reader};
use super::*;
use crate::arguments::ManifestArgument;
use crate::demo::upstream::{API_KEY, BoundUpstream, Upstream};

struct Sample {
    base_url: String,
    stop: CancellationToken,
}

impl Sample {
    /// The shop stands still at its opening.
    async fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let opened: DateTime<Utc> = "2026-06-15T12:00:00Z".parse().expect("a date");
        let bound = BoundUpstream::bind(0).await.expect("a port");
        let base_url = format!("http://{}", bound.address());
        let stop = CancellationToken::new();
        let upstream = Upstream::new(ManualClock::at(opened).shared(), opened, 0);
        tokio::spawn(bound.serve(upstream, stop.clone()));
        Self { base_url, stop }
    }

    async fn read(
        &self,
        stream: &str,
        state: Option<Value>,
        limit: Option<u64>,
        key: &str,
    ) -> (bool, Vec<Value>) {
        let connector = sample();
        let arguments = SourceArguments {
            manifest: ManifestArgument {
                manifest: "sample".into(),
            },
            config: None,
            allow_networks: Vec::new(),
            allow_folders: Vec::new(),
        };
        let mut bytes = Vec::new();
        let mut protocol = Protocol::new(&mut bytes, SystemClock::shared());
        let mut reader = Reader {
            connector: &connector,
            context: context(&arguments, self.stop.child_token()).expect("a context"),
            config: json!({ "base_url": self.base_url, "api_key": key }),
            limit,
            files: FileFolders::default(),
            protocol: &mut protocol,
        };
        let wanted = Wanted {
            stream: stream.to_owned(),
            full_refresh: false,
            selection: connectors::read::Selection::default(),
            include_files: None,
        };
        let succeeded = reader
            .stream(&wanted, state)
            .await
            .expect("a vector takes everything");
        protocol.flush().expect("a vector takes everything");
        drop(protocol);
        let text = String::from_utf8(bytes).expect("UTF-8");
        (
            succeeded,
            text.lines()
                .map(|line| serde_json::from_str(line).expect("JSON"))
                .collect(),
        )
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn sample() -> Connector {
    let shipped = connectors::catalog::shipped()
        .iter()
        .find(|shipped| shipped.slug == "sample")
        .expect("shipped");
    Connector::parse(shipped.yaml).expect("loads")
}

fn of<'a>(messages: &'a [Value], kind: &str) -> Vec<&'a Value> {
    messages
        .iter()
        .filter(|message| message["type"] == kind)
        .collect()
}

fn statuses(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .filter_map(|message| message.pointer("/trace/stream_status/status")?.as_str())
        .collect()
}

#[tokio::test]
async fn a_stream_is_read_to_its_end_and_a_second_read_resumes() {
    let sample = Sample::open().await;
    let (succeeded, first) = sample.read("orders", None, None, API_KEY).await;
    assert!(succeeded);
    assert_eq!(of(&first, "RECORD").len(), 240);
    assert_eq!(statuses(&first), ["STARTED", "RUNNING", "COMPLETE"]);
    let state = of(&first, "STATE").last().expect("a state")["state"]["stream"]["stream_state"].clone();
    assert!(state["updated_at"].is_string(), "{state}");

    let (succeeded, second) = sample.read("orders", Some(state.clone()), None, API_KEY).await;
    assert!(succeeded);
    assert_eq!(
        of(&second, "RECORD").len(),
        1,
        "the last change itself, since the window's ends belong to it"
    );
    assert_eq!(
        of(&second, "STATE").last().expect("a state")["state"]["stream"]["stream_state"],
        state
    );
}

#[tokio::test]
async fn a_stream_without_a_cursor_says_so_in_its_state() {
    let sample = Sample::open().await;
    let (_, messages) = sample.read("posts", None, None, API_KEY).await;
    assert_eq!(of(&messages, "RECORD").len(), 40);
    let state = &of(&messages, "STATE").last().expect("a state")["state"];
    assert_eq!(
        state["stream"]["stream_state"],
        json!({ protocol::NO_CURSOR: true })
    );
    assert_eq!(state["sourceStats"]["recordCount"], 40.0);
}

#[tokio::test]
async fn a_limit_stops_a_stream_and_leaves_no_state_behind() {
    let sample = Sample::open().await;
    let (succeeded, messages) = sample.read("posts", None, Some(3), API_KEY).await;
    assert!(succeeded);
    assert_eq!(of(&messages, "RECORD").len(), 3);
    assert_eq!(of(&messages, "STATE").len(), 0);
    assert_eq!(statuses(&messages), ["STARTED", "RUNNING", "INCOMPLETE"]);
}

#[tokio::test]
async fn a_refused_credential_is_an_error_for_who_configures() {
    let sample = Sample::open().await;
    let (succeeded, messages) = sample.read("orders", None, None, "wrong").await;
    assert!(!succeeded);
    let error = messages
        .iter()
        .find_map(|message| message.pointer("/trace/error"))
        .expect("an error");
    assert_eq!(error["failure_type"], "config_error");
    assert_eq!(error["stream_descriptor"]["name"], "orders");
    assert_eq!(statuses(&messages), ["STARTED", "INCOMPLETE"]);
}

#[test]
fn the_catalogue_has_the_references_fields() {
    let described: Vec<Value> = sample().streams().iter().map(discover::described).collect();
    let orders = described
        .iter()
        .find(|stream| stream["name"] == "orders")
        .expect("orders");
    assert_eq!(
        orders["supported_sync_modes"],
        json!(["full_refresh", "incremental"])
    );
    assert_eq!(orders["default_cursor_field"], json!(["updated_at"]));
    assert_eq!(orders["source_defined_primary_key"], json!([["id"]]));
    let users = described
        .iter()
        .find(|stream| stream["name"] == "users")
        .expect("users");
    assert_eq!(users["supported_sync_modes"], json!(["full_refresh"]));
    assert_eq!(users["is_resumable"], false);
}

#[test]
fn the_specification_has_the_protocols_names() {
    let spec = Spec::new(
        json!({ "type": "object" }),
        Some("https://docs.example".to_owned()),
    )
    .expect("a schema");
    assert_eq!(
        spec::described(&spec),
        json!({ "connectionSpecification": { "type": "object" }, "documentationUrl": "https://docs.example" })
    );
    let yaml = "version: 7.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [items]}
streams:
  - type: DeclarativeStream
    name: items
    retriever:
      type: SimpleRetriever
      requester: {type: HttpRequester, url: \"https://api.example\"}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
spec:
  type: Spec
  connection_specification: {type: object}
  advanced_auth: {auth_flow_type: oauth2.0, predicate_key: [auth]}
";
    let connector = Connector::parse(yaml).expect("it loads");
    assert_eq!(
        spec::described(connector.spec()),
        json!({
            "connectionSpecification": { "type": "object" },
            "advanced_auth": { "auth_flow_type": "oauth2.0", "predicate_key": ["auth"] },
        })
    );
}
