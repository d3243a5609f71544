use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, stored as a `BIGINT` on both databases.
///
/// SQLite has no time type: it compares texts, and two texts of one instant in different formats compare
/// wrongly. An integer compares rightly everywhere, and microseconds are what PostgreSQL would keep anyway.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The time of a change that follows one at this time: now, or the next microsecond where the clock has not
    /// come that far. Two changes of one row never have the same.
    #[must_use]
    pub fn then(self, now: Self) -> Self {
        now.max(Self(self.0.saturating_add(1)))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

impl From<Timestamp> for DateTime<Utc> {
    /// An instant outside chrono's range (some 262,000 years either way) becomes the nearest one inside it.
    fn from(at: Timestamp) -> Self {
        Self::from_timestamp_micros(at.0).unwrap_or(if at.0 < 0 { Self::MIN_UTC } else { Self::MAX_UTC })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DateTime::<Utc>::from(*self).fmt(f)
    }
}
