//! What records look like: their JSON Schema inferred, two versions of it compared, and records held against it.
//!
//! All three stand on one small notion, the [`Types`] that a field may have. A full validator answers another
//! question: it says whether one record fits, at a price for each record, and "is not valid under any of the given
//! schemas" helps nobody who has to repair a consumer. What breaks consumers is that a stream, a field or a key is
//! gone, or that a field holds something else than before, and those are named here one by one.

mod compare;
mod infer;
mod observe;
mod types;

pub use compare::{ChangeKind, StreamChange, compare};
pub use infer::infer;
pub use observe::{Declared, Observed};
pub use types::Types;
