//! API keys.

use async_graphql::{Context, ID, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::ApiKeyFilter;
use crate::graphql::types::{ApiKeyConnection, Total, list_cost, page};

#[derive(Default)]
pub(crate) struct ApiKeyQueries;

#[Object]
impl ApiKeyQueries {
    /// The API keys, newest first, also those that have ended.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
        #[graphql(desc = "Only those that are bound to this client")] client_id: Option<ID>,
        #[graphql(desc = "Which ones; all when not given")] filter: Option<ApiKeyFilter>,
    ) -> Result<ApiKeyConnection> {
        let request = page(first, after, last, before)?;
        let Ok(client_id) = client_id.map(|id| id.parse()).transpose() else {
            return Ok(ApiKeyConnection::empty());
        };
        let filter = filter.unwrap_or_default().into_engine(client_id);
        let found = engine_of(ctx)
            .api_keys()
            .list(actor(ctx), &filter, &request)
            .await?;
        Ok(ApiKeyConnection::new(found, Total::ApiKeys(filter)))
    }
}
