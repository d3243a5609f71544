//! Dead letters.

use async_graphql::{Context, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::DeadLetterFilter;
use crate::graphql::types::{DeadLetterConnection, Total, list_cost, page};

#[derive(Default)]
pub(crate) struct DeadLetterQueries;

#[Object]
impl DeadLetterQueries {
    /// Work that could not be done and waits for a person, newest first.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn dead_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
        #[graphql(desc = "Which ones; all when not given")] filter: Option<DeadLetterFilter>,
    ) -> Result<DeadLetterConnection> {
        let request = page(first, after, last, before)?;
        let Some(filter) = filter.unwrap_or_default().into_engine() else {
            return Ok(DeadLetterConnection::empty());
        };
        let found = engine_of(ctx)
            .dead_letters()
            .list(actor(ctx), &filter, &request)
            .await?;
        Ok(DeadLetterConnection::new(found, Total::DeadLetters(filter)))
    }
}
