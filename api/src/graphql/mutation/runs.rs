//! Mutations of runs.

use async_graphql::{Context, Object, Result};
use engine::Outcome;

use super::payloads::{ApproveDeletionsPayload, CancelSyncPayload, RetrySyncPayload, TriggerSyncPayload};
use crate::graphql::context::{actor, engine_of};
use crate::graphql::executor::RunKey;
use crate::graphql::inputs::{ApproveDeletionsInput, CancelSyncInput, RetrySyncInput, TriggerSyncInput};

#[derive(Default)]
pub(crate) struct RunMutations;

#[Object]
impl RunMutations {
    /// Asks for a run now. For 24 hours the same idempotencyKey with the same input gives back the same run, also
    /// when asked concurrently; with another input: userError IDEMPOTENCY_MISMATCH. In a request of this field alone,
    /// the header Idempotency-Key stands for it.
    async fn trigger_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run to be")] input: TriggerSyncInput,
    ) -> Result<TriggerSyncPayload> {
        let mut request = match input.into_engine() {
            Ok(request) => request,
            Err(refusal) => return Ok(Outcome::from(refusal).into()),
        };
        if let (None, Some(RunKey(key))) = (&request.idempotency_key, ctx.data_opt()) {
            request.idempotency_key = Some(key.clone());
        }
        Ok(engine_of(ctx).runs().trigger(actor(ctx), request).await?.into())
    }

    /// Cancels a run that waits or runs: within a second, keeping what was committed.
    async fn cancel_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run")] input: CancelSyncInput,
    ) -> Result<CancelSyncPayload> {
        let id = match input.run_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx).runs().cancel(actor(ctx), id).await?.into())
    }

    /// Asks for an ended run once more, as a new run.
    async fn retry_sync(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run")] input: RetrySyncInput,
    ) -> Result<RetrySyncPayload> {
        let id = match input.run_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx).runs().retry(actor(ctx), id).await?.into())
    }

    /// Lets a full refresh delete although the share was suspicious.
    async fn approve_deletions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run")] input: ApproveDeletionsInput,
    ) -> Result<ApproveDeletionsPayload> {
        let id = match input.run_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx)
            .runs()
            .approve_deletions(actor(ctx), id)
            .await?
            .into())
    }
}
