//! Where a run goes on.
//!
//! A checkpoint has two parts. The *state* is the stream's, in the form of the reference, and survives the run:
//! the next one begins there. The *position* (a slice, a page token) is the run's own: another run never goes
//! on from it, because it may come days later, and a page token then means nothing, or something else.
//!
//! The end of a stream is a position too, and another one where the stream is as it was. Between its last page and what follows from it (deletions, the stream's
//! status) a worker can die like anywhere else, and who goes on must not read everything again.

use connectors::read::Checkpoint;
use entity::words::{LogLevel, SyncMode, SyncRunStatus};
use serde_json::{Value, json};

use super::apply::{ApplyError, begin};
use super::drift::Watch;
use crate::Engine;
use crate::queue::Claim;
use crate::store::records_write::Expected;
use crate::store::run_log::LogLine;
use crate::store::{records_write, run_log, run_streams, stream_state};
use crate::topics;

/// A stream opened for a run.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) stream_id: i64,
    pub(super) checkpoint: Checkpoint,
    /// The run has read the stream to its end already.
    pub(super) ended: bool,
    /// The upstream said that the stream is as it was.
    pub(super) unchanged: bool,
    /// What the upstream may be asked with whether it is.
    pub(super) validators: Option<Value>,
    pub(super) generation: i64,
    pub(super) marking: bool,
    pub(super) cancel_requested: bool,
    /// What its records are likely to be.
    pub(super) expected: Expected,
    /// What is kept of its schema.
    pub(super) watch: Watch,
}

/// The position behind the last page. A reader's own positions are objects.
pub(super) fn the_end() -> Value {
    json!("end")
}

/// The position behind the only page of a stream that is as it was: nothing was seen, and nothing is gone.
pub(super) fn unchanged() -> Value {
    json!("unchanged")
}

/// Opens a stream.
pub(super) async fn open(engine: &Engine, claim: &Claim, stream: &str) -> Result<Opened, ApplyError> {
    let (transaction, cancel_requested) = begin(engine, claim).await?;
    let now = engine.clock.now();
    let (integration, mode) = (claim.integration_id(), claim.row().mode);
    let row = stream_state::open(&transaction, integration, stream, claim.id(), mode, now).await?;
    run_streams::set_status(&transaction, claim.id(), stream, SyncRunStatus::Running).await?;
    let stands_at = |end: Value| row.resume.as_ref().is_some_and(|position| *position == end);
    let unchanged = stands_at(unchanged());
    let ended = unchanged || stands_at(the_end());
    let message = match (row.resume.is_some(), mode) {
        _ if ended => "going on from the stream's end",
        (true, _) => "going on from the checkpoint",
        (false, SyncMode::FullRefresh) => "reading everything",
        (false, SyncMode::Incremental) => "reading",
    };
    let line = LogLine::new(
        LogLevel::Info,
        message,
        json!({ "stream": stream, "attempt": claim.attempt() }),
    );
    run_log::append(&transaction, claim.id(), [line], now).await?;
    let expected = if row.state.is_some() {
        Expected::Unchanged
    } else {
        records_write::expected_at_first(&transaction, row.id).await?
    };
    transaction.commit().await?;
    engine.notify(topics::RUNS, &claim.id().to_string()).await;
    Ok(Opened {
        stream_id: row.id,
        checkpoint: Checkpoint {
            state: row.state,
            resume: row.resume.filter(|_| !ended),
        },
        ended,
        unchanged,
        validators: row.validators,
        generation: row.generation,
        marking: row.marking,
        cancel_requested,
        expected,
        watch: Watch::of(row.schema_watch),
    })
}
