use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use connectors::Connector;
use connectors::read::{Gate, ReadContext, ReadLimits, RetryMode};
use platform::clock::SharedClock;
use platform::http_client::HttpClient;
use platform::random::SharedRandom;
use sea_orm::{ConnectionTrait, DbErr};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::ids::ConnectorId;
use crate::protection::Protection;
use crate::store::connectors as store;

/// How many plans are kept. A plan is some tens of kilobytes; more connectors than this in use at one time
/// cost compilations, not memory.
const KEPT: usize = 128;

/// A manifest that was installed and does not compile: this program is older than the one that installed it.
#[derive(Debug, thiserror::Error)]
#[error("the installed connector {id} cannot be used by this version: {fault}")]
pub struct PlanError {
    /// The connector.
    pub id: ConnectorId,
    /// The first fault.
    pub fault: String,
}

/// Reads other people's APIs: the guarded client, the limits, what protects them from us, and the compiled plans.
///
/// A version of a connector never changes, so what is compiled once stays right and nobody has to be told to
/// forget it.
pub struct ConnectorRuntime {
    http: HttpClient,
    clock: SharedClock,
    random: SharedRandom,
    limits: ReadLimits,
    protection: Protection,
    folders: Arc<[PathBuf]>,
    plans: Mutex<Plans>,
}

#[derive(Default)]
struct Plans {
    uses: u64,
    kept: HashMap<ConnectorId, (u64, Connector)>,
}

impl Plans {
    fn get(&mut self, id: ConnectorId) -> Option<Connector> {
        self.uses += 1;
        let (last_use, plan) = self.kept.get_mut(&id)?;
        *last_use = self.uses;
        Some(plan.clone())
    }

    fn keep(&mut self, id: ConnectorId, plan: Connector) {
        if self.kept.len() >= KEPT
            && let Some(oldest) = self
                .kept
                .iter()
                .min_by_key(|(_, (last_use, _))| *last_use)
                .map(|(id, _)| *id)
        {
            self.kept.remove(&oldest);
        }
        self.kept.insert(id, (self.uses, plan));
    }
}

impl ConnectorRuntime {
    /// A runtime that has compiled nothing yet.
    #[must_use]
    pub fn new(
        http: HttpClient,
        clock: SharedClock,
        random: SharedRandom,
        limits: ReadLimits,
        protection: Protection,
    ) -> Self {
        Self {
            http,
            clock,
            random,
            limits,
            protection,
            folders: Arc::from([]),
            plans: Mutex::default(),
        }
    }

    /// The same, with folders of this machine below which connectors may read files.
    #[must_use]
    pub fn with_folders(mut self, folders: &[PathBuf]) -> Self {
        self.folders = Arc::from(folders);
        self
    }

    /// The plan of an installed version, compiled if nobody has needed it before.
    pub async fn plan(&self, connection: &impl ConnectionTrait, id: ConnectorId) -> Result<Connector> {
        if let Some(plan) = self.plans().get(id) {
            return Ok(plan);
        }
        let manifest = store::manifest(connection, id).await?;
        let manifest = manifest.ok_or_else(|| DbErr::RecordNotFound(format!("connector {id}")))?;
        self.compile(id, &manifest)
    }

    /// The plan of this manifest, which is that of `id`.
    pub(crate) fn compile(&self, id: ConnectorId, manifest: &str) -> Result<Connector> {
        if let Some(plan) = self.plans().get(id) {
            return Ok(plan);
        }
        let plan = Connector::parse(manifest).map_err(|faults| {
            let fault = faults.first().map_or_else(String::new, ToString::to_string);
            Error::internal(PlanError { id, fault })
        })?;
        self.plans().keep(id, plan.clone());
        Ok(plan)
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, Plans> {
        // A plan that was being put there when somebody panicked is there or is not; both are right.
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guarded client: for calls to whomever else the settings name.
    #[must_use]
    pub fn http(&self) -> &HttpClient {
        &self.http
    }

    /// How much of them is let through.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// What a read or a check stands on.
    #[must_use]
    pub fn read_context(
        &self,
        retry: RetryMode,
        cancel: CancellationToken,
        gate: Option<Arc<dyn Gate>>,
    ) -> ReadContext {
        ReadContext {
            http: self.http.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            retry,
            folders: Arc::clone(&self.folders),
            gate,
            limits: self.limits,
            cancel,
        }
    }
}

impl fmt::Debug for ConnectorRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorRuntime")
            .field("plans", &self.plans().kept.len())
            .finish_non_exhaustive()
    }
}
