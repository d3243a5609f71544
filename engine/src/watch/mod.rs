//! Live feeds: what is the state, and what becomes of it.
//!
//! A feed subscribes before it looks, so nothing falls between the snapshot and the first change. A notice
//! only says which row changed; the feed reads the row. While a reader is slow, notices for one row fall
//! together and it gets the newest state, not every one on the way: a progress bar has no use for the past.
//! And since a notice may be lost, a feed looks by itself now and then at what it has shown as unfinished.
//! Feeds that show the same look together ([`source`]).

mod feed;
mod integrations;
mod runs;
mod source;

pub use integrations::IntegrationFeed;
pub use runs::RunFeed;

pub use feed::Seen;

use self::source::Sources;
use crate::Engine;

/// What is watched in this process, so that those who watch the same look together. Clones are the same.
#[derive(Clone, Default)]
pub struct Watched {
    runs: Sources<runs::Runs>,
    integrations: Sources<integrations::Integrations>,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watched")
    }
}

/// Live feeds.
#[derive(Debug)]
pub struct Watch<'a> {
    engine: &'a Engine,
    watched: &'a Watched,
}

impl Engine {
    /// Live feeds, among those that are there already.
    #[must_use]
    pub fn watch<'a>(&'a self, watched: &'a Watched) -> Watch<'a> {
        Watch {
            engine: self,
            watched,
        }
    }
}
