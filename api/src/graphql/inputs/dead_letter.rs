//! Inputs about dead letters.

use async_graphql::{ID, InputObject};
use engine::deadletters;

use super::{matching, words};
use crate::graphql::types::{DateTime, DeadLetterKind, DeadLetterStatus, ErrorKind};

/// Which dead letters; what is not given does not matter.
#[derive(InputObject, Debug, Default)]
pub(crate) struct DeadLetterFilter {
    /// Whose.
    client_id: Option<ID>,
    /// Of which integration.
    integration_id: Option<ID>,
    /// Of one of these kinds; all when empty.
    kind: Option<Vec<DeadLetterKind>>,
    /// In one of these states; all when empty.
    status: Option<Vec<DeadLetterStatus>>,
    /// One of these; an empty list finds nothing.
    ids: Option<Vec<ID>>,
    /// Of this stream.
    stream: Option<String>,
    /// Of an integration on this connector: its slug.
    connector: Option<String>,
    /// Whose error is of one of these kinds; all when empty.
    error_kind: Option<Vec<ErrorKind>>,
    /// Made after this instant.
    created_after: Option<DateTime>,
    /// Made before this instant.
    created_before: Option<DateTime>,
}

impl DeadLetterFilter {
    /// `None` when an id in it is none, so that nothing can match.
    pub(crate) fn into_engine(self) -> Option<deadletters::DeadLetterFilter> {
        Some(deadletters::DeadLetterFilter {
            client_id: matching(self.client_id).ok()?,
            integration_id: matching(self.integration_id).ok()?,
            kind: words(self.kind),
            status: words(self.status),
            stream: self.stream,
            connector: self.connector,
            error_kind: words(self.error_kind),
            created_after: self.created_after.map(Into::into),
            created_before: self.created_before.map(Into::into),
            ids: self
                .ids
                .map(|ids| ids.iter().filter_map(|id| id.parse().ok()).collect()),
        })
    }
}

/// Dead letters to do again.
#[derive(InputObject, Debug)]
pub(crate) struct ReplayDeadLettersInput {
    /// Which ones; of them those that are OPEN.
    pub(crate) filter: DeadLetterFilter,
}

/// Dead letters to let go.
#[derive(InputObject, Debug)]
pub(crate) struct DiscardDeadLettersInput {
    /// Which ones; of them those that are OPEN.
    pub(crate) filter: DeadLetterFilter,
}
