//! Runs: the history, and what a caller may do to one.

mod end;
mod find;
mod model;
mod row;
mod trigger;
mod waiting;

pub(crate) use trigger::max_attempts;

pub use find::Runs;
pub use model::*;
