//! The producer: a task that keeps one page in the channel, one in its hands and one on the wire.
//!
//! Order within a page matters. First the next token (so that the next request can leave), then the walk's
//! position, then the request for the next page, and only then the mapping and the books: a checkpoint joins
//! the position *after* this page with the books *after* this page's records.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::book::Book;
use super::cutting::{Arrival, Cut};
use super::page::{Extracted, Mapped, PageRequest};
use super::paginator::PageSeen;
use super::stream::StreamReader;
use super::walk::{Step, Walk};
use super::{Checkpoint, ErrorKind, NoteLevel, Page, PageStream, ReadError};
use crate::http::session::{Session, is_truthy};
use crate::manifest::components::StreamPlan;

/// Pages that wait for the consumer.
const AHEAD: usize = 1;

/// The form of `resume`.
const VERSION: u64 = 1;

/// Starts reading.
pub(crate) fn start(
    session: Arc<Session>,
    plan: &Arc<StreamPlan>,
    checkpoint: Checkpoint,
    full_refresh: bool,
) -> Result<PageStream, ReadError> {
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
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let mut producer = Producer {
            session,
            reader,
            started,
            without_state,
            sender,
        };
        let sender = producer.sender.clone();
        let outcome = tokio::select! {
            biased;
            () = sender.closed() => return,
            outcome = producer.run(state, resume) => outcome,
        };
        if let Err(mut error) = outcome {
            error.stats = producer.session.take_stats();
            // Whoever went away does not want to know.
            let _ = sender.send(Err(error)).await;
        }
    });
    Ok(ReceiverStream::new(receiver).boxed())
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
    sender: mpsc::Sender<Result<Page, ReadError>>,
}

/// A request on the wire; forgotten requests are aborted.
struct OnTheWire(JoinHandle<Result<Arrival, ReadError>>);

impl Drop for OnTheWire {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl OnTheWire {
    fn send(reader: &Arc<StreamReader>, request: &PageRequest) -> Self {
        let (reader, request) = (Arc::clone(reader), request.clone());
        Self(tokio::spawn(async move { reader.fetch(&request).await }))
    }

    async fn arrival(&mut self) -> Result<Arrival, ReadError> {
        match (&mut self.0).await {
            Ok(arrival) => arrival,
            Err(_) => Err(ReadError::new(
                ErrorKind::Internal,
                "INTERNAL",
                "The request's task ended early.",
            )),
        }
    }
}

impl Producer {
    async fn run(&mut self, state: Option<Value>, resume: Option<Value>) -> Result<(), ReadError> {
        let reader = Arc::clone(&self.reader);
        let (mut walk, mut book) = open(&reader, state, resume).await?;
        let Some(mut step) = walk.advance(&mut book).await? else {
            return self.end(Mapped::default(), &mut walk, &mut book).await;
        };
        let mut wire = OnTheWire::send(&reader, &step.request);
        loop {
            let mut arrival = loop {
                tokio::select! {
                    biased;
                    arrival = wire.arrival() => break arrival?,
                    // Whoever goes on from here finds the job.
                    () = walk.job_created() => {
                        self.page(Mapped::default(), &walk, &book, walk.position()).await?;
                    }
                }
            };
            if self.session.context.cancel.is_cancelled() {
                return Err(ReadError::cancelled());
            }
            let Step { request, entered } = step;
            book.take(walk.cursor(), entered);
            let extracted = loop {
                match arrival.cut(&reader).await? {
                    Cut::Last(extracted) => break Some(extracted),
                    Cut::Batch(extracted, given) => {
                        let mapped = reader.map(&request, extracted)?;
                        book.observe(&reader, &mapped);
                        walk.give(given);
                        self.page(mapped, &walk, &book, walk.position()).await?;
                    }
                    Cut::Changed => break None,
                }
            };
            let Some(extracted) = extracted else {
                // The same page again, from its first row.
                walk.forget_given();
                step = Step {
                    request: PageRequest {
                        given: None,
                        ..request
                    },
                    entered: Vec::new(),
                };
                wire = OnTheWire::send(&reader, &step.request);
                continue;
            };
            let (token, digest) = reader.begin_digest(&mut walk, &request, &arrival, extracted)?;
            let turn = walk.turn(token)?;
            let position = walk.position();
            let upcoming = walk.advance(&mut book).await;
            let next = match &upcoming {
                Ok(Some(step)) => Some(OnTheWire::send(&reader, &step.request)),
                _ => None,
            };
            // The new task waits for this thread, and must not wait for the mapping.
            tokio::task::yield_now().await;
            let mapped = digest.finish(&reader, &request)?;
            book.observe(&reader, &mapped);
            if turn.window_ends {
                book.close(walk.cursor(), turn.window.as_ref(), turn.partition_ends)?;
            }
            match (upcoming, next) {
                (Ok(Some(upcoming)), Some(next)) => {
                    self.page(mapped, &walk, &book, position).await?;
                    step = upcoming;
                    wire = next;
                }
                (Ok(_), _) => return self.end(mapped, &mut walk, &mut book).await,
                (Err(error), _) => {
                    self.page(mapped, &walk, &book, position).await?;
                    return Err(error);
                }
            }
        }
    }

    async fn page(&self, mapped: Mapped, walk: &Walk, book: &Book, position: Value) -> Result<(), ReadError> {
        let resume = json!({
            "v": VERSION,
            "started": self.started.timestamp_micros(),
            "at": position,
            "book": book.to_json(),
            "without_state": self.without_state,
        });
        let checkpoint = Checkpoint {
            state: book.state(walk.cursor()),
            resume: Some(resume),
        };
        self.give(mapped, checkpoint, false).await
    }

    async fn end(&self, mapped: Mapped, walk: &mut Walk, book: &mut Book) -> Result<(), ReadError> {
        let entered = walk.take_entered();
        book.take(walk.cursor(), entered);
        let took = self.session.context.clock.now() - self.started;
        let seconds = (took.num_milliseconds().max(0) + 999) / 1_000;
        book.finish(walk.cursor(), walk.parent_states(), seconds);
        let checkpoint = Checkpoint {
            state: Some(book.final_state(walk.cursor())),
            resume: None,
        };
        self.give(mapped, checkpoint, true).await
    }

    async fn give(&self, mapped: Mapped, checkpoint: Checkpoint, last: bool) -> Result<(), ReadError> {
        let page = Page {
            records: mapped.records,
            rejected: mapped.rejected,
            checkpoint,
            stats: self.session.take_stats(),
            notes: self.session.take_notes(),
            last,
        };
        tokio::select! {
            biased;
            () = self.session.context.cancel.cancelled() => Err(ReadError::cancelled()),
            sent = self.sender.send(Ok(page)) => sent.map_err(|_| ReadError::cancelled()),
        }
    }
}

/// The walk and the books, from the state or from the middle of a run.
async fn open(
    reader: &Arc<StreamReader>,
    state: Option<Value>,
    resume: Option<Value>,
) -> Result<(Walk, Book), ReadError> {
    if let Some(resume) = resume {
        let written = &resume["book"];
        if let Some(mut book) = Book::reopen(reader, state.as_ref(), written)? {
            let mut walk = Walk::new(reader, state.as_ref());
            walk.resume(&mut book, &resume["at"], written).await?;
            return Ok((walk, book));
        }
    }
    Ok((
        Walk::new(reader, state.as_ref()),
        Book::open(reader, state.as_ref())?,
    ))
}

/// A page between its token and its mapping.
pub(super) enum Digest {
    Raw(Extracted),
    Mapped(Mapped),
}

impl Digest {
    pub(super) fn finish(self, reader: &StreamReader, request: &PageRequest) -> Result<Mapped, ReadError> {
        match self {
            Self::Raw(extracted) => reader.map(request, extracted),
            Self::Mapped(mapped) => Ok(mapped),
        }
    }
}

impl StreamReader {
    /// Finds the next token, mapping the records first only where the token depends on them.
    pub(super) fn begin_digest(
        &self,
        walk: &mut Walk,
        request: &PageRequest,
        arrival: &Arrival,
        extracted: Extracted,
    ) -> Result<(Option<Value>, Digest), ReadError> {
        walk.arrived(arrival);
        let Some(answer) = &arrival.answer else {
            return Ok((arrival.next().cloned(), Digest::Raw(extracted)));
        };
        if self.token_needs_records {
            let mut extracted = extracted;
            let body = extracted.body.take();
            let count = extracted.records.len();
            let mapped = self.map(request, extracted)?;
            if self.feed_ends(request, &mapped) {
                return Ok((None, Digest::Mapped(mapped)));
            }
            let seen = PageSeen {
                answer,
                body: body.as_ref(),
                slice: &request.slice,
                token: request.token.as_ref(),
                extracted: count,
                emitted: mapped.emitted,
                last_record: mapped.last_record.as_ref(),
            };
            let token = self.token_after(walk, &seen)?;
            return Ok((token, Digest::Mapped(mapped)));
        }
        let count = extracted.records.len();
        let seen = PageSeen {
            answer,
            body: extracted.body.as_ref(),
            slice: &request.slice,
            token: request.token.as_ref(),
            extracted: count,
            emitted: count,
            last_record: extracted.records.last(),
        };
        let token = self.token_after(walk, &seen)?;
        Ok((token, Digest::Raw(extracted)))
    }

    fn token_after(&self, walk: &mut Walk, seen: &PageSeen<'_>) -> Result<Option<Value>, ReadError> {
        // An ignored error ends the window, as in the reference.
        if !seen.answer.is_usable() {
            return Ok(None);
        }
        let token = self.next_token(seen)?;
        if token.is_some() && self.counts_pages() {
            walk.compare(&seen.answer.body)?;
        }
        Ok(token)
    }
}
