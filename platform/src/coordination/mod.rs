//! What the processes of an installation share beside the database: notices, locks with a fence, [`Budgets`] of
//! requests and the [`Circuits`] of upstreams.
//!
//! The database decides and this hurries: a notice that is lost costs a poll's delay, a lock that is lost
//! costs duplicate work that the database then refuses, a budget that is lost costs an upstream a few requests
//! more. Nothing may be correct *because of* this trait, which is what lets the in-process implementation be small
//! and a Redis that is down be survivable.

mod budget;
mod circuit;
#[cfg(test)]
pub(crate) mod contract;
mod local;
mod memory;
mod redis;
mod topics;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::Stream;
use futures::stream::BoxStream;

pub use budget::{Budget, Budgets, Grant, Rate};
pub use circuit::{CircuitPolicy, CircuitState, Circuits, Passage, Verdict};
pub use memory::MemoryCoordinator;
pub use redis::RedisCoordinator;

/// What is shared between the tasks, and the processes, of one installation.
#[async_trait]
pub trait Coordinator: Budgets + Circuits {
    /// Tells every subscriber of the topic. Nobody listening is no error, and the call waits for nobody: a
    /// notice may still be on its way when it returns, and may be lost.
    async fn publish(&self, topic: &str, payload: &str) -> Result<(), CoordinationError>;

    /// Hears what is published on the topic from now on, and perhaps what was still on its way. Subscribe
    /// first and then look: what happened between is then either seen or heard.
    fn subscribe(&self, topic: &str) -> Subscription;

    /// Takes the lock for `ttl` and gives its fence, a number that grows with every new holding of this
    /// name; `None` while another owner holds it. The owner that holds it already gets the same fence
    /// again, and a fresh `ttl`: a call that timed out may be repeated.
    async fn try_lock(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<u64>, CoordinationError>;

    /// Extends a lock still held; false when it is not this owner's any more.
    async fn renew(&self, name: &str, owner: &str, ttl: Duration) -> Result<bool, CoordinationError>;

    /// Gives the lock back; false when it was not this owner's.
    async fn unlock(&self, name: &str, owner: &str) -> Result<bool, CoordinationError>;

    /// Whether the coordinator answers.
    async fn ping(&self) -> Result<(), CoordinationError>;
}

/// The coordinator cannot be reached or did not answer in time. Callers go on by polling.
#[derive(Debug, Clone, thiserror::Error)]
#[error("coordination is unavailable: {reason}")]
pub struct CoordinationError {
    /// Why, without addresses' credentials.
    pub reason: String,
}

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something was published.
    Message(String),
    /// Some notices were dropped, because the listener was slow or the connection was away: look again.
    Lagged,
}

/// A stream of notices. It ends only with its coordinator.
pub struct Subscription(BoxStream<'static, Notice>);

impl Subscription {
    /// A subscription fed by this stream: for implementations of [`Coordinator`].
    pub fn new(notices: impl Stream<Item = Notice> + Send + 'static) -> Self {
        Self(Box::pin(notices))
    }
}

impl Stream for Subscription {
    type Item = Notice;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        self.0.as_mut().poll_next(context)
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subscription")
    }
}
