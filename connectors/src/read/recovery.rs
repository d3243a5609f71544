//! What an error handler asks for besides repeating a request: smaller pages, a smaller window, or the pages from the first.
//!
//! All of it belongs to one slice and is a part of its position, so that a read that goes on after a cut asks with the page
//! size that the upstream had accepted, and for the parts of a window that are left. None of it changes the slice itself:
//! what the books are told in the end is the window that was planned.

use std::cmp::Ordering;
use std::time::Duration;

use serde_json::{Map, Number, Value, json};

use super::cursor::{CountSettings, CursorSettings, Moment, order};
use super::error::Demand;
use super::page::Mapped;
use super::slice::Slice;
use super::stream::StreamReader;
use super::{ErrorKind, NoteLevel, ReadError};
use crate::http::session::Session;
use crate::manifest::components::{
    PageSizeReduction, PaginationReset, RequestWindowSplitting, SimpleRetriever,
};

/// How often a window is cut in two, whatever its cursor would allow.
const DEEPEST: u32 = 10;

/// A part of a slice's window, as `stream_slice` shows it, and how often it was cut.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    cursor: Map<String, Value>,
    depth: u32,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Recovery {
    /// What is asked for; none: the whole slice.
    part: Option<Part>,
    /// What comes after it, the next one last.
    rest: Vec<Part>,
    /// The page size, where it was reduced.
    page_size: Option<i64>,
    /// Reductions since a page was answered.
    attempts: u32,
    /// Repetitions at the smallest page size since then.
    at_minimum: u32,
    /// Records since the pages were begun anew.
    records: u64,
    /// The largest cursor value of the slice's records.
    newest: Option<Moment>,
    highest: Option<Number>,
    /// How often the pages were begun anew with nothing gained.
    in_vain: u32,
}

/// How to go on.
pub(super) enum Onwards {
    /// With the same page.
    Same,
    /// With the first page, of what is asked for now.
    First,
}

impl Recovery {
    /// The slice that is asked for.
    pub(super) fn slice(&self, slice: &Slice) -> Option<Slice> {
        self.part.as_ref().map(|part| slice.with_cursor(&part.cursor))
    }

    /// The page size, where it was reduced.
    pub(super) fn page_size(&self) -> Option<i64> {
        self.page_size
    }

    /// A page was answered.
    pub(super) fn succeed(&mut self, reader: &StreamReader) {
        self.attempts = 0;
        self.at_minimum = 0;
        if reduction(reader).is_some_and(|reduction| reduction.resets_after_page) {
            self.page_size = None;
        }
    }

    /// Looks at a page's records, for a reset that goes on where they end. True: there are as many as a series of pages
    /// may have.
    pub(super) fn observe(&mut self, reader: &StreamReader, mapped: &Mapped) -> bool {
        let Some(reset) = reset(reader) else { return false };
        let count = u64::try_from(mapped.emitted).unwrap_or(u64::MAX);
        self.records = self.records.saturating_add(count);
        for record in &mapped.records {
            if let Some(value) = reader.cursor_value(record) {
                self.newest = self.newest.max(Some(value));
            }
            if let Some(value) = reader.count_value(record)
                && self
                    .highest
                    .as_ref()
                    .is_none_or(|highest| order(highest, &value) == Ordering::Less)
            {
                self.highest = Some(value);
            }
        }
        reset.number_of_records.is_some_and(|limit| self.records >= limit)
    }

    /// Does what an error handler asked for.
    pub(super) async fn meet(
        &mut self,
        reader: &StreamReader,
        slice: &Slice,
        settings: Option<&CursorSettings>,
        error: ReadError,
    ) -> Result<Onwards, ReadError> {
        match error.demand {
            Some(Demand::ResetPagination) => {
                self.begin_anew(reader, slice, settings).map(|()| Onwards::First)
            }
            Some(Demand::ReducePageSize) => {
                let wait = self.reduce(reader, &error)?;
                pause(&reader.session, wait).await?;
                Ok(Onwards::Same)
            }
            Some(Demand::SplitRequestWindow) => self
                .split(reader, slice, settings, error)
                .map(|()| Onwards::First),
            None => Err(error),
        }
    }

    /// The pages are asked for from the first again: where the cursor says how far they came, only what is left.
    pub(super) fn begin_anew(
        &mut self,
        reader: &StreamReader,
        slice: &Slice,
        settings: Option<&CursorSettings>,
    ) -> Result<(), ReadError> {
        let by_cursor = reset(reader).is_some_and(|reset| reset.splits_using_cursor)
            && (settings.is_some() || reader.count.is_some());
        let mut part = None;
        if by_cursor {
            let start = match (settings, &self.newest, &self.highest) {
                (Some(settings), Some(newest), _) => Some((
                    settings.start_field.as_str(),
                    Value::String(settings.format(newest)),
                )),
                (None, _, Some(highest)) => {
                    Some((super::cursor::COUNT_START, Value::Number(highest.clone())))
                }
                _ => None,
            };
            if let Some((field, start)) = start {
                let mut cursor = slice.cursor.clone();
                cursor.insert(field.to_owned(), start);
                part = Some(Part { cursor, depth: 0 }).filter(|part| part.cursor != slice.cursor);
            }
        }
        if part == self.part {
            self.in_vain += 1;
            if self.in_vain >= if by_cursor { 1 } else { 2 } {
                return Err(ReadError::new(
                    ErrorKind::Upstream,
                    "PAGINATION_RESET",
                    "The pages were begun anew and came no further than before.",
                ));
            }
        } else {
            self.in_vain = 0;
        }
        self.part = part;
        self.records = 0;
        Ok(())
    }

    /// Shrinks the pages; how long to wait before the next request.
    fn reduce(&mut self, reader: &StreamReader, error: &ReadError) -> Result<Duration, ReadError> {
        let Some(reduction) = reduction(reader) else {
            return Err(error.clone());
        };
        let Some(current) = self.page_size.or(reader.page_size) else {
            return Err(ReadError::config("There is no page size that could be reduced."));
        };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "page sizes; nobody has 2^53 records on one"
        )]
        let reduced =
            ((current as f64 / reduction.reduction_factor).floor() as i64).max(reduction.minimum_page_size);
        if reduced >= current {
            if self.at_minimum >= reduction.retries_at_minimum_page_size {
                return Err(self.exhausted(reduction, current, error));
            }
            self.at_minimum += 1;
            return Ok(seconds(reduction.backoff_seconds * f64::from(self.at_minimum)));
        }
        self.attempts += 1;
        if self.attempts > reduction.max_attempts {
            let message = format!("The upstream refuses pages of every size down to {current} records.");
            return Err(refused(
                error,
                "PAGE_SIZE",
                &message,
                reduction.failure_message.as_deref(),
            ));
        }
        self.page_size = Some(reduced);
        reader.session.note(
            NoteLevel::Info,
            format!("The upstream refused pages of {current} records; {reduced} are asked for."),
        );
        Ok(seconds(reduction.backoff_seconds * f64::from(self.attempts)))
    }

    fn exhausted(&self, reduction: &PageSizeReduction, current: i64, error: &ReadError) -> ReadError {
        if self.page_size.is_none() && reduction.minimum_page_size > 1 {
            return ReadError::config(format!(
                "The page size ({current}) is not above the minimum_page_size of {}, so it cannot be reduced; raise it, or \
                 lower the minimum.",
                reduction.minimum_page_size
            ));
        }
        let message = format!(
            "The upstream refuses pages even of {current} records, the fewest that may be asked for."
        );
        refused(error, "PAGE_SIZE", &message, reduction.failure_message.as_deref())
    }

    /// Cuts what is asked for in two.
    fn split(
        &mut self,
        reader: &StreamReader,
        slice: &Slice,
        settings: Option<&CursorSettings>,
        error: ReadError,
    ) -> Result<(), ReadError> {
        let Some((splitting, settings)) = splitting(reader).zip(settings) else {
            return Err(error);
        };
        let depth = self.part.as_ref().map_or(0, |part| part.depth);
        let cursor = self.part.as_ref().map_or(&slice.cursor, |part| &part.cursor);
        let failure = splitting.failure_message.as_deref();
        if depth >= DEEPEST {
            let message = format!("The upstream refuses windows of time that were halved {DEEPEST} times.");
            return Err(refused(&error, "WINDOW", &message, failure));
        }
        let Some(halves) = halves(settings, cursor, splitting.min_split_window_micros) else {
            let message = "The upstream refuses even the smallest window of time that may be asked for.";
            return Err(refused(&error, "WINDOW", message, failure));
        };
        let [first, second] = halves.map(|cursor| Part {
            cursor,
            depth: depth + 1,
        });
        reader.session.note(
            NoteLevel::Info,
            "The upstream refused a window of time; it is read in parts.",
        );
        self.part = Some(first);
        self.rest.push(second);
        Ok(())
    }

    /// Goes to the next part of the slice; false: there is none.
    pub(super) fn next_part(&mut self) -> bool {
        let Some(next) = self.rest.pop() else { return false };
        // Every part is paged for itself.
        *self = Self {
            part: Some(next),
            rest: std::mem::take(&mut self.rest),
            ..Self::default()
        };
        true
    }

    pub(super) fn to_json(&self) -> Value {
        if *self == Self::default() {
            return Value::Null;
        }
        let part = |part: &Part| json!([part.cursor, part.depth]);
        json!({
            "part": self.part.as_ref().map(part),
            "rest": self.rest.iter().map(part).collect::<Vec<_>>(),
            "page_size": self.page_size,
            "records": self.records,
            "newest": self.newest.map(|newest| newest.to_rfc3339()),
            "highest": self.highest,
            "in_vain": self.in_vain,
        })
    }

    pub(super) fn from_json(value: &Value) -> Self {
        let part = |value: &Value| {
            Some(Part {
                cursor: value.get(0)?.as_object()?.clone(),
                depth: u32::try_from(value.get(1)?.as_u64()?).ok()?,
            })
        };
        let newest = value["newest"].as_str();
        Self {
            part: part(&value["part"]),
            rest: value["rest"]
                .as_array()
                .map_or_else(Vec::new, |rest| rest.iter().filter_map(part).collect()),
            page_size: value["page_size"].as_i64(),
            records: value["records"].as_u64().unwrap_or(0),
            newest: newest.and_then(|newest| Moment::parse_from_rfc3339(newest).ok()),
            highest: CountSettings::number(&value["highest"]),
            in_vain: value["in_vain"]
                .as_u64()
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(0),
            ..Self::default()
        }
    }
}

fn simple(reader: &StreamReader) -> Option<&SimpleRetriever> {
    reader.requests()
}

/// What the manifest says of pages that are begun anew.
pub(super) fn reset(reader: &StreamReader) -> Option<&PaginationReset> {
    simple(reader)?.pagination_reset.as_ref()
}

fn reduction(reader: &StreamReader) -> Option<&PageSizeReduction> {
    simple(reader)?.page_size_reduction.as_ref()
}

fn splitting(reader: &StreamReader) -> Option<&RequestWindowSplitting> {
    simple(reader)?.request_window_splitting.as_ref()
}

/// What ends the read: it may pass, and the manifest's author may know what helps.
fn refused(error: &ReadError, what: &str, message: &str, advice: Option<&str>) -> ReadError {
    let said = error.message.trim_end();
    let advice = advice.map(str::trim).filter(|advice| !advice.is_empty());
    let message = match advice {
        Some(advice) => format!("{message} {advice} ({said})"),
        None => format!("{message} ({said})"),
    };
    ReadError {
        http_status: error.http_status,
        url: error.url.clone(),
        ..ReadError::new(ErrorKind::Upstream, format!("{what}_REFUSED"), message)
    }
    .retryable()
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

async fn pause(session: &Session, wait: Duration) -> Result<(), ReadError> {
    let context = &session.context;
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => Err(ReadError::cancelled()),
        () = context.clock.sleep(wait.min(context.limits.max_backoff)) => Ok(()),
    }
}

/// The two halves of a window, which share no moment; none where it is as small as it may get.
fn halves(
    settings: &CursorSettings,
    cursor: &Map<String, Value>,
    least_micros: Option<i64>,
) -> Option<[Map<String, Value>; 2]> {
    let unit = settings
        .granularity
        .filter(|unit| unit.years == 0 && unit.months == 0)?
        .micros;
    let bound = |field: &str| settings.parse_value(cursor.get(field)?);
    let (start, end) = (bound(&settings.start_field)?, bound(&settings.end_field)?);
    let span = (end - start).num_microseconds()?;
    if unit <= 0 || span <= 0 || least_micros.is_some_and(|least| span <= least) {
        return None;
    }
    let units = span / unit + 1;
    let half = units / 2;
    let first_end = start + chrono::TimeDelta::microseconds(half.checked_sub(1)?.checked_mul(unit)?);
    let second_start = first_end + chrono::TimeDelta::microseconds(unit);
    if half == 0 || second_start > end {
        return None;
    }
    let with = |field: &str, moment: &Moment| {
        let mut half = cursor.clone();
        half.insert(field.to_owned(), Value::String(settings.format(moment)));
        half
    };
    Some([
        with(&settings.end_field, &first_end),
        with(&settings.start_field, &second_start),
    ])
}
