//! One page: asked for, cut into records, and mapped.

use std::sync::Arc;

use serde_json::{Map, Number, Value, json};

use super::cursor::{CountSettings, Moment};
use super::cutting::{Arrival, Given};
use super::jobs::{Board, JobId, Outcome, Results};
use super::properties::Share;
use super::slice::Slice;
use super::stream::StreamReader;
use super::{ErrorKind, ReadError, Rejected};
use crate::decode;
use crate::http::answer::Answer;
use crate::http::merge::Part;
use crate::http::requester;
use crate::http::session::{Names, is_truthy};
use crate::http::validators::{self, NOT_MODIFIED, Validators};
use crate::json::{Body, JsonError};
use crate::manifest::components::{HttpRequester, PageTokenOption, SimpleRetriever};
use crate::record::{self, Record};
use crate::template::{ValidTypes, Variable};

/// What a page is asked for with.
#[derive(Clone)]
pub(super) struct PageRequest {
    pub(super) slice: Arc<Slice>,
    pub(super) token: Option<Value>,
    /// Nothing was asked for before it.
    pub(super) first: bool,
    /// The page size, where it was reduced.
    pub(super) page_size: Option<i64>,
    /// The cursor values that count as new, where they are looked at.
    pub(super) bounds: Option<(Moment, Moment)>,
    /// Rows of the answer that were given already.
    pub(super) given: Option<Given>,
    /// What is downloaded of a job, where the stream has jobs.
    pub(super) download: Option<Download>,
    /// The stream's state at the run's beginning, where the source looks at it itself.
    pub(super) since: Option<Arc<Value>>,
    /// It is only wanted if it is another one than these are of.
    pub(super) unless: Option<Arc<Validators>>,
}

/// A job, and which of its results is meant.
#[derive(Clone)]
pub(super) struct Download {
    pub(super) board: Arc<Board>,
    pub(super) job: JobId,
    pub(super) target: usize,
    /// Known once the job is done.
    pub(super) results: Option<Arc<Results>>,
    /// This is where an earlier attempt at the read stood in the results of its job.
    pub(super) midway: bool,
}

impl PageRequest {
    /// For what is done to records outside of pages.
    pub(super) fn of_nothing() -> Self {
        Self {
            slice: Arc::default(),
            token: None,
            first: false,
            page_size: None,
            bounds: None,
            given: None,
            download: None,
            since: None,
            unless: None,
        }
    }
}

/// A page's records as the upstream sent them.
#[derive(Default)]
pub(super) struct Extracted {
    pub(super) body: Option<Body>,
    pub(super) records: Vec<Record>,
    /// What is no record.
    pub(super) rejected: Vec<Rejected>,
    /// The stream's state after them, where the source keeps it itself.
    pub(super) state: Option<Value>,
    /// Records of the page that are not among these, for whoever counts.
    pub(super) beside: usize,
    /// The records by what they were asked for with, where that was more than one request.
    pub(super) shares: Vec<Share>,
}

impl Extracted {
    /// How many records the upstream sent on the page.
    pub(super) fn count(&self) -> usize {
        self.records.len() + self.beside
    }
}

/// A page's records as the stream gives them.
#[derive(Default)]
pub(super) struct Mapped {
    pub(super) records: Vec<Record>,
    pub(super) rejected: Vec<Rejected>,
    /// Before the data feed's filter.
    pub(super) emitted: usize,
    pub(super) last_record: Option<Record>,
    /// The stream's state after them, where the source keeps it itself.
    pub(super) state: Option<Value>,
}

impl StreamReader {
    /// Asks for the page.
    pub(super) async fn fetch(&self, request: &PageRequest) -> Result<Arrival, ReadError> {
        self.know_schema().await?;
        if let Some(source) = &self.native {
            let (since, token) = (request.since.as_deref(), request.token.as_ref());
            return source.page(&self.session, since, token).await.map(Arrival::ready);
        }
        if let Some(page) = request.slice.page.as_ref().filter(|_| request.first) {
            return Answer::embedded(page).map(Arrival::whole);
        }
        let Some(download) = &request.download else {
            let properties = self
                .requests()
                .and_then(|requests| requests.query_properties.as_ref());
            if let Some(properties) = properties {
                return self.ask_in_chunks(properties, request).await;
            }
            let names = [("stream_slice", request.slice.variable())];
            return self.ask(request, &names).await;
        };
        let results = match &download.results {
            Some(results) => Arc::clone(results),
            None => match download.board.wait(self, download.job).await? {
                Outcome::Done(results) if results.fresh && download.midway => {
                    return Ok(Arrival::anew(results));
                }
                Outcome::Done(results) => results,
                Outcome::Skipped => return Ok(Arrival::skipped()),
            },
        };
        let Some(target) = results.targets.get(download.target) else {
            return Ok(Arrival::nothing(results));
        };
        let slice = request.slice.carrying(Map::from_iter([
            ("download_target".to_owned(), target.clone()),
            ("creation_response".to_owned(), Value::clone(&results.creation)),
            ("polling_response".to_owned(), results.polling.clone()),
        ]));
        let names = [
            ("stream_slice", slice.variable()),
            ("download_target", Variable::Json(target)),
            ("creation_response", Variable::Json(&results.creation)),
            ("polling_response", Variable::Json(&results.polling)),
        ];
        let arrival = self.ask(request, &names).await?;
        Ok(arrival.of(Arc::clone(&results)))
    }

    async fn ask(
        &self,
        request: &PageRequest,
        names: &[(&'static str, Variable<'_>)],
    ) -> Result<Arrival, ReadError> {
        let retriever = self.asks_with()?;
        if !decode::has_rows(&retriever.decoder) {
            let unless = self.unless(request, &retriever.requester, names)?;
            let conditional = unless.is_some();
            let answer = self.ask_whole(request, names, None, unless).await?;
            return Ok(if conditional && answer.status == NOT_MODIFIED {
                Arrival::unchanged(answer)
            } else {
                Arrival::whole(answer)
            });
        }
        let next_page_token = token_of(request);
        let mut names = names.to_vec();
        names.push(("next_page_token", Variable::Json(&next_page_token)));
        let path = path_of(retriever, request);
        let mut injected = self.injected(retriever, request, None)?;
        injected.unless = self.unless(request, &retriever.requester, &names)?;
        let (session, path) = (&self.session, path.as_deref());
        let SimpleRetriever {
            requester, decoder, ..
        } = retriever;
        let (answer, flow) = requester::open(session, requester, &names, path, &injected, decoder).await?;
        if injected.unless.is_some() && answer.status == NOT_MODIFIED {
            return Ok(Arrival::unchanged(answer));
        }
        Ok(Arrival::flowing(answer, flow, request.given))
    }

    /// What makes the request conditional; nothing where the manifest does it by itself: it knows what to do with the answer.
    fn unless(
        &self,
        request: &PageRequest,
        requester: &HttpRequester,
        names: &Names<'_>,
    ) -> Result<Option<Arc<Validators>>, ReadError> {
        let Some(validators) = &request.unless else {
            return Ok(None);
        };
        let own = self
            .session
            .pairs(&requester.request_headers, names, ValidTypes::ANY)?;
        Ok(match own {
            Part::Mapping(headers) if headers.keys().any(|name| validators::is_condition(name)) => None,
            _ => Some(Arc::clone(validators)),
        })
    }

    /// Asks for a page that is a document; `parameter` is one that the query has besides.
    pub(super) async fn ask_whole(
        &self,
        request: &PageRequest,
        names: &[(&'static str, Variable<'_>)],
        parameter: Option<(&str, String)>,
        unless: Option<Arc<Validators>>,
    ) -> Result<Answer, ReadError> {
        let retriever = self.asks_with()?;
        let next_page_token = token_of(request);
        let mut names = names.to_vec();
        names.push(("next_page_token", Variable::Json(&next_page_token)));
        let path = path_of(retriever, request);
        let mut injected = self.injected(retriever, request, parameter)?;
        injected.unless = unless;
        requester::send(
            &self.session,
            &retriever.requester,
            &names,
            path.as_deref(),
            &injected,
        )
        .await
    }

    fn asks_with(&self) -> Result<&SimpleRetriever, ReadError> {
        self.requests()
            .ok_or_else(|| ReadError::config("The stream has nothing to be asked with."))
    }

    /// Filters and transforms the records, in the manifest's order.
    pub(super) fn map(&self, request: &PageRequest, extracted: Extracted) -> Result<Mapped, ReadError> {
        let properties = self
            .requests()
            .and_then(|requests| requests.query_properties.as_ref());
        match properties {
            Some(properties) => self.map_shares(properties, request, extracted.shares),
            None => self
                .map_unfed(request, extracted)
                .map(|mapped| self.fed(request, mapped)),
        }
    }

    /// The same, with what a data feed leaves out.
    pub(super) fn map_unfed(&self, request: &PageRequest, extracted: Extracted) -> Result<Mapped, ReadError> {
        let mut mapped = Mapped {
            rejected: extracted.rejected,
            state: extracted.state,
            ..Mapped::default()
        };
        let extracted = extracted.records;
        if self.untouched && extracted.iter().all(is_object) {
            mapped.records = extracted;
        } else {
            mapped.records.reserve(extracted.len());
            for record in extracted {
                match self.map_one(request, &record) {
                    Ok(Some(record)) => mapped.records.push(record),
                    Ok(None) => {}
                    Err(error) if error.kind == ErrorKind::Cancelled => return Err(error),
                    Err(error) => {
                        mapped.rejected.push(Rejected {
                            payload: record.to_value(),
                            message: error.message,
                        });
                    }
                }
            }
        }
        Ok(mapped)
    }

    /// Leaves out what a data feed gives beyond the window.
    pub(super) fn fed(&self, request: &PageRequest, mut mapped: Mapped) -> Mapped {
        mapped.emitted = mapped.records.len();
        mapped.last_record = mapped.records.last().cloned();
        if self.is_data_feed() {
            mapped.records.retain(|record| self.is_new(request, record));
        }
        mapped
    }

    /// Whether the data feed's last record says that everything after it is old.
    pub(super) fn feed_ends(&self, request: &PageRequest, mapped: &Mapped) -> bool {
        self.is_data_feed()
            && mapped
                .last_record
                .as_ref()
                .is_some_and(|record| !self.is_new(request, record))
    }

    /// The record's cursor value.
    pub(super) fn cursor_value(&self, record: &Record) -> Option<Moment> {
        let settings = self.cursor.as_ref()?;
        let raw = record::get(record, &[settings.field.as_str()])?;
        if let Some(text) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
            && !text.contains('\\')
        {
            return settings.parse(text);
        }
        settings.parse_value(&serde_json::from_str(raw).ok()?)
    }

    /// The record's number, where progress is counted.
    pub(super) fn count_value(&self, record: &Record) -> Option<Number> {
        let settings = self.count.as_ref()?;
        let raw = record::get(record, &[settings.field.as_str()])?;
        CountSettings::number(&serde_json::from_str(raw).ok()?)
    }

    /// Whether the record lies inside what is asked for; one without a value does.
    pub(super) fn is_new(&self, request: &PageRequest, record: &Record) -> bool {
        let Some((low, high)) = request.bounds else {
            return true;
        };
        self.cursor_value(record)
            .is_none_or(|value| low <= value && value <= high)
    }
}

/// What templates call `next_page_token`.
fn token_of(request: &PageRequest) -> Value {
    let token = request.token.as_ref();
    token.map_or(Value::Null, |token| json!({ "next_page_token": token }))
}

/// The page token, where it is an address.
fn path_of(retriever: &SimpleRetriever, request: &PageRequest) -> Option<String> {
    let option = retriever.paginator.as_ref()?.page_token_option.as_ref()?;
    let token = request.token.as_ref().filter(|token| is_truthy(token))?;
    matches!(option, PageTokenOption::Path).then(|| crate::http::session::display(token))
}

fn is_object(record: &Record) -> bool {
    record.json().starts_with('{')
}

/// What kind of not JSON it is.
pub(super) fn malformed(body: &[u8], error: &JsonError) -> ReadError {
    let text = String::from_utf8_lossy(&body[..body.len().min(1_024)]);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.is_empty() {
        // The reference reads it as an answer without records; a full refresh would then delete everything.
        let message = "The upstream answered with an empty body where JSON was expected.";
        return ReadError::new(ErrorKind::Malformed, "NOT_JSON", message).retryable();
    }
    if start.starts_with('<') {
        let message = "The upstream answered with HTML or XML where JSON was expected.";
        return ReadError::new(ErrorKind::Malformed, "NOT_JSON", message).retryable();
    }
    let cut = error.offset >= body.trim_ascii_end().len() && start.starts_with(['{', '[']);
    if cut {
        let message = "The upstream's JSON ends in the middle.";
        return ReadError::new(ErrorKind::Malformed, "BODY_TRUNCATED", message).retryable();
    }
    let message = format!("The upstream's answer is not JSON: {error}.");
    ReadError::new(ErrorKind::Malformed, "NOT_JSON", message).retryable()
}
