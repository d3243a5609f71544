//! The counting cursor: a number that only grows, asked for from where the last read ended.
//!
//! There is nothing to cut into windows, since nobody knows where the numbers end. So one slice is read whole, and only then
//! does the state say so: the upstream need not answer in the order of the numbers.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value, json};

use crate::http::session::{Session, is_truthy};
use crate::manifest::components::IncrementingCountCursor;
use crate::read::ReadError;

/// The slice's fields, as the reference names them.
pub(crate) const START: &str = "start";
const END: &str = "end";

/// A cursor's settings, evaluated for one configuration.
#[derive(Debug, Clone)]
pub(crate) struct CountSettings {
    /// The record's field.
    pub(crate) field: String,
    start: Number,
}

/// What such a cursor has read.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    /// State keys that are not the cursor's are carried along.
    legacy: Map<String, Value>,
    /// Where earlier runs left off.
    left_off: Number,
    /// The largest value of the slice that is being read.
    largest: Option<Number>,
    closed: bool,
}

impl CountSettings {
    pub(crate) fn new(
        session: &Session,
        cursor: &IncrementingCountCursor,
        field: Option<&str>,
    ) -> Result<Self, ReadError> {
        Ok(Self {
            field: match field {
                Some(field) => field.to_owned(),
                None => session.text(&cursor.cursor_field, &[])?,
            },
            start: session.integer(&cursor.start_value, &[])?.into(),
        })
    }

    /// A record's value. The reference fails on numbers that are written as texts; they are numbers here.
    pub(crate) fn number(value: &Value) -> Option<Number> {
        match value {
            Value::Number(number) => Some(number.clone()),
            Value::String(text) => text.trim().parse::<i64>().ok().map(Number::from),
            _ => None,
        }
    }
}

impl Count {
    /// From the stream's state, in the simple form or in the reference's concurrent one.
    pub(crate) fn from_state(settings: &CountSettings, state: Option<&Value>) -> Result<Self, ReadError> {
        let empty = Map::new();
        let state = state.and_then(Value::as_object).unwrap_or(&empty);
        let concurrent = state.get("state_type").is_some();
        let first = || state.get("slices")?.get(0);
        let value = if concurrent {
            first().and_then(|slice| {
                let value = slice
                    .get("most_recent_cursor_value")
                    .filter(|value| is_truthy(value));
                value.or_else(|| slice.get("end"))
            })
        } else {
            state.get(&settings.field)
        };
        let left_off = match value.filter(|value| !value.is_null()) {
            None => None,
            Some(value) => Some(CountSettings::number(value).ok_or_else(|| {
                ReadError::config(format!(
                    "The state's value of \"{}\" is not a number.",
                    settings.field
                ))
            })?),
        };
        Ok(Self {
            legacy: if concurrent { Map::new() } else { state.clone() },
            left_off: left_off
                .filter(|left_off| order(left_off, &settings.start) != Ordering::Less)
                .unwrap_or_else(|| settings.start.clone()),
            largest: None,
            closed: false,
        })
    }

    /// The slice that is to be read, as `stream_slice` shows it.
    pub(crate) fn slice(&self) -> Map<String, Value> {
        Map::from_iter([
            (START.to_owned(), Value::Number(self.left_off.clone())),
            (END.to_owned(), json!("inf")),
        ])
    }

    /// A record was read.
    pub(crate) fn observe(&mut self, value: Number) {
        let larger = |largest: &Number| order(largest, &value) == Ordering::Less;
        if self.largest.as_ref().is_none_or(larger) {
            self.largest = Some(value);
        }
    }

    /// The slice was read to its end.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// The state, as the reference writes it.
    pub(crate) fn state(&self, settings: &CountSettings) -> Value {
        let read = self.largest.as_ref().filter(|_| self.closed);
        let value = read
            .filter(|largest| order(largest, &self.left_off) == Ordering::Greater)
            .unwrap_or(&self.left_off);
        let mut state = self.legacy.clone();
        state.insert(settings.field.clone(), Value::Number(value.clone()));
        Value::Object(state)
    }

    /// What a resumed run needs beside the state.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "largest": self.largest })
    }

    /// Takes up what [`Self::to_json`] wrote.
    pub(crate) fn restore(&mut self, value: &Value) {
        self.largest = value.get("largest").and_then(CountSettings::number);
    }
}

/// Whole numbers exactly, others as well as a double can.
pub(crate) fn order(one: &Number, other: &Number) -> Ordering {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => {
            let double = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
            double(one).total_cmp(&double(other))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(start: i64) -> CountSettings {
        CountSettings {
            field: "id".to_owned(),
            start: start.into(),
        }
    }

    #[test]
    fn the_state_moves_when_the_slice_has_been_read() {
        let settings = settings(5);
        let mut count = Count::from_state(&settings, Some(&json!({"id": 9, "other": true}))).unwrap();
        assert_eq!(Value::Object(count.slice()), json!({"start": 9, "end": "inf"}));
        for value in [12, 40, 17] {
            count.observe(Number::from(value));
        }
        assert_eq!(count.state(&settings), json!({"id": 9, "other": true}));
        count.close();
        assert_eq!(count.state(&settings), json!({"id": 40, "other": true}));
    }

    #[test]
    fn a_read_begins_no_earlier_than_the_start_and_where_either_form_left_off() {
        let left_off =
            |state: Value| Count::from_state(&settings(5), Some(&state)).unwrap().slice()[START].clone();
        assert_eq!(left_off(json!({})), 5);
        assert_eq!(left_off(json!({"id": 3})), 5);
        assert_eq!(left_off(json!({"id": "7"})), 7);
        let slices = json!([{"start": 0, "end": 8, "most_recent_cursor_value": 6}]);
        assert_eq!(left_off(json!({"state_type": "integer", "slices": slices})), 6);
        assert!(Count::from_state(&settings(5), Some(&json!({"id": "x"}))).is_err());
    }
}
