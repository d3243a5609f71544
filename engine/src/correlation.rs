//! The id that joins a request to everything it caused: its log lines, its runs, their events.
//!
//! It is the one thing in the engine that is not passed in. As an argument it would stand in every service's
//! signature and be forgotten in the next one; like a tracing span, it belongs to the task. The edge wraps
//! the handling of a request in [`scope`], the worker wraps a run in the id that the run was queued with,
//! and what nobody wrapped gets an id of its own.

use platform::random::Random;

tokio::task_local! {
    static CURRENT: String;
}

/// The longest id that is taken over from a caller.
pub const MAX_LENGTH: usize = 128;

/// Runs the future under this correlation id.
pub async fn scope<F: Future>(id: String, work: F) -> F::Output {
    CURRENT.scope(id, work).await
}

/// The id of the request that is being handled, or a fresh one.
#[must_use]
pub fn current(random: &dyn Random) -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| fresh(random))
}

/// An id that nobody had before: 128 random bits in hexadecimal, the form of a trace id.
#[must_use]
pub fn fresh(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    hex::encode(bytes)
}

/// Whether an id that a caller sent may be used: short, and nothing that would break a log line or a header.
#[must_use]
pub fn is_acceptable(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_LENGTH && id.bytes().all(|byte| byte.is_ascii_graphic())
}
