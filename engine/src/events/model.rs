//! What is known of an event.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::ids::{ClientId, EventId};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its place among all events; none until the relay gave it one.
    pub sequence: Option<i64>,
    /// For example `client.registered`.
    pub event_type: String,
    /// The id of what it is about.
    pub subject: String,
    /// Whose it is; none where it is nobody's.
    pub client_id: Option<ClientId>,
    /// When.
    pub time: DateTime<Utc>,
    /// Joins it to the request that caused it.
    pub correlation_id: String,
    /// What belongs to it; an object.
    pub data: Value,
}

/// Which events; what is not given does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Whose.
    pub client_id: Option<ClientId>,
    /// Of one of these types; any where empty.
    pub types: Vec<String>,
    /// About the thing with this id.
    pub subject: Option<String>,
    /// Happened after this.
    pub after: Option<DateTime<Utc>>,
    /// Happened before this.
    pub before: Option<DateTime<Utc>>,
}

/// An event to be written in the transaction that makes it true.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDraft {
    /// For example `client.registered`: the thing, a dot, what happened to it.
    pub event_type: &'static str,
    /// The id of what it is about.
    pub subject: String,
    /// Whose it is; none where it is nobody's.
    pub client_id: Option<ClientId>,
    /// The request's where none.
    pub correlation_id: Option<String>,
    /// What belongs to it; an object without secrets.
    pub data: Value,
}

impl EventDraft {
    /// An event about `subject`, of the client that it belongs to.
    pub fn about(event_type: &'static str, subject: impl ToString, client_id: Option<ClientId>) -> Self {
        Self {
            event_type,
            subject: subject.to_string(),
            client_id,
            correlation_id: None,
            data: Value::Object(serde_json::Map::new()),
        }
    }

    /// With this data.
    #[must_use]
    pub fn with(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// With the correlation id of what caused it, where that is not the request at hand.
    #[must_use]
    pub fn correlated(mut self, correlation_id: impl Into<String>) -> Self {
        self.correlation_id = Some(correlation_id.into());
        self
    }
}
