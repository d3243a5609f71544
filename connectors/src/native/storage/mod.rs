//! Object storage: files in a folder or a bucket, read as records.
//!
//! Objects are read in the order in which they were last modified, then by key, and the state is the last one that was
//! read to its end: a second read takes what is new or changed and nothing else. A position inside an object is a
//! number of bytes after decompression, so a cut read goes on in the middle of a file.
//!
//! Bytes come in portions, each a request of its own with its bounds, and records are cut from them as they come: a
//! file's size is never the memory's. A listing is not kept either; of all objects after the position the nearest few
//! thousand are, and the next ones are looked for when those are read.
//!
//! A line that is no record is rejected with its place, and the rest is read. Of a file that is something else altogether
//! that would be all of its lines, so a hundred of them in a row end the read.
//!
//! Parquet is not read: the crate that does is as large as the rest of the connectors, and its footer-first layout is
//! another way to read than this one.

mod format;
mod list;
mod local;
mod object;
mod s3;
mod sign;

use std::collections::VecDeque;
use std::sync::Arc;

use regex::Regex;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::list::{Found, Place};
use self::object::Opened;
use super::{Batch, leading};
use crate::http::session::Session;
use crate::manifest::components::{ObjectStorageSource, Storage};
use crate::read::{NoteLevel, ReadError, Rejected};
use crate::record::Record;

/// Records in a page, at most.
const PAGE_RECORDS: usize = 1_000;

/// A page ends when its records are this large.
const PAGE_BYTES: usize = 4 << 20;

/// Objects that a page may pass over when they hold nothing.
const PAGE_OBJECTS: usize = 100;

/// Where objects are.
enum Backend {
    Local(local::Folder),
    S3(s3::Bucket),
}

/// A stream of one folder or bucket, ready for one read.
pub(crate) struct Reader {
    backend: Backend,
    prefix: String,
    glob: Option<Regex>,
    format: format::Format,
    compression: object::Compression,
    file_field: Option<String>,
    line_field: Option<String>,
    progress: Mutex<Progress>,
}

/// What is kept between two pages; everything in it can be found again.
#[derive(Default)]
struct Progress {
    open: Option<Opened>,
    upcoming: VecDeque<Found>,
    /// Nothing lies behind `upcoming`.
    listed: bool,
}

/// The host that the storage is, where it is one.
pub(super) fn host(session: &Session, source: &ObjectStorageSource) -> Option<String> {
    match &source.storage {
        Storage::Local { .. } => None,
        Storage::S3(bucket) => s3::host(session, bucket),
    }
}

impl Reader {
    pub(super) fn new(session: &Arc<Session>, source: &ObjectStorageSource) -> Result<Self, ReadError> {
        let backend = match &source.storage {
            Storage::Local { folder } => {
                Backend::Local(local::Folder::new(session, &session.text(folder, &[])?)?)
            }
            Storage::S3(bucket) => Backend::S3(s3::Bucket::new(session, bucket)?),
        };
        let text = |text: &Option<crate::manifest::components::Text>| match text {
            Some(text) => session.text(text, &[]),
            None => Ok(String::new()),
        };
        let glob = text(&source.glob)?;
        let glob = Some(glob)
            .filter(|glob| !glob.is_empty())
            .map(|glob| list::glob(&glob))
            .transpose()?;
        Ok(Self {
            backend,
            prefix: text(&source.prefix)?,
            glob,
            format: source.format.into(),
            compression: source.compression.into(),
            file_field: source.file_field.clone(),
            line_field: source.line_field.clone(),
            progress: Mutex::default(),
        })
    }

    pub(super) async fn page(
        &self,
        session: &Session,
        since: Option<&Value>,
        token: Option<&Value>,
    ) -> Result<Batch, ReadError> {
        let mut progress = self.progress.lock().await;
        let mut position = match token {
            Some(token) => Position::from_token(token)?,
            None => Position::after(since.and_then(Place::from_state)),
        };
        let mut batch = Batch::default();
        let (mut bytes, mut objects) = (0, 0);
        loop {
            if position.inside.is_none() {
                let Some(found) = self
                    .next_object(session, &mut progress, position.done.as_ref())
                    .await?
                else {
                    batch.next = None;
                    return Ok(batch);
                };
                position.inside = Some(Inside {
                    found,
                    offset: 0,
                    line: 0,
                });
            }
            let Some(inside) = &mut position.inside else {
                continue;
            };
            let mut open = match progress.open.take() {
                Some(open) if open.is_at(inside) => open,
                _ => Opened::new(inside.found.clone(), self.format, self.compression),
            };
            open.seek(session, &self.backend, inside).await?;
            let portion = open
                .read(
                    session,
                    &self.backend,
                    PAGE_RECORDS - batch.records.len() - batch.rejected.len(),
                    PAGE_BYTES.saturating_sub(bytes),
                )
                .await?;
            for (line, text) in portion.records {
                bytes += text.len();
                let text = self.finished(text, &inside.found, line);
                batch.records.push(Record::from_json(&text));
            }
            for broken in portion.broken {
                bytes += broken.text.len();
                batch.rejected.push(Rejected {
                    payload: Value::String(broken.text),
                    message: broken.why,
                });
            }
            (inside.offset, inside.line) = open.position();
            if portion.ended {
                objects += 1;
                let done = inside.found.place.clone();
                batch.state = Some(done.to_state());
                position = Position::after(Some(done));
            } else {
                progress.open = Some(open);
            }
            let full = batch.records.len() + batch.rejected.len() >= PAGE_RECORDS
                || bytes >= PAGE_BYTES
                || objects >= PAGE_OBJECTS;
            if full {
                batch.next = Some(position.to_token());
                return Ok(batch);
            }
        }
    }

    /// The first object after the place that the stream is about.
    async fn next_object(
        &self,
        session: &Session,
        progress: &mut Progress,
        after: Option<&Place>,
    ) -> Result<Option<Found>, ReadError> {
        loop {
            while let Some(found) = progress.upcoming.pop_front() {
                if after.is_none_or(|after| *after < found.place) {
                    return Ok(Some(found));
                }
            }
            if progress.listed {
                return Ok(None);
            }
            let now = session.context.clock.now();
            let mut nearest = list::Nearest::new(after.cloned(), now, self.glob.as_ref());
            match &self.backend {
                Backend::Local(folder) => folder.list(session, &self.prefix, &mut nearest).await?,
                Backend::S3(bucket) => bucket.list(session, &self.prefix, &mut nearest).await?,
            }
            if nearest.skipped > 0 {
                let message = format!(
                    "{} objects have names that are not read (not UTF-8, or with . or .. as a part).",
                    nearest.skipped
                );
                session.note(NoteLevel::Warning, message);
            }
            (progress.upcoming, progress.listed) = nearest.finish();
            if progress.upcoming.is_empty() {
                return Ok(None);
            }
        }
    }

    fn finished(&self, text: String, found: &Found, line: u64) -> String {
        let mut fields = Vec::new();
        if let Some(name) = &self.file_field {
            fields.push((name.as_str(), Value::from(found.place.key.as_str())));
        }
        if let Some(name) = &self.line_field {
            fields.push((name.as_str(), Value::from(line)));
        }
        leading(text, &fields)
    }
}

/// Where a read stands.
struct Position {
    /// The last object that was read to its end.
    done: Option<Place>,
    inside: Option<Inside>,
}

/// Where a read stands in an object.
#[derive(Clone)]
struct Inside {
    found: Found,
    /// Bytes, after decompression.
    offset: u64,
    line: u64,
}

impl Position {
    fn after(done: Option<Place>) -> Self {
        Self { done, inside: None }
    }

    fn to_token(&self) -> Value {
        json!({
            "done": self.done.as_ref().map(Place::to_state),
            "inside": self.inside.as_ref().map(|inside| json!({
                "object": inside.found.place.to_state(),
                "size": inside.found.size,
                "tag": inside.found.tag,
                "offset": inside.offset,
                "line": inside.line,
            })),
        })
    }

    fn from_token(token: &Value) -> Result<Self, ReadError> {
        let inside = match token.get("inside").filter(|inside| !inside.is_null()) {
            None => None,
            Some(inside) => Some(Self::read_inside(inside).ok_or_else(|| {
                ReadError::config("The checkpoint's position in an object cannot be read.")
            })?),
        };
        Ok(Self {
            done: token.get("done").and_then(Place::from_state),
            inside,
        })
    }

    fn read_inside(inside: &Value) -> Option<Inside> {
        Some(Inside {
            found: Found {
                place: Place::from_state(inside.get("object")?)?,
                size: inside.get("size")?.as_u64()?,
                tag: inside.get("tag")?.as_str().map(ToOwned::to_owned),
            },
            offset: inside.get("offset")?.as_u64()?,
            line: inside.get("line")?.as_u64()?,
        })
    }
}
