//! What is known of a dead letter.

use chrono::{DateTime, Utc};
pub use entity::words::{DeadLetterKind, DeadLetterStatus};
use serde_json::Value;

use crate::ids::{ClientId, DeadLetterId, IntegrationId, RunId};
use crate::runs::SyncError;

/// Work that could not be done and waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// What it is.
    pub kind: DeadLetterKind,
    /// What became of it.
    pub status: DeadLetterStatus,
    /// Whose it is.
    pub client_id: ClientId,
    /// The integration.
    pub integration_id: Option<IntegrationId>,
    /// The run that left it.
    pub run_id: Option<RunId>,
    /// The stream.
    pub stream: Option<String>,
    /// What could not be done.
    pub payload: Value,
    /// Why.
    pub error: SyncError,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was left.
    pub created_at: DateTime<Utc>,
    /// When it was replayed or discarded.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// Which dead letters; what is not given does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Whose.
    pub client_id: Option<ClientId>,
    /// Of which integration.
    pub integration_id: Option<IntegrationId>,
    /// Of one of these kinds; all where empty.
    pub kind: Vec<DeadLetterKind>,
    /// In one of these states; all where empty.
    pub status: Vec<DeadLetterStatus>,
    /// One of these; all where none. An empty list matches nothing.
    pub ids: Option<Vec<DeadLetterId>>,
    /// Of this stream.
    pub stream: Option<String>,
    /// Of an integration on this connector: its slug.
    pub connector: Option<String>,
    /// Whose error is of one of these kinds; any where empty.
    pub error_kind: Vec<crate::runs::ErrorKind>,
    /// Made after this.
    pub created_after: Option<DateTime<Utc>>,
    /// Made before this.
    pub created_before: Option<DateTime<Utc>>,
}
