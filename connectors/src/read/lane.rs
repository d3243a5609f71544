//! A lane: the task that reads one slice, a page ahead of whoever takes its pages.
//!
//! Several lanes run side by side, and their pages are taken in the order of the slices: what is read ahead waits in its lane.
//! So partitions are asked for at the same time, and still nothing that follows from their order changes: records come as if
//! one partition had been read after the other, a checkpoint is one place and means "all before this was read", and whoever
//! goes on from it asks for exactly the rest.
//!
//! Order within a page matters. First the next token, then the slice's position, then the request for the next page, and
//! only then the mapping: the request is on its way while this page is mapped.
//!
//! What waits is bounded twice: a lane holds a page that waits, and one in its hands or on the wire, and all lanes that wait
//! for their turn share [`AHEAD_KIB`]. The lane whose turn it is needs no share of it, so it cannot be held up by those behind
//! it. A read that is not to run ahead (`ReadLimits::ahead`) has one lane, which sends a request when the page is waited for.
//!
//! Rejected: giving pages as they come, with checkpoints over the finished prefix. It is faster where one partition is much
//! longer than the others, and a checkpoint then has to name the partitions that are half read, which grows with the bound,
//! and a run that is cut off repeats all of them.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::cutting::{Arrival, Cut};
use super::page::{Extracted, Mapped, PageRequest};
use super::paginator::PageSeen;
use super::stop::{Next, Stop, Turn};
use super::stream::StreamReader;
use super::{ErrorKind, ReadError};
use crate::http::validators::Validators;

/// What lanes may hold together before it is their turn.
const AHEAD_KIB: usize = 4 * 1024;
/// Pages of a lane that wait to be taken.
const WAITING: usize = 1;

/// A page, and where its slice stands after it. Its share of what lanes may hold goes with it.
pub(super) struct LanePage {
    pub(super) mapped: Mapped,
    pub(super) turn: Turn,
    pub(super) position: Value,
    /// Of the answer that was all of the slice.
    pub(super) validators: Option<Validators>,
    /// The slice is as it was.
    pub(super) unchanged: bool,
    _share: Option<OwnedSemaphorePermit>,
}

/// See the module.
pub(super) struct Lane {
    pages: mpsc::Receiver<Result<LanePage, ReadError>>,
    its_turn: CancellationToken,
    taken: u64,
    /// How many pages were asked for, those that were taken included.
    wanted: watch::Sender<u64>,
    /// Dropped with the lane, and its request with it.
    _task: AbortOnDropHandle<()>,
}

/// What lanes share.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AHEAD_KIB)))
    }

    async fn share(&self, arrival: &Arrival, its_turn: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        let bytes = arrival.bytes();
        let kib = u32::try_from((bytes / 1024 + 1).min(AHEAD_KIB)).unwrap_or(1);
        tokio::select! {
            biased;
            () = its_turn.cancelled() => None,
            share = Arc::clone(&self.0).acquire_many_owned(kib) => share.ok(),
        }
    }
}

impl Lane {
    /// Begins to read a slice.
    pub(super) fn start(reader: &Arc<StreamReader>, stop: Stop, room: &Room) -> Self {
        let (sender, pages) = mpsc::channel(WAITING);
        let its_turn = CancellationToken::new();
        let (wanted, asked) = watch::channel(0);
        let driver = Driver {
            reader: Arc::clone(reader),
            stop,
            room: room.clone(),
            its_turn: its_turn.clone(),
            sender: sender.clone(),
            asked,
            given: 0,
        };
        let task = tokio::spawn(async move {
            if let Err(error) = driver.run().await {
                // Whoever went away does not want to know.
                let _ = sender.send(Err(error)).await;
            }
        });
        Self {
            pages,
            its_turn,
            taken: 0,
            wanted,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// The lane's pages are the next ones.
    pub(super) fn begin_turn(&self) {
        self.its_turn.cancel();
    }

    /// The next page. Safe to cancel.
    pub(super) async fn page(&mut self) -> Result<LanePage, ReadError> {
        self.wanted.send_replace(self.taken + 1);
        let page = self.pages.recv().await.unwrap_or_else(|| Err(ended_early()));
        self.taken += 1;
        page
    }
}

fn ended_early() -> ReadError {
    ReadError::new(
        ErrorKind::Internal,
        "INTERNAL",
        "The task that reads a slice ended early.",
    )
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
        (&mut self.0).await.unwrap_or_else(|_| Err(ended_early()))
    }
}

/// What runs in a lane.
struct Driver {
    reader: Arc<StreamReader>,
    stop: Stop,
    room: Room,
    its_turn: CancellationToken,
    sender: mpsc::Sender<Result<LanePage, ReadError>>,
    asked: watch::Receiver<u64>,
    given: u64,
}

impl Driver {
    async fn run(mut self) -> Result<(), ReadError> {
        let reader = Arc::clone(&self.reader);
        let mut request = self.stop.request();
        self.wanted().await?;
        let mut wire = OnTheWire::send(&reader, &request);
        let mut answers = 0_u64;
        loop {
            let mut arrival = match wire.arrival().await {
                Ok(arrival) => arrival,
                Err(error) => {
                    self.stop.recover(error).await?;
                    request = self.stop.request();
                    wire = OnTheWire::send(&reader, &request);
                    continue;
                }
            };
            answers += 1;
            if reader.session.context.cancel.is_cancelled() {
                return Err(ReadError::cancelled());
            }
            let share = self.room.share(&arrival, &self.its_turn).await;
            let Some(extracted) = self.batches(&request, &mut arrival).await? else {
                // The same page again, from its first row.
                self.stop.forget_given();
                request = self.stop.request();
                wire = OnTheWire::send(&reader, &request);
                continue;
            };
            let (next, digest) = reader.begin_digest(&mut self.stop, &request, &arrival, extracted)?;
            arrival.forget_bodies();
            let turn = self.stop.turn(next)?;
            let ends = turn.window_ends;
            let position = self.stop.position();
            let following = self.stop.request();
            let ahead = reader.session.context.limits.ahead;
            // A page that nobody has room for is not asked for: it would only wait.
            let place = self.sender.clone().reserve_owned().await;
            let place = place.map_err(|_| ReadError::cancelled())?;
            if ahead && !ends {
                wire = OnTheWire::send(&reader, &following);
            }
            // The new task waits for this thread, and must not wait for the mapping.
            tokio::task::yield_now().await;
            let mapped = digest.finish(&reader, &request)?;
            let validators = arrival.answer.as_ref().filter(|_| ends && answers == 1);
            self.given += 1;
            place.send(Ok(LanePage {
                mapped,
                turn,
                position,
                validators: validators.and_then(Validators::of),
                unchanged: arrival.unchanged,
                _share: share,
            }));
            if ends {
                return Ok(());
            }
            if !ahead {
                self.wanted().await?;
                wire = OnTheWire::send(&reader, &following);
            }
            request = following;
        }
    }

    /// Where nothing may be asked for in vain, waits until somebody waits for the next page.
    async fn wanted(&mut self) -> Result<(), ReadError> {
        if !self.reader.session.context.limits.ahead {
            let given = self.given;
            let asked = self.asked.wait_for(|asked| *asked > given).await;
            asked.map_err(|_| ReadError::cancelled())?;
        }
        Ok(())
    }

    /// Gives what comes before the last batch of the answer, and the last one back; `None`: the answer is another one than
    /// before.
    async fn batches(
        &mut self,
        request: &PageRequest,
        arrival: &mut Arrival,
    ) -> Result<Option<Extracted>, ReadError> {
        loop {
            match arrival.cut(&self.reader).await? {
                Cut::Last(extracted) => return Ok(Some(extracted)),
                Cut::Batch(extracted, given) => {
                    let mapped = self.reader.map(request, extracted)?;
                    self.stop.give(given);
                    let page = LanePage {
                        mapped,
                        turn: Turn::default(),
                        position: self.stop.position(),
                        validators: None,
                        unchanged: false,
                        _share: None,
                    };
                    self.given += 1;
                    let sent = self.sender.send(Ok(page)).await;
                    sent.map_err(|_| ReadError::cancelled())?;
                }
                Cut::Changed => return Ok(None),
            }
        }
    }
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
    /// Asks for a stop's next page, and does what an error handler asks for until there is an answer.
    pub(super) async fn arrive(&self, stop: &mut Stop) -> Result<(PageRequest, Arrival), ReadError> {
        loop {
            let request = stop.request();
            match self.fetch(&request).await {
                Ok(arrival) => return Ok((request, arrival)),
                Err(error) => stop.recover(error).await?,
            }
        }
    }

    /// Finds what comes next, mapping the records first only where that depends on them.
    pub(super) fn begin_digest(
        &self,
        stop: &mut Stop,
        request: &PageRequest,
        arrival: &Arrival,
        extracted: Extracted,
    ) -> Result<(Next, Digest), ReadError> {
        stop.arrived(arrival);
        let Some(answer) = arrival.answer.as_ref().filter(|_| !arrival.unchanged) else {
            let next = arrival.next().cloned().map_or(Next::Nothing, Next::Page);
            return Ok((next, Digest::Raw(extracted)));
        };
        stop.succeed();
        if self.token_needs_records {
            let mut extracted = extracted;
            let body = extracted.body.take();
            let count = extracted.count();
            let mapped = self.map(request, extracted)?;
            let begins_anew = stop.observe(&mapped);
            if self.feed_ends(request, &mapped) {
                return Ok((Next::Nothing, Digest::Mapped(mapped)));
            }
            if begins_anew && answer.is_usable() {
                return Ok((Next::Anew, Digest::Mapped(mapped)));
            }
            let shown = arrival.shown(&request.slice);
            let seen = PageSeen {
                answer,
                body: body.as_ref(),
                slice: shown,
                token: request.token.as_ref(),
                page_size: request.page_size,
                extracted: count,
                emitted: mapped.emitted,
                last_record: mapped.last_record.as_ref(),
            };
            let next = self.next_after(stop, &seen)?;
            return Ok((next, Digest::Mapped(mapped)));
        }
        let seen = PageSeen {
            answer,
            body: extracted.body.as_ref(),
            slice: &request.slice,
            token: request.token.as_ref(),
            page_size: request.page_size,
            extracted: extracted.count(),
            emitted: extracted.records.len(),
            last_record: extracted.records.last(),
        };
        let next = self.next_after(stop, &seen)?;
        Ok((next, Digest::Raw(extracted)))
    }

    fn next_after(&self, stop: &mut Stop, seen: &PageSeen<'_>) -> Result<Next, ReadError> {
        // An ignored error ends the window, as in the reference.
        if !seen.answer.is_usable() {
            return Ok(Next::Nothing);
        }
        let Some(token) = self.next_token(seen)? else {
            return Ok(Next::Nothing);
        };
        if self.counts_pages() {
            stop.compare(&seen.answer.body)?;
        }
        Ok(Next::Page(token))
    }
}
