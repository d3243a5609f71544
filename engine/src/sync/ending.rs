//! How the execution of a run ended.

use std::time::Duration;

use connectors::error::{ErrorKind as ReadKind, ReadError};
use connectors::read::Holder;

use super::ApplyError;
use crate::runs::{ErrorKind, SyncError, WaitReason};

/// How the execution of a run ended: what to settle.
#[derive(Debug)]
pub struct Settlement {
    /// How.
    pub ending: Ending,
    /// Whether at least one page was committed: such an attempt earns another.
    pub progressed: bool,
}

/// How the execution of a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every stream was read to its end.
    Completed,
    /// Something went wrong.
    Failed {
        /// What.
        error: SyncError,
        /// How long the upstream asked us to wait.
        retry_after: Option<Duration>,
    },
    /// Somebody asked to cancel it.
    Cancelled,
    /// It was not worked on, for something that passes by itself and is not its fault.
    Parked {
        /// For what.
        reason: WaitReason,
        /// For how long.
        wait: Duration,
    },
    /// The process is draining, and the run stands at its last checkpoint.
    Drained,
    /// It is not ours any more, or we must leave: nothing may be written.
    Lost,
}

impl Ending {
    pub(super) const fn failed(error: SyncError) -> Self {
        Self::Failed {
            error,
            retry_after: None,
        }
    }

    /// What a reader's error means for the run.
    pub(super) fn from_read(error: ReadError, stream: Option<&str>) -> Self {
        if error.kind == ReadKind::Cancelled {
            return Self::Cancelled;
        }
        if let Some(holder) = error.held_back {
            return Self::Parked {
                reason: match holder {
                    Holder::Budget => WaitReason::RateLimited,
                    Holder::Circuit => WaitReason::CircuitOpen,
                },
                wait: error.retry_after.unwrap_or_default(),
            };
        }
        let retry_after = error.retry_after;
        Self::Failed {
            error: sync_error(error, stream),
            retry_after,
        }
    }
}

impl From<ApplyError> for Ending {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Lost => Self::Lost,
            ApplyError::Database(error) => {
                tracing::error!(error = %error, "a page could not be written");
                Self::failed(SyncError {
                    kind: ErrorKind::Internal,
                    code: "DATABASE".to_owned(),
                    message: "The database could not be written; the run goes on from its last checkpoint."
                        .to_owned(),
                    retryable: true,
                    stream: None,
                    http_status: None,
                    url: None,
                })
            }
        }
    }
}

/// A reader's error as runs, attempts and dead letters keep it.
pub(crate) fn sync_error(error: ReadError, stream: Option<&str>) -> SyncError {
    SyncError {
        kind: match error.kind {
            ReadKind::Config => ErrorKind::Config,
            ReadKind::Auth => ErrorKind::Auth,
            ReadKind::RateLimited => ErrorKind::RateLimited,
            ReadKind::Upstream => ErrorKind::Upstream,
            ReadKind::Timeout => ErrorKind::Timeout,
            ReadKind::Network => ErrorKind::Network,
            ReadKind::Malformed => ErrorKind::Malformed,
            ReadKind::Schema => ErrorKind::Schema,
            ReadKind::Cancelled => ErrorKind::Cancelled,
            ReadKind::Internal => ErrorKind::Internal,
        },
        code: error.code,
        message: error.message,
        retryable: error.retryable,
        stream: stream.map(str::to_owned),
        http_status: error.http_status,
        url: error.url,
    }
}
