//! Mutations of clients.

use async_graphql::{Context, Object, Result};

use super::payloads::{ArchiveClientPayload, EraseClientPayload, RegisterClientPayload, UpdateClientPayload};
use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::{ArchiveClientInput, EraseClientInput, RegisterClientInput, UpdateClientInput};

#[derive(Default)]
pub(crate) struct ClientMutations;

#[Object]
impl ClientMutations {
    /// Registers a client: one of the customers whose APIs are to be connected.
    async fn register_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The client to be")] input: RegisterClientInput,
    ) -> Result<RegisterClientPayload> {
        Ok(engine_of(ctx)
            .clients()
            .register(actor(ctx), input.into_engine())
            .await?
            .into())
    }

    /// Changes a client's name or metadata.
    async fn update_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes")] input: UpdateClientInput,
    ) -> Result<UpdateClientPayload> {
        let change = match input.into_engine() {
            Ok(change) => change,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx).clients().update(actor(ctx), change).await?.into())
    }

    /// Erases a client and everything of it, for good: its integrations, runs, records, dead letters, keys, events. Its runs
    /// are stopped and its keys end at once; the rest is done in the background, and the erasure shows how far it is.
    /// Operators only.
    async fn erase_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The client")] input: EraseClientInput,
    ) -> Result<EraseClientPayload> {
        let request = match input.into_engine() {
            Ok(request) => request,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx)
            .erasures()
            .request(actor(ctx), request)
            .await?
            .into())
    }

    /// Archives a client: what it has stays, and nothing of it runs any more.
    async fn archive_client(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The client")] input: ArchiveClientInput,
    ) -> Result<ArchiveClientPayload> {
        let id = match input.client_id() {
            Ok(id) => id,
            Err(refusal) => return Ok(refusal.into()),
        };
        Ok(engine_of(ctx).clients().archive(actor(ctx), id).await?.into())
    }
}
