use std::fmt;
use std::sync::Arc;

use platform::clock::SharedClock;
use platform::coordination::Coordinator;
use platform::database::{Database, Durability, WriteTransaction};
use platform::random::{SharedRandom, uuid_v7};
use platform::secrets::Cipher;
use uuid::Uuid;

use crate::connectors::ConnectorRuntime;
use crate::error::Result;

/// What the services stand on. Clones share it.
///
/// Six fields, and no seventh: what a service needs beyond them is an argument or belongs into one of them.
#[derive(Clone)]
pub struct Engine {
    /// The tables.
    pub db: Database,
    /// The time.
    pub clock: SharedClock,
    /// Ids, jitter, nonces.
    pub random: SharedRandom,
    /// Notices to other tasks and processes.
    pub coordinator: Arc<dyn Coordinator>,
    /// Seals secrets.
    pub cipher: Arc<Cipher>,
    /// Reads other people's APIs.
    pub connectors: Arc<ConnectorRuntime>,
}

impl Engine {
    /// A fresh UUIDv7 of this moment.
    #[must_use]
    pub fn new_uuid(&self) -> Uuid {
        uuid_v7(self.clock.now(), &*self.random)
    }

    /// This moment, as the tables keep it.
    #[must_use]
    pub fn timestamp(&self) -> entity::Timestamp {
        self.clock.now().into()
    }

    /// Begins a transaction whose commit is a promise to the caller.
    pub(crate) async fn begin_accepted(&self) -> Result<WriteTransaction> {
        Ok(self.db.begin(Durability::Accepted).await?)
    }

    /// Tells who listens that there is something to look at. It is not a failure when nobody can be told:
    /// they look by themselves before long.
    pub async fn notify(&self, topic: &str, payload: &str) {
        if let Err(error) = self.coordinator.publish(topic, payload).await {
            tracing::debug!(topic, %error, "notice not published; pollers will find it");
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}
