//! Runs.

use async_graphql::{Context, ID, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::inputs::SyncRunFilter;
use crate::graphql::types::{SyncRun, SyncRunConnection, Total, list_cost, page};

#[derive(Default)]
pub(crate) struct RunQueries;

#[Object]
impl RunQueries {
    /// A run; null when there is none that the caller may see.
    async fn sync_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id")] id: ID,
    ) -> Result<Option<SyncRun>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(engine_of(ctx).runs().find(actor(ctx), id).await?.map(SyncRun))
    }

    /// The runs of all integrations, newest first.
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
        #[graphql(desc = "Which ones; all when not given")] filter: Option<SyncRunFilter>,
    ) -> Result<SyncRunConnection> {
        let request = page(first, after, last, before)?;
        let Some(filter) = filter.unwrap_or_default().into_engine() else {
            return Ok(SyncRunConnection::empty());
        };
        let found = engine_of(ctx).runs().list(actor(ctx), &filter, &request).await?;
        Ok(SyncRunConnection::new(found, Total::SyncRuns(filter)))
    }
}
