//! The producer: the pages of a stream, each with the checkpoint that holds after it.
//!
//! It is no task of its own. What runs ahead of the consumer are the lanes, and a page that waits here as well would be one
//! more in memory.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::book::Book;
use super::lane::LanePage;
use super::page::Mapped;
use super::stream::StreamReader;
use super::tour::Tour;
use super::walk::Walk;
use super::{Checkpoint, NoteLevel, Page, PageStream, ReadError};
use crate::http::session::{Session, is_truthy};
use crate::http::validators::Validators;
use crate::manifest::components::StreamPlan;

/// The form of `resume`.
const VERSION: u64 = 1;

/// Starts reading.
pub(crate) fn start(
    session: Arc<Session>,
    plan: &Arc<StreamPlan>,
    checkpoint: Checkpoint,
    full_refresh: bool,
    unless: Option<&Value>,
) -> Result<PageStream, ReadError> {
    let delegates = plan.delegation.is_some();
    let (plan, without_state) = chosen(&session, plan, &checkpoint, full_refresh)?;
    let now = session.context.clock.now();
    let mut resume = checkpoint.resume.filter(|resume| !resume.is_null());
    let started = match resume.as_ref().map(begun) {
        Some(Some(started)) => started,
        Some(None) => {
            session.note(
                NoteLevel::Warning,
                "The position inside the run is from another version; the read begins again from the state.",
            );
            resume = None;
            now
        }
        None => now,
    };
    let state = if full_refresh && resume.is_none() {
        None
    } else {
        checkpoint.state
    };
    let reader = StreamReader::new(&session, plan, now)?;
    // A state that is too old counts as none.
    let state = if without_state && resume.is_none() {
        None
    } else {
        state
    };
    let state = super::migrate::migrate(&reader, state)?;
    // Whoever goes on from inside of a read has not seen all of the answer.
    let in_one = resume.is_none() && !delegates && reader.is_one_answer();
    let unless = unless.filter(|_| in_one).and_then(Validators::from_json);
    let producer = Producer {
        session,
        reader,
        in_one,
        started,
        without_state,
        stage: Stage::Opening {
            state,
            resume,
            unless: unless.map(Arc::new),
        },
    };
    Ok(stream::unfold(producer, |mut producer| async move {
        let page = match producer.next().await {
            Ok(page) => Ok(page?),
            Err(mut error) => {
                producer.stage = Stage::Over;
                error.stats = producer.session.take_stats();
                Err(error)
            }
        };
        Some((page, producer))
    })
    .boxed())
}

/// The stream itself, or the one that it delegates to where there is no state (or one that is too old). A run that is
/// resumed goes on with the stream that it began with, whatever its state has become since.
fn chosen<'a>(
    session: &Session,
    plan: &'a Arc<StreamPlan>,
    checkpoint: &Checkpoint,
    full_refresh: bool,
) -> Result<(&'a Arc<StreamPlan>, bool), ReadError> {
    let Some(delegation) = &plan.delegation else {
        return Ok((plan, false));
    };
    let begun = checkpoint
        .resume
        .as_ref()
        .and_then(|resume| resume.get("without_state")?.as_bool());
    let without_state = match (begun, &checkpoint.state) {
        (Some(begun), _) => begun,
        (None, Some(state)) if is_truthy(state) && !full_refresh => {
            super::delegation::is_outdated(session, plan, delegation, state)?
        }
        (None, _) => true,
    };
    Ok(if without_state {
        (&delegation.full_refresh, true)
    } else {
        (plan, false)
    })
}

/// When the run that wrote this began; `None` when it is not ours.
fn begun(resume: &Value) -> Option<DateTime<Utc>> {
    if resume.get("v")?.as_u64()? != VERSION {
        return None;
    }
    DateTime::from_timestamp_micros(resume.get("started")?.as_i64()?)
}

struct Producer {
    session: Arc<Session>,
    reader: Arc<StreamReader>,
    started: DateTime<Utc>,
    /// Whether this is the stream that delegates where there is no state.
    without_state: bool,
    /// Whether one answer may be all of the stream, and all of it that could be kept has been so far.
    in_one: bool,
    stage: Stage,
}

enum Stage {
    Opening {
        state: Option<Value>,
        resume: Option<Value>,
        unless: Option<Arc<Validators>>,
    },
    Reading(Box<Tour>),
    Over,
}

impl Producer {
    async fn next(&mut self) -> Result<Option<Page>, ReadError> {
        let mut tour = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Over => return Ok(None),
            Stage::Reading(tour) => tour,
            Stage::Opening {
                state,
                resume,
                unless,
            } => {
                let mut tour = open(&self.reader, state, resume, unless).await?;
                tour.fill().await;
                Box::new(tour)
            }
        };
        if tour.is_over() {
            return self.last(Mapped::default(), *tour).await.map(Some);
        }
        let page = tour.page().await?;
        if self.session.context.cancel.is_cancelled() {
            return Err(ReadError::cancelled());
        }
        let (mapped, position) = match page {
            // Whoever goes on from here finds the job.
            None => (Mapped::default(), tour.position()),
            Some(page) => {
                tour.enter(&page)?;
                if page.turn.window_ends {
                    tour.fill().await;
                }
                self.in_one = self.in_one && page.mapped.rejected.is_empty();
                if tour.is_over() {
                    let LanePage {
                        mapped,
                        validators,
                        unchanged,
                        ..
                    } = page;
                    let mut last = self.last(mapped, *tour).await?;
                    last.unchanged = unchanged;
                    last.validators = validators
                        .filter(|_| self.in_one && self.session.is_timeless())
                        .map(|validators| validators.to_json());
                    return Ok(Some(last));
                }
                (page.mapped, page.position)
            }
        };
        let (state, position, book) = tour.checkpoint(position);
        let resume = json!({
            "v": VERSION,
            "started": self.started.timestamp_micros(),
            "at": position,
            "book": book,
            "without_state": self.without_state,
        });
        let checkpoint = Checkpoint {
            state,
            resume: Some(resume),
        };
        self.stage = Stage::Reading(tour);
        Ok(Some(self.page(mapped, checkpoint, false)))
    }

    async fn last(&self, mapped: Mapped, tour: Tour) -> Result<Page, ReadError> {
        let took = self.session.context.clock.now() - self.started;
        let seconds = (took.num_milliseconds().max(0) + 999) / 1_000;
        let checkpoint = Checkpoint {
            state: Some(tour.end(seconds).await?),
            resume: None,
        };
        Ok(self.page(mapped, checkpoint, true))
    }

    fn page(&self, mapped: Mapped, checkpoint: Checkpoint, last: bool) -> Page {
        Page {
            records: mapped.records,
            rejected: mapped.rejected,
            checkpoint,
            stats: self.session.take_stats(),
            notes: self.session.take_notes(),
            last,
            validators: None,
            unchanged: false,
        }
    }
}

/// The walk and the books, from the state or from the middle of a run.
async fn open(
    reader: &Arc<StreamReader>,
    state: Option<Value>,
    resume: Option<Value>,
    unless: Option<Arc<Validators>>,
) -> Result<Tour, ReadError> {
    if let Some(resume) = resume {
        let written = &resume["book"];
        if let Some(mut book) = Book::reopen(reader, state.as_ref(), written)? {
            let mut walk = Walk::new(reader, state.as_ref());
            walk.resume(&mut book, &resume["at"], written).await?;
            return Ok(Tour::new(reader, walk, book));
        }
    }
    let book = Book::open(reader, state.as_ref())?;
    let mut walk = Walk::new(reader, state.as_ref());
    walk.unless(unless);
    Ok(Tour::new(reader, walk, book))
}
