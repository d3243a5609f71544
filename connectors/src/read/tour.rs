//! The tour: slices planned by the walk, read in lanes, and taken in their order, with the books kept as they are taken.
//!
//! What a checkpoint holds is put together here, because the two halves belong to different moments: the walk is ahead by as
//! many slices as there are lanes, the books are where the taking is.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::ReadError;
use super::book::{Book, Entered};
use super::lane::{Lane, LanePage, Room};
use super::stop::Stop;
use super::stream::StreamReader;
use super::walk::{Planned, Walk};
use crate::decode;

/// See the module.
pub(super) struct Tour {
    reader: Arc<StreamReader>,
    walk: Walk,
    book: Book,
    room: Room,
    /// The slices that are planned, the one whose turn it is first.
    slots: VecDeque<Slot>,
    /// The walk has no more, or could not go on.
    walked: bool,
    /// Why it could not; told when what comes before has been taken.
    failed: Option<ReadError>,
}

struct Slot {
    /// Partitions to be opened in the books with the slice's first page.
    entered: Vec<Entered>,
    /// Where the slice stands for whoever takes its pages.
    position: Value,
    reading: Reading,
}

enum Reading {
    Planned(Box<Stop>),
    InLane(Lane),
    /// Between the two.
    Starting,
}

impl Tour {
    pub(super) fn new(reader: &Arc<StreamReader>, walk: Walk, book: Book) -> Self {
        Self {
            reader: Arc::clone(reader),
            walk,
            book,
            room: Room::new(),
            slots: VecDeque::new(),
            walked: false,
            failed: None,
        }
    }

    /// Plans slices, and begins to read as many as may be read side by side.
    pub(super) async fn fill(&mut self) {
        let side_by_side = side_by_side(&self.reader);
        let planned = match self.walk.board() {
            // As many jobs run as may, and one more is ready when a place is free.
            Some(_) => self.reader.session.jobs_at_once() + 2,
            None => side_by_side,
        };
        while !self.walked && self.slots.len() < planned {
            match self.walk.next(&mut self.book).await {
                Ok(Some(Planned { stop, entered })) => self.slots.push_back(Slot {
                    entered,
                    position: stop.position(),
                    reading: Reading::Planned(Box::new(stop)),
                }),
                Ok(None) => self.walked = true,
                Err(error) => {
                    self.walked = true;
                    self.failed = Some(error);
                }
            }
        }
        for slot in self.slots.iter_mut().take(side_by_side) {
            slot.begin(&self.reader, &self.room);
        }
        if let Some(Slot {
            reading: Reading::InLane(lane),
            ..
        }) = self.slots.front()
        {
            lane.begin_turn();
        }
    }

    /// Everything has been taken.
    pub(super) fn is_over(&self) -> bool {
        self.walked && self.slots.is_empty() && self.failed.is_none()
    }

    /// The next page; `None` when there is a job that no checkpoint was written with yet.
    pub(super) async fn page(&mut self) -> Result<Option<LanePage>, ReadError> {
        let Some(Slot {
            reading: Reading::InLane(lane),
            ..
        }) = self.slots.front_mut()
        else {
            return Err(self.failed.take().unwrap_or_else(ReadError::cancelled));
        };
        let Some(board) = self.walk.board() else {
            return lane.page().await.map(Some);
        };
        tokio::select! {
            biased;
            page = lane.page() => page.map(Some),
            () = board.created() => Ok(None),
        }
    }

    /// Enters a page in the books.
    pub(super) fn enter(&mut self, page: &LanePage) -> Result<(), ReadError> {
        let Some(slot) = self.slots.front_mut() else {
            return Ok(());
        };
        let (cursor, LanePage { mapped, turn, .. }) = (self.walk.cursor(), page);
        self.book.take(cursor, std::mem::take(&mut slot.entered));
        self.book.observe(&self.reader, mapped);
        slot.position.clone_from(&page.position);
        if turn.window_ends {
            self.book
                .close(cursor, turn.window.as_ref(), turn.partition_ends)?;
            self.slots.pop_front();
        }
        Ok(())
    }

    /// Where the slice whose turn it is stands.
    pub(super) fn position(&self) -> Value {
        self.slots
            .front()
            .map_or(Value::Null, |slot| slot.position.clone())
    }

    /// The stream's state, a position with everything that belongs to it, and the books.
    pub(super) fn checkpoint(&self, position: Value) -> (Option<Value>, Value, Value) {
        let state = self.book.state(self.walk.cursor());
        (state, self.walk.complete(position), self.book.to_json())
    }

    /// The state of a stream that was read to its end in so many seconds.
    pub(super) async fn end(mut self, seconds: i64) -> Result<Value, ReadError> {
        self.walk.clear_jobs().await?;
        let entered = self.walk.take_entered();
        self.book.take(self.walk.cursor(), entered);
        self.book
            .finish(self.walk.cursor(), self.walk.parent_states(), seconds);
        Ok(self.book.final_state(self.walk.cursor()))
    }
}

/// How many slices may be read side by side. What waits for its turn must not hold a body or a connection open that flows,
/// and jobs are side by side already.
fn side_by_side(reader: &StreamReader) -> usize {
    match reader.requests() {
        Some(simple) if reader.plan.retriever.jobs().is_none() && !decode::has_rows(&simple.decoder) => {
            reader.session.side_by_side()
        }
        _ => 1,
    }
}

impl Slot {
    fn begin(&mut self, reader: &Arc<StreamReader>, room: &Room) {
        self.reading = match std::mem::replace(&mut self.reading, Reading::Starting) {
            Reading::Planned(stop) => Reading::InLane(Lane::start(reader, *stop, room)),
            reading => reading,
        };
    }
}
