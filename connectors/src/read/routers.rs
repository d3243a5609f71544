//! What a stream is split by, ready for one read: templates are evaluated, parents are readers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::ReadError;
use super::stream::StreamReader;
use crate::http::session::{Session, is_truthy};
use crate::manifest::components::{ListValues, ParentStream, PartitionRouter};

/// What the stream is split by.
pub(super) enum Router {
    List {
        values: Vec<Value>,
        field: String,
    },
    Substream {
        parents: Vec<Parent>,
    },
    Grouped {
        router: Arc<Router>,
        size: usize,
        deduplicate: bool,
    },
    United {
        routers: Vec<Arc<Router>>,
        field: String,
    },
}

/// A parent, ready to be read.
pub(super) struct Parent {
    pub(super) reader: Arc<StreamReader>,
    /// What is read instead where there is no state.
    without_state: Option<Arc<StreamReader>>,
    pub(super) key: Vec<String>,
    pub(super) field: String,
    pub(super) incremental: bool,
    pub(super) extra: Vec<Vec<String>>,
    /// Where its record holds a partition's first page.
    pub(super) pointer: Option<Vec<String>>,
}

impl Parent {
    /// How the parent is read from this state.
    pub(super) fn reader_from(&self, state: Option<&Value>) -> &Arc<StreamReader> {
        match &self.without_state {
            Some(full_refresh) if state.is_none_or(|state| !is_truthy(state)) => full_refresh,
            _ => &self.reader,
        }
    }
}

pub(super) fn ready(
    session: &Arc<Session>,
    router: &PartitionRouter,
    now: DateTime<Utc>,
) -> Result<Router, ReadError> {
    match router {
        PartitionRouter::List {
            values, cursor_field, ..
        } => {
            let values = match values {
                ListValues::Fixed(values) => values.iter().cloned().map(Value::String).collect(),
                ListValues::Computed(text) => match session.value(text, &[])? {
                    Value::Array(values) => values,
                    // The reference iterates over a text's characters; nobody means that.
                    _ => {
                        let message =
                            format!("The list router's values {:?} must give a list.", text.source());
                        return Err(ReadError::config(message));
                    }
                },
            };
            Ok(Router::List {
                values,
                field: session.text(cursor_field, &[])?,
            })
        }
        PartitionRouter::Substream { parents } => {
            let parents = parents
                .iter()
                .map(|parent| ready_parent(session, parent, now))
                .collect::<Result<_, _>>()?;
            Ok(Router::Substream { parents })
        }
        PartitionRouter::Grouped {
            router,
            group_size,
            deduplicate,
        } => Ok(Router::Grouped {
            router: Arc::new(ready(session, router, now)?),
            size: *group_size,
            deduplicate: *deduplicate,
        }),
        PartitionRouter::United {
            routers,
            partition_field,
        } => Ok(Router::United {
            routers: routers
                .iter()
                .map(|router| ready(session, router, now).map(Arc::new))
                .collect::<Result<_, _>>()?,
            field: session.text(partition_field, &[])?,
        }),
    }
}

fn ready_parent(
    session: &Arc<Session>,
    parent: &ParentStream,
    now: DateTime<Utc>,
) -> Result<Parent, ReadError> {
    let extra = parent
        .extra_fields
        .iter()
        .map(|path| path.iter().map(|part| session.text(part, &[])).collect())
        .collect::<Result<_, _>>()?;
    let key = session.text(&parent.parent_key, &[])?;
    Ok(Parent {
        reader: StreamReader::new(session, &parent.stream, now)?,
        without_state: match &parent.stream.delegation {
            None => None,
            Some(delegation) => Some(StreamReader::new(session, &delegation.full_refresh, now)?),
        },
        key: key
            .trim_start_matches('/')
            .split('/')
            .map(ToOwned::to_owned)
            .collect(),
        field: session.text(&parent.partition_field, &[])?,
        incremental: parent.incremental_dependency,
        extra,
        pointer: match parent.lazy_read_pointer.as_slice() {
            [] => None,
            pointer => Some(
                pointer
                    .iter()
                    .map(|part| session.text(part, &[]))
                    .collect::<Result<_, _>>()?,
            ),
        },
    })
}
