//! An answer, cut into records: a document at once, rows a batch at a time.
//!
//! A batch becomes a page of its own, and a page has a checkpoint. Within a body that is how many rows were given, and a
//! digest of them: an export cannot be asked for from its middle, so a read that goes on asks for all of it again,
//! passes over as many rows, and compares. Where they are the same ones nothing comes twice; where they are not (the
//! upstream made the export anew) the body is read from its first row, because passing over others would lose some.

use std::hash::Hasher;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use siphasher::sip::SipHasher13;

use super::extraction::Found;
use super::jobs::Results;
use super::page::{Extracted, malformed};
use super::slice::Slice;
use super::stream::StreamReader;
use super::{ErrorKind, ReadError, Rejected};
use crate::decode::{self, Document, Row};
use crate::http::answer::Answer;
use crate::http::flow::Flow;
use crate::http::session::Session;
use crate::json::Body;
use crate::manifest::components::Decoder;
use crate::native::Batch;
use crate::record::{self, Record};

/// How much of a body was given already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Given {
    rows: u64,
    digest: u64,
}

impl Given {
    pub(super) fn to_json(self) -> Value {
        json!([self.rows, format!("{:016x}", self.digest)])
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            rows: value.get(0)?.as_u64()?,
            digest: u64::from_str_radix(value.get(1)?.as_str()?, 16).ok()?,
        })
    }
}

/// An answer that is being cut.
pub(super) struct Arrival {
    /// None where a job has nothing to download, and where records come ready.
    pub(super) answer: Option<Answer>,
    rows: Option<RowReader>,
    /// What came ready, and is cut no further.
    ready: Option<Batch>,
    /// The job that it is of.
    pub(super) job: Option<OfJob>,
    /// The slices and answers of a page that was asked for in several requests; `answer` is the last one.
    chunks: Vec<(Arc<Slice>, Answer)>,
    /// What was asked about is as it was.
    pub(super) unchanged: bool,
}

/// What an arrival says of its job.
#[derive(Clone)]
pub(super) enum OfJob {
    /// It is done, and these are its results.
    Done(Arc<Results>),
    /// It is done, and it is another one than was read from before.
    Anew(Arc<Results>),
    /// It has none, and its window does not count as read.
    Skipped,
}

struct RowReader {
    flow: Flow,
    given: u64,
    digest: SipHasher13,
    /// To be passed over.
    before: Given,
}

/// What was cut.
pub(super) enum Cut {
    /// Records that are not the last of the answer, and how much was given with them.
    Batch(Extracted, Given),
    /// The last of the answer's records; often all of them.
    Last(Extracted),
    /// These are not the rows that were given before: the answer has to be asked for and read anew.
    Changed,
}

impl Arrival {
    pub(super) fn whole(answer: Answer) -> Self {
        Self {
            answer: Some(answer),
            rows: None,
            ready: None,
            job: None,
            chunks: Vec::new(),
            unchanged: false,
        }
    }

    /// An answer that says that what was asked about is as it was.
    pub(super) fn unchanged(answer: Answer) -> Self {
        Self {
            unchanged: true,
            ..Self::whole(answer)
        }
    }

    /// An answer of rows, of which some were given already.
    pub(super) fn flowing(answer: Answer, flow: Flow, before: Option<Given>) -> Self {
        let rows = (answer.is_usable() && answer.status != 204).then(|| RowReader {
            flow,
            given: 0,
            digest: SipHasher13::new(),
            before: before.unwrap_or_default(),
        });
        Self {
            answer: Some(answer),
            rows,
            ready: None,
            job: None,
            chunks: Vec::new(),
            unchanged: false,
        }
    }

    /// The answers of a page that was asked for in several requests.
    pub(super) fn chunked(chunks: Vec<(Arc<Slice>, Answer)>) -> Self {
        Self {
            answer: chunks.last().map(|(_, answer)| answer.clone()),
            rows: None,
            ready: None,
            job: None,
            chunks,
            unchanged: false,
        }
    }

    /// Lets the bodies go, of which records have a copy. The next one may be on its way already.
    pub(super) fn forget_bodies(&mut self) {
        if let Some(answer) = &mut self.answer {
            answer.body = Bytes::new();
        }
        self.chunks.clear();
    }

    /// Bytes of bodies that it holds.
    pub(super) fn bytes(&self) -> usize {
        if self.chunks.is_empty() {
            return self.answer.as_ref().map_or(0, |answer| answer.body.len());
        }
        self.chunks.iter().map(|(_, answer)| answer.body.len()).sum()
    }

    /// The slice that the page's successor sees.
    pub(super) fn shown<'a>(&'a self, slice: &'a Slice) -> &'a Slice {
        self.chunks.last().map_or(slice, |(slice, _)| slice)
    }

    /// Records that are none of an answer's.
    pub(super) fn ready(batch: Batch) -> Self {
        Self {
            answer: None,
            rows: None,
            ready: Some(batch),
            job: None,
            chunks: Vec::new(),
            unchanged: false,
        }
    }

    /// The token of the page after this one, where that came with it.
    pub(super) fn next(&self) -> Option<&Value> {
        self.ready.as_ref()?.next.as_ref()
    }

    /// A job that has no results.
    pub(super) fn skipped() -> Self {
        Self {
            answer: None,
            rows: None,
            ready: None,
            job: Some(OfJob::Skipped),
            chunks: Vec::new(),
            unchanged: false,
        }
    }

    /// A job that has to be read from its first result.
    pub(super) fn anew(results: Arc<Results>) -> Self {
        Self {
            answer: None,
            rows: None,
            ready: None,
            job: Some(OfJob::Anew(results)),
            chunks: Vec::new(),
            unchanged: false,
        }
    }

    /// A job whose results are none.
    pub(super) fn nothing(results: Arc<Results>) -> Self {
        Self {
            answer: None,
            rows: None,
            ready: None,
            job: Some(OfJob::Done(results)),
            chunks: Vec::new(),
            unchanged: false,
        }
    }

    /// The same, as one of a job's results.
    pub(super) fn of(self, results: Arc<Results>) -> Self {
        Self {
            job: Some(OfJob::Done(results)),
            ..self
        }
    }

    /// Cuts the next records off.
    pub(super) async fn cut(&mut self, reader: &StreamReader) -> Result<Cut, ReadError> {
        if let Some(batch) = &mut self.ready {
            return Ok(Cut::Last(Extracted {
                records: std::mem::take(&mut batch.records),
                rejected: std::mem::take(&mut batch.rejected),
                state: batch.state.take(),
                ..Extracted::default()
            }));
        }
        if !self.chunks.is_empty() {
            return reader.extract_shares(&self.chunks).await.map(Cut::Last);
        }
        let Some(rows) = &mut self.rows else {
            return match self.answer.as_ref().filter(|_| !self.unchanged) {
                Some(answer) => reader.extract(answer).await.map(Cut::Last),
                None => Ok(Cut::Last(Extracted::default())),
            };
        };
        let mut extracted = Extracted::default();
        loop {
            for row in rows.flow.next(&reader.session).await? {
                match rows.meet(&row) {
                    Met::Before => continue,
                    Met::Another => return Ok(Cut::Changed),
                    Met::New => {}
                }
                match row {
                    Row::Json(text) => extracted.records.append(&mut records(reader, &text).await?),
                    Row::Broken { text, why } => extracted.rejected.push(Rejected {
                        payload: Value::String(text),
                        message: why,
                    }),
                }
            }
            if rows.flow.has_ended() {
                // There are fewer than were given before.
                if rows.given < rows.before.rows {
                    return Ok(Cut::Changed);
                }
                return Ok(Cut::Last(extracted));
            }
            if rows.given > rows.before.rows {
                let given = Given {
                    rows: rows.given,
                    digest: rows.digest.finish(),
                };
                return Ok(Cut::Batch(extracted, given));
            }
        }
    }
}

enum Met {
    Before,
    New,
    /// The rows so far are not those that were given before.
    Another,
}

impl RowReader {
    fn meet(&mut self, row: &Row) -> Met {
        self.digest.write(row.text().as_bytes());
        self.digest.write(b"\n");
        self.given += 1;
        if self.given > self.before.rows {
            Met::New
        } else if self.given == self.before.rows && self.digest.finish() != self.before.digest {
            Met::Another
        } else {
            Met::Before
        }
    }
}

/// The records in a row.
async fn records(reader: &StreamReader, row: &str) -> Result<Vec<Record>, ReadError> {
    let Some(path) = reader.extraction.plain() else {
        let found = reader
            .extraction
            .records(reader, &Body::of_text(row), true)
            .await?;
        return Ok(found.records);
    };
    if path.is_empty() && row.starts_with('{') && row != "{}" {
        return Ok(vec![Record::from_json(row)]);
    }
    record::select_in_row(&Body::of_text(row), path).map_err(|error| malformed(row.as_bytes(), &error))
}

impl StreamReader {
    /// Cuts a document into records.
    async fn extract(&self, answer: &Answer) -> Result<Extracted, ReadError> {
        if !answer.is_usable() || answer.status == 204 {
            return Ok(Extracted::default());
        }
        let placed = |mut wrong: ReadError| {
            wrong.http_status.get_or_insert(answer.status);
            let here = || self.session.scrub(&platform::http_client::redacted(&answer.url));
            wrong.url.get_or_insert_with(here);
            wrong
        };
        let decoder = self
            .requests()
            .map_or(&Decoder::Json, |requests| &requests.decoder);
        let body = document(&self.session, decoder, answer).map_err(placed)?;
        let found = match self.extraction.plain() {
            Some(path) => Found {
                records: record::select(&body, path)
                    .map_err(|error| placed(malformed(body.as_str().as_bytes(), &error)))?,
                ..Found::default()
            },
            None => self
                .extraction
                .records(self, &body, false)
                .await
                .map_err(placed)?,
        };
        let shown = !matches!(decoder, Decoder::Gzip(_));
        Ok(Extracted {
            // The reference streams what is packed, and shows nothing of it to the paginator.
            body: shown.then_some(body),
            records: found.records,
            beside: found.dropped,
            ..Extracted::default()
        })
    }

    /// Cuts the answers of one page. What its successor is found from is the last one.
    async fn extract_shares(&self, chunks: &[(Arc<Slice>, Answer)]) -> Result<Extracted, ReadError> {
        let mut whole = Extracted::default();
        for (slice, answer) in chunks {
            let extracted = self.extract(answer).await?;
            whole.beside = extracted.count();
            whole.body = extracted.body;
            whole.shares.push((Arc::clone(slice), extracted.records));
        }
        Ok(whole)
    }
}

/// An answer's document as JSON.
pub(super) fn document(session: &Session, decoder: &Decoder, answer: &Answer) -> Result<Body, ReadError> {
    let json = |bytes: &Bytes| Body::new(bytes).map_err(|error| malformed(bytes, &error));
    if *decoder == Decoder::Json {
        return json(&answer.body);
    }
    let limit = session.context.limits.max_body_bytes;
    let content_type = answer.header("content-type");
    match decode::document(decoder, &answer.body, content_type, limit) {
        Ok(Document::Made(text)) => Ok(Body::of_text(&text)),
        Ok(Document::Json(bytes)) => json(&Bytes::from(bytes.into_owned())),
        Err(wrong) => {
            let message = session.scrub(&wrong.message);
            let mut error = ReadError::new(ErrorKind::Malformed, wrong.code, message);
            error.retryable = wrong.retryable;
            Err(error)
        }
    }
}
