//! Erasures of clients.

use async_graphql::{Context, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::types::{ErasureConnection, Total, list_cost, page};

#[derive(Default)]
pub(crate) struct ErasureQueries;

#[Object]
impl ErasureQueries {
    /// The erasures of clients, newest first: those under way and those that were done. Whoever is bound to a client finds
    /// none.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    async fn erasures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
    ) -> Result<ErasureConnection> {
        let request = page(first, after, last, before)?;
        let found = engine_of(ctx).erasures().list(actor(ctx), &request).await?;
        Ok(ErasureConnection::new(found, Total::Erasures))
    }
}
