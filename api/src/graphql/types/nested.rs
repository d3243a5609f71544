//! Lists under something of which an answer has many: all of them are read together, through the loaders.

use async_graphql::{Context, Result};
use engine::ids::{ClientId, IntegrationId};
use engine::{Listing, PageRequest};

use super::{IntegrationConnection, SyncRunConnection, Total};
use crate::graphql::context::{loaders, owner};
use crate::graphql::inputs::{IntegrationFilter, SyncRunFilter};

/// Makes a filter name this parent; false when it names another, so that nothing can match.
fn bind<T: PartialEq + Copy>(named: &mut Option<T>, parent: T) -> bool {
    *named.get_or_insert(parent) == parent
}

impl IntegrationConnection {
    /// A client's integrations.
    pub(crate) async fn of_client(
        ctx: &Context<'_>,
        client: ClientId,
        filter: Option<IntegrationFilter>,
        page: PageRequest,
    ) -> Result<Self> {
        let filter = filter.unwrap_or_default().into_engine();
        let Some(mut of) = filter else {
            return Ok(Self::empty());
        };
        if !bind(&mut of.client_id, client) {
            return Ok(Self::empty());
        }
        let total = Total::Integrations(of.clone());
        let found = loaders(ctx).load_one(Listing { of, page }).await?;
        Ok(Self::new(owner(found)??, total))
    }
}

impl SyncRunConnection {
    /// A client's runs.
    pub(crate) async fn of_client(
        ctx: &Context<'_>,
        client: ClientId,
        filter: Option<SyncRunFilter>,
        page: PageRequest,
    ) -> Result<Self> {
        Self::nested(ctx, filter, page, |filter| bind(&mut filter.client_id, client)).await
    }

    /// An integration's runs.
    pub(crate) async fn of_integration(
        ctx: &Context<'_>,
        integration: IntegrationId,
        filter: Option<SyncRunFilter>,
        page: PageRequest,
    ) -> Result<Self> {
        let parent = |filter: &mut engine::runs::SyncRunFilter| bind(&mut filter.integration_id, integration);
        Self::nested(ctx, filter, page, parent).await
    }

    async fn nested(
        ctx: &Context<'_>,
        filter: Option<SyncRunFilter>,
        page: PageRequest,
        parent: impl FnOnce(&mut engine::runs::SyncRunFilter) -> bool,
    ) -> Result<Self> {
        let filter = filter.unwrap_or_default().into_engine();
        let Some(mut of) = filter else {
            return Ok(Self::empty());
        };
        if !parent(&mut of) {
            return Ok(Self::empty());
        }
        let total = Total::SyncRuns(of.clone());
        let found = loaders(ctx).load_one(Listing { of, page }).await?;
        Ok(Self::new(owner(found)??, total))
    }
}
