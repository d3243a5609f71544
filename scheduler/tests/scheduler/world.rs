//! A database, an engine, an upstream, and schedulers that come and go.

use std::sync::Arc;
use std::time::Duration;

use connectors::read::ReadLimits;
use engine::clients::RegisterClient;
use engine::connectors::{ConnectorRuntime, InstallConnector};
use engine::ids::{ClientId, IntegrationId, RunId};
use engine::integrations::{CreateIntegration, RetryInput};
use engine::protection::Protection;
use engine::runs::{SyncMode, SyncRun, SyncRunFilter, SyncTrigger, TriggerSync};
use engine::{Actor, Engine, Outcome, PageRequest};
use migration::{Migrator, MigratorTrait};
use platform::clock::{SharedClock, SystemClock};
use platform::coordination::MemoryCoordinator;
use platform::database::Database;
use platform::http_client::{HttpClient, HttpLimits, NetworkPolicy};
use platform::random::SystemRandom;
use platform::secrets::{Cipher, MasterKey};
use platform::settings::{DatabaseSettings, RetentionSettings, WorkerSettings};
use platform::shutdown::Shutdown;
use scheduler::SchedulerSettings;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::upstream::Upstream;

pub(crate) const OPERATOR: Actor = Actor::Operator;

const MANIFEST: &str = r#"
version: 7.0.0
type: DeclarativeSource
check:
  type: CheckStream
  stream_names: [users]
streams:
  - type: DeclarativeStream
    name: users
    primary_key: [id]
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: "{{ config['base'] }}"
        path: "/{{ config['path'] }}"
        http_method: GET
      paginator:
        type: DefaultPaginator
        page_token_option: { type: RequestOption, inject_into: request_parameter, field_name: page }
        pagination_strategy: { type: PageIncrement, page_size: 3, start_from_page: 1, inject_on_first_request: true }
      record_selector:
        type: RecordSelector
        extractor: { type: DpathExtractor, field_path: [] }
    schema_loader:
      type: InlineSchemaLoader
      schema: { type: object, properties: { id: { type: integer } } }
spec:
  type: Spec
  connection_specification:
    type: object
    required: [base, path]
    properties:
      base: { type: string }
      path: { type: string }
"#;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) upstream: Upstream,
    client: ClientId,
    _directory: tempfile::TempDir,
}

pub(crate) struct Running {
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.drain();
        self.ended().await;
    }

    pub(crate) async fn abort(self) {
        self.shutdown.abort();
        self.ended().await;
    }

    async fn ended(self) {
        tokio::time::timeout(Duration::from_secs(20), self.task)
            .await
            .expect("it did not stop")
            .unwrap();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_clock(SystemClock::shared()).await
    }

    pub(crate) async fn with_clock(clock: SharedClock) -> Self {
        let upstream = Upstream::start().await;
        let directory = tempfile::tempdir().unwrap();
        let mut settings = DatabaseSettings::sqlite(directory.path().join("syncline.db"));
        settings.max_connections = 6;
        let db = Database::connect(&settings).await.unwrap();
        Migrator::up(db.for_migration(), None).await.unwrap();
        let random = SystemRandom::shared();
        let policy = NetworkPolicy {
            allow_addresses: vec![upstream.address],
            ..NetworkPolicy::default()
        };
        let http = HttpClient::new(policy, HttpLimits::default()).unwrap();
        let runtime = ConnectorRuntime::new(
            http,
            clock.clone(),
            random.clone(),
            ReadLimits::default(),
            Protection::default(),
        );
        let engine = Engine {
            db,
            clock: clock.clone(),
            coordinator: Arc::new(MemoryCoordinator::new(clock)),
            cipher: Arc::new(Cipher::new(MasterKey::generate(&*random), random.clone())),
            random,
            connectors: Arc::new(runtime),
        };
        let install = InstallConnector {
            manifest: MANIFEST.to_owned(),
            slug: Some("people".to_owned()),
        };
        done(engine.connectors().install(&OPERATOR, install).await.unwrap());
        let client = RegisterClient {
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            metadata: None,
        };
        let client = done(engine.clients().register(&OPERATOR, client).await.unwrap()).id;
        Self {
            engine,
            upstream,
            client,
            _directory: directory,
        }
    }

    /// The same database from a process whose notices nobody here hears.
    pub(crate) fn elsewhere(&self) -> Engine {
        let coordinator = Arc::new(MemoryCoordinator::new(self.engine.clock.clone()));
        Engine {
            coordinator,
            ..self.engine.clone()
        }
    }

    pub(crate) async fn start(&self, name: &str) -> Running {
        let shutdown = Shutdown::new();
        let settings = SchedulerSettings {
            name: name.to_owned(),
            worker: WorkerSettings {
                workers: 1,
                lease_seconds: 5,
            },
            retention: RetentionSettings::default(),
        };
        let running = scheduler::run(self.engine.clone(), settings, shutdown.clone());
        let task = tokio::spawn(async move { running.await.unwrap() });
        Running { shutdown, task }
    }

    /// An integration that reads this path of the upstream.
    pub(crate) async fn integration(&self, path: &str) -> IntegrationId {
        let input = CreateIntegration {
            client_id: self.client,
            connector: "people".to_owned(),
            name: path.to_owned(),
            config: json!({ "base": format!("http://{}", self.upstream.address), "path": path }),
            streams: None,
            schedule: None,
            retry: RetryInput::default(),
            requests_per_minute: None,
        };
        done(self.engine.integrations().create(&OPERATOR, input).await.unwrap()).id
    }

    pub(crate) async fn trigger(&self, integration: IntegrationId) -> RunId {
        Self::trigger_through(&self.engine, integration).await
    }

    pub(crate) async fn trigger_through(engine: &Engine, integration: IntegrationId) -> RunId {
        let request = TriggerSync {
            integration_id: integration,
            idempotency_key: None,
            mode: SyncMode::Incremental,
            streams: None,
            trigger: SyncTrigger::Manual,
        };
        done(engine.runs().trigger(&OPERATOR, request).await.unwrap())
            .run
            .id
    }

    /// Waits until this is so.
    pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
        for _ in 0..2_000 {
            if is_so() {
                return;
            }
            SystemClock::shared().sleep(Duration::from_millis(5)).await;
        }
        panic!("it did not come about");
    }

    /// Waits until this is so of a run.
    pub(crate) async fn seen(&self, run: RunId, is_so: impl Fn(&SyncRun) -> bool) -> SyncRun {
        for _ in 0..2_000 {
            let found = self.engine.runs().find(&OPERATOR, run).await.unwrap().unwrap();
            if is_so(&found) {
                return found;
            }
            SystemClock::shared().sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come about");
    }

    /// Waits until the newest run has ended.
    pub(crate) async fn ended(&self) -> SyncRun {
        for _ in 0..2_000 {
            let page = PageRequest::first(1);
            let runs = self
                .engine
                .runs()
                .list(&OPERATOR, &SyncRunFilter::default(), &page)
                .await
                .unwrap();
            if let Some(run) = runs.into_items().next().filter(|run| run.status.is_terminal()) {
                return run;
            }
            SystemClock::shared().sleep(Duration::from_millis(10)).await;
        }
        panic!("the run did not end");
    }
}

pub(crate) fn done<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(done) => done,
        Outcome::Refused(refusals) => panic!("refused: {refusals:?}"),
    }
}
