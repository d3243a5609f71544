//! The caller, as the server sees them.

use async_graphql::{Context, Object, Result};
use engine::Actor;
use engine::access::Credential;

use super::{ActorKind, Client};
use crate::graphql::context::{engine_of, loaders};

pub(crate) struct Viewer(pub(crate) Actor);

/// The caller, as this server sees them.
#[Object]
impl Viewer {
    /// For people: of an API key its name.
    async fn name(&self, ctx: &Context<'_>) -> Result<String> {
        let name = match self.0 {
            Actor::Operator | Actor::System => "operator",
            Actor::AnonymousLoopback => "anonymous on loopback",
            Actor::Holder(holder) => match holder.credential {
                Credential::Key(key) => {
                    let name = engine_of(ctx).api_keys().own_name(key).await?;
                    return Ok(name.unwrap_or_default());
                }
                Credential::Token(_) => "holder of a token",
            },
        };
        Ok(name.to_owned())
    }

    /// What the caller's rights come from.
    async fn kind(&self) -> ActorKind {
        match self.0 {
            Actor::AnonymousLoopback => ActorKind::AnonymousLoopback,
            _ if self.0.client().is_some() => ActorKind::Client,
            _ => ActorKind::Operator,
        }
    }

    /// The client that the caller is bound to; null for an operator.
    async fn client(&self, ctx: &Context<'_>) -> Result<Option<Client>> {
        match self.0.client() {
            Some(id) => Ok(loaders(ctx).load_one(id).await?.map(Client)),
            None => Ok(None),
        }
    }

    /// What the caller may do; "*" is everything.
    async fn scopes(&self) -> Vec<String> {
        self.0.rights().scopes()
    }
}
