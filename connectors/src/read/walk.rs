//! The walk over a stream's slices: which one comes next, and where that is.
//!
//! A slice is a partition, or a window of one. The walk gives them in order and never waits for one to be read, so several
//! can be read side by side ([`super::lane`]) while everything that depends on their order does not notice.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::ReadError;
use super::book::{Book, Entered};
use super::cursor::{Count, CursorSettings, Moment, Progress, Window, Windows, WindowsPosition};
use super::jobs::Board;
use super::partition::Routers;
use super::slice::{Partition, Slice};
use super::stop::{Site, Stop};
use super::stream::StreamReader;
use crate::http::validators::Validators;

/// See the module.
pub(super) struct Walk {
    reader: Arc<StreamReader>,
    /// The reader's, or those of the run that is being resumed: its windows were planned to its own end.
    cursor: Option<Arc<CursorSettings>>,
    routers: Routers,
    /// The partition whose slices are being given.
    partition: Option<Slices>,
    /// The slice that a resumed run was cut off in.
    cut_off: Option<Stop>,
    /// Partitions taken up since the last slice.
    entered: Vec<Entered>,
    /// None where the stream has no jobs.
    board: Option<Arc<Board>>,
    /// The stream's state, for a source that looks at it itself.
    since: Option<Arc<Value>>,
    /// What the one slice of a counting cursor shows.
    counted: Option<Map<String, Value>>,
    /// For the first slice.
    unless: Option<Arc<Validators>>,
}

/// A slice, and the partitions that were taken up on the way to it.
pub(super) struct Planned {
    pub(super) stop: Stop,
    pub(super) entered: Vec<Entered>,
}

/// The slices of a partition, one after the other.
struct Slices {
    partition: Partition,
    routers: Arc<Value>,
    bounds: Option<(Moment, Moment)>,
    windows: Option<Windows>,
    /// The next slice's window and the position after it; a partition without windows is one slice.
    next: Option<(Option<Window>, Value)>,
    since: Option<Arc<Value>>,
    counted: Option<Map<String, Value>>,
}

impl Walk {
    /// A walk from the beginning; `state` is the stream's, for its parents.
    pub(super) fn new(reader: &Arc<StreamReader>, state: Option<&Value>) -> Self {
        Self {
            reader: Arc::clone(reader),
            cursor: reader.cursor.clone().map(Arc::new),
            routers: Routers::new(reader, state),
            partition: None,
            cut_off: None,
            entered: Vec::new(),
            board: reader.plan.retriever.jobs().map(|_| Arc::new(Board::new())),
            since: state
                .filter(|_| reader.native.is_some())
                .map(|state| Arc::new(state.clone())),
            // A state that cannot be read is an error of the books.
            counted: reader
                .count
                .as_ref()
                .and_then(|settings| Count::from_state(settings, state).ok())
                .map(|count| count.slice()),
            unless: None,
        }
    }

    /// Only asks for the first slice if its first page is another one than these are of.
    pub(super) fn unless(&mut self, validators: Option<Arc<Validators>>) {
        self.unless = validators;
    }

    /// The cursor's settings in this run.
    pub(super) fn cursor(&self) -> Option<&CursorSettings> {
        self.cursor.as_deref()
    }

    /// The jobs, where the stream has some.
    pub(super) fn board(&self) -> Option<&Arc<Board>> {
        self.board.as_ref()
    }

    /// Goes to the next slice. Reads pages of parents where partitions come from them.
    pub(super) fn next<'a>(
        &'a mut self,
        book: &'a mut Book,
    ) -> BoxFuture<'a, Result<Option<Planned>, ReadError>> {
        Box::pin(async move {
            if let Some(stop) = self.cut_off.take() {
                return Ok(Some(self.planned(stop)));
            }
            loop {
                let slices = self.partition.as_mut();
                if let Some(site) = slices.and_then(|slices| slices.next(self.cursor.as_deref())) {
                    let stop = Stop::new(&self.reader, self.cursor.as_ref(), site);
                    return Ok(Some(self.planned(stop)));
                }
                let Some(partition) = self.routers.next().await? else {
                    self.partition = None;
                    return Ok(None);
                };
                let Some(entered) = book.enter(self.cursor.as_deref(), &partition)? else {
                    continue;
                };
                self.partition = Some(self.slices(partition, entered.progress.as_ref()));
                self.entered.push(entered);
            }
        })
    }

    /// A slice's position with everything that belongs to it.
    pub(super) fn complete(&self, mut position: Value) -> Value {
        if let Some(board) = &self.board {
            position["jobs"] = board.position();
        }
        position
    }

    /// Deletes what is left of the jobs.
    pub(super) async fn clear_jobs(&self) -> Result<(), ReadError> {
        match &self.board {
            Some(board) => board.clear(&self.reader).await,
            None => Ok(()),
        }
    }

    fn planned(&mut self, mut stop: Stop) -> Planned {
        if let Some(board) = &self.board {
            stop.plan_job(board);
        }
        if let Some(validators) = self.unless.take() {
            stop.unless(validators);
        }
        Planned {
            stop,
            entered: std::mem::take(&mut self.entered),
        }
    }

    /// Partitions taken up after the last slice, all of which had nothing to read.
    pub(super) fn take_entered(&mut self) -> Vec<Entered> {
        std::mem::take(&mut self.entered)
    }

    /// The parents' states, once they have been read to their ends.
    pub(super) fn parent_states(&self) -> Option<Value> {
        self.routers.parent_states()
    }

    /// The slices of the partition that the routers gave last.
    fn slices(&self, partition: Partition, progress: Option<&Progress>) -> Slices {
        let windows = match (&self.cursor, progress) {
            (Some(settings), Some(progress)) => Some(Windows::plan(settings, progress)),
            _ => None,
        };
        let bounds = match (&self.cursor, progress) {
            (Some(settings), Some(progress)) if self.reader.filters_by_cursor() => {
                Some((settings.lowest_to_sync(progress.left_off()), settings.end))
            }
            _ => None,
        };
        let mut slices = Slices {
            partition,
            routers: Arc::new(self.routers.position()),
            bounds,
            windows,
            next: None,
            since: self.since.clone(),
            counted: self.counted.clone(),
        };
        match (&slices.windows, self.cursor.as_deref()) {
            (Some(_), Some(settings)) => slices.draw(settings),
            _ => slices.next = Some((None, Value::Null)),
        }
        slices
    }

    /// Goes where a position says; `written` is the book of that moment.
    pub(super) fn resume<'a>(
        &'a mut self,
        book: &'a mut Book,
        position: &'a Value,
        written: &'a Value,
    ) -> BoxFuture<'a, Result<(), ReadError>> {
        Box::pin(async move {
            if position.is_null() {
                return Ok(());
            }
            self.resume_run(position);
            let Some(partition) = self.routers.seek(&position["routers"]).await? else {
                return Ok(());
            };
            let Some(entered) = book.enter(self.cursor.as_deref(), &partition)? else {
                return Ok(());
            };
            if let Some(board) = &self.board {
                board.resume(&position["jobs"]);
            }
            let mut slices = self.slices(partition, entered.progress.as_ref());
            book.resume(entered, written);
            if let Some(site) = slices.seek(self.cursor.as_deref(), position) {
                let mut stop = Stop::new(&self.reader, self.cursor.as_ref(), site);
                stop.resume(position);
                self.cut_off = Some(stop).filter(|stop| !stop.is_done());
            }
            self.partition = Some(slices);
            Ok(())
        })
    }

    fn resume_run(&mut self, position: &Value) {
        let moment = |index: usize| {
            position
                .get("run")?
                .get(index)?
                .as_str()
                .and_then(|text| Moment::parse_from_rfc3339(text).ok())
        };
        if let (Some(cursor), Some(start), Some(end)) = (&self.cursor, moment(0), moment(1)) {
            let mut settings = CursorSettings::clone(cursor);
            settings.start = start;
            settings.end = end;
            self.cursor = Some(Arc::new(settings));
        }
    }
}

impl Slices {
    /// Takes the next window, so that it is known whether the one before is the last.
    fn draw(&mut self, settings: &CursorSettings) {
        self.next = self.windows.as_mut().and_then(|windows| {
            let window = windows.next(settings)?;
            Some((Some(window), windows.position().to_json()))
        });
    }

    fn next(&mut self, settings: Option<&CursorSettings>) -> Option<Site> {
        let (window, windows) = self.next.take()?;
        if let Some(settings) = settings.filter(|_| window.is_some()) {
            self.draw(settings);
        }
        Some(self.site(settings, window, windows))
    }

    fn site(&self, settings: Option<&CursorSettings>, window: Option<Window>, windows: Value) -> Site {
        let mut slice = Slice::new(&self.partition, settings.zip(window.as_ref()));
        if let Some(counted) = &self.counted {
            slice = slice.with_cursor(counted);
        }
        Site {
            routers: Arc::clone(&self.routers),
            windows,
            window,
            last_of_partition: self.next.is_none(),
            slice: Arc::new(slice),
            bounds: self.bounds,
            since: self.since.clone(),
        }
    }

    /// The slice of a position; the others go on behind it. A position that does not read back begins the partition again,
    /// which repeats records and loses none.
    fn seek(&mut self, settings: Option<&CursorSettings>, position: &Value) -> Option<Site> {
        let (Some(windows), Some(settings)) = (&mut self.windows, settings) else {
            return self.next(settings);
        };
        let after = &position["windows"];
        windows.seek(&WindowsPosition::from_json(after))?;
        let bound = |index: usize| Some(position["window"].get(index)?.as_str()?.to_owned());
        let window = match (bound(0), bound(1)) {
            (Some(start), Some(end)) => Some(Window { start, end }),
            _ => None,
        };
        self.draw(settings);
        Some(self.site(Some(settings), window, after.clone()))
    }
}
