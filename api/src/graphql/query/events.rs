//! What happened.

use async_graphql::{Context, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::EventFilter;
use crate::graphql::types::{EventConnection, Total, list_cost, page};

#[derive(Default)]
pub(crate) struct EventQueries;

#[Object]
impl EventQueries {
    /// What happened, the last first. Events are kept for some days; eventPublished tells of new ones.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
        #[graphql(desc = "Which ones; all when not given")] filter: Option<EventFilter>,
    ) -> Result<EventConnection> {
        let request = page(first, after, last, before)?;
        let Some(filter) = filter.unwrap_or_default().into_engine() else {
            return Ok(EventConnection::empty());
        };
        let found = engine_of(ctx)
            .events()
            .list(actor(ctx), &filter, &request)
            .await?;
        Ok(EventConnection::new(found, Total::Events(filter)))
    }
}
