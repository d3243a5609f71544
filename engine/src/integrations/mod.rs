//! Integrations: a client's connections to APIs, with their configuration, streams, schedule and health.
//!
//! # Secrets
//! What the connector's specification marks as secret never reaches the `config` column: there a mask stands
//! in its place, and the values are sealed beside it, bound to the row ([`sealed`]). So a list of
//! integrations opens no seal, and a dump of the table, or a row copied to another one, tells nothing.
//!
//! # Pausing
//! Three reasons, each its own column: somebody paused it, the upstream refused its credential, it failed
//! too often. One status would lose which of them holds when two do. A person who resumes clears all three,
//! and a new configuration clears the refused credential: it is the answer to it.

mod changing;
mod ending;
mod health;
mod model;
mod older;
mod reading;
mod redirect;
mod retry_policy;
mod sealed;
mod validation;

pub(crate) use ending::cancel;
pub use health::{FAILING_AFTER, Health};
pub use model::*;
pub use retry_policy::RetryPolicy;
pub use sealed::full_config;

use crate::Engine;

/// What can be done with integrations.
#[derive(Debug)]
pub struct Integrations<'a>(&'a Engine);

impl Engine {
    /// What can be done with integrations.
    #[must_use]
    pub fn integrations(&self) -> Integrations<'_> {
        Integrations(self)
    }
}
