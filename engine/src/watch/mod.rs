//! Live feeds: what is the state, and what becomes of it.
//!
//! A feed subscribes before it looks, so nothing falls between the snapshot and the first change. A notice
//! only says which row changed; the feed reads the row. While a reader is slow, notices for one row fall
//! together and it gets the newest state, not every one on the way: a progress bar has no use for the past.
//! And since a notice may be lost, a feed looks by itself now and then at what it has shown as unfinished.

mod feed;
mod integrations;
mod runs;

pub use integrations::IntegrationFeed;
pub use runs::RunFeed;

use crate::Engine;

/// Live feeds.
#[derive(Debug)]
pub struct Watch<'a>(&'a Engine);

impl Engine {
    /// Live feeds.
    #[must_use]
    pub fn watch(&self) -> Watch<'_> {
        Watch(self)
    }
}
