//! What a stream is to whoever chooses among them.

use serde_json::Value;

use crate::manifest::components::StreamPlan;

/// What can be read from a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamDescription {
    /// Its name, unique in the connector.
    pub name: String,
    /// The paths of the fields that identify a record; empty: records have no key.
    pub primary_key: Vec<Vec<String>>,
    /// Whether a read can go on where the last one ended.
    pub supports_incremental: bool,
    /// The field that progress is measured by (as written: it may be a template).
    pub cursor_field: Option<String>,
    /// The records' JSON Schema.
    pub json_schema: Value,
    /// Whether files belong to its records.
    pub has_files: bool,
}

/// As far as the manifest tells.
pub(crate) fn describe(stream: &StreamPlan) -> StreamDescription {
    let cursor = stream
        .incremental_sync
        .as_ref()
        .map(|incremental| incremental.cursor_field().source().to_owned())
        .or_else(|| {
            let native = stream.retriever.native()?;
            native.source.cursor_field().map(ToOwned::to_owned)
        });
    StreamDescription {
        name: stream.name.clone(),
        primary_key: stream.primary_key.clone(),
        supports_incremental: cursor.is_some(),
        cursor_field: cursor,
        json_schema: (*stream.schema).clone(),
        has_files: stream.files().is_some(),
    }
}
