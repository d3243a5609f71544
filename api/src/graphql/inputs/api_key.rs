//! Inputs about API keys.

use async_graphql::{ID, InputObject};
use engine::Refusal;
use engine::access::{CreateApiKey, RotateApiKey};
use engine::ids::ApiKeyId;

use super::named;
use crate::graphql::types::DateTime;

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
