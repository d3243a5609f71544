//! Work in the database for somebody who waits: until when they wait, and how many statements it took.
//!
//! Dropping a query's future does not stop the query: PostgreSQL computes on, for nobody, and holds a connection while it
//! does. So a request runs under the time at which it will be given up, and PostgreSQL is told to give up then as well.
//! Telling costs three round trips for a statement, and is left out where the session's own limit says about the same.
//! On SQLite a statement that runs is left to its end, and none begins after the deadline.
//!
//! How many statements a request took is in its log line: a number that grows with the length of a list is a mistake, and
//! there it is seen.
//!
//! An errand is the task's, not an argument: it would stand in every function of the store and be forgotten in the next
//! one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::SharedClock;

tokio::task_local! {
    static CURRENT: Errand;
}

/// Work for somebody who waits. Clones are the same errand.
#[derive(Clone)]
pub struct Errand {
    clock: SharedClock,
    begun: Duration,
    until: Duration,
    statements: Arc<AtomicU64>,
}

impl Errand {
    /// For so long from now.
    #[must_use]
    pub fn of(clock: &SharedClock, time: Duration) -> Self {
        let begun = clock.monotonic();
        Self {
            begun,
            until: begun + time,
            clock: clock.clone(),
            statements: Arc::default(),
        }
    }

    /// Does the work as this errand.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// How long it took so far.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.begun)
    }

    /// How many statements it took so far.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

/// Counts a statement, where anybody waits for it.
pub(super) fn count() {
    let _nobody_waits = CURRENT.try_with(|errand| errand.statements.fetch_add(1, Ordering::Relaxed));
}

/// How long somebody still waits, where anybody does.
pub(super) fn left() -> Option<Duration> {
    let left = |errand: &Errand| errand.until.saturating_sub(errand.clock.monotonic());
    CURRENT.try_with(left).ok()
}
