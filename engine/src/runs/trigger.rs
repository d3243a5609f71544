//! Asking for a run.

use chrono::{DateTime, Utc};
use connectors::canonical;
use entity::sync_run::Model as Row;
use entity::{client, integration};
use serde_json::json;

use super::find::Runs;
use super::model::{SyncTrigger, TriggerSync, Triggered};
use crate::access::{Actor, Resource};
use crate::clients::ClientStatus;
use crate::idempotency::KEYS_HOLD;
use crate::ids::RunId;
use crate::integrations::RetryPolicy;
use crate::outcome::{Outcome, Refusal, RefusalCode};
use crate::queue::{NewRun, enqueue, told};
use crate::store::runs;
use crate::{Error, Result};

/// The longest idempotency key, in bytes.
const LONGEST_KEY: usize = 255;

impl Runs<'_> {
    /// Puts a run into the queue. A run that waits or runs already is no obstacle: the new one queues behind.
    ///
    /// For 24 hours the same key with the same input gives back the run that it made, whatever became of it,
    /// also to callers who ask at the same moment: the key is unique in the database, and whoever comes second waits
    /// there for the first one's commit.
    pub async fn trigger(&self, actor: &Actor, request: TriggerSync) -> Result<Outcome<Triggered>> {
        let scope = match actor.writes(Resource::Runs) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        if let Some(refusal) = request.idempotency_key.as_deref().and_then(check_key) {
            return Ok(refusal.into());
        }
        let hash = input_hash(&request)?;
        let transaction = self.0.begin_accepted().await?;
        let found = runs::integration(&transaction, scope, request.integration_id).await?;
        let Some((integration, client)) = found else {
            return Ok(Refusal::not_found("integration", "integrationId").into());
        };
        // A repeated request gets its answer even if a new one would be refused by now.
        if let Some(key) = &request.idempotency_key
            && let Some(earlier) = runs::find_by_key(&transaction, integration.id, key).await?
        {
            let queued: DateTime<Utc> = earlier.queued_at.into();
            if self.0.clock.now() - queued < KEYS_HOLD {
                transaction.rollback().await?;
                return self.repeated(earlier, &hash).await;
            }
            runs::release_key(&transaction, earlier.id).await?;
        }
        let streams = match self.refused(&integration, &client, request.streams.as_deref()) {
            Ok(streams) => streams,
            Err(refusals) => return Ok(Outcome::Refused(refusals)),
        };
        let new = NewRun {
            client_id: integration.client_id,
            integration_id: integration.id,
            trigger: request.trigger,
            mode: request.mode,
            streams,
            idempotency: request.idempotency_key.clone().map(|key| (key, hash.clone())),
            max_attempts: max_attempts(&integration),
            tick: None,
            not_before: self.0.clock.now(),
        };
        if let Some(run) = enqueue(&transaction, self.0, new).await? {
            transaction.commit().await?;
            told(self.0, &run).await;
            tracing::info!(run = %run.id, integration = %run.integration_id, client = %run.client_id, "run queued");
            return self.done(run, false).await;
        }
        // Somebody with the same key was faster by a moment, and has committed: the insert waited for that.
        let key = request.idempotency_key.unwrap_or_default();
        let earlier = runs::find_by_key(&transaction, integration.id, &key).await?;
        transaction.rollback().await?;
        let earlier = earlier.ok_or_else(|| Error::internal("a run was refused as a duplicate of none"))?;
        self.repeated(earlier, &hash).await
    }

    /// Puts an ended run into the queue once more, as a new run.
    pub async fn retry(&self, actor: &Actor, run: RunId) -> Result<Outcome<super::SyncRun>> {
        let scope = match actor.writes(Resource::Runs) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let transaction = self.0.begin_accepted().await?;
        let Some(row) = runs::find(&transaction, scope, run).await? else {
            return Ok(Refusal::not_found("run", "runId").into());
        };
        if !row.status.is_terminal() {
            let message = "The run has not ended; cancelSync ends it.";
            return Ok(Refusal::conflict(message, ["runId"]).into());
        }
        let found = runs::integration(&transaction, scope, row.integration_id).await?;
        let Some((integration, client)) = found else {
            return Ok(Refusal::conflict("Its integration was deleted.", ["runId"]).into());
        };
        let wanted: Vec<String> = serde_json::from_value(row.streams).unwrap_or_default();
        let streams = match self.refused(&integration, &client, Some(&wanted)) {
            Ok(streams) => streams,
            Err(refusals) => return Ok(Outcome::Refused(refusals)),
        };
        let new = NewRun {
            client_id: integration.client_id,
            integration_id: integration.id,
            trigger: SyncTrigger::Retry,
            mode: row.mode,
            streams,
            idempotency: None,
            max_attempts: max_attempts(&integration),
            tick: None,
            not_before: self.0.clock.now(),
        };
        let run = enqueue(&transaction, self.0, new).await?;
        let run = run.ok_or_else(|| Error::internal("a run without a key was refused as a duplicate"))?;
        transaction.commit().await?;
        told(self.0, &run).await;
        Ok(self.done(run, false).await?.map(|triggered| triggered.run))
    }

    /// The streams to read; or why the integration cannot run.
    fn refused(
        &self,
        integration: &integration::Model,
        client: &client::Model,
        wanted: Option<&[String]>,
    ) -> Result<Vec<String>, Vec<Refusal>> {
        let conflict = |message: &str| Err(vec![Refusal::conflict(message, ["integrationId"])]);
        if client.status == ClientStatus::Archived {
            return conflict("The client is archived; nothing of it runs any more.");
        }
        if integration.paused_for_credential {
            return conflict(
                "The integration is paused because the upstream refused its credential; \
                 correct it with updateIntegration, then call resumeIntegration.",
            );
        }
        if integration.paused_for_failure {
            return conflict(
                "The integration is paused because its runs failed repeatedly; resumeIntegration lets it run again.",
            );
        }
        if integration.paused_manually {
            return conflict("The integration is paused; resumeIntegration lets it run again.");
        }
        let has: Vec<String> = serde_json::from_value(integration.streams.clone()).unwrap_or_default();
        let Some(wanted) = wanted else { return Ok(has) };
        let unknown: Vec<&str> = wanted
            .iter()
            .filter(|name| !has.contains(name))
            .map(String::as_str)
            .collect();
        if wanted.is_empty() || !unknown.is_empty() {
            let message = format!(
                "streams must name at least one stream of the integration ({}); unknown: {}.",
                has.join(", "),
                if unknown.is_empty() {
                    "none".to_owned()
                } else {
                    unknown.join(", ")
                }
            );
            return Err(vec![Refusal::invalid(message, ["streams"])]);
        }
        let mut streams: Vec<String> = Vec::with_capacity(wanted.len());
        for name in wanted {
            if !streams.contains(name) {
                streams.push(name.clone());
            }
        }
        Ok(streams)
    }

    async fn repeated(&self, earlier: Row, hash: &[u8]) -> Result<Outcome<Triggered>> {
        if earlier.input_hash.as_deref() == Some(hash) {
            return self.done(earlier, true).await;
        }
        let message = "This idempotency key was used with another input; a new request needs a new key.";
        Ok(Refusal::new(RefusalCode::IdempotencyMismatch, message, ["idempotencyKey"]).into())
    }

    async fn done(&self, run: Row, deduplicated: bool) -> Result<Outcome<Triggered>> {
        let shown = self.shown(vec![run]).await?.pop();
        let run = shown.ok_or_else(|| Error::internal("a run is not shown"))?;
        Ok(Outcome::Done(Triggered { run, deduplicated }))
    }
}

/// How many attempts a run of the integration has.
pub(crate) fn max_attempts(integration: &integration::Model) -> i32 {
    let policy: RetryPolicy = serde_json::from_value(integration.retry.clone()).unwrap_or_default();
    policy.max_attempts
}

fn check_key(key: &str) -> Option<Refusal> {
    let usable = !key.is_empty() && key.len() <= LONGEST_KEY && !key.chars().any(char::is_control);
    let message = format!("An idempotency key is 1 to {LONGEST_KEY} bytes, without control characters.");
    (!usable).then(|| Refusal::invalid(message, ["idempotencyKey"]))
}

/// What "the same input" means: everything the caller said but the key, in canonical form.
fn input_hash(request: &TriggerSync) -> Result<Vec<u8>> {
    let input = json!({
        "integrationId": request.integration_id, "mode": request.mode, "streams": request.streams,
        "trigger": request.trigger,
    });
    Ok(
        canonical::hash(&input.to_string(), request.integration_id.uuid().as_bytes())
            .map_err(|error| Error::internal(error.to_string()))?
            .to_vec(),
    )
}
