//! Anything by its id, and the caller.

use async_graphql::{Context, ID, Object, Result};
use futures::future::try_join_all;

use crate::graphql::context::actor;
use crate::graphql::error::Fault;
use crate::graphql::types::{Node, Viewer};

const MAX_NODES: usize = 100;

#[derive(Default)]
pub(crate) struct NodeQueries;

#[Object]
impl NodeQueries {
    /// Whatever has this id; null when nothing that the caller may see has.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id of any type")] id: ID,
    ) -> Result<Option<Node>> {
        Node::find(ctx, &id).await
    }

    /// Whatever has these ids, in their order; null in the place of each that nothing has.
    #[graphql(complexity = "ids.len().saturating_mul(child_complexity).saturating_add(1).min(1_000_000_000)")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of any types, at most 100")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            return Err(Fault::bad_input(format!("At most {MAX_NODES} ids at once")).into());
        }
        try_join_all(ids.iter().map(|id| Node::find(ctx, id))).await
    }

    /// The caller.
    async fn viewer(&self, ctx: &Context<'_>) -> Viewer {
        Viewer(*actor(ctx))
    }
}
