//! Dead letters: work that could not be done, kept until a person decides.
//!
//! To replay is to do the work again, not to push what was kept into the tables. The payload of a record is
//! what the upstream said then; by now the upstream may say something else, and a letter that is applied
//! weeks later would put an old state over a new one. So a record's letter reads its stream again, whole
//! (an incremental read would pass it by), and a run's letter retries the run.

mod model;
mod service;

pub use model::*;
pub use service::DeadLetters;
