//! Ending integrations, and the runs of what has ended.

use entity::integration::ActiveModel;
use sea_orm::Set;
use serde_json::json;

use super::Integrations;
use crate::access::{Actor, Resource};
use crate::error::Result;
use crate::events::EventDraft;
use crate::ids::{IntegrationId, RunId};
use crate::outcome::{Outcome, Refusal};
use crate::store::{events, integrations as store, schedules};
use crate::{Engine, topics};

impl Integrations<'_> {
    /// Deletes an integration. Nothing finds it from here on and nothing of it runs; its rows go in the
    /// background, since a million records are not deleted while a caller waits.
    pub async fn delete(&self, actor: &Actor, id: IntegrationId) -> Result<Outcome<IntegrationId>> {
        let scope = match actor.writes(Resource::Integrations) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let transaction = self.0.begin_accepted().await?;
        let Some(row) = store::lock(&transaction, scope, id).await? else {
            return Ok(Refusal::not_found("integration", "integrationId").into());
        };
        let now = self.0.timestamp();
        let change = ActiveModel {
            id: Set(id),
            deleted_at: Set(Some(now)),
            paused_manually: Set(true),
            secrets: Set(None),
            updated_at: Set(now),
            ..ActiveModel::default()
        };
        store::update(&transaction, change).await?;
        schedules::remove(&transaction, id).await?;
        let draft = EventDraft::about("integration.deleted", id, Some(row.client_id));
        events::append(&transaction, self.0, draft.with(json!({ "name": row.name }))).await?;
        transaction.commit().await?;
        self.0.notify(topics::INTEGRATIONS, &id.to_string()).await;
        self.0.notify(topics::EVENTS, "").await;
        cancel(self.0, store::unfinished_runs(self.0.db.reader(), id).await?).await?;
        Ok(Outcome::Done(id))
    }
}

/// Cancels these runs. One that ends by itself meanwhile is as good.
pub(crate) async fn cancel(engine: &Engine, runs: Vec<RunId>) -> Result<()> {
    for run in runs {
        if let Outcome::Refused(refusals) = engine.runs().cancel(&Actor::System, run).await? {
            tracing::debug!(%run, ?refusals, "a run of what has ended was not cancelled");
        }
    }
    Ok(())
}
