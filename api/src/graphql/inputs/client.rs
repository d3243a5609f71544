//! Inputs about clients.

use async_graphql::{ID, InputObject};
use engine::Refusal;
use engine::clients::{self, RegisterClient, UpdateClient};
use engine::erasure::EraseClient;
use engine::ids::ClientId;
use serde_json::Value;

use super::named;
use crate::graphql::types::{ClientOrderField, ClientStatus, DateTime, OrderDirection};

/// Which clients; what is not given does not matter.
#[derive(InputObject, Debug, Default)]
pub(crate) struct ClientFilter {
    /// In this state.
    status: Option<ClientStatus>,
    /// Whose slug or name contains this, whatever the case of its letters.
    search: Option<String>,
    /// Made after this instant.
    created_after: Option<DateTime>,
    /// Made before this instant.
    created_before: Option<DateTime>,
}

impl ClientFilter {
    pub(crate) fn into_engine(self) -> clients::ClientFilter {
        clients::ClientFilter {
            status: self.status.map(Into::into),
            search: self.search,
            created_after: self.created_after.map(Into::into),
            created_before: self.created_before.map(Into::into),
        }
    }
}

/// The order of a list of clients.
#[derive(InputObject, Debug)]
pub(crate) struct ClientOrder {
    /// By what.
    field: ClientOrderField,
    /// Which way.
    direction: OrderDirection,
}

impl From<ClientOrder> for clients::ClientOrder {
    fn from(order: ClientOrder) -> Self {
        Self {
            field: order.field.into(),
            direction: order.direction.into(),
        }
    }
}

/// A client to be.
#[derive(InputObject, Debug)]
pub(crate) struct RegisterClientInput {
    /// The caller's own identifier: unique, `[a-z0-9][a-z0-9-]{0,62}`. It never changes.
    slug: String,
    /// For people: 1 to 200 characters.
    name: String,
    /// Whatever the caller keeps with the client: an object; empty when not given.
    metadata: Option<Value>,
}

impl RegisterClientInput {
    pub(crate) fn into_engine(self) -> RegisterClient {
        RegisterClient {
            slug: self.slug,
            name: self.name,
            metadata: self.metadata,
        }
    }
}

/// Changes to a client; what is not given stays.
#[derive(InputObject, Debug)]
pub(crate) struct UpdateClientInput {
    /// The client.
    client_id: ID,
    /// A new name: 1 to 200 characters.
    name: Option<String>,
    /// New metadata, in the place of the old: an object.
    metadata: Option<Value>,
    /// The updatedAt that the caller read, to the last digit: if the client was changed since, nothing is changed and
    /// there is a userError CONFLICT. Without it the last one to write wins.
    if_updated_at: Option<DateTime>,
}

impl UpdateClientInput {
    pub(crate) fn into_engine(self) -> Result<UpdateClient, Refusal> {
        let client_id = named(&self.client_id, "client", "clientId")?;
        Ok(UpdateClient {
            client_id,
            name: self.name,
            metadata: self.metadata,
            if_updated_at: self.if_updated_at.map(Into::into),
        })
    }
}

/// A client to erase.
#[derive(InputObject, Debug)]
pub(crate) struct EraseClientInput {
    /// The client.
    client_id: ID,
    /// Its slug, typed once more: what is erased does not come back.
    confirm_slug: String,
}

impl EraseClientInput {
    pub(crate) fn into_engine(self) -> Result<EraseClient, Refusal> {
        Ok(EraseClient {
            client_id: named(&self.client_id, "client", "clientId")?,
            confirm_slug: self.confirm_slug,
        })
    }
}

/// A client to archive.
#[derive(InputObject, Debug)]
pub(crate) struct ArchiveClientInput {
    /// The client.
    client_id: ID,
}

impl ArchiveClientInput {
    pub(crate) fn client_id(&self) -> Result<ClientId, Refusal> {
        named(&self.client_id, "client", "clientId")
    }
}
