//! Reading a stream: body → records → operations → a bounded channel of pages.
//!
//! A read is a walk over *positions*: partition, window, page token. Which page comes next is known as soon as
//! the current one's bytes are here, so it is requested while the current one is still being mapped and
//! consumed; the channel's capacity bounds how far that runs ahead, and with it the memory. Each page carries
//! a checkpoint that says where the walk stands after it, complete enough that a process killed between any two
//! instructions, and started again with the last checkpoint it stored, asks for exactly the remaining pages.
//!
//! What a checkpoint holds is split by who reads it. `state` is the reference's: the cursor's value, which
//! advances when a window (and, for partitioned streams, a partition) has been read to its end; a user can move
//! it to another tool. `resume` is ours and opaque: the position inside the run, with the page token, the
//! largest cursor value seen so far, and the parents' positions. It is gone at the end.
//!
//! Rejected: a position by index into the list of all partitions (a parent stream changes between two runs;
//! the parent's own page token and the partition's key find the place again), and a thread a partition (the
//! reference's choice; memory grows with partitions).

mod book;
pub(crate) mod check;
pub(crate) mod cursor;
pub(crate) mod cutting;
mod delegation;
pub(crate) mod dynamic;
mod error;
mod expansion;
mod extraction;
mod files;
mod gathered;
mod guard;
mod injection;
mod jobs;
mod lane;
mod lookup;
mod migrate;
mod normalize;
pub(crate) mod operations;
mod page;
mod paginator;
mod partition;
mod partitioned;
pub(crate) mod producer;
mod properties;
mod recovery;
mod relay;
mod routers;
pub(crate) mod schema;
mod slice;
mod stop;
mod stream;
mod substream;
mod tour;
mod transform;
mod walk;

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use platform::clock::SharedClock;
use platform::http_client::HttpClient;
use platform::random::SharedRandom;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::record::Record;

pub use crate::http::gate::{Allowed, Ask, CallRate, Counted, Gate, HeldBack, Holder, Seen, Told};
pub use crate::http::pacer::Pacer;
pub use error::{Demand, ErrorKind, ReadError};
pub use files::{FileReference, Files};

/// The pages of a read, in order. Dropping it stops the work behind it.
pub type PageStream = Pin<Box<dyn Stream<Item = Result<Page, ReadError>> + Send>>;

/// What a read runs on.
#[derive(Clone)]
pub struct ReadContext {
    /// The guarded client.
    pub http: HttpClient,
    /// The time, for templates, waits and the end of cursors.
    pub clock: SharedClock,
    /// Chance, for jitter.
    pub random: SharedRandom,
    /// Who repeats a failed request.
    pub retry: RetryMode,
    /// Folders of this machine below which files may be read.
    pub folders: Arc<[PathBuf]>,
    /// Asked before every request; absent: nobody is.
    pub gate: Option<Arc<dyn Gate>>,
    /// Bounds on what an upstream may make us do.
    pub limits: ReadLimits,
    /// Stops the read between pages, inside waits and inside HTTP calls.
    pub cancel: CancellationToken,
}

impl fmt::Debug for ReadContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadContext")
            .field("retry", &self.retry)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Who repeats a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryMode {
    /// We do, as the reference does: up to five times, with its back-off.
    AsReference,
    /// The caller does, from the last checkpoint; the error says whether and when.
    LeaveToCaller,
}

/// Bounds on what an upstream may make us do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Pages in one window of one partition.
    pub max_pages: u64,
    /// Bytes of one body, after decompression.
    pub max_body_bytes: usize,
    /// Bytes of one file, as far as the client lets through as many.
    pub max_file_bytes: usize,
    /// From sending a request to the last byte of its body.
    pub page_timeout: Duration,
    /// Steps of one template evaluation.
    pub template_fuel: u64,
    /// The longest wait before a request is repeated (only where the read repeats them itself).
    pub max_backoff: Duration,
    /// Whether pages are asked for before they are wanted. Whoever means to stop early asks for nothing in vain.
    pub ahead: bool,
}

/// What the reference takes of one file, where it has a bound.
pub const MAX_FILE_BYTES: usize = 1_500_000_000;

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_pages: 100_000,
            max_body_bytes: 64 * 1024 * 1024,
            max_file_bytes: MAX_FILE_BYTES,
            page_timeout: Duration::from_secs(300),
            template_fuel: crate::template::DEFAULT_FUEL,
            max_backoff: Duration::from_secs(600),
            ahead: true,
        }
    }
}

/// What to read.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The stream's name.
    pub stream: String,
    /// The configuration, secrets included.
    pub config: Value,
    /// Where the last read left off.
    pub checkpoint: Checkpoint,
    /// Read everything: the state is ignored, a position inside the run is not.
    pub full_refresh: bool,
    /// What a catalog selects of the stream; by default nothing, and the stream is read as the manifest has it.
    pub selection: Selection,
}

/// What a catalog selects of a stream, where the manifest leaves something to select.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// The path of the field that progress is measured by; empty: the manifest's own.
    pub cursor_field: Vec<String>,
    /// The fields that are wanted, with their schemas; none: all of them.
    pub properties: Option<serde_json::Map<String, Value>>,
}

/// Where a read stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checkpoint {
    /// The stream's state as the reference writes it.
    pub state: Option<Value>,
    /// The position inside this run; opaque; absent at the end.
    pub resume: Option<Value>,
}

/// One page of records.
#[derive(Debug, Clone)]
pub struct Page {
    /// The records, in the upstream's order.
    pub records: Vec<Record>,
    /// What could not be mapped.
    pub rejected: Vec<Rejected>,
    /// Where the read stands after this page.
    pub checkpoint: Checkpoint,
    /// What was spent since the page before.
    pub stats: PageStats,
    /// What a person should know.
    pub notes: Vec<Note>,
    /// Nothing comes after this page.
    pub last: bool,
    /// On the last page, where one answer was all of the stream: what the next read may ask with whether the stream has
    /// changed ([`Connector::read_unless`](crate::Connector::read_unless)). Opaque, and short.
    pub validators: Option<Value>,
    /// The upstream said that the stream is as it was when the validators were given. It is the only page then.
    pub unchanged: bool,
}

/// A record that could not be mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// The record as it came.
    pub payload: Value,
    /// Why.
    pub message: String,
}

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageStats {
    /// Requests, those for parents, tokens and retries included.
    pub requests: u64,
    /// Bytes of bodies, after decompression.
    pub bytes: u64,
}

/// Something that a person should know, and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub level: NoteLevel,
    /// What it is; contains no secret.
    pub message: String,
}

/// How much a [`Note`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteLevel {
    /// Good to know.
    Info,
    /// Probably a mistake.
    Warning,
}
