//! Connectors.

use async_graphql::{Context, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::types::{Connector, ConnectorComparison, ConnectorConnection, Total, list_cost, page};

#[derive(Default)]
pub(crate) struct ConnectorQueries;

#[Object]
impl ConnectorQueries {
    /// The latest version of a connector; null when none is installed under this name.
    async fn connector(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its name")] slug: String,
    ) -> Result<Option<Connector>> {
        Ok(engine_of(ctx)
            .connectors()
            .find_by_slug(actor(ctx), &slug)
            .await?
            .map(Connector))
    }

    /// The versions of a connector, newest first; empty when none is installed under this name.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn connector_versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The connector's name")] slug: String,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
    ) -> Result<ConnectorConnection> {
        let request = page(first, after, last, before)?;
        let found = engine_of(ctx)
            .connectors()
            .versions(actor(ctx), &slug, &request)
            .await?;
        Ok(ConnectorConnection::new(found, Total::ConnectorVersions(slug)))
    }

    /// What one version of a connector changes against another; null when one of them does not exist. Whether an
    /// integration fits the new version is told by updateIntegration with dryRun.
    #[graphql(complexity = "child_complexity.saturating_mul(10).saturating_add(10).min(1_000_000_000)")]
    async fn connector_comparison(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The connector's name")] slug: String,
        #[graphql(desc = "The version that is there")] from: String,
        #[graphql(desc = "The version that would be; the latest when not given")] to: Option<String>,
    ) -> Result<Option<ConnectorComparison>> {
        let compared = engine_of(ctx)
            .connectors()
            .compare(actor(ctx), &slug, &from, to.as_deref())
            .await?;
        Ok(compared.map(ConnectorComparison::from))
    }

    /// The latest version of each connector, by name.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn connectors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
        #[graphql(desc = "Only those whose slug or title contains this, whatever the case of its letters")]
        search: Option<String>,
    ) -> Result<ConnectorConnection> {
        let request = page(first, after, last, before)?;
        let found = engine_of(ctx)
            .connectors()
            .list(actor(ctx), search.as_deref(), &request)
            .await?;
        Ok(ConnectorConnection::new(found, Total::Connectors(search)))
    }
}
