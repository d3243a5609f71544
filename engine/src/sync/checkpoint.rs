//! Where a run goes on.
//!
//! A checkpoint has two parts. The *state* is the stream's, in the form of the reference, and survives the run:
//! the next one begins there. The *position* (a slice, a page token) is the run's own: another run never goes
//! on from it, because it may come days later, and a page token then means nothing, or something else.

use connectors::read::Checkpoint;
use entity::words::{LogLevel, SyncMode, SyncRunStatus};
use serde_json::json;

use super::apply::{ApplyError, begin};
use crate::Engine;
use crate::queue::Claim;
use crate::store::run_log::LogLine;
use crate::store::{run_log, run_streams, stream_state};
use crate::topics;

/// A stream opened for a run.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) stream_id: i64,
    pub(super) checkpoint: Checkpoint,
    pub(super) generation: i64,
    pub(super) marking: bool,
    pub(super) cancel_requested: bool,
}

/// Opens a stream.
pub(super) async fn open(engine: &Engine, claim: &Claim, stream: &str) -> Result<Opened, ApplyError> {
    let (transaction, cancel_requested) = begin(engine, claim).await?;
    let now = engine.clock.now();
    let (integration, mode) = (claim.integration_id(), claim.row().mode);
    let row = stream_state::open(&transaction, integration, stream, claim.id(), mode, now).await?;
    run_streams::set_status(&transaction, claim.id(), stream, SyncRunStatus::Running).await?;
    let message = match (row.resume.is_some(), mode) {
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
    transaction.commit().await?;
    engine.notify(topics::RUNS, &claim.id().to_string()).await;
    Ok(Opened {
        stream_id: row.id,
        checkpoint: Checkpoint {
            state: row.state,
            resume: row.resume,
        },
        generation: row.generation,
        marking: row.marking,
        cancel_requested,
    })
}
