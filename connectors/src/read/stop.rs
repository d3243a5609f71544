//! A stop of the walk: one slice, and where its reading stands.
//!
//! A stop never looks at a record, and knows nothing of the stops around it. That is what lets it run ahead of the mapping
//! and beside its neighbours, and what makes a position mean the same thing before and after a crash.

use std::sync::Arc;

use serde_json::{Value, json};

use super::ReadError;
use super::cursor::{CursorSettings, Moment, Window};
use super::cutting::{Arrival, Given, OfJob};
use super::guard::PageGuard;
use super::jobs::{Board, JobId};
use super::page::{Download, Mapped, PageRequest};
use super::recovery::{Onwards, Recovery};
use super::slice::Slice;
use super::stream::StreamReader;
use crate::http::validators::Validators;

/// See the module.
pub(super) struct Stop {
    reader: Arc<StreamReader>,
    cursor: Option<Arc<CursorSettings>>,
    /// Where the routers and the windows stood when the slice was given.
    routers: Arc<Value>,
    windows: Value,
    window: Option<Window>,
    /// The partition has no slice after this one.
    last_of_partition: bool,
    slice: Arc<Slice>,
    bounds: Option<(Moment, Moment)>,
    token: Option<Value>,
    /// Rows of the page that were given already.
    given: Option<Given>,
    guard: PageGuard,
    /// No page of this slice is left.
    done: bool,
    /// Where there are jobs: this slice's, and what of it is read.
    job: Option<(Arc<Board>, JobId)>,
    of_job: Option<OfJob>,
    target: usize,
    /// The stream's state, for a source that looks at it itself.
    since: Option<Arc<Value>>,
    /// What became of the slice because the upstream refused it as it was.
    recovery: Recovery,
    /// What the first page is told apart by from the one that was read the last time.
    unless: Option<Arc<Validators>>,
}

/// What comes after a page.
pub(super) enum Next {
    /// The page with this token.
    Page(Value),
    /// The first page again.
    Anew,
    /// None of what is asked for.
    Nothing,
}

/// Where a slice is.
pub(super) struct Site {
    pub(super) routers: Arc<Value>,
    pub(super) windows: Value,
    pub(super) window: Option<Window>,
    pub(super) last_of_partition: bool,
    pub(super) slice: Arc<Slice>,
    pub(super) bounds: Option<(Moment, Moment)>,
    pub(super) since: Option<Arc<Value>>,
}

impl Site {
    /// That of a slice which nobody planned.
    pub(super) fn alone(slice: Slice) -> Self {
        Self {
            routers: Arc::new(Value::Null),
            windows: Value::Null,
            window: None,
            last_of_partition: true,
            slice: Arc::new(slice),
            bounds: None,
            since: None,
        }
    }
}

/// What ended with a page.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) window: Option<Window>,
    pub(super) window_ends: bool,
    pub(super) partition_ends: bool,
}

impl Stop {
    /// A slice of which nothing has been read.
    pub(super) fn new(reader: &Arc<StreamReader>, cursor: Option<&Arc<CursorSettings>>, site: Site) -> Self {
        let Site {
            routers,
            windows,
            window,
            last_of_partition,
            slice,
            bounds,
            since,
        } = site;
        Self {
            reader: Arc::clone(reader),
            cursor: cursor.cloned(),
            routers,
            windows,
            window,
            last_of_partition,
            bounds,
            // A page that is here already was asked for without one.
            token: if slice.page.is_some() {
                None
            } else {
                reader.initial_token()
            },
            slice,
            given: None,
            guard: PageGuard::default(),
            done: false,
            job: None,
            of_job: None,
            target: 0,
            since,
            recovery: Recovery::default(),
            unless: None,
        }
    }

    /// Puts the slice's job on the board.
    pub(super) fn plan_job(&mut self, board: &Arc<Board>) {
        self.job = Some((Arc::clone(board), board.plan(&self.slice)));
    }

    /// Only asks for the slice if its first page is another one than these are of.
    pub(super) fn unless(&mut self, validators: Arc<Validators>) {
        self.unless = Some(validators);
    }

    /// No page is left.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The next page.
    pub(super) fn request(&self) -> PageRequest {
        let results = match &self.of_job {
            Some(OfJob::Done(results) | OfJob::Anew(results)) => Some(Arc::clone(results)),
            Some(OfJob::Skipped) | None => None,
        };
        PageRequest {
            slice: self
                .recovery
                .slice(&self.slice)
                .map_or_else(|| Arc::clone(&self.slice), Arc::new),
            token: self.token.clone(),
            first: self.token.is_none() && self.guard.pages() == 0,
            page_size: self.recovery.page_size(),
            bounds: self.bounds,
            given: self.given,
            since: self.since.clone(),
            unless: self.unless.clone(),
            download: self.job.as_ref().map(|(board, job)| Download {
                board: Arc::clone(board),
                job: *job,
                target: self.target,
                results,
                midway: self.target > 0 || self.token.is_some() || self.given.is_some(),
            }),
        }
    }

    /// What came of the page says of its job.
    pub(super) fn arrived(&mut self, arrival: &Arrival) {
        if let Some(of_job) = &arrival.job {
            self.of_job = Some(of_job.clone());
        }
    }

    /// The page was not answered: does what the manifest's error handler asks for, if it asks for anything.
    pub(super) async fn recover(&mut self, error: ReadError) -> Result<(), ReadError> {
        let reader = Arc::clone(&self.reader);
        let settings = self.cursor.clone();
        let onwards = self
            .recovery
            .meet(&reader, &self.slice, settings.as_deref(), error)
            .await?;
        match onwards {
            Onwards::Same => Ok(()),
            Onwards::First => self.restart(),
        }
    }

    /// A page was answered.
    pub(super) fn succeed(&mut self) {
        let reader = Arc::clone(&self.reader);
        self.recovery.succeed(&reader);
    }

    /// Looks at a page's records. True: the pages have to be begun anew after it.
    pub(super) fn observe(&mut self, mapped: &Mapped) -> bool {
        let reader = Arc::clone(&self.reader);
        self.recovery.observe(&reader, mapped)
    }

    /// Goes to the first page of what is asked for now.
    fn restart(&mut self) -> Result<(), ReadError> {
        self.token = self.reader.initial_token();
        self.given = None;
        self.guard.restart(self.reader.session.context.limits.max_pages)
    }

    /// The page that was asked for has been read, and this comes next.
    pub(super) fn turn(&mut self, next: Next) -> Result<Turn, ReadError> {
        self.given = None;
        self.unless = None;
        match next {
            Next::Page(token) => {
                self.guard
                    .follow(&token, self.reader.session.context.limits.max_pages)?;
                self.token = Some(token);
                return Ok(Turn::default());
            }
            Next::Anew => {
                let reader = Arc::clone(&self.reader);
                self.recovery
                    .begin_anew(&reader, &self.slice, self.cursor.as_deref())?;
                self.restart()?;
                return Ok(Turn::default());
            }
            Next::Nothing => {}
        }
        if self.recovery.next_part() {
            self.restart()?;
            return Ok(Turn::default());
        }
        let mut window = self.window.clone();
        if let Some((board, job)) = self.job.clone() {
            if self.next_target() {
                return Ok(Turn::default());
            }
            // What was skipped does not count as read, as in the reference.
            window = window.filter(|_| !matches!(self.of_job, Some(OfJob::Skipped)));
            board.spend(job);
        }
        self.done = true;
        Ok(Turn {
            window,
            window_ends: true,
            partition_ends: self.last_of_partition,
        })
    }

    /// The last page of a job's target was read: goes to the next one, if there is one.
    fn next_target(&mut self) -> bool {
        match &self.of_job {
            Some(OfJob::Anew(results)) => {
                self.of_job = Some(OfJob::Done(Arc::clone(results)));
                self.target = 0;
            }
            Some(OfJob::Done(results)) if self.target + 1 < results.targets.len() => self.target += 1,
            _ => return false,
        }
        self.token = self.reader.initial_token();
        self.guard = PageGuard::default();
        true
    }

    /// Looks for pages that repeat although their tokens count up.
    pub(super) fn compare(&mut self, body: &bytes::Bytes) -> Result<(), ReadError> {
        self.guard.compare(body)
    }

    /// The page's rows are not those that were given before: they are read from the first.
    pub(super) fn forget_given(&mut self) {
        self.given = None;
    }

    /// Rows of the page were given.
    pub(super) fn give(&mut self, given: Given) {
        self.given = Some(given);
    }

    /// Where the read stands: before the page that [`Self::request`] asks for.
    pub(super) fn position(&self) -> Value {
        let bounds = self
            .cursor
            .as_ref()
            .map(|settings| json!([settings.start.to_rfc3339(), settings.end.to_rfc3339()]));
        json!({
            "routers": *self.routers,
            "run": bounds,
            "windows": self.windows,
            "window": self.window.as_ref().map(|window| json!([window.start, window.end])),
            "token": if self.done { &None } else { &self.token },
            "pages": self.guard.pages(),
            "done": self.done,
            "given": self.given.map(Given::to_json),
            "target": self.target,
            "recovery": self.recovery.to_json(),
        })
    }

    /// Goes on from where a position of this slice says.
    pub(super) fn resume(&mut self, position: &Value) {
        self.token = position.get("token").filter(|token| !token.is_null()).cloned();
        self.given = Given::from_json(&position["given"]);
        let target = position["target"]
            .as_u64()
            .and_then(|target| usize::try_from(target).ok());
        self.target = target.unwrap_or(0);
        self.guard = PageGuard::after(position["pages"].as_u64().unwrap_or(0));
        self.done = position["done"].as_bool().unwrap_or(false);
        self.recovery = Recovery::from_json(&position["recovery"]);
    }
}
