//! How an integration fares, told from how its last runs ended.
//!
//! It is computed from two columns that settling a run writes, and not from the runs themselves: a list of a
//! hundred integrations must not read their histories. A cancelled run says nothing about the upstream and
//! changes neither column.

use entity::words::SyncRunStatus;

/// How an integration fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// The last run succeeded.
    Healthy,
    /// The last run lost records, or it or the one before failed.
    Degraded,
    /// Three runs in a row failed, or the credential was refused.
    Failing,
    /// No run has ended yet.
    Unknown,
}

/// From this many failures in a row on, an integration is failing.
pub const FAILING_AFTER: i32 = 3;

impl Health {
    /// The rule.
    #[must_use]
    pub const fn of(
        last_run: Option<SyncRunStatus>,
        consecutive_failures: i32,
        credential_refused: bool,
    ) -> Self {
        if credential_refused || consecutive_failures >= FAILING_AFTER {
            return Self::Failing;
        }
        match last_run {
            None => Self::Unknown,
            Some(SyncRunStatus::Succeeded) if consecutive_failures == 0 => Self::Healthy,
            Some(_) => Self::Degraded,
        }
    }
}
