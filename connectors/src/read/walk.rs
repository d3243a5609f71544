//! The walk over a stream's pages: which one comes next, and where that is.
//!
//! The walk never looks at a record. That is what lets it run one page ahead of the mapping, and what makes a
//! position mean the same thing before and after a crash.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::ReadError;
use super::book::{Book, Entered};
use super::cursor::{CursorSettings, Moment, Progress, Window, Windows, WindowsPosition};
use super::cutting::Given;
use super::guard::PageGuard;
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
    /// No page of this partition is left.
    done: bool,
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
                        request: current.request(),
                        entered: std::mem::take(&mut self.entered),
                    }));
                }
                let Some(partition) = self.routers.next().await? else {
                    self.current = None;
                    return Ok(None);
                };
                let Some(entered) = book.enter(self.cursor.as_deref(), &partition)? else {
                    continue;
                };
                self.begin(&partition, entered.progress.as_ref());
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

    fn begin(&mut self, partition: &Partition, progress: Option<&Progress>) {
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
        };
        if current.windows.is_some() {
            current.next_window(&self.reader, self.cursor.as_deref());
        } else {
            current.token = self.reader.initial_token();
        }
        self.current = Some(current);
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
            "routers": self.routers.position(),
            "run": bounds,
            "windows": current.windows.as_ref().map(|windows| windows.position().to_json()),
            "window": current.window.as_ref().map(|window| json!([window.start, window.end])),
            "token": current.token,
            "pages": current.guard.pages(),
            "done": current.done,
            "given": current.given.map(Given::to_json),
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
            self.begin(&partition, entered.progress.as_ref());
            book.resume(entered, written);
            if let Some(current) = &mut self.current {
                current.resume(self.cursor.as_deref(), position);
            }
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
    fn request(&self) -> PageRequest {
        PageRequest {
            slice: Arc::clone(&self.slice),
            token: self.token.clone(),
            bounds: self.bounds,
            given: self.given,
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
        self.guard = PageGuard::after(position["pages"].as_u64().unwrap_or(0));
        self.done = position["done"].as_bool().unwrap_or(false);
    }
}
