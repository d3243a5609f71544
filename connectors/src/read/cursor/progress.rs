//! Progress: the intervals that were read to their end, and the state they amount to.

use serde_json::{Map, Value, json};

use super::{CursorSettings, Moment, Window};
use crate::read::ReadError;

/// A stretch of time that was read to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) start: Moment,
    pub(crate) end: Moment,
    /// The largest cursor value of its records.
    pub(crate) largest: Option<Moment>,
}

/// What one cursor (of a stream, or of one of its partitions) has read.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// Merged and sorted; never empty.
    intervals: Vec<Interval>,
    /// State keys that are not the cursor's are carried along.
    legacy: Map<String, Value>,
    /// Where earlier runs left off.
    start: Moment,
    /// The largest value seen in the window that is being read.
    largest: Option<Moment>,
}

impl Progress {
    /// From the stream's state, either in the simple form (`{field: value}`) or in the reference's
    /// concurrent one (`{state_type, slices}`).
    ///
    /// # Errors
    /// `CONFIG_INVALID` when the state's value fits none of the cursor's formats.
    pub(crate) fn from_state(settings: &CursorSettings, state: Option<&Value>) -> Result<Self, ReadError> {
        let unreadable = || {
            ReadError::config(format!(
                "The state's value of \"{}\" fits none of the cursor's formats ({}).",
                settings.field,
                settings.formats.join(", ")
            ))
        };
        let empty = Map::new();
        let state = state.and_then(Value::as_object).unwrap_or(&empty);
        if matches!(
            state.get("state_type").and_then(Value::as_str),
            Some("date-range" | "integer")
        ) {
            let slices = state
                .get("slices")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            let mut intervals = Vec::new();
            for slice in slices {
                let moment = |key: &str| {
                    slice
                        .get(key)
                        .filter(|value| !value.is_null())
                        .map(|value| settings.parse_value(value).ok_or_else(unreadable))
                        .transpose()
                };
                intervals.push(Interval {
                    start: moment("start")?.ok_or_else(unreadable)?,
                    end: moment("end")?.ok_or_else(unreadable)?,
                    largest: moment("most_recent_cursor_value")?,
                });
            }
            let start = intervals
                .first()
                .map_or(settings.start, |first| first.largest.unwrap_or(first.end));
            if intervals.is_empty() {
                intervals.push(Interval {
                    start,
                    end: start,
                    largest: Some(start),
                });
            }
            let legacy = state
                .get("legacy")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            let mut progress = Self {
                intervals,
                legacy,
                start,
                largest: None,
            };
            progress.merge(settings);
            return Ok(progress);
        }
        let left_off = match state.get(&settings.field) {
            Some(value) => Some(settings.parse_value(value).ok_or_else(unreadable)?),
            None => None,
        };
        let start = left_off
            .filter(|moment| *moment >= settings.start)
            .unwrap_or(settings.start);
        Ok(Self {
            intervals: vec![Interval {
                start: settings.start,
                end: start,
                largest: Some(start),
            }],
            legacy: state.clone(),
            start,
            largest: None,
        })
    }

    pub(super) fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Where earlier runs left off.
    pub(crate) fn left_off(&self) -> Moment {
        self.start
    }

    /// A record of the current window was read.
    pub(crate) fn observe(&mut self, value: Moment) {
        if self.largest.is_none_or(|largest| largest < value) {
            self.largest = Some(value);
        }
    }

    /// The current window was read to its end.
    pub(crate) fn close(&mut self, settings: &CursorSettings, window: &Window) -> Result<(), ReadError> {
        let bound = |text: &str| {
            settings.parse(text).ok_or_else(|| {
                ReadError::config("The cursor's datetime format cannot read what it wrote itself.")
            })
        };
        self.intervals.push(Interval {
            start: bound(&window.start)?,
            end: bound(&window.end)?,
            largest: self.largest.take(),
        });
        self.merge(settings);
        Ok(())
    }

    fn merge(&mut self, settings: &CursorSettings) {
        self.intervals
            .sort_by_key(|interval| (interval.start, interval.end));
        let mut merged: Vec<Interval> = Vec::with_capacity(self.intervals.len());
        for current in self.intervals.drain(..) {
            match merged.last_mut() {
                Some(last) if settings.increment(&last.end) >= current.start => {
                    last.end = last.end.max(current.end);
                    last.largest = match (current.largest, last.largest) {
                        (Some(one), Some(other)) => Some(if other > one { other } else { one }),
                        (one, other) => one.or(other),
                    };
                }
                _ => merged.push(current),
            }
        }
        self.intervals = merged;
    }

    /// The value of the cursor field in the state.
    pub(crate) fn value(&self, settings: &CursorSettings) -> String {
        let moment = self
            .intervals
            .first()
            .map_or(self.start, |first| first.largest.unwrap_or(first.start));
        settings.format(&moment)
    }

    /// The state, as the reference writes it.
    pub(crate) fn state(&self, settings: &CursorSettings) -> Value {
        let mut state = self.legacy.clone();
        state.insert(settings.field.clone(), Value::String(self.value(settings)));
        Value::Object(state)
    }

    /// Everything a resumed run needs that the state does not say.
    pub(crate) fn to_json(&self) -> Value {
        let moment = |moment: Option<Moment>| moment.map(|moment| moment.to_rfc3339());
        let intervals: Vec<Value> = self
            .intervals
            .iter()
            .map(|one| json!([one.start.to_rfc3339(), one.end.to_rfc3339(), moment(one.largest)]))
            .collect();
        json!({ "read": intervals, "largest": moment(self.largest) })
    }

    /// Takes up what [`Self::to_json`] wrote; `None` when it is not that.
    pub(crate) fn restore(&mut self, value: &Value) -> Option<()> {
        let moment = |value: &Value| Moment::parse_from_rfc3339(value.as_str()?).ok();
        let intervals = value
            .get("read")?
            .as_array()?
            .iter()
            .map(|one| {
                Some(Interval {
                    start: moment(one.get(0)?)?,
                    end: moment(one.get(1)?)?,
                    largest: one.get(2).and_then(moment),
                })
            })
            .collect::<Option<Vec<_>>>()?;
        if intervals.is_empty() {
            return None;
        }
        self.intervals = intervals;
        self.largest = value.get("largest").and_then(moment);
        Some(())
    }
}
