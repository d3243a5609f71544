//! Connectors.

use async_graphql::{Context, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::types::{Connector, ConnectorConnection, Total, list_cost, page};

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
