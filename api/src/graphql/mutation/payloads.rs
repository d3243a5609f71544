//! What mutations answer. The object's field is named for its type and null when there are userErrors.

use async_graphql::{ID, SimpleObject};
use engine::access::IssuedKey;
use engine::{Outcome, Refusal};
use secrecy::ExposeSecret;

use crate::graphql::types::{
    ApiKey, Client, Connector, ConnectorChange, Erasure, Integration, SyncError, SyncRun, UserError,
};

pub(super) fn errors(refusals: Vec<Refusal>) -> Vec<UserError> {
    refusals.into_iter().map(UserError::from).collect()
}

macro_rules! payloads {
    ($($(#[$meta:meta])* $name:ident { $(#[$field_meta:meta])* $field:ident: $type:ident of $model:ty })+) => {$(
        $(#[$meta])*
        #[derive(SimpleObject)]
        pub(crate) struct $name {
            $(#[$field_meta])*
            $field: Option<$type>,
            /// What the caller did wrong; empty when it was done.
            user_errors: Vec<UserError>,
        }

        impl From<Outcome<$model>> for $name {
            fn from(outcome: Outcome<$model>) -> Self {
                match outcome {
                    Outcome::Done(done) => Self { $field: Some($type(done)), user_errors: Vec::new() },
                    Outcome::Refused(refusals) => Self { $field: None, user_errors: errors(refusals) },
                }
            }
        }

        impl From<Refusal> for $name {
            fn from(refusal: Refusal) -> Self {
                Outcome::from(refusal).into()
            }
        }
    )+};
}

payloads! {
    /// The answer of registerClient.
    RegisterClientPayload {
        /// The new client; null when there are userErrors.
        client: Client of engine::clients::Client
    }
    /// The answer of updateClient.
    UpdateClientPayload {
        /// The changed client; null when there are userErrors.
        client: Client of engine::clients::Client
    }
    /// The answer of archiveClient.
    ArchiveClientPayload {
        /// The archived client; null when there are userErrors.
        client: Client of engine::clients::Client
    }
    /// The answer of eraseClient.
    EraseClientPayload {
        /// The erasure, new or already begun; null when there are userErrors.
        erasure: Erasure of engine::erasure::Erasure
    }
    /// The answer of installConnector. A manifest's faults are userErrors whose message ends in 'line L, column C'.
    InstallConnectorPayload {
        /// The new version; null when there are userErrors.
        connector: Connector of engine::connectors::ConnectorInfo
    }
    /// The answer of createIntegration.
    CreateIntegrationPayload {
        /// The new integration; null when there are userErrors.
        integration: Integration of engine::integrations::Integration
    }
    /// The answer of pauseIntegration.
    PauseIntegrationPayload {
        /// The paused integration; null when there are userErrors.
        integration: Integration of engine::integrations::Integration
    }
    /// The answer of resumeIntegration.
    ResumeIntegrationPayload {
        /// The resumed integration; null when there are userErrors.
        integration: Integration of engine::integrations::Integration
    }
    /// The answer of cancelSync.
    CancelSyncPayload {
        /// The run, which ends within a second; null when there are userErrors.
        run: SyncRun of engine::runs::SyncRun
    }
    /// The answer of retrySync.
    RetrySyncPayload {
        /// The new run; null when there are userErrors.
        run: SyncRun of engine::runs::SyncRun
    }
    /// The answer of approveDeletions.
    ApproveDeletionsPayload {
        /// The run; null when there are userErrors.
        run: SyncRun of engine::runs::SyncRun
    }
    /// The answer of revokeApiKey.
    RevokeApiKeyPayload {
        /// The key, which has ended; null when there are userErrors.
        api_key: ApiKey of engine::access::ApiKey
    }
}

macro_rules! issued {
    ($($(#[$meta:meta])* $name:ident)+) => {$(
        $(#[$meta])*
        #[derive(SimpleObject)]
        pub(crate) struct $name {
            /// The key; null when there are userErrors.
            api_key: Option<ApiKey>,
            /// What its holder sends as `Authorization: Bearer …`. It is shown here and never again; null when there are
            /// userErrors.
            secret: Option<String>,
            /// What the caller did wrong; empty when it was done.
            user_errors: Vec<UserError>,
        }

        impl From<Outcome<IssuedKey>> for $name {
            fn from(outcome: Outcome<IssuedKey>) -> Self {
                match outcome {
                    Outcome::Done(issued) => Self {
                        api_key: Some(ApiKey(issued.key)),
                        secret: Some(issued.secret.expose_secret().to_owned()),
                        user_errors: Vec::new(),
                    },
                    Outcome::Refused(refusals) => Self {
                        api_key: None,
                        secret: None,
                        user_errors: errors(refusals),
                    },
                }
            }
        }
    )+};
}

issued! {
    /// The answer of createApiKey.
    CreateApiKeyPayload
    /// The answer of rotateApiKey.
    RotateApiKeyPayload
}

/// The answer of updateIntegration.
#[derive(SimpleObject)]
pub(crate) struct UpdateIntegrationPayload {
    /// The changed integration, or what it would be in a dry run; null when there are userErrors.
    integration: Option<Integration>,
    /// What its new version of the connector changes in the streams that it reads; empty when it stays on its own.
    connector_changes: Vec<ConnectorChange>,
    /// What the caller did wrong; empty when it was done.
    user_errors: Vec<UserError>,
}

impl From<Outcome<engine::integrations::Changed>> for UpdateIntegrationPayload {
    fn from(outcome: Outcome<engine::integrations::Changed>) -> Self {
        match outcome {
            Outcome::Done(changed) => Self {
                integration: Some(Integration(changed.integration)),
                connector_changes: changed.connector_changes.into_iter().map(Into::into).collect(),
                user_errors: Vec::new(),
            },
            Outcome::Refused(refusals) => Self {
                integration: None,
                connector_changes: Vec::new(),
                user_errors: errors(refusals),
            },
        }
    }
}

impl From<Refusal> for UpdateIntegrationPayload {
    fn from(refusal: Refusal) -> Self {
        Outcome::from(refusal).into()
    }
}

/// The answer of deleteIntegration.
#[derive(SimpleObject)]
pub(crate) struct DeleteIntegrationPayload {
    /// The id that is gone; null when there are userErrors.
    deleted_id: Option<ID>,
    /// What the caller did wrong; empty when it was done.
    user_errors: Vec<UserError>,
}

impl From<Outcome<ID>> for DeleteIntegrationPayload {
    fn from(outcome: Outcome<ID>) -> Self {
        match outcome {
            Outcome::Done(id) => Self {
                deleted_id: Some(id),
                user_errors: Vec::new(),
            },
            Outcome::Refused(refusals) => Self {
                deleted_id: None,
                user_errors: errors(refusals),
            },
        }
    }
}

/// The answer of checkIntegration.
#[derive(SimpleObject)]
pub(crate) struct CheckIntegrationPayload {
    /// Whether the connection works; null when there are userErrors.
    succeeded: Option<bool>,
    /// Why it does not; null when it does.
    error: Option<SyncError>,
    /// What the caller did wrong; empty when the connection was tried.
    user_errors: Vec<UserError>,
}

impl From<Outcome<engine::integrations::Checked>> for CheckIntegrationPayload {
    fn from(outcome: Outcome<engine::integrations::Checked>) -> Self {
        match outcome {
            Outcome::Done(checked) => Self {
                succeeded: Some(checked.succeeded),
                error: checked.error.map(SyncError),
                user_errors: Vec::new(),
            },
            Outcome::Refused(refusals) => Self {
                succeeded: None,
                error: None,
                user_errors: errors(refusals),
            },
        }
    }
}

/// The answer of triggerSync.
#[derive(SimpleObject)]
pub(crate) struct TriggerSyncPayload {
    /// The run; null when there are userErrors.
    run: Option<SyncRun>,
    /// Whether an earlier request with the same idempotencyKey made the run.
    deduplicated: bool,
    /// What the caller did wrong; empty when it was done.
    user_errors: Vec<UserError>,
}

impl From<Outcome<engine::runs::Triggered>> for TriggerSyncPayload {
    fn from(outcome: Outcome<engine::runs::Triggered>) -> Self {
        match outcome {
            Outcome::Done(triggered) => Self {
                run: Some(SyncRun(triggered.run)),
                deduplicated: triggered.deduplicated,
                user_errors: Vec::new(),
            },
            Outcome::Refused(refusals) => Self {
                run: None,
                deduplicated: false,
                user_errors: errors(refusals),
            },
        }
    }
}

/// The answer of replayDeadLetters.
#[derive(SimpleObject)]
pub(crate) struct ReplayDeadLettersPayload {
    /// How many are done again.
    pub(super) replayed: i32,
    /// What the caller did wrong; empty when it was done.
    pub(super) user_errors: Vec<UserError>,
}

/// The answer of discardDeadLetters.
#[derive(SimpleObject)]
pub(crate) struct DiscardDeadLettersPayload {
    /// How many were let go.
    pub(super) discarded: i32,
    /// What the caller did wrong; empty when it was done.
    pub(super) user_errors: Vec<UserError>,
}
