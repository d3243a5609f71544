//! The figures.

use async_graphql::{Context, ID, Object, Result};

use crate::graphql::context::{actor, engine_of};
use crate::graphql::types::{Overview, Window};

#[derive(Default)]
pub(crate) struct OverviewQueries;

#[Object]
impl OverviewQueries {
    /// The status dashboard's figures.
    #[graphql(complexity = "child_complexity.saturating_add(1_000)")]
    async fn overview(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default_with = "Some(Window::Last24Hours)",
            desc = "The time that the figures are about"
        )]
        window: Option<Window>,
        #[graphql(desc = "Only this client's figures; zeros when there is no such client")] client_id: Option<
            ID,
        >,
    ) -> Result<Overview> {
        let window = window.unwrap_or(Window::Last24Hours);
        let client = match client_id.map(|id| id.parse()).transpose() {
            Ok(client) => client,
            Err(_) => return Ok(Overview::default()),
        };
        Ok(engine_of(ctx)
            .overview()
            .figures(actor(ctx), window.into(), client)
            .await?
            .into())
    }
}
