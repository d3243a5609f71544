//! A stream made ready for one read: everything in its plan that depends only on the configuration is
//! evaluated once, here, so that a bad configuration fails before the first request.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::cursor::{Clamping, CursorSettings, Moment};
use super::{NoteLevel, ReadError};
use crate::datetime::{self, duration::Duration};
use crate::http::session::{Session, display, is_truthy};
use crate::manifest::components::{
    Condition, DatetimeBasedCursor, Decoder, Extractor, IncrementalSync, ListValues, MinMaxDatetime,
    PaginationStrategy, ParentStream, PartitionRouter, RecordSelector, SchemaNormalization, SimpleRetriever,
    StreamPlan, Text,
};
use crate::native::Source;
use crate::record::PathPart;

/// A stream, ready to be read.
pub(crate) struct StreamReader {
    pub(crate) plan: Arc<StreamPlan>,
    pub(crate) session: Arc<Session>,
    pub(crate) cursor: Option<CursorSettings>,
    /// Where a document holds its records.
    pub(super) path: Vec<PathPart>,
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

impl StreamReader {
    /// Makes a stream, and its parents, ready; `now` is the run's own.
    pub(crate) fn new(
        session: &Arc<Session>,
        plan: &Arc<StreamPlan>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Self>, ReadError> {
        let requests = plan.retriever.records();
        let selector = plan.retriever.record_selector();
        let cursor = match &plan.incremental_sync {
            None => None,
            Some(IncrementalSync::Datetime(cursor)) => Some(settings(session, cursor, now)?),
        };
        let Extractor::Dpath { field_path } = &selector.extractor;
        let path = field_path
            .iter()
            .map(|part| Ok(PathPart::new(&session.text(part, &[])?)))
            .collect::<Result<_, ReadError>>()?;
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
        let token_needs_records =
            data_feed(plan) || !by_jobs && (!untouched && strategy.is_some_and(looks_at_records));
        let native = match plan.retriever.native() {
            None => None,
            Some(native) => Some(Source::new(session, plan, &native.source)?),
        };
        Ok(Arc::new(Self {
            plan: Arc::clone(plan),
            session: Arc::clone(session),
            cursor,
            path,
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
            None => Ok(None),
            Some(IncrementalSync::Datetime(cursor)) => settings(session, cursor, now).map(Some),
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

    pub(super) fn datetime_cursor(&self) -> Option<&DatetimeBasedCursor> {
        match self.plan.incremental_sync.as_ref()? {
            IncrementalSync::Datetime(cursor) => Some(cursor),
        }
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

fn ready(session: &Arc<Session>, router: &PartitionRouter, now: DateTime<Utc>) -> Result<Router, ReadError> {
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
    })
}

fn settings(
    session: &Session,
    cursor: &DatetimeBasedCursor,
    now: DateTime<Utc>,
) -> Result<CursorSettings, ReadError> {
    let mut formats = cursor.cursor_datetime_formats.clone();
    formats.push(cursor.datetime_format.clone());
    let granularity = cursor.cursor_granularity.as_deref().map(duration).transpose()?;
    let start = min_max(session, &cursor.start_datetime, &cursor.datetime_format)?;
    let mut end = match &cursor.end_datetime {
        Some(end) => min_max(session, end, &cursor.datetime_format)?,
        None => now.fixed_offset(),
    };
    let clamping = match &cursor.clamping {
        None => None,
        Some(clamping) => Some(match session.text(&clamping.target, &[])?.as_str() {
            "DAY" => Clamping::Day,
            "WEEK" => {
                let weekday = clamping.weekday.ok_or_else(|| {
                    ReadError::config("Clamping to weeks needs the weekday on which they begin.")
                })?;
                Clamping::Week(weekday)
            }
            "MONTH" => Clamping::Month,
            _ => return Err(ReadError::config("Clamping is to DAY, WEEK or MONTH.")),
        }),
    };
    if let Some(clamping) = clamping {
        let unit = granularity.unwrap_or(match clamping {
            Clamping::Day => Duration {
                micros: 1_000_000,
                ..Duration::default()
            },
            Clamping::Week(_) | Clamping::Month => Duration {
                micros: 86_400_000_000,
                ..Duration::default()
            },
        });
        let floor = clamping.floor(end);
        end = unit.subtract_from(&floor).unwrap_or(floor);
    }
    Ok(CursorSettings {
        field: session.text(&cursor.cursor_field, &[])?,
        formats,
        start,
        end,
        step: computed_duration(session, cursor.step.as_ref())?,
        granularity,
        lookback: computed_duration(session, cursor.lookback_window.as_ref())?,
        start_field: session.text(&cursor.partition_field_start, &[])?,
        end_field: session.text(&cursor.partition_field_end, &[])?,
        compare_strictly: cursor.is_compare_strictly,
        clamping,
    })
}

fn duration(text: &str) -> Result<Duration, ReadError> {
    datetime::duration::parse(text)
        .map_err(|_| ReadError::config(format!("{text:?} is not an ISO 8601 duration such as P1D.")))
}

fn computed_duration(session: &Session, text: Option<&Text>) -> Result<Option<Duration>, ReadError> {
    let Some(text) = text else { return Ok(None) };
    let value = session.value(text, &[])?;
    if is_truthy(&value) {
        duration(&display(&value)).map(Some)
    } else {
        Ok(None)
    }
}

fn min_max(session: &Session, bounds: &MinMaxDatetime, default_format: &str) -> Result<Moment, ReadError> {
    let format = bounds.datetime_format.as_deref().unwrap_or(default_format);
    let moment = |text: &Text| -> Result<Option<Moment>, ReadError> {
        let written = session.text(text, &[])?;
        if written.is_empty() {
            return Ok(None);
        }
        datetime::parse(&written, format).map(Some).map_err(|_| {
            ReadError::config(format!(
                "The date that {:?} gives does not have the format {format:?}.",
                text.source()
            ))
        })
    };
    let mut value = moment(&bounds.datetime)?.ok_or_else(|| {
        ReadError::config(format!(
            "The date that {:?} gives is empty.",
            bounds.datetime.source()
        ))
    })?;
    if let Some(least) = bounds.min_datetime.as_ref().map(&moment).transpose()?.flatten() {
        value = value.max(least);
    }
    if let Some(most) = bounds.max_datetime.as_ref().map(&moment).transpose()?.flatten() {
        value = value.min(most);
    }
    Ok(value)
}
