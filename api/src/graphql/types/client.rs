//! A client.

use async_graphql::{Context, ID, Object, Result};
use serde_json::Value;

use super::{ClientStatus, DateTime, IntegrationConnection, SyncRunConnection, list_cost, page};
use crate::graphql::inputs::{IntegrationFilter, SyncRunFilter};

pub(crate) struct Client(pub(crate) engine::clients::Client);

impl From<engine::clients::Client> for Client {
    fn from(client: engine::clients::Client) -> Self {
        Self(client)
    }
}

/// One of the customers whose APIs are connected: the owner of integrations, runs and records.
#[Object]
impl Client {
    /// `cli_…`
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The caller's own identifier: unique, `[a-z0-9][a-z0-9-]{0,62}`. It never changes.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// For people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whatever the caller keeps with the client: an object, empty when nothing was given.
    async fn metadata(&self) -> &Value {
        &self.0.metadata
    }

    /// Whether it may work.
    async fn status(&self) -> ClientStatus {
        self.0.status.into()
    }

    /// The client's integrations, oldest first.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn integrations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
        #[graphql(desc = "Which ones; a clientId in it must be this client's")] filter: Option<
            IntegrationFilter,
        >,
    ) -> Result<IntegrationConnection> {
        let request = page(first, after, last, before)?;
        IntegrationConnection::of_client(ctx, self.0.id, filter, request).await
    }

    /// The client's runs, newest first.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn sync_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
        #[graphql(desc = "Which ones; a clientId in it must be this client's")] filter: Option<SyncRunFilter>,
    ) -> Result<SyncRunConnection> {
        let request = page(first, after, last, before)?;
        SyncRunConnection::of_client(ctx, self.0.id, filter, request).await
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When somebody last changed it, for `ifUpdatedAt`.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}
