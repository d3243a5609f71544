//! Inputs about runs.

use async_graphql::{ID, InputObject};
use engine::Refusal;
use engine::ids::RunId;
use engine::runs;

use super::{matching, named, words};
use crate::graphql::types::{DateTime, ErrorKind, SyncMode, SyncRunStatus, SyncTrigger};

/// Which runs; what is not given does not matter.
#[derive(InputObject, Debug, Default)]
pub(crate) struct SyncRunFilter {
    /// Whose.
    client_id: Option<ID>,
    /// Of which integration.
    integration_id: Option<ID>,
    /// In one of these states; all when empty.
    status: Option<Vec<SyncRunStatus>>,
    /// Made by one of these; all when empty.
    trigger: Option<Vec<SyncTrigger>>,
    /// Asked for after this instant.
    queued_after: Option<DateTime>,
    /// Asked for before this instant.
    queued_before: Option<DateTime>,
    /// Ended after this instant.
    finished_after: Option<DateTime>,
    /// Ended before this instant.
    finished_before: Option<DateTime>,
    /// Of an integration on this connector: its slug.
    connector: Option<String>,
    /// Whose last error is of one of these kinds; all when empty.
    error_kind: Option<Vec<ErrorKind>>,
}

impl SyncRunFilter {
    /// `None` when an id in it is none, so that nothing can match.
    pub(crate) fn into_engine(self) -> Option<runs::SyncRunFilter> {
        Some(runs::SyncRunFilter {
            client_id: matching(self.client_id).ok()?,
            integration_id: matching(self.integration_id).ok()?,
            status: words(self.status),
            trigger: words(self.trigger),
            queued_after: self.queued_after.map(Into::into),
            queued_before: self.queued_before.map(Into::into),
            finished_after: self.finished_after.map(Into::into),
            finished_before: self.finished_before.map(Into::into),
            connector: self.connector,
            error_kind: words(self.error_kind),
        })
    }
}

/// A run to be.
#[derive(InputObject, Debug)]
pub(crate) struct TriggerSyncInput {
    /// The integration.
    integration_id: ID,
    /// The same key with the same input gives back the same run, also when asked concurrently; with another
    /// input it is refused with IDEMPOTENCY_MISMATCH. 1 to 255 characters.
    idempotency_key: Option<String>,
    /// How much to read.
    #[graphql(default_with = "Some(SyncMode::Incremental)")]
    mode: Option<SyncMode>,
    /// Which of the integration's streams; all of them when not given.
    streams: Option<Vec<String>>,
}

impl TriggerSyncInput {
    pub(crate) fn into_engine(self) -> Result<runs::TriggerSync, Refusal> {
        Ok(runs::TriggerSync {
            integration_id: named(&self.integration_id, "integration", "integrationId")?,
            idempotency_key: self.idempotency_key,
            mode: self.mode.unwrap_or(SyncMode::Incremental).into(),
            streams: self.streams,
            trigger: runs::SyncTrigger::Manual,
        })
    }
}

macro_rules! of_a_run {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(InputObject, Debug)]
        pub(crate) struct $name {
            /// The run.
            run_id: ID,
        }

        impl $name {
            pub(crate) fn run_id(&self) -> Result<RunId, Refusal> {
                named(&self.run_id, "run", "runId")
            }
        }
    )+};
}

of_a_run! {
    /// A run to cancel.
    CancelSyncInput;
    /// An ended run to do once more.
    RetrySyncInput;
    /// A run whose held deletions are wanted.
    ApproveDeletionsInput;
}
