//! The end of a stream, and what a full refresh no longer saw.
//!
//! Only a refresh that came to its end deletes: one that failed half-way has not seen the other half. And even
//! then an upstream that answers 200 with an empty list, a filter that somebody changed or a key that lost
//! its rights would delete a customer's data. So a share that is suspicious is held: the records stay, the run
//! succeeds and says what it would have deleted, and a person decides.
//!
//! While deletions are held, later incremental runs mark what they see as well, so that approving is right
//! whenever it happens. The next full refresh begins its own count and replaces what was held.

use entity::words::LogLevel;
use sea_orm::DbErr;
use serde_json::json;

use super::apply::{Applier, ApplyError, begin};
use super::stream::stopped;
use super::{Ending, StopSignals};
use crate::Engine;
use crate::queue::Claim;
use crate::runs::SyncProgress;
use crate::store::run_log::LogLine;
use crate::store::{deletions, records_write, run_log, run_streams, runs, stream_state};
use crate::topics;

/// Deletions are held when they are more than this share of the records that the refresh could have seen …
pub const SUSPICIOUS_SHARE: f64 = 0.30;
/// … and at least so many: of three records, one that is gone is nothing to ask about.
pub const SUSPICIOUS_RECORDS: i64 = 10;

/// Records marked as deleted in one transaction.
const CHUNK: i64 = 50_000;
/// Marks forgotten in one transaction.
const FORGET: i64 = 50_000;

/// Whether so many deletions, of so many records, are to be held.
fn is_suspicious(gone: i64, of: i64) -> bool {
    gone >= SUSPICIOUS_RECORDS && gone as f64 > of as f64 * SUSPICIOUS_SHARE
}

/// How a stream was read to its end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) full_refresh: bool,
    pub(super) generation: i64,
    /// The upstream says that it is as it was: nothing was seen because nothing is new, and nothing is gone.
    pub(super) unchanged: bool,
    /// What the next run is to ask with whether it has changed.
    pub(super) kept: Option<serde_json::Value>,
}

/// Ends a stream that was read to its end.
pub(super) async fn finish(
    applier: &Applier<'_>,
    end: End,
    line: LogLine,
    stop: &StopSignals,
) -> Result<(), Ending> {
    let End {
        full_refresh,
        generation,
        unchanged,
        kept,
    } = end;
    let Applier {
        engine,
        claim,
        stream,
        stream_id,
        ..
    } = *applier;
    let mut lines = vec![line];
    let mut held = 0;
    if full_refresh && applier.marking.is_some() && !unchanged {
        // Nobody but this run writes its records, so what a reader counts is what the transactions will find.
        let counted = deletions::count(engine.db.reader(), stream_id, generation).await;
        let (live, seen) = counted.map_err(|error| Ending::from(ApplyError::from(error)))?;
        let gone = (live - seen).max(0);
        let added = added(engine, claim, stream)
            .await
            .map_err(|error| Ending::from(ApplyError::from(error)))?;
        let before = (live - added).max(gone);
        if is_suspicious(gone, before) {
            held = gone;
            let percent = (gone as f64 * 100.0 / before as f64).round() as i64;
            let message = format!("would delete {percent} % of the records: held until approved");
            tracing::warn!(stream, gone, before, "{message}");
            lines.push(LogLine::new(
                LogLevel::Warn,
                message,
                json!({ "stream": stream, "records": gone, "of": before }),
            ));
        } else if gone > 0 {
            delete(applier, generation, stop).await?;
            lines.push(LogLine::new(
                LogLevel::Info,
                "records deleted",
                json!({ "stream": stream, "records": gone }),
            ));
        }
    }
    // While deletions are held, more is stored than was read.
    let kept = kept.filter(|_| held == 0);
    close(applier, full_refresh, held, kept, lines)
        .await
        .map_err(Ending::from)?;
    if full_refresh {
        // The marks of this refresh stay while its deletions are held.
        let forget = if held > 0 { generation - 1 } else { generation };
        forget_marks(engine, stream_id, forget)
            .await
            .map_err(|error| Ending::from(ApplyError::from(error)))?;
    }
    Ok(())
}

/// Records that the run added to the stream, over all its attempts.
async fn added(engine: &Engine, claim: &Claim, stream: &str) -> Result<i64, DbErr> {
    let rows = run_streams::of_runs(engine.db.reader(), &[claim.id()]).await?;
    Ok(rows
        .iter()
        .find(|row| row.stream == stream)
        .map_or(0, |row| row.records_added))
}

async fn delete(applier: &Applier<'_>, generation: i64, stop: &StopSignals) -> Result<(), Ending> {
    let Applier {
        engine,
        claim,
        stream,
        stream_id,
        ..
    } = *applier;
    let mut after = 0;
    loop {
        let chunk = async {
            let (transaction, cancel_requested) = begin(engine, claim).await?;
            let now = engine.clock.now();
            let first =
                records_write::reserve_changes(&transaction, claim.integration_id(), CHUNK as usize).await?;
            let (count, last) =
                deletions::delete(&transaction, (stream_id, generation), after, CHUNK, first, now).await?;
            let done = SyncProgress {
                records_deleted: count,
                ..SyncProgress::default()
            };
            run_streams::spent(&transaction, claim.hold(), stream, &done).await?;
            transaction.commit().await?;
            engine.notify(topics::RUNS, &claim.id().to_string()).await;
            Ok::<_, ApplyError>((count, last, cancel_requested))
        };
        let (count, last, cancel_requested) = tokio::select! {
            biased;
            ending = stopped(stop) => return Err(ending),
            chunk = chunk => chunk.map_err(Ending::from)?,
        };
        if cancel_requested {
            return Err(Ending::Cancelled);
        }
        if count < CHUNK {
            return Ok(());
        }
        after = last;
    }
}

async fn close(
    applier: &Applier<'_>,
    full_refresh: bool,
    held: i64,
    kept: Option<serde_json::Value>,
    lines: Vec<LogLine>,
) -> Result<(), ApplyError> {
    let Applier {
        engine,
        claim,
        stream,
        stream_id,
        marking,
        ..
    } = *applier;
    let (transaction, _) = begin(engine, claim).await?;
    let now = engine.clock.now();
    run_streams::complete(&transaction, claim.id(), stream).await?;
    let keeps_marking = if full_refresh { held > 0 } else { marking.is_some() };
    stream_state::close(&transaction, stream_id, keeps_marking, kept, now).await?;
    if held > 0 {
        deletions::hold_back(&transaction, claim.id(), held).await?;
    }
    run_log::append(&transaction, claim.id(), lines, now).await?;
    transaction.commit().await?;
    engine.notify(topics::RUNS, &claim.id().to_string()).await;
    Ok(())
}

/// Marks have no meaning once their refresh has ended, so nothing is lost when this is cut short: the next
/// refresh forgets them too.
async fn forget_marks(engine: &Engine, stream: i64, generation: i64) -> Result<(), DbErr> {
    loop {
        let transaction = engine.db.begin(platform::database::Durability::Page).await?;
        let forgotten = deletions::forget(&transaction, stream, generation, FORGET).await?;
        transaction.commit().await?;
        if forgotten < FORGET as u64 {
            return Ok(());
        }
    }
}

/// Deletes what a run has held back, which somebody approved. Safe to repeat when it is cut short.
pub(crate) async fn apply_approved(engine: &Engine, run: &entity::sync_run::Model) -> Result<(), DbErr> {
    for state in stream_state::marking(engine.db.reader(), run.integration_id).await? {
        let mut after = 0;
        loop {
            let transaction = engine.db.begin(platform::database::Durability::Accepted).await?;
            let now = engine.clock.now();
            // Taking numbers locks the integration's row: a run that is under way writes before or after this.
            let first =
                records_write::reserve_changes(&transaction, run.integration_id, CHUNK as usize).await?;
            if runs::refreshed_since(&transaction, run).await? {
                return transaction.rollback().await;
            }
            let which = (state.id, state.generation);
            let (count, last) = deletions::delete(&transaction, which, after, CHUNK, first, now).await?;
            deletions::approve(&transaction, run.id, &state.stream, count).await?;
            if count < CHUNK {
                stream_state::end_marking(&transaction, state.id, state.generation, now).await?;
            }
            transaction.commit().await?;
            after = last;
            if count < CHUNK {
                break;
            }
        }
        forget_marks(engine, state.id, state.generation).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_suspicious;

    #[test]
    fn a_third_of_a_few_records_is_nothing_and_of_many_it_is() {
        assert!(!is_suspicious(3, 9));
        assert!(!is_suspicious(9, 9));
        assert!(is_suspicious(10, 10));
        assert!(!is_suspicious(30, 100));
        assert!(is_suspicious(31, 100));
        assert!(is_suspicious(38_000, 100_000));
    }
}
