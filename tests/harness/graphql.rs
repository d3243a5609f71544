//! A GraphQL client over plain HTTP, as small as a user's first script.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::eventually;

/// A client of one server.
#[derive(Clone)]
pub struct GraphQl {
    address: SocketAddr,
    http: reqwest::Client,
    key: Option<String>,
}

/// A sync run as the API shows it, with everything a test asks about.
pub type Run = Value;

const RUN: &str = "id status attempt maxAttempts trigger mode waitReason queuedAt startedAt finishedAt heldDeletions \
    progress { requests pages recordsRead recordsAdded recordsUpdated recordsUnchanged recordsDeleted recordsFailed bytesRead } \
    streams { stream status progress { recordsRead recordsAdded } cursor } \
    error { kind code message retryable httpStatus url stream } \
    attempts { number startedAt finishedAt worker error { kind code message } }";

impl GraphQl {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self {
            address,
            http,
            key: None,
        }
    }

    /// With an operator key, or an API key, or a token.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// GETs a path.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn get(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        let mut request = self.http.get(format!("http://{}{path}", self.address));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        request.send().await
    }

    /// The whole answer, errors included.
    ///
    /// # Panics
    /// When the server does not answer with JSON.
    pub async fn answer(&self, query: &str, variables: Value) -> Value {
        self.try_answer(query, variables)
            .await
            .expect("the server answers with JSON")
    }

    /// The whole answer, errors included.
    ///
    /// # Errors
    /// When the server does not answer with JSON.
    pub async fn try_answer(&self, query: &str, variables: Value) -> reqwest::Result<Value> {
        let mut request = self
            .http
            .post(format!("http://{}/graphql", self.address))
            .json(&json!({ "query": query, "variables": variables }));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        request.send().await?.json().await
    }

    /// The answer as it came.
    ///
    /// # Panics
    /// When there is none.
    pub async fn raw(&self, query: &str) -> String {
        let request = self.http.post(format!("http://{}/graphql", self.address));
        let mut request = request.json(&json!({ "query": query }));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.expect("the server answers");
        answer.text().await.expect("a whole answer")
    }

    /// The `data` of an answer without errors.
    ///
    /// # Panics
    /// When there are errors.
    pub async fn query(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.answer(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
        answer["data"].take()
    }

    /// One mutation's payload; `selection` is what is asked of it beside `userErrors`.
    pub async fn mutate(&self, name: &str, input_type: &str, input: Value, selection: &str) -> Value {
        let query = format!(
            "mutation($input: {input_type}!) {{ {name}(input: $input) {{ {selection} userErrors {{ code message field }} }} }}"
        );
        self.query(&query, json!({ "input": input })).await[name].take()
    }

    /// A mutation that must be accepted.
    ///
    /// # Panics
    /// When there are user errors.
    pub async fn accepted(&self, name: &str, input_type: &str, input: Value, selection: &str) -> Value {
        let payload = self.mutate(name, input_type, input, selection).await;
        assert_eq!(payload["userErrors"], json!([]), "{name}");
        payload
    }

    /// A mutation that must be refused; gives its user errors.
    ///
    /// # Panics
    /// When it was accepted.
    pub async fn refused(&self, name: &str, input_type: &str, input: Value) -> Vec<Value> {
        let payload = self.mutate(name, input_type, input, "__typename").await;
        let errors = payload["userErrors"].as_array().cloned().unwrap_or_default();
        assert!(!errors.is_empty(), "{name} was accepted: {payload}");
        errors
    }

    /// A registered client's id.
    pub async fn register_client(&self, slug: &str) -> String {
        let input = json!({ "slug": slug, "name": format!("Client {slug}") });
        text(
            &self
                .accepted("registerClient", "RegisterClientInput", input, "client { id }")
                .await["client"]["id"],
        )
    }

    /// An installed connector's slug.
    pub async fn install_connector(&self, slug: &str, manifest: &str) -> String {
        let input = json!({ "slug": slug, "manifest": manifest });
        let payload = self
            .accepted(
                "installConnector",
                "InstallConnectorInput",
                input,
                "connector { slug }",
            )
            .await;
        text(&payload["connector"]["slug"])
    }

    /// A created integration's id.
    pub async fn create_integration(&self, input: Value) -> String {
        let payload = self
            .accepted(
                "createIntegration",
                "CreateIntegrationInput",
                input,
                "integration { id }",
            )
            .await;
        text(&payload["integration"]["id"])
    }

    /// A triggered run's id.
    pub async fn trigger(&self, integration: &str) -> String {
        self.trigger_with(json!({ "integrationId": integration })).await
    }

    /// A run's id, triggered with more than the integration.
    pub async fn trigger_with(&self, input: Value) -> String {
        text(
            &self
                .accepted("triggerSync", "TriggerSyncInput", input, "run { id }")
                .await["run"]["id"],
        )
    }

    /// A run as it is now.
    ///
    /// # Panics
    /// When there is no such run.
    pub async fn run(&self, id: &str) -> Run {
        let run = self
            .query(
                &format!("query($id: ID!) {{ syncRun(id: $id) {{ {RUN} }} }}"),
                json!({ "id": id }),
            )
            .await["syncRun"]
            .take();
        assert!(!run.is_null(), "no run {id}");
        run
    }

    /// The run once it has ended.
    pub async fn finished(&self, id: &str) -> Run {
        eventually(&format!("run {id} ends"), || async {
            let run = self.run(id).await;
            (!run["finishedAt"].is_null()).then_some(run)
        })
        .await
    }

    /// Triggers, and waits for the end.
    pub async fn sync(&self, integration: &str) -> Run {
        let id = self.trigger(integration).await;
        self.finished(&id).await
    }

    /// Every live record's data of a stream, by key, read page by page as a consumer would.
    ///
    /// # Panics
    /// When a page cannot be read.
    pub async fn records(&self, integration: &str, stream: &str) -> Vec<Value> {
        let query = "query($id: ID!, $stream: String!, $after: String) { integration(id: $id) { \
            records(stream: $stream, first: 100, after: $after) { edges { node { key data change } } \
            pageInfo { hasNextPage endCursor } } } }";
        let mut after = Value::Null;
        let mut records = Vec::new();
        loop {
            let mut data = self
                .query(
                    query,
                    json!({ "id": integration, "stream": stream, "after": after }),
                )
                .await;
            let page = data["integration"]["records"].take();
            records.extend(
                page["edges"]
                    .as_array()
                    .expect("edges")
                    .iter()
                    .map(|edge| edge["node"].clone()),
            );
            if page["pageInfo"]["hasNextPage"] != true {
                return records;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
        .to_owned()
}
