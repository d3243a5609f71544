//! An event.

use async_graphql::{ID, Object};
use serde_json::Value;

use super::DateTime;

pub(crate) struct Event(pub(crate) engine::events::Event);

impl From<engine::events::Event> for Event {
    fn from(event: engine::events::Event) -> Self {
        Self(event)
    }
}

/// Something that happened. Events are kept for some days.
#[Object]
impl Event {
    /// `evt_…`; what eventPublished resumes after.
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The thing, a dot, and what happened to it: client.registered, sync_run.succeeded, …
    #[graphql(name = "type")]
    async fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// The id of what it is about.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// When it happened.
    async fn time(&self) -> DateTime {
        self.0.time.into()
    }

    /// Joins it to the request that caused it.
    async fn correlation_id(&self) -> &str {
        &self.0.correlation_id
    }

    /// What belongs to it: an object.
    async fn data(&self) -> &Value {
        &self.0.data
    }
}
