//! State of a partitioned, incremental stream: one cursor a partition, and a global one for those that are
//! new.
//!
//! The form is the reference's: `{use_global_cursor, states: [{partition, cursor}], state, lookback_window,
//! parent_state}`. A partition's entry advances when the partition has been read to its end; the global value,
//! the look-back (how long the run took, so that records added meanwhile are not missed) and the parents' state
//! advance when the whole stream has. Above ten thousand partitions only the global cursor remains, which
//! bounds the state and the memory.
//!
//! The global value is compared as text, as the reference does it: byte-compatible state matters more here
//! than a day-first date format, for which the order of texts is not the order of dates.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::ReadError;
use super::cursor::{CursorSettings, Moment, Progress};
use crate::datetime::duration::Duration;

/// Above this, per-partition cursors give way to the global one.
const GLOBAL_ABOVE: usize = 10_000;

/// The cursors of all partitions.
#[derive(Debug, Clone)]
pub(crate) struct Partitioned {
    use_global: bool,
    entries: Vec<Entry>,
    index: HashMap<String, usize>,
    /// Partitions known, those of earlier runs included.
    count: usize,
    global: Option<String>,
    new_global: Option<String>,
    lookback_seconds: i64,
    parent_state: Option<Value>,
    observed: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    partition: Value,
    cursor: Value,
    /// Met in this run: a parent that lists a record twice does not make us read its children twice.
    met: bool,
}

impl Partitioned {
    /// From the stream's state.
    pub(crate) fn from_state(
        settings: &CursorSettings,
        state: Option<&Value>,
        use_global: bool,
    ) -> Result<Self, ReadError> {
        let mut this = Self {
            use_global,
            entries: Vec::new(),
            index: HashMap::new(),
            count: 0,
            global: None,
            new_global: None,
            lookback_seconds: 0,
            parent_state: None,
            observed: false,
        };
        let Some(state) = state.and_then(Value::as_object).filter(|state| !state.is_empty()) else {
            return Ok(this);
        };
        if !state.contains_key("states") && !state.contains_key("state") {
            this.set_global(settings, state)?;
        } else {
            this.use_global = state
                .get("use_global_cursor")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            this.lookback_seconds = state.get("lookback_window").and_then(Value::as_i64).unwrap_or(0);
            for entry in state
                .get("states")
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice)
            {
                let partition = entry.get("partition").map_or_else(|| json!({}), sorted);
                let progress = Progress::from_state(settings, entry.get("cursor"))?;
                this.insert(partition, progress.state(settings), false);
                this.count += 1;
            }
            if let Some(global) = state.get("state").and_then(Value::as_object) {
                this.set_global(settings, global)?;
            }
        }
        this.parent_state = state
            .get("parent_state")
            .filter(|parents| parents.as_object().is_some_and(|map| !map.is_empty()))
            .cloned();
        Ok(this)
    }

    fn set_global(&mut self, settings: &CursorSettings, state: &Map<String, Value>) -> Result<(), ReadError> {
        if let Some(value) = state.get(&settings.field) {
            let moment = settings.parse_value(value).ok_or_else(|| {
                ReadError::config(format!(
                    "The state's global value of \"{}\" fits none of the cursor's formats.",
                    settings.field
                ))
            })?;
            let text = settings.format(&moment);
            self.global = Some(text.clone());
            self.new_global = Some(text);
        }
        Ok(())
    }

    fn insert(&mut self, partition: Value, cursor: Value, met: bool) {
        let key = partition.to_string();
        if let Some(&at) = self.index.get(&key) {
            let entry = &mut self.entries[at];
            entry.cursor = cursor;
            entry.met |= met;
            return;
        }
        self.index.insert(key, self.entries.len());
        self.entries.push(Entry {
            partition,
            cursor,
            met,
        });
    }

    /// Takes up a partition: where its cursor stands, or `None` when it was met already.
    pub(crate) fn enter(
        &mut self,
        settings: &CursorSettings,
        partition: &Map<String, Value>,
    ) -> Result<Option<Progress>, ReadError> {
        if !self.use_global && self.count > GLOBAL_ABOVE {
            self.use_global = true;
        }
        let partition = sorted(&Value::Object(partition.clone()));
        if let Some(&at) = self.index.get(&partition.to_string()) {
            let entry = &mut self.entries[at];
            if entry.met {
                return Ok(None);
            }
            entry.met = true;
            return Progress::from_state(settings, Some(&entry.cursor)).map(Some);
        }
        let state = self.global.as_ref().map(|value| {
            let looked_back = settings.parse(value).and_then(|moment| self.look_back(&moment));
            let value = looked_back.map_or_else(|| value.clone(), |moment| settings.format(&moment));
            json!({ settings.field.as_str(): value })
        });
        let progress = Progress::from_state(settings, state.as_ref())?;
        self.count += 1;
        if !self.use_global {
            self.insert(partition, progress.state(settings), true);
        }
        Ok(Some(progress))
    }

    fn look_back(&self, moment: &Moment) -> Option<Moment> {
        let micros = self.lookback_seconds.checked_mul(1_000_000)?;
        Duration {
            micros,
            ..Duration::default()
        }
        .subtract_from(moment)
        .ok()
    }

    /// A record's cursor value, written in the state's format.
    pub(crate) fn observe(&mut self, value: &str) {
        self.observed = true;
        self.raise(value);
    }

    fn raise(&mut self, value: &str) {
        if self.new_global.as_deref().is_none_or(|global| global < value) {
            self.new_global = Some(value.to_owned());
        }
    }

    /// The partition was read to its end.
    pub(crate) fn leave(
        &mut self,
        settings: &CursorSettings,
        partition: &Map<String, Value>,
        progress: &Progress,
    ) {
        if self.use_global {
            return;
        }
        self.insert(
            sorted(&Value::Object(partition.clone())),
            progress.state(settings),
            true,
        );
        self.raise(&progress.value(settings));
    }

    /// The stream was read to its end.
    pub(crate) fn finish(&mut self, parent_state: Option<Value>, took_seconds: i64) {
        if self.observed {
            self.global.clone_from(&self.new_global);
            self.lookback_seconds = took_seconds;
        }
        self.parent_state = parent_state;
    }

    /// The state, as the reference writes it.
    pub(crate) fn state(&self, settings: &CursorSettings) -> Value {
        let mut state = Map::new();
        state.insert("use_global_cursor".to_owned(), Value::Bool(self.use_global));
        if !self.use_global {
            let states = self
                .entries
                .iter()
                .map(|entry| json!({ "partition": entry.partition, "cursor": entry.cursor }))
                .collect();
            state.insert("states".to_owned(), Value::Array(states));
        }
        if let Some(global) = &self.global {
            state.insert("state".to_owned(), json!({ settings.field.as_str(): global }));
        }
        state.insert("lookback_window".to_owned(), json!(self.lookback_seconds));
        if let Some(parents) = &self.parent_state {
            state.insert("parent_state".to_owned(), parents.clone());
        }
        Value::Object(state)
    }

    /// What a resumed run needs beside the state.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "global": self.new_global, "observed": self.observed, "count": self.count })
    }

    /// Takes up what [`Self::to_json`] wrote.
    pub(crate) fn restore(&mut self, value: &Value) -> Option<()> {
        self.new_global = value.get("global")?.as_str().map(ToOwned::to_owned);
        self.observed = value.get("observed")?.as_bool()?;
        self.count = usize::try_from(value.get("count")?.as_u64()?).ok()?;
        Some(())
    }
}

/// The value with the keys of all its objects in order, so that equal partitions have equal texts.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_by(|one, other| one.0.cmp(other.0));
            Value::Object(
                pairs
                    .into_iter()
                    .map(|(key, value)| (key.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
