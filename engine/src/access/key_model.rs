//! What is known of an API key.

use chrono::{DateTime, Utc};
use platform::secrets::SecretString;

use crate::ids::{ApiKeyId, ClientId};

/// A credential of the API. Its secret is not known any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// For people.
    pub name: String,
    /// What its newest secret begins with.
    pub prefix: String,
    /// What it is for, as it was asked for.
    pub scopes: Vec<String>,
    /// The client that it is bound to; none where it is the operator's own.
    pub client_id: Option<ClientId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last shown, to some minutes.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When somebody ended it.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Which keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiKeyFilter {
    /// Bound to this client.
    pub client_id: Option<ClientId>,
    /// Made after this instant.
    pub created_after: Option<DateTime<Utc>>,
    /// Made before this instant.
    pub created_before: Option<DateTime<Utc>>,
    /// Ending by themselves after this instant.
    pub expires_after: Option<DateTime<Utc>>,
    /// Ending by themselves before this instant.
    pub expires_before: Option<DateTime<Utc>>,
    /// Last shown after this instant.
    pub last_used_after: Option<DateTime<Utc>>,
    /// Last shown before this instant, or never.
    pub last_used_before: Option<DateTime<Utc>>,
}

/// A key, and its new secret for the only time.
#[derive(Clone, Debug)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKey,
    /// What its holder shows.
    pub secret: SecretString,
}

/// A key to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateApiKey {
    /// For people: 1 to 200 characters.
    pub name: String,
    /// What it is for.
    pub scopes: Vec<String>,
    /// The client to bind it to; none for the operator's own, or the maker's client.
    pub client_id: Option<ClientId>,
    /// When it shall end by itself; never where none.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that needs a new secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotateApiKey {
    /// The key.
    pub api_key_id: ApiKeyId,
    /// For how long the secrets before it stay good.
    pub overlap_seconds: i64,
}
