//! The caller, as the server sees them.

use async_graphql::{Context, Object, Result};
use engine::Actor;

use super::{ActorKind, Client};
use crate::graphql::context::loaders;

pub(crate) struct Viewer(pub(crate) Actor);

/// The caller, as this server sees them.
#[Object]
impl Viewer {
    /// For people.
    async fn name(&self) -> &str {
        match self.0 {
            Actor::Operator | Actor::System => "operator",
            Actor::AnonymousLoopback => "anonymous on loopback",
            Actor::Client(_) => "client",
        }
    }

    /// What the caller's rights come from.
    async fn kind(&self) -> ActorKind {
        match self.0 {
            Actor::Operator | Actor::System => ActorKind::Operator,
            Actor::AnonymousLoopback => ActorKind::AnonymousLoopback,
            Actor::Client(_) => ActorKind::Client,
        }
    }

    /// The client that the caller is; null for an operator.
    async fn client(&self, ctx: &Context<'_>) -> Result<Option<Client>> {
        let Actor::Client(id) = self.0 else {
            return Ok(None);
        };
        Ok(loaders(ctx).load_one(id).await?.map(Client))
    }

    /// What the caller may do; "*" is everything.
    async fn scopes(&self) -> Vec<&str> {
        vec!["*"]
    }
}
