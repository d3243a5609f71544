//! The queue: one table, `sync_run`, which is the history too.
//!
//! `QUEUED → RUNNING → SUCCEEDED | PARTIALLY_SUCCEEDED | FAILED | CANCELLED`, and `RUNNING → QUEUED` again for a
//! retry, a drain or a lost lease. Every arrow is one conditional `UPDATE` (`store::queue`) and commits with
//! its event, its attempt and whatever else follows from it.
//!
//! The database decides, and notices hurry: a worker that hears nothing finds its work by polling.
//!
//! # Rejected
//! A queue in Redis beside the history in the database: two places that must agree, which they cannot while
//! one of them is being restored from a backup. A lock held for the length of a run as what keeps writers
//! apart: it says nothing about a holder that is paused and will write when it wakes. The fence does. (There is
//! such a lock, as a courtesy to upstreams: see [`IntegrationLock`].)

pub(crate) mod backoff;
mod claim;
mod enqueue;
mod lease;
mod lock;
mod settle;
mod settler;
mod telling;
mod turns;

pub use claim::{Claim, Claimer, cancel_requested, next_due};
pub(crate) use enqueue::{NewRun, enqueue, enqueue_all};
pub use lease::{Renewed, renew, requeue_lost};
pub use lock::IntegrationLock;
pub use settle::{FAILURES_BEFORE_PAUSE, settle};
pub use settler::Settler;
pub(crate) use telling::{tell, tell_all, told, told_all};
