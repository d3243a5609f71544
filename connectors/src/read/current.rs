//! Where a walk stands in a partition: which window, which page of it, and where there are jobs, which result.

use std::sync::Arc;

use serde_json::Value;

use super::cursor::{CursorSettings, Moment, Window, Windows, WindowsPosition};
use super::cutting::{Given, OfJob};
use super::guard::PageGuard;
use super::jobs::{Board, JobId};
use super::page::{Download, PageRequest};
use super::slice::{Partition, Slice};
use super::stream::StreamReader;

/// Where the walk stands in a partition.
pub(super) struct Current {
    pub(super) partition: Partition,
    pub(super) windows: Option<Windows>,
    pub(super) window: Option<Window>,
    pub(super) slice: Arc<Slice>,
    pub(super) bounds: Option<(Moment, Moment)>,
    pub(super) token: Option<Value>,
    /// Rows of the page that were given already.
    pub(super) given: Option<Given>,
    pub(super) guard: PageGuard,
    /// No page of this partition is left; where there are jobs, none of this slice.
    pub(super) done: bool,
    /// Where there are jobs: where the routers were, this slice's job, and what of it is read.
    pub(super) routers: Option<Value>,
    pub(super) job: Option<JobId>,
    pub(super) of_job: Option<OfJob>,
    pub(super) target: usize,
}

/// What ended with a page.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) window: Option<Window>,
    pub(super) window_ends: bool,
    pub(super) partition_ends: bool,
}

impl Current {
    pub(super) fn request(&self, board: Option<&Arc<Board>>) -> PageRequest {
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
            since: None,
        }
    }

    /// The next slice of the same partition.
    pub(super) fn following(&self, reader: &StreamReader, settings: Option<&CursorSettings>) -> Option<Self> {
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
    pub(super) fn turn_job(&mut self, reader: &StreamReader, settings: Option<&CursorSettings>) -> Turn {
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

    pub(super) fn next_window(&mut self, reader: &StreamReader, settings: Option<&CursorSettings>) {
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
    pub(super) fn resume(&mut self, settings: Option<&CursorSettings>, position: &Value) {
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
