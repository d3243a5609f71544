//! Mutations of integrations.

use async_graphql::{Context, Object, Result};
use engine::Outcome;

use super::payloads::{
    CheckIntegrationPayload, CreateIntegrationPayload, DeleteIntegrationPayload, PauseIntegrationPayload,
    ResumeIntegrationPayload, UpdateIntegrationPayload,
};
use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::{
    CheckIntegrationInput, CreateIntegrationInput, DeleteIntegrationInput, PauseIntegrationInput,
    ResumeIntegrationInput, UpdateIntegrationInput,
};

#[derive(Default)]
pub(crate) struct IntegrationMutations;

#[Object]
impl IntegrationMutations {
    /// Connects a client to an API. Validates config against the connector's configSchema; never calls the
    /// upstream: checkIntegration does.
    async fn create_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration to be")] input: CreateIntegrationInput,
    ) -> Result<CreateIntegrationPayload> {
        let request = match input.into_engine() {
            Ok(request) => request,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx)
            .integrations()
            .create(actor(ctx), request)
            .await?
            .into())
    }

    /// Changes an integration. Absent fields stay; a secret field that is absent, or comes back masked, keeps
    /// its value.
    async fn update_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes")] input: UpdateIntegrationInput,
    ) -> Result<UpdateIntegrationPayload> {
        let change = match input.into_engine() {
            Ok(change) => change,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx)
            .integrations()
            .change(actor(ctx), change)
            .await?
            .into())
    }

    /// Deletes an integration: its runs are cancelled, it no longer appears.
    async fn delete_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration")] input: DeleteIntegrationInput,
    ) -> Result<DeleteIntegrationPayload> {
        let id = match input.integration_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(Outcome::from(refusal).into()),
        };
        let outcome = engine_of(ctx).integrations().delete(actor(ctx), id).await?;
        Ok(outcome.map(|_| id.to_string().into()).into())
    }

    /// Tries the connection now.
    async fn check_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration")] input: CheckIntegrationInput,
    ) -> Result<CheckIntegrationPayload> {
        let id = match input.integration_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(Outcome::from(refusal).into()),
        };
        Ok(engine_of(ctx).integrations().check(actor(ctx), id).await?.into())
    }

    /// Pauses an integration by hand: runs that wait go on waiting, a running one finishes.
    async fn pause_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration")] input: PauseIntegrationInput,
    ) -> Result<PauseIntegrationPayload> {
        let id = match input.integration_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx).integrations().pause(actor(ctx), id).await?.into())
    }

    /// Clears every reason to pause, also those that the server set.
    async fn resume_integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The integration")] input: ResumeIntegrationInput,
    ) -> Result<ResumeIntegrationPayload> {
        let id = match input.integration_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx).integrations().resume(actor(ctx), id).await?.into())
    }
}
