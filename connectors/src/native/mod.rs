//! Sources that are code, because a manifest's requests cannot express them.
//!
//! A native source gives its pages ready: records, the token of the next page, and the stream's state after them. The
//! walk, the books, the checkpoints and the bounded channel are those of every stream, so a native one is resumed,
//! cancelled and budgeted like the rest and knows nothing of it. What it must promise in return: a token is enough to
//! find the place again in another process, and the state never passes a record that was not given yet.
//!
//! Each page is one call through [`call::guarded`], which stands for what the requester does around a request: the
//! gate, the bound on time, cancellation, and repetition where a read repeats by itself. Rejected: a connection that
//! stays open with a server-side cursor for as long as the read lasts. A paused run would hold a snapshot on somebody
//! else's database for hours, and a resumed one could not get it back.

mod call;
mod postgres;
mod storage;

use std::sync::Arc;

use serde_json::Value;

use crate::http::session::Session;
use crate::manifest::components::{NativeSource, StreamPlan};
use crate::read::{ReadError, Rejected};
use crate::record::Record;

/// A page of a native source.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// What stands where a record should.
    pub(crate) rejected: Vec<Rejected>,
    /// Where the next page begins; `None`: there is none.
    pub(crate) next: Option<Value>,
    /// The stream's state after these records, where the source keeps one.
    pub(crate) state: Option<Value>,
}

/// A native source, ready for one read.
pub(crate) enum Source {
    Postgres(Box<postgres::Reader>),
    ObjectStorage(Box<storage::Reader>),
}

impl Source {
    /// Evaluates the manifest's texts; nothing is called yet.
    pub(crate) fn new(
        session: &Arc<Session>,
        stream: &StreamPlan,
        source: &NativeSource,
    ) -> Result<Self, ReadError> {
        match source {
            NativeSource::Postgres(source) => {
                postgres::Reader::new(session, stream, source).map(|reader| Self::Postgres(Box::new(reader)))
            }
            NativeSource::ObjectStorage(source) => {
                storage::Reader::new(session, source).map(|reader| Self::ObjectStorage(Box::new(reader)))
            }
        }
    }

    /// Whether it has a state of its own.
    pub(crate) fn keeps_state(&self) -> bool {
        match self {
            Self::Postgres(reader) => reader.keeps_state(),
            Self::ObjectStorage(_) => true,
        }
    }

    /// What records look like, where the source knows before it gives any.
    pub(crate) async fn schema(&self, session: &Session) -> Result<Option<Value>, ReadError> {
        match self {
            Self::Postgres(reader) => reader.schema(session).await.map(Some),
            Self::ObjectStorage(_) => Ok(None),
        }
    }

    /// The page that begins at `token`, or the first one after `since`.
    pub(crate) async fn page(
        &self,
        session: &Session,
        since: Option<&Value>,
        token: Option<&Value>,
    ) -> Result<Batch, ReadError> {
        match self {
            Self::Postgres(reader) => reader.page(session, since, token).await,
            Self::ObjectStorage(reader) => reader.page(session, since, token).await,
        }
    }
}

/// The host that a source is read from, as circuits are named by it.
pub(crate) fn host(session: &Session, source: &NativeSource) -> Option<String> {
    match source {
        NativeSource::Postgres(source) => postgres::host(session, &source.connection),
        NativeSource::ObjectStorage(source) => storage::host(session, source),
    }
}

/// An object's text with fields put before its own.
fn leading(object: String, fields: &[(&str, Value)]) -> String {
    if fields.is_empty() {
        return object;
    }
    let rest = object.trim_start().strip_prefix('{').unwrap_or("}");
    let mut text = String::with_capacity(object.len() + 64);
    for (name, value) in fields {
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(&Value::from(*name).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    if !rest.trim_start().starts_with('}') {
        text.push(',');
    }
    text.push_str(rest);
    text
}
