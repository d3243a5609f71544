//! The walk over a stream's pages: which one comes next, and where that is.
//!
//! The walk never looks at a record. That is what lets it run one page ahead of the mapping, and what makes a
//! position mean the same thing before and after a crash.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::ReadError;
use super::book::{Book, Entered};
use super::cursor::{CursorSettings, Moment, Progress, Window, Windows, WindowsPosition};
use super::cutting::{Arrival, Given, OfJob};
use super::guard::PageGuard;
use super::jobs::{Board, JobId};
use super::page::{Download, PageRequest};
use super::partition::Routers;
use super::slice::{Partition, Slice};
use super::stream::StreamReader;

/// See the module.
pub(super) struct Walk {
    reader: Arc<StreamReader>,
    /// The reader's, or those of the run that is being resumed: its windows were planned to its own end.
    cursor: Option<Arc<CursorSettings>>,
    routers: Routers,
    current: Option<Current>,
    /// Partitions taken up since the last request.
    entered: Vec<Entered>,
    /// The jobs, and the slices that are planned so that theirs run; none where the stream has no jobs.
    board: Option<Arc<Board>>,
    ahead: VecDeque<Ahead>,
}

/// A slice whose turn comes later, and the partitions that are taken up on the way to it.
struct Ahead {
    current: Current,
    entered: Vec<Entered>,
}

/// Where the walk stands in a partition.
struct Current {
    partition: Partition,
    windows: Option<Windows>,
    window: Option<Window>,
    slice: Arc<Slice>,
    bounds: Option<(Moment, Moment)>,
    token: Option<Value>,
    /// Rows of the page that were given already.
    given: Option<Given>,
    guard: PageGuard,
    /// No page of this partition is left; where there are jobs, none of this slice.
    done: bool,
    /// Where there are jobs: where the routers were, this slice's job, and what of it is read.
    routers: Option<Value>,
    job: Option<JobId>,
    of_job: Option<OfJob>,
    target: usize,
}

/// The next page, and the partitions that were taken up on the way to it.
pub(super) struct Step {
    pub(super) request: PageRequest,
    pub(super) entered: Vec<Entered>,
}

/// What ended with a page.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) window: Option<Window>,
    pub(super) window_ends: bool,
    pub(super) partition_ends: bool,
}

impl Walk {
    /// A walk from the beginning; `state` is the stream's, for its parents.
    pub(super) fn new(reader: &Arc<StreamReader>, state: Option<&Value>) -> Self {
        Self {
            reader: Arc::clone(reader),
            cursor: reader.cursor.clone().map(Arc::new),
            routers: Routers::new(reader, state),
            current: None,
            entered: Vec::new(),
            board: reader.plan.retriever.jobs().map(|_| Arc::new(Board::new())),
            ahead: VecDeque::new(),
        }
    }

    /// The cursor's settings in this run.
    pub(super) fn cursor(&self) -> Option<&CursorSettings> {
        self.cursor.as_deref()
    }

    /// Goes to the next page. Reads pages of parents where partitions come from them.
    pub(super) fn advance<'a>(
        &'a mut self,
        book: &'a mut Book,
    ) -> BoxFuture<'a, Result<Option<Step>, ReadError>> {
        Box::pin(async move {
            loop {
                if let Some(current) = self.current.as_ref().filter(|current| !current.done) {
                    return Ok(Some(Step {
                        request: current.request(self.board.as_ref()),
                        entered: std::mem::take(&mut self.entered),
                    }));
                }
                if let Some(board) = self.board.clone() {
                    self.plan_ahead(&board, book).await?;
                    let Some(next) = self.ahead.pop_front() else {
                        self.current = None;
                        board.clear(&self.reader).await?;
                        return Ok(None);
                    };
                    self.entered.extend(next.entered);
                    self.current = Some(next.current);
                    continue;
                }
                let Some(partition) = self.routers.next().await? else {
                    self.current = None;
                    return Ok(None);
                };
                let Some(entered) = book.enter(self.cursor.as_deref(), &partition)? else {
                    continue;
                };
                self.current = Some(self.begin(&partition, entered.progress.as_ref()));
                self.entered.push(entered);
            }
        })
    }

    /// Partitions taken up after the last page, all of which had nothing to read.
    pub(super) fn take_entered(&mut self) -> Vec<Entered> {
        std::mem::take(&mut self.entered)
    }

    /// The parents' states, once they have been read to their ends.
    pub(super) fn parent_states(&self) -> Option<Value> {
        self.routers.parent_states()
    }

    fn begin(&self, partition: &Partition, progress: Option<&Progress>) -> Current {
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
        let mut current = Current {
            partition: partition.clone(),
            windows,
            window: None,
            slice: Arc::new(Slice::new(partition, None)),
            bounds,
            token: None,
            given: None,
            guard: PageGuard::default(),
            done: false,
            routers: None,
            job: None,
            of_job: None,
            target: 0,
        };
        if current.windows.is_some() {
            current.next_window(&self.reader, self.cursor.as_deref());
        } else {
            current.token = self.reader.initial_token();
        }
        current
    }

    /// Plans slices, so that as many jobs run as may, and one more is ready when a place is free.
    async fn plan_ahead(&mut self, board: &Board, book: &mut Book) -> Result<(), ReadError> {
        let mut entered = Vec::new();
        while self.ahead.len() <= self.reader.session.jobs_at_once() {
            let last = self
                .ahead
                .back()
                .map(|ahead| &ahead.current)
                .or(self.current.as_ref());
            let following = last.and_then(|last| last.following(&self.reader, self.cursor.as_deref()));
            let mut current = match following {
                Some(current) => current,
                None => {
                    let Some(partition) = self.routers.next().await? else {
                        break;
                    };
                    let Some(taken) = book.enter(self.cursor.as_deref(), &partition)? else {
                        continue;
                    };
                    let mut current = self.begin(&partition, taken.progress.as_ref());
                    entered.push(taken);
                    if current.done {
                        continue;
                    }
                    current.routers = Some(self.routers.position());
                    current
                }
            };
            current.job = Some(board.plan(&current.slice));
            self.ahead.push_back(Ahead {
                current,
                entered: std::mem::take(&mut entered),
            });
        }
        self.entered.extend(entered);
        Ok(())
    }

    /// What came of the page says of its job.
    pub(super) fn arrived(&mut self, arrival: &Arrival) {
        if let (Some(current), Some(of_job)) = (&mut self.current, &arrival.job) {
            current.of_job = Some(of_job.clone());
        }
    }

    /// Ends when there is a job that no position was written with; never where there are no jobs.
    pub(super) async fn job_created(&self) {
        match &self.board {
            Some(board) => board.created().await,
            None => std::future::pending().await,
        }
    }

    /// The page that was asked for has been read, and this is the token of the next.
    pub(super) fn turn(&mut self, token: Option<Value>) -> Result<Turn, ReadError> {
        let Some(current) = &mut self.current else {
            return Ok(Turn::default());
        };
        current.given = None;
        if let Some(token) = token {
            current
                .guard
                .follow(&token, self.reader.session.context.limits.max_pages)?;
            current.token = Some(token);
            return Ok(Turn::default());
        }
        if let Some(job) = current.job {
            let turn = current.turn_job(&self.reader, self.cursor.as_deref());
            if let (Some(board), true) = (&self.board, turn.window_ends) {
                board.spend(job);
            }
            return Ok(turn);
        }
        let window = current.window.take();
        if current.windows.is_some() {
            current.next_window(&self.reader, self.cursor.as_deref());
        } else {
            current.done = true;
        }
        Ok(Turn {
            window,
            window_ends: true,
            partition_ends: current.done,
        })
    }

    /// Looks for pages that repeat although their tokens count up.
    pub(super) fn compare(&mut self, body: &bytes::Bytes) -> Result<(), ReadError> {
        match &mut self.current {
            Some(current) => current.guard.compare(body),
            None => Ok(()),
        }
    }

    /// The page's rows are not those that were given before: they are read from the first.
    pub(super) fn forget_given(&mut self) {
        if let Some(current) = &mut self.current {
            current.given = None;
        }
    }

    /// Rows of the page were given.
    pub(super) fn give(&mut self, given: Given) {
        if let Some(current) = &mut self.current {
            current.given = Some(given);
        }
    }

    /// Where the walk stands: before the page that [`Self::advance`] gives, or gave last.
    pub(super) fn position(&self) -> Value {
        let Some(current) = &self.current else {
            return Value::Null;
        };
        let bounds = self
            .cursor
            .as_ref()
            .map(|settings| json!([settings.start.to_rfc3339(), settings.end.to_rfc3339()]));
        json!({
            "routers": current.routers.clone().unwrap_or_else(|| self.routers.position()),
            "run": bounds,
            "windows": current.windows.as_ref().map(|windows| windows.position().to_json()),
            "window": current.window.as_ref().map(|window| json!([window.start, window.end])),
            "token": current.token,
            "pages": current.guard.pages(),
            "done": current.done,
            "given": current.given.map(Given::to_json),
            "target": current.target,
            "jobs": self.board.as_ref().map(|board| board.position()),
        })
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
            let mut current = self.begin(&partition, entered.progress.as_ref());
            book.resume(entered, written);
            current.resume(self.cursor.as_deref(), position);
            if let Some(board) = &self.board {
                board.resume(&position["jobs"]);
                current.routers = Some(self.routers.position());
                current.job = (!current.done).then(|| board.plan(&current.slice));
            }
            self.current = Some(current);
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

impl Current {
    fn request(&self, board: Option<&Arc<Board>>) -> PageRequest {
        let results = match &self.of_job {
            Some(OfJob::Done(results) | OfJob::Anew(results)) => Some(Arc::clone(results)),
            Some(OfJob::Skipped) | None => None,
        };
        PageRequest {
            slice: Arc::clone(&self.slice),
            token: self.token.clone(),
            bounds: self.bounds,
            given: self.given,
            download: board.zip(self.job).map(|(board, job)| Download {
                board: Arc::clone(board),
                job,
                target: self.target,
                results,
                midway: self.target > 0 || self.token.is_some() || self.given.is_some(),
            }),
        }
    }

    /// The next slice of the same partition.
    fn following(&self, reader: &StreamReader, settings: Option<&CursorSettings>) -> Option<Self> {
        let mut next = Self {
            partition: self.partition.clone(),
            windows: Some(self.windows.clone()?),
            window: None,
            slice: Arc::clone(&self.slice),
            bounds: self.bounds,
            token: None,
            given: None,
            guard: PageGuard::default(),
            done: false,
            routers: self.routers.clone(),
            job: None,
            of_job: None,
            target: 0,
        };
        next.next_window(reader, settings);
        (!next.done).then_some(next)
    }

    /// The last page of a target was read: there is another target, or the slice ends.
    fn turn_job(&mut self, reader: &StreamReader, settings: Option<&CursorSettings>) -> Turn {
        if let Some(OfJob::Anew(results)) = &self.of_job {
            self.of_job = Some(OfJob::Done(Arc::clone(results)));
            self.target = 0;
            self.token = reader.initial_token();
            self.guard = PageGuard::default();
            return Turn::default();
        }
        let skipped = matches!(self.of_job, Some(OfJob::Skipped));
        let targets = match &self.of_job {
            Some(OfJob::Done(results)) => results.targets.len(),
            _ => 0,
        };
        if self.target + 1 < targets {
            self.target += 1;
            self.token = reader.initial_token();
            self.guard = PageGuard::default();
            return Turn::default();
        }
        self.done = true;
        Turn {
            // What was skipped does not count as read, as in the reference.
            window: self.window.take().filter(|_| !skipped),
            window_ends: true,
            partition_ends: self.following(reader, settings).is_none(),
        }
    }

    fn next_window(&mut self, reader: &StreamReader, settings: Option<&CursorSettings>) {
        let next = match (&mut self.windows, settings) {
            (Some(windows), Some(settings)) => windows.next(settings).map(|window| (settings, window)),
            _ => None,
        };
        self.guard = PageGuard::default();
        match next {
            Some((settings, window)) => {
                self.slice = Arc::new(Slice::new(&self.partition, Some((settings, &window))));
                self.window = Some(window);
                self.token = reader.initial_token();
            }
            None => {
                self.window = None;
                self.token = None;
                self.done = true;
            }
        }
    }

    /// A position that does not read back begins the partition again, which repeats records and loses none.
    fn resume(&mut self, settings: Option<&CursorSettings>, position: &Value) {
        if let Some(windows) = &mut self.windows {
            let sought = windows.seek(&WindowsPosition::from_json(&position["windows"]));
            if sought.is_none() {
                return;
            }
            let bound = |index: usize| Some(position["window"].get(index)?.as_str()?.to_owned());
            self.window = match (bound(0), bound(1)) {
                (Some(start), Some(end)) => Some(Window { start, end }),
                _ => None,
            };
            if let (Some(settings), Some(window)) = (settings, &self.window) {
                self.slice = Arc::new(Slice::new(&self.partition, Some((settings, window))));
            }
        }
        self.token = position.get("token").filter(|token| !token.is_null()).cloned();
        self.given = Given::from_json(&position["given"]);
        let target = position["target"]
            .as_u64()
            .and_then(|target| usize::try_from(target).ok());
        self.target = target.unwrap_or(0);
        self.guard = PageGuard::after(position["pages"].as_u64().unwrap_or(0));
        self.done = position["done"].as_bool().unwrap_or(false);
    }
}
