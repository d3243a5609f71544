//! Batches run in the task of the answer that waits for them, and only while it waits.
//!
//! The library hands each batch to a spawner, and begins it a millisecond after its first key. On a task of its own, a
//! batch gives its results to those who wait while another thread already polls the first of them: those ask for what
//! comes next before the others do, and one batch becomes two, or ten, as threads happen to run. So does one whose keys
//! take longer than a millisecond to come together. Here everybody has his result, and has asked for what he wants next,
//! before a batch begins: how many statements an answer takes depends on its document and on nothing else. And a batch
//! ends with the answer that wanted it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, Stream};
use futures::task::{ArcWake, AtomicWaker, waker_ref};

/// Batches that were begun by an answer.
#[derive(Clone, Default)]
pub(crate) struct Driver {
    begun: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
}

impl Driver {
    pub(super) fn spawn(&self, batch: BoxFuture<'static, ()>) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(batch);
    }

    /// Computes the answer, and the batches that it waits for.
    pub(crate) async fn drive<F: Future>(&self, answer: F) -> F::Output {
        let mut answer = pin!(answer);
        let mut batches = Batches::of(self.clone());
        poll_fn(|cx| batches.poll(cx, |cx| answer.as_mut().poll(cx))).await
    }

    /// As [`Driver::drive`], for answers that go on.
    pub(crate) fn drive_all<S: Stream + Unpin>(self, mut answers: S) -> impl Stream<Item = S::Item> {
        let mut batches = Batches::of(self);
        futures::stream::poll_fn(move |cx| batches.poll(cx, |cx| answers.poll_next_unpin(cx)))
    }
}

/// The batches that run for one answer.
struct Batches {
    driver: Driver,
    running: FuturesUnordered<BoxFuture<'static, ()>>,
    answer: Arc<Woken>,
}

/// Whether the answer has something to do.
#[derive(Default)]
struct Woken {
    woken: AtomicBool,
    task: AtomicWaker,
}

impl ArcWake for Woken {
    fn wake_by_ref(this: &Arc<Self>) {
        this.woken.store(true, Ordering::Release);
        this.task.wake();
    }
}

impl Batches {
    fn of(driver: Driver) -> Self {
        Self {
            driver,
            running: FuturesUnordered::new(),
            answer: Arc::default(),
        }
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut answer: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.answer.task.register(cx.waker());
        loop {
            self.answer.woken.store(false, Ordering::Release);
            let waker = waker_ref(&self.answer);
            if let Poll::Ready(ready) = answer(&mut Context::from_waker(&waker)) {
                return Poll::Ready(ready);
            }
            // A long list is polled piece by piece, and wakes itself in between: its batches are not whole yet.
            if self.answer.woken.load(Ordering::Acquire) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.advance(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Polls the batches; true when one has ended, so that somebody can go on.
    fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        let begun = &self.driver.begun;
        let begun = std::mem::take(&mut *begun.lock().unwrap_or_else(PoisonError::into_inner));
        self.running.extend(begun);
        let mut ended = false;
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {
            ended = true;
        }
        ended
    }
}
