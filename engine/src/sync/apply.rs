//! Writing a group of pages: one transaction.
//!
//! Its first statement locks the run's row under the fence; where that finds no row, the run is somebody
//! else's, and nothing is written. Then the records with their change numbers, dead letters, checkpoint,
//! counters and log lines, and the commit. Either all of it is there afterwards or nothing.

use chrono::{DateTime, Utc};
use connectors::read::{Checkpoint, Note, NoteLevel, PageStats};
use connectors::schema::Observed;
use entity::words::LogLevel;
use platform::database::{Durability, WriteTransaction};
use sea_orm::DbErr;
use serde_json::json;

use super::checkpoint::{the_end, unchanged};
use super::diff::{Prepared, batches};
use crate::Engine;
use crate::queue::Claim;
use crate::runs::SyncProgress;
use crate::store::packed::Packed;
use crate::store::records_write::Expected;
use crate::store::run_log::LogLine;
use crate::store::{queue, records_write, rejected, run_log, run_streams, stream_state};
use crate::topics;

/// Lines that the notes of a stream's pages may add to the run's log, each time it is read.
const MAX_NOTES: usize = 50;

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum ApplyError {
    /// The run is not ours any more.
    Lost,
    /// The database.
    Database(DbErr),
}

impl From<DbErr> for ApplyError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

/// A stream that is being written.
#[derive(Debug)]
pub(super) struct Applier<'a> {
    pub(super) engine: &'a Engine,
    pub(super) claim: &'a Claim,
    pub(super) stream: &'a str,
    pub(super) stream_id: i64,
    /// The refresh that marks what it sees.
    pub(super) marking: Option<i64>,
    pub(super) notes: usize,
    /// What most of the records are, as far as the last ones tell.
    pub(super) expected: Expected,
    /// What glances at the pages that were written showed.
    pub(super) observed: Observed,
}

/// What was written.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) done: SyncProgress,
    pub(super) cancel_requested: bool,
    /// The last page was among them, and said so.
    pub(super) unchanged: bool,
    pub(super) validators: Option<serde_json::Value>,
}

/// What became of a group's records.
#[derive(Debug, Default)]
struct Counts {
    added: i64,
    updated: i64,
    unchanged: i64,
}

/// Begins a transaction in which the run is held, and says whether somebody asked to cancel it.
pub(super) async fn begin(engine: &Engine, claim: &Claim) -> Result<(WriteTransaction, bool), ApplyError> {
    let transaction = engine.db.begin(Durability::Page).await?;
    match queue::hold(&transaction, claim.hold(), engine.clock.now()).await? {
        Some(cancel_requested) => Ok((transaction, cancel_requested)),
        None => {
            transaction.rollback().await?;
            Err(ApplyError::Lost)
        }
    }
}

impl Applier<'_> {
    /// Writes these pages.
    pub(super) async fn write(&mut self, mut pages: Vec<Prepared>) -> Result<Applied, ApplyError> {
        let mut done = SyncProgress::default();
        let mut checkpoint = Checkpoint::default();
        let mut lines = Vec::new();
        let mut letters = Vec::new();
        let mut records = Vec::with_capacity(pages.len());
        let (mut as_it_was, mut validators) = (false, None);
        for page in &mut pages {
            done.pages += 1;
            done.records_read += page.read;
            done.records_unchanged += page.superseded;
            done.records_failed += i64::try_from(page.rejected.len()).unwrap_or(i64::MAX);
            spend(&mut done, page.stats);
            letters.append(&mut page.rejected);
            self.note(&page.notes, &mut lines);
            checkpoint = std::mem::take(&mut page.checkpoint);
            if page.last {
                as_it_was = page.unchanged;
                validators = page.validators.take();
                checkpoint.resume = Some(if as_it_was { unchanged() } else { the_end() });
            }
            records.push(page.take_records());
        }
        let batches = batches(records);

        if batches.len() > 1 && self.expected == Expected::New {
            self.expected = Expected::Changed;
        }
        let kept = if self.expected == Expected::New {
            batches.clone()
        } else {
            Vec::new()
        };
        let (mut transaction, mut cancel_requested) = begin(self.engine, self.claim).await?;
        let mut now = self.engine.clock.now();
        let counts = match self.records(&transaction, batches, now).await {
            // A page repeated a record of an earlier group. The transaction can do nothing but end.
            Err(error) if self.expected == Expected::New && records_write::is_repeated(&error) => {
                transaction.rollback().await?;
                self.expected = Expected::Changed;
                (transaction, cancel_requested) = begin(self.engine, self.claim).await?;
                now = self.engine.clock.now();
                self.records(&transaction, kept, now).await?
            }
            counts => counts?,
        };
        done.records_added += counts.added;
        done.records_updated += counts.updated;
        done.records_unchanged += counts.unchanged;
        rejected::insert(&transaction, self.engine, self.claim.row(), self.stream, letters).await?;
        let Checkpoint { state, resume } = &checkpoint;
        stream_state::checkpoint(
            &transaction,
            self.stream_id,
            state.as_ref(),
            resume.as_ref(),
            as_it_was,
            now,
        )
        .await?;
        run_streams::progress(
            &transaction,
            self.claim.hold(),
            self.stream,
            &done,
            state.as_ref(),
        )
        .await?;
        run_log::append(&transaction, self.claim.id(), lines, now).await?;
        transaction.commit().await?;
        self.engine
            .notify(topics::RUNS, &self.claim.id().to_string())
            .await;
        for page in &pages {
            self.observed.add(&page.observed);
        }
        Ok(Applied {
            done,
            cancel_requested,
            unchanged: as_it_was,
            validators,
        })
    }

    /// Writes the records of a group.
    async fn records(
        &mut self,
        transaction: &WriteTransaction,
        batches: Vec<Packed>,
        now: DateTime<Utc>,
    ) -> Result<Counts, DbErr> {
        let mut counts = Counts::default();
        let count: usize = batches.iter().map(Packed::len).sum();
        if count == 0 {
            return Ok(counts);
        }
        records_write::plan_once(transaction).await?;
        let mut first =
            records_write::reserve_changes(transaction, self.claim.integration_id(), count).await?;
        for batch in batches {
            let size = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            let seen = self.marking.map(|generation| (generation, batch.clone()));
            let upserted =
                records_write::upsert(transaction, self.stream_id, first, now, batch, self.expected).await?;
            if let Some((generation, batch)) = seen {
                records_write::mark_seen(transaction, self.stream_id, generation, batch).await?;
            }
            let changed = upserted.added + upserted.updated;
            self.expected = self.expected.after(changed, size);
            counts.added += upserted.added;
            counts.updated += upserted.updated;
            counts.unchanged += size - changed;
            first += size;
        }
        Ok(counts)
    }

    /// Counts what was spent on a request that gave no page.
    pub(super) async fn spent(&self, stats: PageStats) -> Result<(), ApplyError> {
        let mut done = SyncProgress::default();
        spend(&mut done, stats);
        if done == SyncProgress::default() {
            return Ok(());
        }
        let (transaction, _) = begin(self.engine, self.claim).await?;
        run_streams::spent(&transaction, self.claim.hold(), self.stream, &done).await?;
        Ok(transaction.commit().await?)
    }

    fn note(&mut self, notes: &[Note], lines: &mut Vec<LogLine>) {
        for note in notes {
            self.notes += 1;
            if self.notes > MAX_NOTES {
                continue;
            }
            let level = match note.level {
                NoteLevel::Info => LogLevel::Info,
                NoteLevel::Warning => LogLevel::Warn,
            };
            lines.push(LogLine::new(
                level,
                note.message.clone(),
                json!({ "stream": self.stream }),
            ));
        }
    }
}

fn spend(done: &mut SyncProgress, stats: PageStats) {
    done.requests += i64::try_from(stats.requests).unwrap_or(i64::MAX);
    done.bytes_read += i64::try_from(stats.bytes).unwrap_or(i64::MAX);
}
