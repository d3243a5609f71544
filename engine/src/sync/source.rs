//! Where pages come from.

use connectors::error::ReadError;
use connectors::read::{Checkpoint, PageStream};
use connectors::schema::Declared;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A stream, ready to be read.
pub struct StreamSource {
    /// The paths of the parts of a record's key; empty where the stream declares none, and a record is then
    /// its own key.
    pub primary_key: Vec<Vec<String>>,
    /// What the connector's schema says of the records.
    pub declared: Declared,
    /// The pages.
    pub pages: PageStream,
}

/// Something with streams that can be read: a connector with an integration's configuration.
pub trait Source: Send + Sync {
    /// What it is, so that anything else of which it is not the same has another name; none: nothing is remembered of it.
    fn identity(&self) -> Option<&str> {
        None
    }

    /// Begins to read a stream; with validators of this very source, only if it has changed since they were given.
    ///
    /// # Errors
    /// When there is no such stream, or its configuration cannot work.
    fn open(
        &self,
        stream: &str,
        checkpoint: Checkpoint,
        full_refresh: bool,
        validators: Option<&Value>,
        cancel: CancellationToken,
    ) -> Result<StreamSource, ReadError>;
}
