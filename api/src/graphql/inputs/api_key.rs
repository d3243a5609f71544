//! Inputs about API keys.

use async_graphql::{ID, InputObject};
use engine::Refusal;
use engine::access::{self, CreateApiKey, RotateApiKey};
use engine::ids::{ApiKeyId, ClientId};

use super::named;
use crate::graphql::types::DateTime;

/// Which keys; what is not given does not matter.
#[derive(InputObject, Debug, Default)]
pub(crate) struct ApiKeyFilter {
    /// Made after this instant.
    created_after: Option<DateTime>,
    /// Made before this instant.
    created_before: Option<DateTime>,
    /// Ending by themselves after this instant.
    expires_after: Option<DateTime>,
    /// Ending by themselves before this instant.
    expires_before: Option<DateTime>,
    /// Last used after this instant, to some minutes.
    last_used_after: Option<DateTime>,
    /// Last used before this instant, to some minutes, or never used.
    last_used_before: Option<DateTime>,
}

impl ApiKeyFilter {
    /// Of the keys of this client, where it is given.
    pub(crate) fn into_engine(self, client_id: Option<ClientId>) -> access::ApiKeyFilter {
        access::ApiKeyFilter {
            client_id,
            created_after: self.created_after.map(Into::into),
            created_before: self.created_before.map(Into::into),
            expires_after: self.expires_after.map(Into::into),
            expires_before: self.expires_before.map(Into::into),
            last_used_after: self.last_used_after.map(Into::into),
            last_used_before: self.last_used_before.map(Into::into),
        }
    }
}

/// A key to be.
#[derive(InputObject, Debug)]
pub(crate) struct CreateApiKeyInput {
    /// For people: 1 to 200 characters.
    name: String,
    /// What it is for: a resource and a verb, such as runs:read or integrations:write; runs:*, *:read and * for
    /// several. Only what the caller may as well.
    scopes: Vec<String>,
    /// The client that it is bound to: it sees and touches nothing else. The operator's own, for all clients, when not
    /// given; of a caller who is bound to a client, that client's.
    client_id: Option<ID>,
    /// When it ends by itself; never when not given.
    expires_at: Option<DateTime>,
}

impl CreateApiKeyInput {
    pub(crate) fn into_engine(self) -> Result<CreateApiKey, Refusal> {
        let client_id = self.client_id.map(|id| named(&id, "client", "clientId"));
        Ok(CreateApiKey {
            name: self.name,
            scopes: self.scopes,
            client_id: client_id.transpose()?,
            expires_at: self.expires_at.map(Into::into),
        })
    }
}

/// A key that needs a new secret.
#[derive(InputObject, Debug)]
pub(crate) struct RotateApiKeyInput {
    /// The key.
    api_key_id: ID,
    /// For how many seconds the secrets before it stay good: 0 to 2592000.
    #[graphql(default_with = "Some(0)")]
    overlap_seconds: Option<i32>,
}

impl RotateApiKeyInput {
    pub(crate) fn into_engine(self) -> Result<RotateApiKey, Refusal> {
        Ok(RotateApiKey {
            api_key_id: named(&self.api_key_id, "API key", "apiKeyId")?,
            overlap_seconds: self.overlap_seconds.unwrap_or(0).into(),
        })
    }
}

/// A key to end.
#[derive(InputObject, Debug)]
pub(crate) struct RevokeApiKeyInput {
    /// The key.
    api_key_id: ID,
}

impl RevokeApiKeyInput {
    pub(crate) fn api_key_id(&self) -> Result<ApiKeyId, Refusal> {
        named(&self.api_key_id, "API key", "apiKeyId")
    }
}
