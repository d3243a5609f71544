//! A record.

use async_graphql::{ID, Object};
use serde_json::Value;

use super::{ChangeKind, DateTime};

pub(crate) struct Record(pub(crate) engine::records::Record);

impl From<engine::records::Record> for Record {
    fn from(record: engine::records::Record) -> Self {
        Self(record)
    }
}

/// A record of a stream, as the upstream last gave it.
#[Object]
impl Record {
    /// `rec_…`
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The stream that it is of.
    async fn stream(&self) -> &str {
        &self.0.stream
    }

    /// The primary key's value as text; of a composite one, its parts as a JSON array.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// The source's JSON.
    async fn data(&self) -> &Value {
        &self.0.data
    }

    /// What its last change was.
    async fn change(&self) -> ChangeKind {
        self.0.change.into()
    }

    /// When that was noticed.
    async fn changed_at(&self) -> DateTime {
        self.0.changed_at.into()
    }

    /// When it first came.
    async fn first_seen_at(&self) -> DateTime {
        self.0.first_seen_at.into()
    }

    /// When it was marked as deleted; null while it is there.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted_at.map(DateTime)
    }
}
