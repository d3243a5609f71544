//! What is known of a client.

use chrono::{DateTime, Utc};
pub use entity::words::ClientStatus;
use serde_json::Value;

use crate::OrderDirection;
use crate::ids::ClientId;

/// A client: one customer of the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// The caller's own identifier, unique.
    pub slug: String,
    /// For people.
    pub name: String,
    /// Whatever the caller keeps with it; an object.
    pub metadata: Value,
    /// Whether it may work.
    pub status: ClientStatus,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A client to be.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterClient {
    /// Unique, `[a-z0-9][a-z0-9-]{0,62}`.
    pub slug: String,
    /// 1 to 200 characters.
    pub name: String,
    /// An object; empty where none.
    pub metadata: Option<Value>,
}

/// Changes to a client; what is not given stays.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateClient {
    /// The client.
    pub client_id: ClientId,
    /// A new name.
    pub name: Option<String>,
    /// New metadata, in the place of the old.
    pub metadata: Option<Value>,
    /// When the caller saw it changed last: if it was changed since, nothing is.
    pub if_updated_at: Option<DateTime<Utc>>,
}

/// Which clients; what is not given does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFilter {
    /// In this state.
    pub status: Option<ClientStatus>,
    /// Whose slug or name contains this, whatever the case of its letters.
    pub search: Option<String>,
    /// Made after this.
    pub created_after: Option<DateTime<Utc>>,
    /// Made before this.
    pub created_before: Option<DateTime<Utc>>,
}

/// The order of a list of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientOrder {
    /// By what.
    pub field: ClientOrderField,
    /// Which way.
    pub direction: OrderDirection,
}

/// What clients are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientOrderField {
    /// When they were registered.
    #[default]
    CreatedAt,
    /// Their name.
    Name,
    /// Their slug.
    Slug,
}
