//! Integrations.

use async_graphql::{Context, ID, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::{IntegrationFilter, IntegrationOrder};
use crate::graphql::types::{Integration, IntegrationConnection, Total, list_cost, page};

#[derive(Default)]
pub(crate) struct IntegrationQueries;

#[Object]
impl IntegrationQueries {
    /// An integration; null when there is none that the caller may see.
    async fn integration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id")] id: ID,
    ) -> Result<Option<Integration>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(engine_of(ctx)
            .integrations()
            .find(actor(ctx), id)
            .await?
            .map(Integration))
    }

    /// The integrations of all clients, oldest first unless ordered otherwise.
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
        #[graphql(desc = "Which ones; all when not given")] filter: Option<IntegrationFilter>,
        #[graphql(desc = "In which order; oldest first when not given")] order_by: Option<IntegrationOrder>,
    ) -> Result<IntegrationConnection> {
        let request = page(first, after, last, before)?;
        let Some(filter) = filter.unwrap_or_default().into_engine() else {
            return Ok(IntegrationConnection::empty());
        };
        let order = order_by.map(Into::into).unwrap_or_default();
        let found = engine_of(ctx)
            .integrations()
            .list(actor(ctx), &filter, order, &request)
            .await?;
        Ok(IntegrationConnection::new(found, Total::Integrations(filter)))
    }
}
