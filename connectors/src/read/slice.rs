//! What a page is read for: a partition, and in it a window of time.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::cursor::{CursorSettings, Window};
use crate::template::{SliceView, Variable};

/// A partition: its identity, and what is carried along from its parent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Partition {
    pub(crate) fields: Map<String, Value>,
    pub(crate) extra: Map<String, Value>,
    /// Its first page, where a parent's record held it.
    pub(crate) page: Option<Arc<str>>,
}

/// `stream_slice`, in the shape that templates look into.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slice {
    pub(crate) partition: Map<String, Value>,
    pub(crate) cursor: Map<String, Value>,
    fields: Map<String, Value>,
    extra: Map<String, Value>,
    /// The first page, where it is here already.
    pub(crate) page: Option<Arc<str>>,
}

impl Slice {
    pub(crate) fn new(partition: &Partition, window: Option<(&CursorSettings, &Window)>) -> Self {
        let mut cursor = Map::new();
        if let Some((settings, window)) = window {
            cursor.insert(settings.start_field.clone(), Value::String(window.start.clone()));
            cursor.insert(settings.end_field.clone(), Value::String(window.end.clone()));
        }
        let mut fields = partition.fields.clone();
        fields.extend(cursor.clone());
        Self {
            partition: partition.fields.clone(),
            cursor,
            fields,
            extra: partition.extra.clone(),
            page: partition.page.clone(),
        }
    }

    /// The same slice, with more that is carried along.
    pub(crate) fn carrying(&self, more: Map<String, Value>) -> Self {
        let mut slice = self.clone();
        slice.extra.extend(more);
        slice
    }

    /// The same slice, with this carried along and nothing else.
    pub(crate) fn carrying_only(&self, extra: Map<String, Value>) -> Self {
        Self {
            extra,
            ..self.clone()
        }
    }

    /// The same partition's, with another window.
    pub(crate) fn with_cursor(&self, cursor: &Map<String, Value>) -> Self {
        let mut slice = self.clone();
        slice.cursor.clone_from(cursor);
        slice.fields.extend(cursor.clone());
        slice
    }

    /// The slice as a template's variable.
    pub(crate) fn variable(&self) -> Variable<'_> {
        Variable::Slice(SliceView {
            fields: &self.fields,
            partition: &self.partition,
            cursor_slice: &self.cursor,
            extra_fields: &self.extra,
        })
    }
}
