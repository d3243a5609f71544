//! What the product decides.
//!
//! Both edges, the GraphQL API and the scheduler, hold one [`Engine`] and reach the same functions: a
//! mutation, a cron tick and a webhook that ask for the same thing ask for it here. A room an aggregate:
//! its model (plain structs, never a table row), its service (who may, what is refused, what is written and
//! told), and under `store` its queries.
//!
//! Three things hold everywhere:
//! - A service takes the [`Actor`](access::Actor) first, and what it may see is a condition of the query,
//!   not a check of the answer.
//! - What a caller did wrong is an [`Outcome::Refused`]; an [`Error`] is never the caller's fault, except
//!   for a cursor or a page size that cannot be.
//! - A change of state and the event that tells of it commit together; the notice to other processes
//!   follows the commit, and losing it costs a poll's delay.

pub mod access;
pub mod clients;
pub mod connectors;
mod context;
pub mod correlation;
pub mod deadletters;
pub mod erasure;
mod error;
pub mod events;
pub mod idempotency;
mod input;
pub mod integrations;
pub mod metrics;
mod outcome;
pub mod overview;
mod page;
pub mod protection;
pub mod queue;
pub mod records;
pub mod retention;
pub mod runs;
pub mod schedule;
mod store;
pub mod sync;
pub mod topics;
pub mod watch;

pub use access::{Actor, Scope};
pub use context::Engine;
pub use entity::ids;
pub use error::{Error, Result};
pub use outcome::{Outcome, Patch, Refusal, RefusalCode};
pub use page::{DEFAULT_PAGE, Listing, MAX_PAGE, OrderDirection, PageRequest, Paged};
