//! From a claim to what it reads: the integration's connector, with its configuration.

use std::sync::Arc;

use connectors::Connector;
use connectors::error::{ErrorKind as ReadKind, ReadError};
use connectors::read::{Checkpoint, Gate, ReadRequest, RetryMode, Selection};
use connectors::schema::Declared;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::ending::{Ending, sync_error};
use super::source::{Source, StreamSource};
use crate::Engine;
use crate::integrations;
use crate::protection::UpstreamGate;
use crate::queue::Claim;
use crate::runs::SyncError;
use crate::store;

/// A connector with an integration's configuration, secrets included. Has no `Debug`, on purpose.
pub(super) struct Configured {
    engine: Engine,
    gate: Arc<UpstreamGate>,
    connector: Connector,
    config: Value,
    identity: String,
}

/// What the claim reads.
pub(super) async fn load(engine: &Engine, claim: &Claim) -> Result<Configured, SyncError> {
    let internal = |code: &str, message: &str, retryable: bool| {
        sync_error(
            ReadError {
                retryable,
                ..ReadError::new(ReadKind::Internal, code, message)
            },
            None,
        )
    };
    let reader = engine.db.reader();
    let row = match claim.integration() {
        Some(row) => Some(row.clone()),
        None => store::integrations::find(reader, crate::Scope::All, claim.integration_id())
            .await
            .map_err(|error| {
                tracing::error!(%error, "the integration could not be read");
                internal("DATABASE", "The database could not be read.", true)
            })?,
    };
    let row = row.ok_or_else(|| internal("INTEGRATION_DELETED", "The integration was deleted.", false))?;
    let connector = engine
        .connectors
        .plan(reader, row.connector_id)
        .await
        .map_err(|error| {
            tracing::error!(error = %error.chain(), "the connector could not be loaded");
            let retryable = matches!(error, crate::Error::Unavailable(_));
            internal(
                "CONNECTOR_UNUSABLE",
                "The connector's manifest cannot be used by this version of Syncline.",
                retryable,
            )
        })?;
    let config = integrations::full_config(engine, &row).map_err(|error| {
        tracing::error!(error = %error.chain(), "the integration's secrets could not be opened");
        let message =
            "The integration's secrets cannot be opened: the master key is not the one that sealed them.";
        internal("SECRETS_UNREADABLE", message, false)
    })?;
    let (run, fence) = claim.key();
    let protection = engine.connectors.protection();
    let gate = Arc::new(UpstreamGate::new(
        engine,
        protection,
        &row,
        format!("{run}/{fence}"),
    ));
    Ok(Configured {
        identity: identity(&row),
        gate,
        engine: engine.clone(),
        connector,
        config,
    })
}

/// The connector's version and the configuration, the secrets as they are sealed: no digest of a secret itself is kept.
fn identity(row: &entity::integration::Model) -> String {
    let config = row.config.to_string();
    let mut digest = Sha256::new();
    digest.update(row.connector_id.uuid());
    digest.update(config.len().to_le_bytes());
    digest.update(config);
    digest.update(row.secrets.as_deref().unwrap_or_default());
    hex::encode(digest.finalize())
}

impl Configured {
    /// Finds out which streams there are, where only the configuration or the upstream tells.
    pub(super) async fn resolve(&mut self, cancel: CancellationToken) -> Result<(), Ending> {
        let context = self.engine.connectors.read_context(
            RetryMode::LeaveToCaller,
            cancel,
            Some(Arc::clone(&self.gate) as Arc<dyn Gate>),
        );
        let configured = self.connector.configured(&context, &self.config).await;
        self.connector = configured.map_err(|error| Ending::from_read(error, None))?;
        Ok(())
    }
}

impl Source for Configured {
    fn identity(&self) -> Option<&str> {
        Some(&self.identity)
    }

    fn open(
        &self,
        stream: &str,
        checkpoint: Checkpoint,
        full_refresh: bool,
        validators: Option<&Value>,
        cancel: CancellationToken,
    ) -> Result<StreamSource, ReadError> {
        let described = self
            .connector
            .streams()
            .iter()
            .find(|described| described.name == stream);
        let described = described.ok_or_else(|| {
            let message = format!("The connector has no stream {stream:?}.");
            ReadError::new(ReadKind::Config, "UNKNOWN_STREAM", message)
        })?;
        // The engine repeats what failed, under the integration's policy and without holding a worker.
        let context = self.engine.connectors.read_context(
            RetryMode::LeaveToCaller,
            cancel,
            Some(Arc::clone(&self.gate) as Arc<dyn Gate>),
        );
        let request = ReadRequest {
            stream: stream.to_owned(),
            config: self.config.clone(),
            checkpoint,
            full_refresh,
            selection: Selection::default(),
        };
        let pages = self.connector.read_unless(&context, request, validators)?;
        Ok(StreamSource {
            primary_key: described.primary_key.clone(),
            declared: Declared::of(&described.json_schema),
            pages,
        })
    }
}
