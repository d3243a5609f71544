//! A stream made ready for one read: everything in its plan that depends only on the configuration is
//! evaluated once, here, so that a bad configuration fails before the first request.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::cursor::{CountSettings, CursorSettings, settings};
use super::extraction::Extraction;
use super::properties::Chunks;
use super::routers::{Router, ready};
use super::{NoteLevel, ReadError};
use crate::http::session::Session;
use crate::manifest::components::{
    Condition, DatetimeBasedCursor, Decoder, HttpMethod, IncrementalSync, IncrementingCountCursor,
    PaginationStrategy, RecordSelector, RequestBody, SchemaNormalization, SimpleRetriever, StreamPlan, Text,
};
use crate::native::Source;

/// A stream, ready to be read.
pub(crate) struct StreamReader {
    pub(crate) plan: Arc<StreamPlan>,
    pub(crate) session: Arc<Session>,
    pub(crate) cursor: Option<CursorSettings>,
    /// The cursor, where it counts.
    pub(super) count: Option<CountSettings>,
    /// Where a document holds its records.
    pub(super) extraction: Extraction,
    /// What a page is asked for with, where that is more than one request can hold.
    pub(super) chunks: Chunks,
    pub(super) page_size: Option<i64>,
    pub(super) routers: Vec<Arc<Router>>,
    /// Whether records leave as they came.
    pub(super) untouched: bool,
    /// The schema, where an answer has to tell it.
    schema: OnceCell<Arc<Value>>,
    /// Where the records come from, if not from requests.
    pub(super) native: Option<Source>,
    /// Whether the next token depends on records after filtering and transformation.
    pub(super) token_needs_records: bool,
}

impl StreamReader {
    /// Makes a stream, and its parents, ready; `now` is the run's own.
    pub(crate) fn new(
        session: &Arc<Session>,
        plan: &Arc<StreamPlan>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Self>, ReadError> {
        let requests = plan.retriever.records();
        let selector = plan.retriever.record_selector();
        let cursor = Self::settings_of(session, plan, now)?;
        let count = match &plan.incremental_sync {
            Some(IncrementalSync::Count(count)) => {
                Some(CountSettings::new(session, count, chosen_field(session, plan)?)?)
            }
            _ => None,
        };
        let extraction = Extraction::ready(session, &selector.extractor, now)?;
        let strategy = requests
            .and_then(|requests| requests.paginator.as_ref())
            .map(|paginator| &paginator.strategy);
        if requests.is_some_and(|requests| matches!(requests.decoder, Decoder::Gzip(_)))
            && strategy.is_some_and(looks_at_documents)
        {
            session.note(
                NoteLevel::Warning,
                format!(
                    "The paginator of {} looks into the response, which is empty there with a GzipDecoder: only \
                     last_record, last_page_size and headers can say what comes next.",
                    plan.name
                ),
            );
        }
        let page_size = match strategy.and_then(PaginationStrategy::page_size) {
            None => None,
            Some(size) => Some(session.integer(size, &[])?),
        };
        let routers = requests
            .map_or(&[][..], |requests| &requests.partition_routers)
            .iter()
            .map(|router| ready(session, router, now).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let untouched = is_untouched(selector, plan);
        // A job's pages are counted before anything is filtered or transformed.
        let by_jobs = plan.retriever.jobs().is_some();
        let by_records = requests.is_some_and(|requests| {
            requests.query_properties.is_some() || requests.pagination_reset.is_some()
        });
        let token_needs_records = by_records
            || data_feed(plan)
            || !by_jobs && (!untouched && strategy.is_some_and(looks_at_records));
        let native = match plan.retriever.native() {
            None => None,
            Some(native) => Some(Source::new(session, plan, &native.source)?),
        };
        Ok(Arc::new(Self {
            plan: Arc::clone(plan),
            session: Arc::clone(session),
            cursor,
            count,
            extraction,
            chunks: Chunks::default(),
            page_size,
            routers,
            untouched,
            schema: OnceCell::new(),
            native,
            token_needs_records,
        }))
    }

    /// The cursor of a stream that is not read.
    pub(super) fn settings_of(
        session: &Session,
        plan: &StreamPlan,
        now: DateTime<Utc>,
    ) -> Result<Option<CursorSettings>, ReadError> {
        match &plan.incremental_sync {
            None | Some(IncrementalSync::Count(_)) => Ok(None),
            Some(IncrementalSync::Datetime(cursor)) => {
                settings(session, cursor, chosen_field(session, plan)?, now).map(Some)
            }
        }
    }

    /// The requests, where the stream is read with any.
    pub(super) fn requests(&self) -> Option<&SimpleRetriever> {
        self.plan.retriever.records()
    }

    pub(super) fn selector(&self) -> &RecordSelector {
        self.plan.retriever.record_selector()
    }

    /// Asks for the schema before the first record that needs it.
    pub(super) async fn know_schema(&self) -> Result<(), ReadError> {
        if self.plan.schema_parts.is_empty() || !self.plan.retriever.normalizes() {
            return Ok(());
        }
        let schema = Box::pin(super::schema::schema(&self.session, &self.plan));
        self.schema.get_or_try_init(|| schema).await.map(|_| ())
    }

    pub(super) fn schema(&self) -> &Value {
        self.schema.get().unwrap_or(&self.plan.schema)
    }

    /// Whether a read is one request, if its answer names no further page, and the same one every time (as far as its
    /// templates do not ask for the time). Only then an upstream can say that the stream as a whole is as it was.
    pub(super) fn is_one_answer(&self) -> bool {
        let asks = |requests: &SimpleRetriever| {
            matches!(requests.requester.method, HttpMethod::Get)
                && matches!(requests.requester.body, RequestBody::None)
                && requests.query_properties.is_none()
        };
        let one =
            |router: &Arc<Router>| matches!(&**router, Router::List { values, .. } if values.len() == 1);
        self.plan.retriever.jobs().is_none()
            && self.plan.incremental_sync.is_none()
            && self.plan.schema_parts.is_empty()
            && self.plan.made_by.is_none()
            && self.plan.delegation.is_none()
            && self.requests().is_some_and(asks)
            && self.routers.iter().all(one)
    }

    pub(super) fn datetime_cursor(&self) -> Option<&DatetimeBasedCursor> {
        match self.plan.incremental_sync.as_ref()? {
            IncrementalSync::Datetime(cursor) => Some(cursor),
            IncrementalSync::Count(_) => None,
        }
    }

    pub(super) fn count_cursor(&self) -> Option<&IncrementingCountCursor> {
        match self.plan.incremental_sync.as_ref()? {
            IncrementalSync::Datetime(_) => None,
            IncrementalSync::Count(cursor) => Some(cursor),
        }
    }

    /// The record's field that progress is measured by.
    pub(super) fn cursor_field(&self) -> Option<&str> {
        let datetime = self.cursor.as_ref().map(|settings| settings.field.as_str());
        datetime.or_else(|| self.count.as_ref().map(|settings| settings.field.as_str()))
    }

    /// The upstream answers newest first: paging stops at the first record that is old.
    pub(super) fn is_data_feed(&self) -> bool {
        data_feed(&self.plan)
    }

    /// Records outside the window are left out here, because the upstream does not.
    pub(super) fn filters_by_cursor(&self) -> bool {
        self.datetime_cursor()
            .is_some_and(|cursor| cursor.is_client_side_incremental || cursor.is_data_feed)
    }
}

/// The cursor's field, where a catalog may choose it and does. An empty name is how no choice is written.
fn chosen_field<'a>(session: &'a Session, plan: &StreamPlan) -> Result<Option<&'a str>, ReadError> {
    let takes = plan
        .incremental_sync
        .as_ref()
        .is_some_and(IncrementalSync::takes_catalog_field);
    let Some(selection) = session.selection(&plan.name).filter(|_| takes) else {
        return Ok(None);
    };
    match selection.cursor_field.as_slice() {
        [field] if !field.is_empty() => Ok(Some(field)),
        [] | [_] => Ok(None),
        _ => Err(ReadError::config(format!(
            "The cursor_field of {} has to be a single field, not a path.",
            plan.name
        ))),
    }
}

fn data_feed(plan: &StreamPlan) -> bool {
    matches!(&plan.incremental_sync, Some(IncrementalSync::Datetime(cursor)) if cursor.is_data_feed)
}

fn is_untouched(selector: &RecordSelector, plan: &StreamPlan) -> bool {
    let filtered_by_cursor = matches!(
        &plan.incremental_sync,
        Some(IncrementalSync::Datetime(cursor)) if cursor.is_client_side_incremental
    );
    selector.record_filter.is_none()
        && selector.transformations.is_empty()
        && selector.schema_normalization == SchemaNormalization::None
        && !filtered_by_cursor
}

fn looks_at_records(strategy: &PaginationStrategy) -> bool {
    let PaginationStrategy::Cursor {
        cursor_value,
        stop_condition,
        ..
    } = strategy
    else {
        return false;
    };
    let looks =
        |text: &Text| text.template.mentions("last_record") || text.template.mentions("last_page_size");
    looks(cursor_value) || matches!(stop_condition, Some(Condition::Computed(text)) if looks(text))
}

fn looks_at_documents(strategy: &PaginationStrategy) -> bool {
    let looks = |text: &Text| text.template.mentions("response");
    match strategy {
        PaginationStrategy::Cursor {
            cursor_value,
            stop_condition,
            ..
        } => looks(cursor_value) || matches!(stop_condition, Some(Condition::Computed(text)) if looks(text)),
        _ => false,
    }
}
