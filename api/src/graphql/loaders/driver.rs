//! Batches run in the task of the answer that waits for them.
//!
//! The library hands each batch to a spawner. On a task of its own, a batch gives its results to those who wait while
//! another thread already polls the first of them: those ask for what comes next before the others do, and one batch
//! becomes two, or ten, as threads happen to run. In the answer's own task everybody has his result before anybody goes
//! on, so how many statements an answer takes depends on its document and on nothing else. And a batch ends with the
//! answer that wanted it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, Stream};

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
        let mut running = FuturesUnordered::new();
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
                if !self.advance(&mut running, cx) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// As [`Driver::drive`], for answers that go on.
    pub(crate) fn drive_all<S: Stream + Unpin>(self, mut answers: S) -> impl Stream<Item = S::Item> {
        let mut running = FuturesUnordered::new();
        futures::stream::poll_fn(move |cx| {
            loop {
                if let Poll::Ready(answer) = answers.poll_next_unpin(cx) {
                    return Poll::Ready(answer);
                }
                if !self.advance(&mut running, cx) {
                    return Poll::Pending;
                }
            }
        })
    }

    /// Polls the batches; true when one has ended, so that somebody can go on.
    fn advance(&self, running: &mut FuturesUnordered<BoxFuture<'static, ()>>, cx: &mut Context<'_>) -> bool {
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        running.extend(begun);
        let mut ended = false;
        while let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {
            ended = true;
        }
        ended
    }
}
