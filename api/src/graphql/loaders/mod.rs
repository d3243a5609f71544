//! Batches: whatever an answer needs of one kind, at one depth, in one query.
//!
//! The loaders live as long as their request and keep nothing: a mutation's later fields, and a
//! subscription's later answers, must see what changed. They ask as the request's actor, so a batch can hold
//! only what that actor may see.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use engine::clients::Client;
use engine::connectors::ConnectorInfo;
use engine::ids::{ClientId, ConnectorId, IntegrationId, RunId};
use engine::integrations::{Integration, Schedule};
use engine::runs::{StreamProgress, SyncAttempt, SyncRun};
use engine::{Actor, Engine};

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
/// The attempts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AttemptsOf(pub(crate) RunId);
/// The streams of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamsOf(pub(crate) RunId);

/// A request's loaders.
pub(crate) struct Loaders(pub(crate) DataLoader<Batch>);

impl Loaders {
    pub(crate) fn new(engine: &Engine, actor: &Actor) -> Self {
        Self(DataLoader::new(
            Batch {
                engine: engine.clone(),
                actor: *actor,
            },
            tokio::spawn,
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
    AttemptsOf => Vec<SyncAttempt>: |engine, _actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.runs().attempts_for(&ids).await?, AttemptsOf))
    };
    StreamsOf => Vec<StreamProgress>: |engine, _actor, keys| async {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        Ok(rekey(engine.runs().streams_for(&ids).await?, StreamsOf))
    };
}

fn rekey<A, B: Eq + std::hash::Hash, V>(found: HashMap<A, V>, key: impl Fn(A) -> B) -> HashMap<B, V> {
    found.into_iter().map(|(id, value)| (key(id), value)).collect()
}
