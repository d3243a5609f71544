//! `[retention]`: how long is kept what only grows.

use std::ops::RangeInclusive;

use super::sources::{Fault, Sources, within};

const DAYS: RangeInclusive<u32> = 1..=3650;

/// How long is kept what only grows.
#[derive(Debug, Clone)]
pub struct RetentionSettings {
    /// Of runs' logs.
    pub logs_days: u32,
    /// Of events.
    pub events_days: u32,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            logs_days: 14,
            events_days: 30,
        }
    }
}

impl RetentionSettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        let default = Self::default();
        Ok(Self {
            logs_days: sources
                .number("retention.logs_days", DAYS)?
                .unwrap_or(default.logs_days),
            events_days: sources
                .number("retention.events_days", DAYS)?
                .unwrap_or(default.events_days),
        })
    }

    /// Whether this can be used.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn validate(&self) -> Result<(), Fault> {
        within("retention.logs_days", self.logs_days, &DAYS)?;
        within("retention.events_days", self.events_days, &DAYS)?;
        Ok(())
    }
}
