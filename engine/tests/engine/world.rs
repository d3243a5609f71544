//! A small world of its own for each test: a database, an engine, a client, a connector, an integration.

use std::sync::Arc;
use std::time::Duration;

use connectors::read::ReadLimits;
use engine::access::{Credential, Holder, Rights};
use engine::clients::{Client, RegisterClient};
use engine::connectors::{ConnectorInfo, ConnectorRuntime, InstallConnector};
use engine::ids::{ApiKeyId, ClientId, IntegrationId, RunId};
use engine::integrations::{CreateIntegration, Integration, RetryInput};
use engine::protection::Protection;
use engine::runs::{SyncMode, SyncTrigger, TriggerSync};
use engine::{Actor, Engine, Outcome, RefusalCode};
use entity::{record, stream_state, sync_run};
use migration::{Migrator, MigratorTrait};
use platform::clock::{Clock, SystemClock};
use platform::coordination::MemoryCoordinator;
use platform::database::{Database, Durability, WriteTransaction};
use platform::http_client::{HttpClient, HttpLimits, NetworkPolicy};
use platform::random::{SystemRandom, uuid_v7};
use platform::secrets::{Cipher, MasterKey};
use platform::settings::{DatabaseSettings, DatabaseUrl};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, NotSet, Set};
use serde_json::{Value, json};

/// Writes each test once, and runs it on both databases.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident: World) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($world: $crate::world::World) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                test($crate::world::World::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                let world = $crate::world::World::postgres().await;
                test(world).await;
            }
        }
    )+};
}
pub(crate) use on_both_databases;

pub(crate) const OPERATOR: Actor = Actor::Operator;

/// Whoever holds a key of this client that may do all that a client may.
pub(crate) fn holder_of(client: ClientId) -> Actor {
    Actor::Holder(Holder {
        client: Some(client),
        rights: Rights::all().of_a_client(),
        credential: Credential::Key(ApiKeyId::new(client.uuid())),
    })
}

pub(crate) const MANIFEST: &str = r#"
version: 7.0.0
type: DeclarativeSource
metadata:
  name: People API
check:
  type: CheckStream
  stream_names: [users]
streams:
  - type: DeclarativeStream
    name: users
    primary_key: [id]
    retriever: &retriever
      type: SimpleRetriever
      requester: &requester
        type: HttpRequester
        url_base: "{{ config['baseUrl'] }}"
        path: /users
        http_method: GET
        authenticator:
          type: ApiKeyAuthenticator
          api_token: "{{ config['apiKey'] }}"
          inject_into: { type: RequestOption, inject_into: header, field_name: X-Api-Key }
      record_selector:
        type: RecordSelector
        extractor: { type: DpathExtractor, field_path: [] }
    schema_loader: &schema
      type: InlineSchemaLoader
      schema: { type: object, properties: { id: { type: integer } } }
  - type: DeclarativeStream
    name: posts
    primary_key: [id]
    retriever: *retriever
    schema_loader: *schema
spec:
  type: Spec
  connection_specification:
    type: object
    required: [baseUrl, apiKey]
    properties:
      baseUrl: { type: string }
      apiKey: { type: string, airbyte_secret: true }
      note: { type: string }
"#;

pub(crate) struct World {
    pub(crate) engine: Engine,
    _directory: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(directory.path().join("syncline.db"));
        Self::on(url, Some(directory)).await
    }

    #[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
    pub(crate) async fn postgres() -> Self {
        let server = std::env::var("SYNCLINE_TEST_POSTGRES_URL").expect(
            "SYNCLINE_TEST_POSTGRES_URL names no PostgreSQL: run `scripts/test`, or `scripts/with-services cargo test`",
        );
        let name = format!("test_{}", uuid_v7(SystemClock.now(), &SystemRandom).simple());
        let admin = Database::connect(&DatabaseSettings::new(DatabaseUrl::parse(&server).unwrap()))
            .await
            .unwrap();
        admin
            .for_migration()
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        let mut url: url::Url = server.parse().unwrap();
        url.set_path(&name);
        Self::on(DatabaseUrl::parse(url.as_str()).unwrap(), None).await
    }

    async fn on(url: DatabaseUrl, directory: Option<tempfile::TempDir>) -> Self {
        let mut settings = DatabaseSettings::new(url);
        settings.max_connections = 6;
        settings.min_connections = 0;
        let db = Database::connect(&settings).await.unwrap();
        Migrator::up(db.for_migration(), None).await.unwrap();
        let (clock, random) = (SystemClock::shared(), SystemRandom::shared());
        let engine = Engine {
            db,
            clock: clock.clone(),
            coordinator: Arc::new(MemoryCoordinator::new(clock)),
            cipher: Arc::new(Cipher::new(MasterKey::generate(&*random), random.clone())),
            random,
            connectors: runtime(Protection::default()),
        };
        Self {
            engine,
            _directory: directory,
        }
    }

    /// The same world with other limits.
    pub(crate) fn protected(mut self, protection: Protection) -> Self {
        self.engine.connectors = runtime(protection);
        self
    }

    pub(crate) async fn client(&self, slug: &str) -> Client {
        let input = RegisterClient {
            slug: slug.to_owned(),
            name: format!("The {slug}"),
            metadata: None,
        };
        done(self.engine.clients().register(&OPERATOR, input).await.unwrap())
    }

    pub(crate) async fn connector(&self, slug: &str) -> ConnectorInfo {
        let input = InstallConnector {
            manifest: MANIFEST.to_owned(),
            slug: Some(slug.to_owned()),
        };
        done(self.engine.connectors().install(&OPERATOR, input).await.unwrap())
    }

    pub(crate) async fn integration(&self, client: ClientId, name: &str) -> Integration {
        done(
            self.engine
                .integrations()
                .create(&OPERATOR, create(client, name))
                .await
                .unwrap(),
        )
    }

    /// A client with one integration on the connector `people`.
    pub(crate) async fn furnished(&self) -> (Client, Integration) {
        self.connector("people").await;
        let client = self.client("acme").await;
        let integration = self.integration(client.id, "people").await;
        (client, integration)
    }

    pub(crate) async fn run(&self, integration: IntegrationId) -> RunId {
        let request = TriggerSync {
            integration_id: integration,
            idempotency_key: None,
            mode: SyncMode::Incremental,
            streams: None,
            trigger: SyncTrigger::Manual,
        };
        done(self.engine.runs().trigger(&OPERATOR, request).await.unwrap())
            .run
            .id
    }

    /// Changes a run's row as a worker would, and tells who listens.
    pub(crate) async fn set_run(&self, run: RunId, change: sync_run::ActiveModel) {
        let transaction = self.begin().await;
        sync_run::ActiveModel {
            id: Set(run),
            ..change
        }
        .update(&transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
        self.engine.notify(engine::topics::RUNS, &run.to_string()).await;
    }

    pub(crate) async fn begin(&self) -> WriteTransaction {
        self.engine.db.begin(Durability::Page).await.unwrap()
    }

    pub(crate) async fn stream(&self, integration: IntegrationId, stream: &str) -> i64 {
        let transaction = self.begin().await;
        let row = stream_state::ActiveModel {
            id: NotSet,
            integration_id: Set(integration),
            stream: Set(stream.to_owned()),
            state: Set(None),
            resume: Set(None),
            resume_run_id: Set(None),
            generation: Set(0),
            marking: Set(false),
            schema_watch: Set(None),
            validators: Set(None),
            updated_at: Set(self.engine.timestamp()),
        };
        let id = row.insert(&transaction).await.unwrap().id;
        transaction.commit().await.unwrap();
        id
    }

    /// Writes a record that came with this change of its integration.
    pub(crate) async fn record(
        &self,
        integration: IntegrationId,
        stream: i64,
        key: &str,
        change_number: i64,
    ) -> i64 {
        let transaction = self.begin().await;
        let now = self.engine.timestamp();
        let row = record::ActiveModel {
            id: NotSet,
            stream_id: Set(stream),
            key: Set(key.to_owned()),
            data: Set(json!({ "id": key, "text": "a\u{0}b" }).to_string()),
            hash: Set(vec![0; 16]),
            change_number: Set(change_number),
            change: Set(0),
            first_seen_at: Set(now),
            changed_at: Set(now),
            deleted_at: Set(None),
        };
        let id = row.insert(&transaction).await.unwrap().id;
        let counter = entity::integration::ActiveModel {
            id: Set(integration),
            change_counter: Set(change_number),
            ..Default::default()
        };
        counter.update(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
        id
    }

    /// Writes rows of any table.
    pub(crate) async fn insert<M, E>(&self, rows: Vec<M>)
    where
        M: IntoActiveModel<E::ActiveModel> + Send,
        E: EntityTrait,
        E::ActiveModel: Send,
    {
        let transaction = self.begin().await;
        let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
        E::insert_many(rows)
            .exec_without_returning(&transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }
}

fn runtime(protection: Protection) -> Arc<ConnectorRuntime> {
    let http = HttpClient::new(NetworkPolicy::default(), HttpLimits::default()).unwrap();
    Arc::new(ConnectorRuntime::new(
        http,
        SystemClock::shared(),
        SystemRandom::shared(),
        ReadLimits::default(),
        protection,
    ))
}

pub(crate) fn config() -> Value {
    json!({ "baseUrl": "https://people.example", "apiKey": "s3cret" })
}

pub(crate) fn create(client: ClientId, name: &str) -> CreateIntegration {
    CreateIntegration {
        client_id: client,
        connector: "people".to_owned(),
        name: name.to_owned(),
        config: config(),
        streams: None,
        schedule: None,
        retry: RetryInput::default(),
        requests_per_minute: None,
    }
}

pub(crate) fn done<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(done) => done,
        Outcome::Refused(refusals) => panic!("refused: {refusals:?}"),
    }
}

/// The code and the dotted field of each refusal.
pub(crate) fn refused<T: std::fmt::Debug>(outcome: &Outcome<T>) -> Vec<(RefusalCode, String)> {
    assert!(!outcome.refusals().is_empty(), "not refused: {outcome:?}");
    for refusal in outcome.refusals() {
        assert!(
            refusal.message.ends_with(['.', ')']) || refusal.message.contains("column"),
            "{refusal:?}"
        );
    }
    outcome
        .refusals()
        .iter()
        .map(|refusal| (refusal.code, refusal.field.join(".")))
        .collect()
}

pub(crate) fn new_id() -> uuid::Uuid {
    uuid_v7(SystemClock.now(), &SystemRandom)
}

/// What must happen soon.
pub(crate) async fn soon<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("it did not happen within 20 seconds")
}
