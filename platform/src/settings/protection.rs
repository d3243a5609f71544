//! `[protection]`: how much upstreams are asked, and how much of the workers one client gets.

use std::ops::RangeInclusive;

use super::sources::{Fault, Sources, within};

const REQUESTS: RangeInclusive<u32> = 1..=1_000_000;
const RUNS: RangeInclusive<u32> = 1..=10_000;

/// How much upstreams are asked, and how much of the workers one client gets. All processes of an installation need
/// the same values: the API says why a run waits, the schedulers make it wait.
#[derive(Debug, Clone)]
pub struct ProtectionSettings {
    /// Requests a minute of an integration that says nothing else.
    pub requests_per_minute: u32,
    /// Runs of one client at the same time, over all processes.
    pub runs_per_client: u32,
    /// Runs of one connector at the same time, over all processes. Absent: as many as there are.
    pub runs_per_connector: Option<u32>,
}

impl Default for ProtectionSettings {
    fn default() -> Self {
        Self {
            requests_per_minute: 100,
            runs_per_client: 10,
            runs_per_connector: None,
        }
    }
}

impl ProtectionSettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        let default = Self::default();
        Ok(Self {
            requests_per_minute: sources
                .number("protection.requests_per_minute", REQUESTS)?
                .unwrap_or(default.requests_per_minute),
            runs_per_client: sources
                .number("protection.runs_per_client", RUNS)?
                .unwrap_or(default.runs_per_client),
            runs_per_connector: sources.number("protection.runs_per_connector", RUNS)?,
        })
    }

    /// Whether this can be used.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn validate(&self) -> Result<(), Fault> {
        within(
            "protection.requests_per_minute",
            self.requests_per_minute,
            &REQUESTS,
        )?;
        within("protection.runs_per_client", self.runs_per_client, &RUNS)?;
        if let Some(runs) = self.runs_per_connector {
            within("protection.runs_per_connector", runs, &RUNS)?;
        }
        Ok(())
    }
}
