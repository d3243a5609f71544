//! Cursors: the datetime cursor, and the simpler one that counts ([`count`]).
//!
//! The datetime cursor: which windows a read asks for, and what it may say afterwards it has read.
//!
//! Two things that look alike are kept apart. *Planning* is a pure function of the state at the start of the
//! run, the configuration and the run's own frozen end: it yields the windows, one after the other, and never
//! looks at a record. *Progress* is the intervals that were read to their end, with the largest cursor value
//! seen in each; only it becomes the stream's state. A run that is cut off and resumed therefore plans the
//! same windows again and continues in the middle of them, and an unsorted page can never move the state past
//! a record that was not read yet.
//!
//! Semantics follow the reference's concurrent cursor (airbyte-cdk 7.39.1), whose state in the simple form is
//! the largest value seen in the first of the merged intervals.

mod count;
mod plan;
mod progress;
mod ready;

use chrono::{DateTime, FixedOffset};
use serde_json::Value;

use crate::datetime::{self, duration::Duration};

pub(crate) use count::{Count, CountSettings, START as COUNT_START, order};
pub(crate) use plan::{Windows, WindowsPosition};
pub(crate) use progress::Progress;
pub(crate) use ready::settings;

/// A moment with the offset it was written with: the reference prints a value in the offset it was read in.
pub(crate) type Moment = DateTime<FixedOffset>;

/// A cursor's settings, evaluated for one configuration and one run.
#[derive(Debug, Clone)]
pub(crate) struct CursorSettings {
    /// The record's field.
    pub(crate) field: String,
    /// How values may be written in records and in state, tried in this order; the last is the format that
    /// requests and state are written in.
    pub(crate) formats: Vec<String>,
    pub(crate) start: Moment,
    /// Frozen for the run.
    pub(crate) end: Moment,
    pub(crate) step: Option<Duration>,
    pub(crate) granularity: Option<Duration>,
    pub(crate) lookback: Option<Duration>,
    /// The window's fields in `stream_slice`.
    pub(crate) start_field: String,
    pub(crate) end_field: String,
    /// The API refuses a window whose start is its end.
    pub(crate) compare_strictly: bool,
    pub(crate) clamping: Option<Clamping>,
}

/// Windows that begin and end with a day, a week or a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clamping {
    Day,
    Week(chrono::Weekday),
    Month,
}

/// One window, as `stream_slice` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: String,
    pub(crate) end: String,
}

impl CursorSettings {
    /// Reads a value of a record, of state or of a window.
    pub(crate) fn parse(&self, text: &str) -> Option<Moment> {
        self.formats
            .iter()
            .find_map(|format| datetime::parse(text, format).ok())
    }

    /// As [`Self::parse`], for a JSON scalar.
    pub(crate) fn parse_value(&self, value: &Value) -> Option<Moment> {
        match value {
            Value::String(text) => self.parse(text),
            Value::Number(number) => self.parse(&number.to_string()),
            _ => None,
        }
    }

    /// Writes a moment as requests and state carry it.
    pub(crate) fn format(&self, moment: &Moment) -> String {
        let format = self
            .formats
            .last()
            .map_or("%Y-%m-%dT%H:%M:%S.%f%z", String::as_str);
        datetime::format(moment, format)
    }

    /// The next moment after which two intervals touch.
    fn increment(&self, moment: &Moment) -> Moment {
        let unit = self.granularity.unwrap_or(Duration {
            micros: 1_000,
            ..Duration::default()
        });
        unit.add_to(moment).unwrap_or(*moment)
    }

    /// The lowest value that a client-side filter lets pass, given where the state left off.
    pub(crate) fn lowest_to_sync(&self, state_start: Moment) -> Moment {
        let Some(lookback) = self.lookback.filter(|window| *window != Duration::default()) else {
            return state_start;
        };
        match lookback.subtract_from(&state_start) {
            Ok(lower) => lower.max(state_start.min(self.start)),
            Err(_) => state_start,
        }
    }
}

impl Clamping {
    /// The end of a run is clamped downwards, and lies one unit before the boundary.
    pub(crate) fn floor(self, moment: Moment) -> Moment {
        plan::clamp(self, moment, false)
    }

    fn ceil(self, moment: Moment) -> Moment {
        plan::clamp(self, moment, true)
    }
}

#[cfg(test)]
mod tests;
