//! What is known of a record.

use chrono::{DateTime, Utc};
pub use entity::words::ChangeKind;
use serde_json::Value;

use crate::ids::{IntegrationId, RecordId};

/// A record of a stream, as the upstream last gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// The integration that read it.
    pub integration_id: IntegrationId,
    /// The stream.
    pub stream: String,
    /// The primary key's value as text; of a composite one, a JSON array of its parts.
    pub key: String,
    /// The source's JSON.
    pub data: Value,
    /// What its last change was.
    pub change: ChangeKind,
    /// When that was.
    pub changed_at: DateTime<Utc>,
    /// When it first came.
    pub first_seen_at: DateTime<Utc>,
    /// When it was marked as deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}
