//! Running a claimed run: read its streams, in order, and apply what they give.
//!
//! ```text
//! Source ─pages→ read: key, hash, pack ─(bounded by bytes)→ gather ─groups→ apply: one transaction each
//! ```
//!
//! Reading is ahead of writing by a bounded number of bytes, so memory does not grow with pages, and a slow
//! database slows the reading instead of filling the memory. What is ready when the last transaction has
//! committed goes into the next one together: with an upstream of small pages the transactions grow instead
//! of the waiting, and with a slow one each page is committed when it comes.
//!
//! # Rejected
//! - A transaction a page, always: 200,000 records in pages of 100 would be 2,000 transactions, each with the
//!   statements that a group has once.
//! - A transaction held open for a time or a number of records: it locks the run's row, and SQLite's only
//!   writer, while waiting for somebody else's server.
//! - Streams of one run at the same time: they share the upstream's rate limit and the integration's counter
//!   of changes, so what is won is little, and progress is harder to read.

mod apply;
mod checkpoint;
mod deletions;
mod diff;
mod drift;
mod ending;
mod plan;
mod read;
mod source;
mod stream;
mod unchanged;

pub(crate) use apply::ApplyError;
pub(crate) use deletions::apply_approved;
pub use deletions::{SUSPICIOUS_RECORDS, SUSPICIOUS_SHARE};
pub(crate) use drift::Watch;
pub use drift::{DriftKind, FieldDrift};
pub(crate) use ending::sync_error;
pub use ending::{Ending, Settlement};
pub use source::{Source, StreamSource};

use entity::words::SyncRunStatus;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::queue::Claim;
use crate::runs::SyncError;
use crate::store;

/// Records that may fail before a run does, whatever the share.
pub const ERROR_BUDGET_RECORDS: i64 = 10;
/// One in so many records may fail.
pub const ERROR_BUDGET_ONE_IN: i64 = 100;
/// Records that may fail while fewer than a hundred times as many were read: a bad first page is not the
/// end, but a stream of nothing but bad records does not become a million dead letters.
const EARLY_BUDGET_RECORDS: i64 = 100;

/// The ways in which a run is stopped from outside.
#[derive(Clone, Debug, Default)]
pub struct StopSignals {
    /// Somebody asked to cancel it: stop everywhere, also inside a request.
    pub cancel: CancellationToken,
    /// The process is draining: finish the page, checkpoint, put the run back.
    pub drain: CancellationToken,
    /// The lease is lost or the process must leave: stop, and write nothing more.
    pub abort: CancellationToken,
}

/// Runs a claimed run with the connector of its integration.
pub async fn execute(engine: &Engine, claim: &Claim, stop: &StopSignals) -> Settlement {
    let ended = |ending| Settlement {
        ending,
        progressed: false,
    };
    let mut source = match plan::load(engine, claim).await {
        Ok(source) => source,
        Err(error) => return ended(Ending::failed(error)),
    };
    let resolving = CancellationToken::new();
    let _stop_resolving = resolving.clone().drop_guard();
    tokio::select! {
        biased;
        ending = stream::stopped(stop) => return ended(ending),
        resolved = source.resolve(resolving) => if let Err(ending) = resolved {
            return ended(ending);
        },
    }
    execute_from(engine, claim, &source, stop).await
}

/// Runs a claimed run with pages from this source.
pub async fn execute_from(
    engine: &Engine,
    claim: &Claim,
    source: &dyn Source,
    stop: &StopSignals,
) -> Settlement {
    let mut tally = Tally {
        read: claim.row().records_read,
        failed: claim.row().records_failed,
        pages: 0,
    };
    let ending = streams(engine, claim, source, stop, &mut tally).await;
    Settlement {
        ending,
        progressed: tally.pages > 0,
    }
}

/// What the run read so far, for its error budget.
#[derive(Debug, Default)]
struct Tally {
    read: i64,
    failed: i64,
    pages: i64,
}

impl Tally {
    /// Whether too many records failed for the run to go on, or to end well.
    fn over_budget(&self, at_the_end: bool) -> bool {
        let least = if at_the_end {
            ERROR_BUDGET_RECORDS
        } else {
            EARLY_BUDGET_RECORDS
        };
        self.failed > least.max(self.read / ERROR_BUDGET_ONE_IN)
    }

    fn over_budget_error(&self, stream: &str) -> SyncError {
        SyncError {
            kind: crate::runs::ErrorKind::Schema,
            code: "ERROR_BUDGET".to_owned(),
            message: format!(
                "{} of {} records could not be mapped, which is more than 1 % and more than {ERROR_BUDGET_RECORDS}; \
                 the dead letters say why.",
                self.failed, self.read
            ),
            retryable: false,
            stream: Some(stream.to_owned()),
            http_status: None,
            url: None,
        }
    }
}

async fn streams(
    engine: &Engine,
    claim: &Claim,
    source: &dyn Source,
    stop: &StopSignals,
    tally: &mut Tally,
) -> Ending {
    // No stream has ended of a run that nobody has had before.
    let done = if claim.fence() == 1 {
        Vec::new()
    } else {
        match store::run_streams::of_runs(engine.db.reader(), &[claim.id()]).await {
            Ok(rows) => rows,
            Err(error) => return Ending::from(ApplyError::from(error)),
        }
    };
    for name in claim.streams() {
        let ended = |status: SyncRunStatus| {
            matches!(
                status,
                SyncRunStatus::Succeeded | SyncRunStatus::PartiallySucceeded
            )
        };
        if done.iter().any(|row| row.stream == name && ended(row.status)) {
            continue;
        }
        match stream::run(engine, claim, source, &name, stop, tally).await {
            Ok(()) if tally.over_budget(true) => return Ending::failed(tally.over_budget_error(&name)),
            Ok(()) => {}
            Err(ending) => return ending,
        }
    }
    Ending::Completed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_budget_is_one_percent_and_at_least_ten() {
        let over = |read, failed, end| {
            Tally {
                read,
                failed,
                pages: 1,
            }
            .over_budget(end)
        };
        assert!(!over(10, 10, true));
        assert!(over(11, 11, true));
        assert!(!over(2_000, 20, true));
        assert!(over(2_000, 21, true));
        assert!(!over(100, 100, false));
        assert!(over(101, 101, false));
        assert!(!over(50_000, 500, false));
    }
}
