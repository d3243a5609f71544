//! The lock on an integration, between processes.
//!
//! The index on running runs keeps two runs of an integration apart in the database, and the fence keeps the
//! writes of a worker out that lost its run. Neither can keep such a worker from *asking*: a process that is cut
//! off from the database goes on with its upstream until it notices, while another one has the run already. So
//! a worker asks the upstream only under this lock. It is a courtesy to upstreams and nothing rests on it: where
//! coordination is away the run is worked on without.

use std::time::Duration;

use super::Claim;
use crate::Engine;
use crate::ids::{IntegrationId, RunId};

/// What a claim holds its integration's lock as.
#[derive(Debug, Clone)]
pub struct IntegrationLock {
    name: String,
    owner: String,
}

impl Claim {
    /// The lock of the claim's integration. Its owner is the claim and not the worker: one worker must not
    /// believe the lock of an earlier claim to be that of a later one.
    #[must_use]
    pub fn integration_lock(&self) -> IntegrationLock {
        IntegrationLock::new(self.integration_id(), self.id(), self.fence())
    }
}

impl IntegrationLock {
    fn new(integration: IntegrationId, run: RunId, fence: i64) -> Self {
        Self {
            name: format!("integration:{integration}"),
            owner: format!("{run}/{fence}"),
        }
    }

    /// Takes it; false while somebody else holds it.
    pub async fn take(&self, engine: &Engine, lease: Duration) -> bool {
        match engine.coordinator.try_lock(&self.name, &self.owner, lease).await {
            Ok(fence) => fence.is_some(),
            Err(error) => {
                tracing::debug!(%error, "no lock to be had; working without");
                true
            }
        }
    }

    /// Keeps it for longer, if it is held: it may have been given back, or lost with the server that knew it.
    pub async fn keep(&self, engine: &Engine, lease: Duration) {
        if let Err(error) = engine.coordinator.renew(&self.name, &self.owner, lease).await {
            tracing::debug!(%error, "the lock was not renewed");
        }
    }

    /// Gives it back.
    pub async fn give_back(&self, engine: &Engine) {
        if let Err(error) = engine.coordinator.unlock(&self.name, &self.owner).await {
            tracing::debug!(%error, "the lock was not given back; it expires");
        }
    }
}
