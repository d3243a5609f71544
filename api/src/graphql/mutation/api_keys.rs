//! Mutations of API keys.

use async_graphql::{Context, Object, Result};
use engine::Outcome;

use super::payloads::{CreateApiKeyPayload, RevokeApiKeyPayload, RotateApiKeyPayload};
use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::{CreateApiKeyInput, RevokeApiKeyInput, RotateApiKeyInput};

#[derive(Default)]
pub(crate) struct ApiKeyMutations;

#[Object]
impl ApiKeyMutations {
    /// Makes an API key. The secret is shown once.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key to be")] input: CreateApiKeyInput,
    ) -> Result<CreateApiKeyPayload> {
        let input = match input.into_engine() {
            Ok(input) => input,
            Err(refusal) => return Ok(Outcome::from(refusal).into()),
        };
        Ok(engine_of(ctx).api_keys().create(actor(ctx), input).await?.into())
    }

    /// Gives a key a new secret, which is shown once. The old secret stays valid for overlapSeconds; then it ends, also for
    /// connections that were opened with it.
    async fn rotate_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key")] input: RotateApiKeyInput,
    ) -> Result<RotateApiKeyPayload> {
        let input = match input.into_engine() {
            Ok(input) => input,
            Err(refusal) => return Ok(Outcome::from(refusal).into()),
        };
        Ok(engine_of(ctx).api_keys().rotate(actor(ctx), input).await?.into())
    }

    /// Ends a key at once, with the connections that were opened with it.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key")] input: RevokeApiKeyInput,
    ) -> Result<RevokeApiKeyPayload> {
        let id = match input.api_key_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx).api_keys().revoke(actor(ctx), id).await?.into())
    }
}
