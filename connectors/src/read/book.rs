//! The books of a read: what was read to its end, per stream or per partition, and the state that it
//! amounts to.

use serde_json::{Map, Value, json};

use super::ReadError;
use super::cursor::{Count, CountSettings, CursorSettings, Progress, Window};
use super::page::Mapped;
use super::partitioned::Partitioned;
use super::slice::Partition;
use super::stream::StreamReader;

/// The reference's state of a stream that has no cursor and was read to its end.
const NO_CURSOR: &str = "__ab_no_cursor_state_message";

/// A partition that the walk has taken up.
#[derive(Debug, Clone)]
pub(super) struct Entered {
    pub(super) partition: Partition,
    pub(super) progress: Option<Progress>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Book {
    kind: Kind,
    /// The state at the start of the run.
    from: Option<Value>,
    current: Option<Entered>,
}

#[derive(Debug)]
enum Kind {
    /// Nothing to keep.
    None,
    /// The source says itself what the state is.
    Own(Option<Value>),
    /// One cursor for the stream.
    Single,
    /// One that counts.
    Counted(CountSettings, Count),
    /// One for each partition.
    Partitioned(Box<Partitioned>),
}

impl Book {
    /// Books that begin with a stream's state.
    pub(super) fn open(reader: &StreamReader, state: Option<&Value>) -> Result<Self, ReadError> {
        let own = reader
            .native
            .as_ref()
            .is_some_and(crate::native::Source::keeps_state);
        let kind = match &reader.cursor {
            None if own => Kind::Own(state.cloned()),
            None if let Some(settings) = &reader.count => {
                Kind::Counted(settings.clone(), Count::from_state(settings, state)?)
            }
            None => Kind::None,
            Some(_) if reader.routers.is_empty() => Kind::Single,
            Some(settings) => {
                let global = reader
                    .datetime_cursor()
                    .is_some_and(|cursor| cursor.global_substream_cursor);
                Kind::Partitioned(Box::new(Partitioned::from_state(settings, state, global)?))
            }
        };
        Ok(Self {
            kind,
            from: state.cloned(),
            current: None,
        })
    }

    /// Takes up a partition: the progress to plan its windows from. `None`: it was met already.
    pub(super) fn enter(
        &mut self,
        settings: Option<&CursorSettings>,
        partition: &Partition,
    ) -> Result<Option<Entered>, ReadError> {
        let progress = match (&mut self.kind, settings) {
            (Kind::Single, Some(settings)) => Some(Progress::from_state(settings, self.from.as_ref())?),
            (Kind::Partitioned(partitioned), Some(settings)) => {
                match partitioned.enter(settings, &partition.fields)? {
                    None => return Ok(None),
                    progress => progress,
                }
            }
            _ => None,
        };
        Ok(Some(Entered {
            partition: partition.clone(),
            progress,
        }))
    }

    /// Opens the account of the partitions that were taken up; all but the last had nothing to read.
    pub(super) fn take(&mut self, settings: Option<&CursorSettings>, entered: Vec<Entered>) {
        for entered in entered {
            self.settle(settings);
            self.current = Some(entered);
        }
    }

    /// Enters a page's records.
    pub(super) fn observe(&mut self, reader: &StreamReader, mapped: &Mapped) {
        if let (Kind::Own(own), Some(state)) = (&mut self.kind, &mapped.state) {
            *own = Some(state.clone());
            return;
        }
        if let Kind::Counted(_, count) = &mut self.kind {
            let values = mapped
                .records
                .iter()
                .filter_map(|record| reader.count_value(record));
            values.for_each(|value| count.observe(value));
            return;
        }
        let (Some(settings), Some(progress)) = (
            &reader.cursor,
            self.current
                .as_mut()
                .and_then(|current| current.progress.as_mut()),
        ) else {
            return;
        };
        for record in &mapped.records {
            let Some(value) = reader.cursor_value(record) else {
                continue;
            };
            progress.observe(value);
            if let Kind::Partitioned(partitioned) = &mut self.kind {
                partitioned.observe(&settings.format(&value));
            }
        }
    }

    /// Closes a window, and with the last one its partition.
    pub(super) fn close(
        &mut self,
        settings: Option<&CursorSettings>,
        window: Option<&Window>,
        partition_ends: bool,
    ) -> Result<(), ReadError> {
        if let (Kind::Counted(_, count), true) = (&mut self.kind, partition_ends) {
            count.close();
        }
        let Some(settings) = settings else { return Ok(()) };
        if let (Some(window), Some(progress)) = (
            window,
            self.current
                .as_mut()
                .and_then(|current| current.progress.as_mut()),
        ) {
            progress.close(settings, window)?;
        }
        if partition_ends {
            self.settle(Some(settings));
        }
        Ok(())
    }

    fn settle(&mut self, settings: Option<&CursorSettings>) {
        if let (Kind::Partitioned(partitioned), Some(settings), Some(current)) =
            (&mut self.kind, settings, &self.current)
            && let Some(progress) = &current.progress
        {
            partitioned.leave(settings, &current.partition.fields, progress);
            self.current = None;
        }
    }

    /// The stream was read to its end.
    pub(super) fn finish(
        &mut self,
        settings: Option<&CursorSettings>,
        parents: Option<Value>,
        took_seconds: i64,
    ) {
        self.settle(settings);
        if let Kind::Partitioned(partitioned) = &mut self.kind {
            partitioned.finish(parents, took_seconds);
        }
    }

    /// The state before the end.
    pub(super) fn state(&self, settings: Option<&CursorSettings>) -> Option<Value> {
        match (&self.kind, settings) {
            (Kind::Single, Some(settings)) => match &self.current {
                Some(Entered {
                    progress: Some(progress),
                    ..
                }) => Some(progress.state(settings)),
                _ => self.from.clone(),
            },
            (Kind::Partitioned(partitioned), Some(settings)) => Some(partitioned.state(settings)),
            (Kind::Own(own), _) => own.clone(),
            _ => self.from.clone(),
        }
    }

    /// The state at the end.
    pub(super) fn final_state(&self, settings: Option<&CursorSettings>) -> Value {
        match (&self.kind, settings) {
            (Kind::Single, Some(cursor)) => self
                .state(settings)
                .or_else(|| {
                    Progress::from_state(cursor, None)
                        .ok()
                        .map(|progress| progress.state(cursor))
                })
                .unwrap_or(Value::Null),
            (Kind::Partitioned(partitioned), Some(settings)) => partitioned.state(settings),
            (Kind::Own(own), _) => own.clone().unwrap_or_else(|| json!({})),
            (Kind::Counted(counting, count), _) => count.state(counting),
            _ => json!({ NO_CURSOR: true }),
        }
    }

    /// What a resumed run needs beside the state.
    pub(super) fn to_json(&self) -> Value {
        let mut json = Map::new();
        match &self.kind {
            Kind::None | Kind::Own(_) => {}
            Kind::Counted(_, count) => {
                json.insert("count".to_owned(), count.to_json());
            }
            Kind::Single => {
                json.insert("from".to_owned(), self.from.clone().unwrap_or(Value::Null));
            }
            Kind::Partitioned(partitioned) => {
                json.insert("partitions".to_owned(), partitioned.to_json());
            }
        }
        if let Some(Entered {
            progress: Some(progress),
            ..
        }) = &self.current
        {
            json.insert("progress".to_owned(), progress.to_json());
        }
        Value::Object(json)
    }

    /// Books as they were when [`Self::to_json`] was written beside `state`.
    pub(super) fn reopen(
        reader: &StreamReader,
        state: Option<&Value>,
        written: &Value,
    ) -> Result<Option<Self>, ReadError> {
        let from = match written.get("from") {
            Some(Value::Null) => None,
            Some(from) => Some(from),
            None => state,
        };
        let mut book = Self::open(reader, from)?;
        if let Kind::Counted(_, count) = &mut book.kind {
            count.restore(&written["count"]);
        }
        if let Kind::Partitioned(partitioned) = &mut book.kind {
            let restored = written
                .get("partitions")
                .and_then(|written| partitioned.restore(written));
            if restored.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(book))
    }

    /// Continues with the partition that the run was cut off in.
    pub(super) fn resume(&mut self, mut entered: Entered, written: &Value) {
        if let (Some(progress), Some(written)) = (entered.progress.as_mut(), written.get("progress")) {
            // What does not read back is planned and read again from the partition's own state.
            let _ = progress.restore(written);
        }
        self.current = Some(entered);
    }
}
