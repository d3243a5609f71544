//! A credential of this API.

use async_graphql::{Context, ID, Object, Result};

use super::{Client, DateTime};
use crate::graphql::context::loaders;

pub(crate) struct ApiKey(pub(crate) engine::access::ApiKey);

impl From<engine::access::ApiKey> for ApiKey {
    fn from(key: engine::access::ApiKey) -> Self {
        Self(key)
    }
}

/// A credential of this API, sent as `Authorization: Bearer …`. Its secret is shown when it is made and rotated, and never
/// again.
#[Object]
impl ApiKey {
    /// `key_…`
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// For people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What its newest secret begins with: `syn_…`.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// What it is for, as it was asked for.
    async fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// The client that it is bound to; null when it is the operator's own.
    async fn client(&self, ctx: &Context<'_>) -> Result<Option<Client>> {
        let Some(id) = self.0.client_id else {
            return Ok(None);
        };
        Ok(loaders(ctx).load_one(id).await?.map(Client))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When it ends by itself; null when never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(Into::into)
    }

    /// When it was last shown, to some minutes; null when never.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(Into::into)
    }

    /// When it was revoked; null when it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(Into::into)
    }
}
