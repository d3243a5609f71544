//! Batches: whatever an answer needs of one kind, at one depth, in one query.
//!
//! The loaders live as long as their request and keep nothing: a mutation's later fields, and a
//! subscription's later answers, must see what changed. They ask as the request's actor, so a batch can hold
//! only what that actor may see. Who runs them is in [`driver`].

mod driver;

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use engine::access::ApiKey;
use engine::clients::Client;
use engine::connectors::{ConnectorInfo, StreamChange};
use engine::deadletters::DeadLetter;
use engine::erasure::Erasure;
use engine::events::Event;
use engine::ids::{
    ApiKeyId, ClientId, ConnectorId, DeadLetterId, ErasureId, EventId, IntegrationId, RecordId, RunId,
};
use engine::integrations::{
    Integration, IntegrationFilter, IntegrationOrder, Schedule, SchemaDrift, SkippedTick,
};
use engine::protection::{CircuitState, RequestBudget};
use engine::records::{Record, RecordList};
use engine::runs::{LogEntry, LogLevel, StreamProgress, SyncAttempt, SyncRun, SyncRunFilter};
use engine::{Actor, Engine, Listing, Paged};

pub(crate) use self::driver::Driver;
use super::error::Shared;

/// The schedule of an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScheduleOf(pub(crate) IntegrationId);
/// The run of an integration that is running or comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ActiveRunOf(pub(crate) IntegrationId);
/// The run of an integration that ended last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LastRunOf(pub(crate) IntegrationId);
/// What is left of the requests of an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BudgetOf(pub(crate) IntegrationId);
/// The circuit of an integration's upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CircuitOf(pub(crate) IntegrationId);
/// What of an integration's streams is not as declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DriftOf(pub(crate) IntegrationId);
/// What a connector's version changes against the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChangesOf(pub(crate) ConnectorId);
/// The attempts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AttemptsOf(pub(crate) RunId);
/// The streams of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamsOf(pub(crate) RunId);

/// The number of runs that match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RunsCounted(pub(crate) SyncRunFilter);
/// The number of integrations that match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct IntegrationsCounted(pub(crate) IntegrationFilter);
/// A page of an integration's skipped ticks.
pub(crate) type SkippedTicks = Listing<IntegrationId>;
/// A page of a run's log, of lines at least so grave.
pub(crate) type Logs = Listing<(RunId, LogLevel)>;

/// A list of its own in a batch: a bad cursor is its error alone.
pub(crate) type Listed<T> = Result<Paged<T>, Shared>;

/// A request's loaders.
pub(crate) struct Loaders(pub(crate) DataLoader<Batch>);

impl Loaders {
    /// Whose batches the driver runs.
    pub(crate) fn new(engine: &Engine, actor: &Actor, driver: &Driver) -> Self {
        let driver = driver.clone();
        Self(DataLoader::new(
            Batch {
                engine: engine.clone(),
                actor: *actor,
            },
            move |batch| driver.spawn(batch),
        ))
    }
}

/// What a batch is asked with.
pub(crate) struct Batch {
    engine: Engine,
    actor: Actor,
}

macro_rules! loaders {
    ($($key:ty => $value:ty: |$engine:ident, $actor:ident, $keys:ident| $load:expr;)+) => {$(
        impl Loader<$key> for Batch {
            type Value = $value;
            type Error = Shared;

            async fn load(&self, $keys: &[$key]) -> Result<HashMap<$key, $value>, Shared> {
                let ($engine, $actor) = (&self.engine, &self.actor);
                $load.await.map_err(Arc::new)
            }
        }
    )+};
}

loaders! {
    ClientId => Client: |engine, actor, keys| engine.clients().by_ids(actor, keys);
    ConnectorId => ConnectorInfo: |engine, actor, keys| engine.connectors().by_ids(actor, keys);
    IntegrationId => Integration: |engine, actor, keys| engine.integrations().by_ids(actor, keys);
    RunId => SyncRun: |engine, actor, keys| engine.runs().by_ids(actor, keys);
    RecordId => Record: |engine, actor, keys| engine.records().by_ids(actor, keys);
    DeadLetterId => DeadLetter: |engine, actor, keys| engine.dead_letters().by_ids(actor, keys);
    ApiKeyId => ApiKey: |engine, actor, keys| engine.api_keys().by_ids(actor, keys);
    ErasureId => Erasure: |engine, actor, keys| engine.erasures().by_ids(actor, keys);
    EventId => Event: |engine, actor, keys| engine.events().by_ids(actor, keys);
    ScheduleOf => Schedule: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.integrations().schedules_for(actor, &ids).await?, ScheduleOf))
    };
    ActiveRunOf => SyncRun: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.integrations().active_runs(actor, &ids).await?, ActiveRunOf))
    };
    LastRunOf => SyncRun: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.integrations().last_runs(actor, &ids).await?, LastRunOf))
    };
    BudgetOf => RequestBudget: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.protections().budgets(actor, &ids).await?, BudgetOf))
    };
    CircuitOf => CircuitState: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.protections().circuits(actor, &ids).await?, CircuitOf))
    };
    DriftOf => Vec<SchemaDrift>: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.integrations().schema_drift(actor, &ids).await?, DriftOf))
    };
    ChangesOf => Vec<StreamChange>: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.connectors().changes_of(actor, &ids).await?, ChangesOf))
    };
    AttemptsOf => Vec<SyncAttempt>: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.runs().attempts_for(actor, &ids).await?, AttemptsOf))
    };
    StreamsOf => Vec<StreamProgress>: |engine, actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.runs().streams_for(actor, &ids).await?, StreamsOf))
    };
    Listing<IntegrationFilter> => Listed<Integration>: |engine, actor, keys| async {
        let order = IntegrationOrder::default();
        Ok(listed(keys, engine.integrations().lists(actor, order, keys).await?))
    };
    IntegrationsCounted => u64: |engine, actor, keys| async {
        let filters: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        Ok(pair(keys, engine.integrations().counts(actor, &filters).await?))
    };
    Listing<SyncRunFilter> => Listed<SyncRun>: |engine, actor, keys| async {
        Ok(listed(keys, engine.runs().lists(actor, keys).await?))
    };
    RunsCounted => u64: |engine, actor, keys| async {
        let filters: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        Ok(pair(keys, engine.runs().counts(actor, &filters).await?))
    };
    SkippedTicks => Listed<SkippedTick>: |engine, actor, keys| async {
        Ok(listed(keys, engine.integrations().skipped_ticks(actor, keys).await?))
    };
    Logs => Listed<LogEntry>: |engine, actor, keys| async {
        Ok(listed(keys, engine.runs().logs(actor, keys).await?))
    };
    Listing<RecordList> => Listed<Record>: |engine, actor, keys| async {
        Ok(listed(keys, engine.records().lists(actor, keys).await?))
    };
}

fn pair<K: Clone + Eq + std::hash::Hash, V>(keys: &[K], values: Vec<V>) -> HashMap<K, V> {
    keys.iter().cloned().zip(values).collect()
}

fn listed<F: Clone + Eq + std::hash::Hash, T>(
    keys: &[Listing<F>],
    pages: Vec<engine::Result<Paged<T>>>,
) -> HashMap<Listing<F>, Listed<T>> {
    let pages = pages.into_iter().map(|page| page.map_err(Arc::new));
    pair(keys, pages.collect())
}

fn rekey<A, B: Eq + std::hash::Hash, V>(found: HashMap<A, V>, key: impl Fn(A) -> B) -> HashMap<B, V> {
    found.into_iter().map(|(id, value)| (key(id), value)).collect()
}
