//! Erasing a client: everything of it, for good, with a proof that says nothing about it.
//!
//! The request itself is short: in one transaction the client is archived, its integrations are deleted and lose their
//! secrets, its keys end, and the erasure is written down. From that moment nothing of it begins, and nothing finds its
//! integrations. The rest is work for the background, in the stages of [`ErasureStage`], because a million records are
//! not deleted while somebody waits:
//!
//! 1. **Cancelling.** Runs that wait are cancelled. Runs that run are asked to stop, which takes a second; what does not
//!    stop within [`PATIENCE`](work::PATIENCE) (its worker is paused, or cut off) is taken from its worker by raising the
//!    fence. Whatever that worker still sends matches no row, by the rule of every write of a run ([`crate::queue`]).
//! 2. **Answers.** Idempotent answers hold what the API showed. Those of the client's own credentials go. Those of an
//!    operator are opened, and where one speaks of the client the answer goes and the key stays taken: what was done
//!    once is not done again because its answer is gone.
//! 3. **Rows.** Table by table in batches, in the order of their references.
//! 4. **Events.** Last, when nobody can write one about the client any more.
//!
//! Each batch is a transaction, whose first statement is the lease on the erasure, and which adds what it deleted to the
//! count. So a worker that is killed has lost nothing and counted nothing twice, another one goes on when the lease has
//! ended, and two at once cannot work on one erasure.
//!
//! What stays is the erasure: the client's id, which was a random number and names nothing any more, who asked (a
//! credential's id), when, and how many rows went.
//!
//! # Rejected
//! - `ON DELETE CASCADE`: one statement that holds its locks for as long as a million deletions take.
//! - Pseudonyms in the place of names: what records and events hold is JSON of other people's making, and nobody can
//!   say which of it is personal.

mod model;
mod request;
mod work;

pub use model::{EraseClient, ErasedCount, Erasure, ErasureStatus};
pub use request::Erasures;
