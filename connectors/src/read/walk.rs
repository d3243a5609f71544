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
use super::current::{Current, Turn};
use super::cursor::{CursorSettings, Moment, Progress, Windows};
use super::cutting::{Arrival, Given};
use super::guard::PageGuard;
use super::jobs::Board;
use super::page::PageRequest;
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
    /// The stream's state, for a source that looks at it itself.
    since: Option<Arc<Value>>,
}

/// A slice whose turn comes later, and the partitions that are taken up on the way to it.
struct Ahead {
    current: Current,
    entered: Vec<Entered>,
}

/// The next page, and the partitions that were taken up on the way to it.
pub(super) struct Step {
    pub(super) request: PageRequest,
    pub(super) entered: Vec<Entered>,
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
            since: state
                .filter(|_| reader.native.is_some())
                .map(|state| Arc::new(state.clone())),
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
                        request: PageRequest {
                            since: self.since.clone(),
                            ..current.request(self.board.as_ref())
                        },
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
