//! Inputs about events.

use async_graphql::{ID, InputObject};
use engine::events;

use super::matching;
use crate::graphql::types::DateTime;

/// Which events; what is not given does not matter.
#[derive(InputObject, Debug, Default)]
pub(crate) struct EventFilter {
    /// Whose.
    client_id: Option<ID>,
    /// Of one of these types; all when empty.
    types: Option<Vec<String>>,
    /// About the thing with this id, of whatever type.
    subject: Option<ID>,
    /// Happened after this instant.
    after: Option<DateTime>,
    /// Happened before this instant.
    before: Option<DateTime>,
}

impl EventFilter {
    /// `None` when an id in it is none, so that nothing can match.
    pub(crate) fn into_engine(self) -> Option<events::EventFilter> {
        Some(events::EventFilter {
            client_id: matching(self.client_id).ok()?,
            types: self.types.unwrap_or_default(),
            subject: self.subject.map(|subject| subject.0),
            after: self.after.map(Into::into),
            before: self.before.map(Into::into),
        })
    }
}
