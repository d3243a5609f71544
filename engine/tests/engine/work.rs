//! What a worker does, step by step: for tests that stop in between.

use std::time::Duration;

use engine::ids::{IntegrationId, RunId};
use engine::integrations::{CustomRetry, RetryInput, UpdateIntegration};
use engine::queue::{self, Claim, Claimer};
use engine::runs::{SyncMode, SyncRun, SyncTrigger, TriggerSync};
use engine::sync::{self, Settlement, StopSignals};
use entity::record;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::upstream::{Upstream, nothing_stops};
use crate::world::{OPERATOR, World, done};

pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// A lease that a test lets pass.
pub(crate) const BRIEF: Duration = Duration::from_millis(50);

pub(crate) fn request(integration: IntegrationId, mode: SyncMode) -> TriggerSync {
    TriggerSync {
        integration_id: integration,
        idempotency_key: None,
        mode,
        streams: None,
        trigger: SyncTrigger::Manual,
    }
}

impl World {
    pub(crate) async fn trigger(&self, integration: IntegrationId, mode: SyncMode) -> RunId {
        done(
            self.engine
                .runs()
                .trigger(&OPERATOR, request(integration, mode))
                .await
                .unwrap(),
        )
        .run
        .id
    }

    pub(crate) async fn claim(&self, lease: Duration) -> Option<Claim> {
        Claimer::new("worker", lease)
            .claim(&self.engine, 1)
            .await
            .unwrap()
            .pop()
    }

    pub(crate) async fn execute(&self, claim: &Claim, upstream: &Upstream) -> Settlement {
        sync::execute_from(&self.engine, claim, upstream, &nothing_stops()).await
    }

    /// Claims the one run that is there, executes and settles it.
    pub(crate) async fn work(&self, upstream: &Upstream, stop: &StopSignals) -> SyncRun {
        let claim = self.claim(LEASE).await.expect("a run to claim");
        let settlement = sync::execute_from(&self.engine, &claim, upstream, stop).await;
        queue::settle(&self.engine, &claim, &settlement).await.unwrap();
        self.shown(claim.id()).await
    }

    /// A run from its beginning to its end.
    pub(crate) async fn sync(
        &self,
        integration: IntegrationId,
        mode: SyncMode,
        upstream: &Upstream,
    ) -> SyncRun {
        let run = self.trigger(integration, mode).await;
        let shown = self.work(upstream, &nothing_stops()).await;
        assert_eq!(shown.id, run);
        shown
    }

    pub(crate) async fn shown(&self, run: RunId) -> SyncRun {
        self.engine.runs().find(&OPERATOR, run).await.unwrap().unwrap()
    }

    /// Waits until a run in its back-off may run.
    pub(crate) async fn due(&self) {
        while let Some(at) = queue::next_due(&self.engine).await.unwrap() {
            let wait = (at - self.engine.clock.now()).to_std().unwrap_or_default();
            self.engine.clock.sleep(wait + Duration::from_millis(1)).await;
        }
    }

    pub(crate) async fn retrying(&self, integration: IntegrationId, max_attempts: i32) {
        let custom = CustomRetry {
            max_attempts,
            base_delay_seconds: 0.001,
            max_delay_seconds: 0.002,
            factor: 1.0,
        };
        let change = UpdateIntegration {
            retry: RetryInput {
                policy: None,
                custom: Some(custom),
            },
            ..UpdateIntegration::of(integration)
        };
        done(
            self.engine
                .integrations()
                .update(&OPERATOR, change)
                .await
                .unwrap(),
        );
    }

    /// Every record, by key.
    pub(crate) async fn records(&self) -> Vec<record::Model> {
        record::Entity::find()
            .order_by_asc(record::Column::Key)
            .all(self.engine.db.reader())
            .await
            .unwrap()
    }

    pub(crate) async fn live_keys(&self) -> Vec<String> {
        let live = record::Entity::find().filter(record::Column::DeletedAt.is_null());
        let mut keys: Vec<String> = live
            .all(self.engine.db.reader())
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.key)
            .collect();
        keys.sort_by_key(|key| key.parse::<i64>().unwrap_or(0));
        keys
    }
}
