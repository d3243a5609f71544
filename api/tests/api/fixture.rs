//! A server over an empty database, and what tests put into it.

use std::net::SocketAddr;
use std::sync::Arc;

use connectors::read::ReadLimits;
use engine::Engine;
use engine::connectors::ConnectorRuntime;
use engine::protection::Protection;
use migration::{Migrator, MigratorTrait};
use platform::clock::{SharedClock, SystemClock};
use platform::coordination::MemoryCoordinator;
use platform::database::Database;
use platform::http_client::{HttpClient, HttpLimits, NetworkPolicy};
use platform::random::SystemRandom;
use platform::secrets::{Cipher, MasterKey, SecretString};
use platform::settings::{DatabaseSettings, ServerSettings};
use platform::shutdown::Shutdown;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wire::{self, Answer};

pub(crate) struct Fixture {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    pub(crate) shutdown: Shutdown,
    _folder: TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.abort();
    }
}

pub(crate) const MANIFEST: &str = r#"
version: 6.0.0
type: DeclarativeSource
metadata: { name: people }
check: { type: CheckStream, stream_names: [people] }
streams:
  - type: DeclarativeStream
    name: people
    primary_key: id
    retriever:
      type: SimpleRetriever
      requester: { type: HttpRequester, url_base: "https://api.example", path: /people }
      record_selector: { type: RecordSelector, extractor: { type: DpathExtractor, field_path: [] } }
    schema_loader: { type: InlineSchemaLoader, schema: { type: object, properties: { id: { type: integer } } } }
spec:
  type: Spec
  connection_specification:
    type: object
    required: [api_key]
    properties: { api_key: { type: string, airbyte_secret: true } }
"#;

impl Fixture {
    /// On loopback, without a key.
    pub(crate) async fn start() -> Self {
        Self::with(ServerSettings::default()).await
    }

    /// With an operator key.
    pub(crate) async fn guarded(key: &str) -> Self {
        Self::with(ServerSettings {
            operator_key: Some(SecretString::from(key)),
            ..ServerSettings::default()
        })
        .await
    }

    pub(crate) async fn with(settings: ServerSettings) -> Self {
        Self::on(settings, Arc::new(SystemClock)).await
    }

    /// On a clock of the test's own.
    pub(crate) async fn on(settings: ServerSettings, clock: SharedClock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(&folder, clock).await;
        let shutdown = Shutdown::new();
        let settings = ServerSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            ..settings
        };
        let server = api::Server::bind(engine.clone(), &settings, shutdown.clone())
            .await
            .unwrap();
        let address = server.address();
        tokio::spawn(server.serve());
        Self {
            address,
            engine,
            shutdown,
            _folder: folder,
        }
    }

    /// Sends a document, and gives the answer's JSON.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Value {
        let answer = self
            .post(&json!({ "query": query, "variables": variables }))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Sends a document that must do without errors, and gives its data.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(query, variables).await;
        assert_eq!(answer.get("errors"), None, "{answer}");
        answer["data"].take()
    }

    pub(crate) async fn post(&self, body: &Value) -> Answer {
        wire::post(self.address, "/graphql", &[], body.to_string().as_bytes()).await
    }

    /// A client, and its id.
    pub(crate) async fn client(&self, slug: &str) -> String {
        let query = "mutation ($input: RegisterClientInput!) { registerClient(input: $input) { client { id } userErrors { code message } } }";
        let data = self
            .data(query, json!({ "input": { "slug": slug, "name": slug } }))
            .await;
        text(&data["registerClient"]["client"]["id"])
    }

    /// The connector `people`.
    pub(crate) async fn connector(&self) {
        let query = "mutation ($input: InstallConnectorInput!) { installConnector(input: $input) { connector { slug version } userErrors { code message } } }";
        let data = self
            .data(
                query,
                json!({ "input": { "manifest": MANIFEST, "slug": "people" } }),
            )
            .await;
        assert_eq!(data["installConnector"]["connector"]["slug"], "people", "{data}");
    }

    /// An integration of the client on `people`, and its id.
    pub(crate) async fn integration(&self, client: &str, name: &str) -> String {
        let query = "mutation ($input: CreateIntegrationInput!) { createIntegration(input: $input) { integration { id } userErrors { code message field } } }";
        let input = json!({ "clientId": client, "connector": "people", "name": name, "config": { "api_key": "s3cret-value" } });
        let data = self.data(query, json!({ "input": input })).await;
        text(&data["createIntegration"]["integration"]["id"])
    }

    /// A run of the integration, and its id. Nothing works here, so it stays queued.
    pub(crate) async fn run(&self, integration: &str) -> String {
        let query = "mutation ($input: TriggerSyncInput!) { triggerSync(input: $input) { run { id } userErrors { code message } } }";
        let data = self
            .data(query, json!({ "input": { "integrationId": integration } }))
            .await;
        text(&data["triggerSync"]["run"]["id"])
    }

    pub(crate) async fn cancel(&self, run: &str) {
        let query = "mutation ($input: CancelSyncInput!) { cancelSync(input: $input) { run { status } userErrors { code message } } }";
        let data = self.data(query, json!({ "input": { "runId": run } })).await;
        assert_eq!(data["cancelSync"]["run"]["status"], "CANCELLED", "{data}");
    }
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
        .to_owned()
}

async fn engine(folder: &TempDir, clock: SharedClock) -> Engine {
    let random = SystemRandom::shared();
    let db = Database::connect(&DatabaseSettings::sqlite(folder.path().join("test.db")))
        .await
        .unwrap();
    Migrator::up(db.for_migration(), None).await.unwrap();
    let http = HttpClient::new(
        NetworkPolicy {
            // Issuers of tokens that tests start.
            allow_networks: vec!["127.0.0.1/32".parse().unwrap()],
            allow_addresses: Vec::new(),
        },
        HttpLimits::default(),
    )
    .unwrap();
    Engine {
        db,
        clock: clock.clone(),
        random: random.clone(),
        coordinator: Arc::new(MemoryCoordinator::new(clock.clone())),
        cipher: Arc::new(Cipher::new(MasterKey::generate(&*random), random.clone())),
        connectors: Arc::new(ConnectorRuntime::new(
            http,
            clock,
            random,
            ReadLimits::default(),
            Protection::default(),
        )),
    }
}
