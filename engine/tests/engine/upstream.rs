//! An upstream that gives what a test wrote down.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::error::{ErrorKind, ReadError};
use connectors::read::{Checkpoint, Page, PageStats, PageStream, Rejected};
use connectors::record::Record;
use connectors::schema::Declared;
use engine::sync::{Source, StopSignals, StreamSource};
use futures::StreamExt;
use platform::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// What the upstream does next.
#[derive(Clone)]
pub(crate) enum Step {
    /// Gives a page of these records.
    Page(Vec<Value>),
    /// Gives a page of records, some of which cannot be mapped.
    Mixed(Vec<Value>, Vec<Value>),
    /// Fails.
    Fail(ReadError),
    /// Never answers, but notices when it is stopped.
    Hang,
    /// Trips a signal of the run, and goes on.
    Trip(CancellationToken),
}

/// Streams, and what each of them gives. A position is the number of the next step.
#[derive(Clone, Default)]
pub(crate) struct Upstream {
    streams: Vec<(String, Vec<Step>)>,
    /// What was asked for: stream, and from where.
    pub(crate) asked: Arc<Mutex<Vec<(String, Checkpoint, bool)>>>,
}

impl Upstream {
    pub(crate) fn of(stream: &str, steps: Vec<Step>) -> Self {
        Self::default().and(stream, steps)
    }

    pub(crate) fn and(mut self, stream: &str, steps: Vec<Step>) -> Self {
        self.streams.push((stream.to_owned(), steps));
        self
    }
}

impl Source for Upstream {
    fn open(
        &self,
        stream: &str,
        checkpoint: Checkpoint,
        full_refresh: bool,
        _validators: Option<&Value>,
        cancel: CancellationToken,
    ) -> Result<StreamSource, ReadError> {
        let asked = (stream.to_owned(), checkpoint.clone(), full_refresh);
        self.asked.lock().unwrap().push(asked);
        let steps = self
            .streams
            .iter()
            .find(|(name, _)| name == stream)
            .map(|(_, steps)| steps.clone());
        let steps = steps.unwrap_or_default();
        let from = checkpoint
            .resume
            .and_then(|resume| resume["step"].as_u64())
            .unwrap_or(0);
        let count = steps.len();
        let steps = steps.into_iter().enumerate().skip(usize::try_from(from).unwrap());
        let pages = futures::stream::iter(steps).filter_map(move |(index, step)| {
            let cancel = cancel.clone();
            async move {
                let page = |records: Vec<Value>, rejected: Vec<Value>| Page {
                    records: records
                        .iter()
                        .map(|record| Record::from_json(&record.to_string()))
                        .collect(),
                    rejected: rejected
                        .into_iter()
                        .map(|payload| Rejected {
                            payload,
                            message: "it does not fit".to_owned(),
                        })
                        .collect(),
                    checkpoint: Checkpoint {
                        state: Some(json!({ "seen": index + 1 })),
                        resume: (index + 1 < count).then(|| json!({ "step": index + 1 })),
                    },
                    stats: PageStats {
                        requests: 1,
                        bytes: 100,
                    },
                    notes: Vec::new(),
                    last: index + 1 == count,
                    validators: None,
                    unchanged: false,
                };
                match step {
                    Step::Page(records) => Some(Ok(page(records, Vec::new()))),
                    Step::Mixed(records, rejected) => Some(Ok(page(records, rejected))),
                    Step::Fail(error) => Some(Err(error)),
                    Step::Hang => {
                        cancel.cancelled().await;
                        Some(Err(ReadError::cancelled()))
                    }
                    Step::Trip(signal) => {
                        // Later than the pages before were written.
                        SystemClock.sleep(Duration::from_millis(120)).await;
                        signal.cancel();
                        None
                    }
                }
            }
        });
        let pages: PageStream = pages.boxed();
        Ok(StreamSource {
            primary_key: vec![vec!["id".to_owned()]],
            declared: Declared::of(&json!({ "properties": {
                "id": { "type": ["integer", "string"] }, "name": { "type": "string" }, "price": { "type": "number" } } })),
            pages,
        })
    }
}

pub(crate) fn users(ids: impl IntoIterator<Item = i64>) -> Vec<Value> {
    ids.into_iter()
        .map(|id| json!({ "id": id, "name": format!("user {id}") }))
        .collect()
}

pub(crate) fn rate_limited() -> ReadError {
    let mut error = ReadError::new(ErrorKind::RateLimited, "HTTP_429", "Slow down.").retryable();
    error.retry_after = Some(Duration::from_millis(5));
    error.stats = PageStats {
        requests: 1,
        bytes: 0,
    };
    error
}

pub(crate) fn unavailable() -> ReadError {
    ReadError::new(ErrorKind::Upstream, "HTTP_503", "It is down.").retryable()
}

pub(crate) fn unauthorized() -> ReadError {
    ReadError::new(ErrorKind::Auth, "HTTP_401", "The credential was refused.")
}

pub(crate) fn nothing_stops() -> StopSignals {
    StopSignals::default()
}
