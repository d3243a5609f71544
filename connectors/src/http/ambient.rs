//! The clock and the chance that templates are given.
//!
//! It is remembered whether one of them asked: then the same template may give something else another time, and an answer
//! that is as it was says nothing of the records that are made of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use platform::clock::{Clock, SharedClock};
use platform::random::{Random, SharedRandom};

use crate::read::ReadContext;

/// See the module.
#[derive(Debug)]
pub(super) struct Ambient {
    clock: SharedClock,
    random: SharedRandom,
    asked: AtomicBool,
}

impl Ambient {
    pub(super) fn new(context: &ReadContext) -> Self {
        Self {
            clock: Arc::clone(&context.clock),
            random: Arc::clone(&context.random),
            asked: AtomicBool::new(false),
        }
    }

    /// Whether a template asked for the time or for chance.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Clock for Ambient {
    fn now(&self) -> DateTime<Utc> {
        self.asked.store(true, Ordering::Relaxed);
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.asked.store(true, Ordering::Relaxed);
        self.clock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }
}

impl Random for Ambient {
    fn fill(&self, buffer: &mut [u8]) {
        self.asked.store(true, Ordering::Relaxed);
        self.random.fill(buffer);
    }
}
