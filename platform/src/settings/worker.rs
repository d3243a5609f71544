//! `[worker]`: how much runs at once, and for how long a silent worker is believed.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::sources::{Fault, Sources, within};

const WORKERS: RangeInclusive<usize> = 1..=256;
const LEASE: RangeInclusive<u64> = 3..=3600;

/// How much runs at once, and for how long a silent worker is believed.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Runs at the same time in this process.
    pub workers: usize,
    /// How long a run stays with a worker that does not renew its lease.
    pub lease_seconds: u64,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            workers: 4,
            lease_seconds: 30,
        }
    }
}

impl WorkerSettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        let default = Self::default();
        Ok(Self {
            workers: sources
                .number("worker.workers", WORKERS)?
                .unwrap_or(default.workers),
            lease_seconds: sources
                .number("worker.lease_seconds", LEASE)?
                .unwrap_or(default.lease_seconds),
        })
    }

    /// The lease.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    /// How often a lease is renewed: two renewals may fail before it ends.
    pub fn renew_every(&self) -> Duration {
        self.lease() / 3
    }

    /// Whether this can be used.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn validate(&self) -> Result<(), Fault> {
        within("worker.workers", self.workers, &WORKERS)?;
        within("worker.lease_seconds", self.lease_seconds, &LEASE)?;
        Ok(())
    }
}
