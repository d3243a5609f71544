//! Decoders: from an answer's bytes to JSON.
//!
//! There are two kinds of bodies, and they are kept apart. A *document* (JSON, XML) means something only as a whole:
//! it is read to its end, becomes one JSON text, and everything that knows JSON goes on from there, the paginator
//! included. *Rows* (CSV, JSON Lines, lines, the items of an array, the files of a ZIP) mean something each: they are
//! cut while the bytes come, a batch at a time, so that an export costs the memory of a batch and not of itself.
//! What comes after rows is told by the head of their answer or not at all: the loader refuses a paginator that looks at
//! rows, which are gone by then.
//!
//! Every decoder is a [`Stage`]: bytes are pushed in, rows (or, for what unpacks, bytes for the next stage) come out,
//! and what is unpacked is counted against the bound of a body. Readers that pull (`csv::Reader`, `GzDecoder` as
//! `Read`) were rejected: they block on a source that here is a socket, and would need a thread for each body.
//!
//! What a decoder makes of broken bytes is an error. The reference logs a warning and reads an answer without
//! records, and a full refresh then deletes what there is.

mod charset;
mod csv;
mod document;
mod gunzip;
mod items;
mod jsonl;
mod lines;
mod newlines;
mod pandas;
mod unzip;
mod xml;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::json::JsonError;
use crate::manifest::components::Decoder;

pub use charset::Charset;
pub(crate) use document::{Document, document};

/// Rows of a batch.
const BATCH_ROWS: usize = 1_000;
/// Bytes of a batch.
const BATCH_BYTES: usize = 512 * 1024;

/// Why a body is not what the manifest says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Undecodable {
    /// A stable code.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: String,
    /// Whether the same request may be answered better.
    pub(crate) retryable: bool,
}

impl Undecodable {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retryable: true,
        }
    }

    fn truncated(what: &str) -> Self {
        Self::new(
            "BODY_TRUNCATED",
            format!("The upstream's {what} ends in the middle."),
        )
    }

    fn too_large(limit: usize) -> Self {
        Self {
            retryable: false,
            ..Self::new(
                "BODY_TOO_LARGE",
                format!("The body is larger than {limit} bytes once it is unpacked."),
            )
        }
    }

    fn json(error: &JsonError) -> Self {
        Self::new("NOT_JSON", format!("The upstream's answer is not JSON: {error}."))
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    /// A JSON text.
    Json(String),
    /// A line that is none: it is shown to whoever mends it, and the others go on.
    Broken {
        /// The line.
        text: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Row {
    /// The row as it came.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Json(text) | Self::Broken { text, .. } => text,
        }
    }
}

/// Rows that are ready.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: VecDeque<Row>,
    bytes: usize,
}

impl Rows {
    fn push(&mut self, row: Row) {
        self.bytes += row.text().len();
        self.rows.push_back(row);
    }

    /// Whether there is a batch.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows of a batch, in order. Where it ends depends on the rows alone, and not on how the bytes came: whoever
    /// reads the body again finds the same batches.
    pub(crate) fn take(&mut self) -> Vec<Row> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(row) = self.rows.pop_front() else { break };
            bytes += row.text().len();
            batch.push(row);
        }
        self.bytes -= bytes;
        batch
    }
}

/// A step on the way from bytes to rows.
pub(crate) trait Stage: Send + Sync {
    /// Takes bytes. Few at a time: what they unpack to is held.
    fn push(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Undecodable>;

    /// There are no more bytes. False: call again, there is more to give.
    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable>;
}

/// The most that is pushed at once: a kilobyte of gzip may be a megabyte.
pub(crate) const PIECE: usize = 4 * 1024;

/// Whether a body in this format is rows, and not a document.
pub(crate) fn has_rows(decoder: &Decoder) -> bool {
    match decoder {
        Decoder::Json | Decoder::Xml => false,
        Decoder::Gzip(inner) => has_rows(inner),
        Decoder::Csv(_)
        | Decoder::CsvFile { .. }
        | Decoder::Jsonl
        | Decoder::Lines
        | Decoder::JsonItems { .. }
        | Decoder::Zip(_) => true,
    }
}

/// The way from a body's bytes to rows; at most `limit` bytes are unpacked.
pub(crate) fn stage(decoder: &Decoder, limit: usize) -> Box<dyn Stage> {
    match decoder {
        Decoder::Json | Decoder::Xml => Box::new(document::Documents::default()),
        Decoder::Jsonl => Box::new(jsonl::Jsonl::default()),
        Decoder::Lines => Box::new(lines::Strings::default()),
        Decoder::Csv(format) => Box::new(csv::Csv::new(format)),
        Decoder::CsvFile { preserve_na_values } => Box::new(gunzip::Gunzip::new(
            Box::new(pandas::without_zeros(*preserve_na_values)),
            limit,
        )),
        Decoder::JsonItems { path, charset } => Box::new(items::Items::new(path, *charset)),
        Decoder::Gzip(inner) => Box::new(gunzip::Gunzip::new(stage(inner, limit), limit)),
        Decoder::Zip(inner) => Box::new(unzip::Unzip::new(Decoder::clone(inner), limit)),
    }
}
