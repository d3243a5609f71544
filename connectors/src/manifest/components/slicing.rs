//! What a stream is split by: partitions and time.

use std::sync::Arc;

use super::{Integer, RequestOption, StreamPlan, Text};

/// What a stream is split by, besides time.
#[derive(Debug)]
pub enum PartitionRouter {
    /// `ListPartitionRouter`: a partition for each value
    List {
        /// The values.
        values: ListValues,
        /// The partition's field.
        cursor_field: Text,
        /// Where the value goes; without one, templates read it from `stream_partition`.
        request_option: Option<RequestOption>,
    },
    /// `SubstreamPartitionRouter`: a partition for each record of the parents
    Substream {
        /// At least one.
        parents: Vec<ParentStream>,
    },
    /// `GroupingPartitionRouter`: so many partitions of another router in one
    Grouped {
        /// The other.
        router: Box<PartitionRouter>,
        /// How many, at least one.
        group_size: usize,
        /// Whether a value that was met is left out.
        deduplicate: bool,
    },
    /// `UnionPartitionRouter`: the partitions of several routers, each once
    United {
        /// At least two.
        routers: Vec<PartitionRouter>,
        /// The one field that all of them have.
        partition_field: Text,
    },
}

/// A list router's values.
#[derive(Debug, Clone)]
pub enum ListValues {
    /// Written out, and taken literally.
    Fixed(Vec<String>),
    /// A text that evaluates to a list.
    Computed(Text),
}

/// `ParentStreamConfig`.
#[derive(Debug)]
pub struct ParentStream {
    /// The parent. (Every mention of a stream is a plan of its own; equal names are equal streams.)
    pub stream: Arc<StreamPlan>,
    /// The parent record's field; dots separate nested fields.
    pub parent_key: Text,
    /// The partition's field.
    pub partition_field: Text,
    /// Where the value goes; without one, templates read it from `stream_partition`.
    pub request_option: Option<RequestOption>,
    /// Whether the parent is read incrementally, its state kept inside the child's.
    pub incremental_dependency: bool,
    /// Fields of the parent record that go along as `stream_slice.extra_fields`.
    pub extra_fields: Vec<Vec<Text>>,
    /// Where a parent's record holds the first page of its partition, which is not asked for then; empty: nowhere.
    pub lazy_read_pointer: Vec<Text>,
}

/// What a stream's progress is measured by.
#[derive(Debug, Clone)]
pub enum IncrementalSync {
    /// `DatetimeBasedCursor`
    Datetime(Box<DatetimeBasedCursor>),
    /// `IncrementingCountCursor`
    Count(Box<IncrementingCountCursor>),
}

impl IncrementalSync {
    /// The record's field.
    pub fn cursor_field(&self) -> &Text {
        match self {
            Self::Datetime(cursor) => &cursor.cursor_field,
            Self::Count(cursor) => &cursor.cursor_field,
        }
    }

    /// Whether a catalog may choose another field.
    pub(crate) fn takes_catalog_field(&self) -> bool {
        match self {
            Self::Datetime(cursor) => cursor.allow_catalog_defined_cursor_field,
            Self::Count(cursor) => cursor.allow_catalog_defined_cursor_field,
        }
    }
}

/// `IncrementingCountCursor`: a number that only grows.
#[derive(Debug, Clone)]
pub struct IncrementingCountCursor {
    /// The record's field.
    pub cursor_field: Text,
    /// Whether a catalog may choose another field.
    pub allow_catalog_defined_cursor_field: bool,
    /// Where a first read begins.
    pub start_value: Integer,
    /// Where the number goes that a read begins with.
    pub start_value_option: Option<RequestOption>,
}

/// `DatetimeBasedCursor`.
#[derive(Debug, Clone)]
pub struct DatetimeBasedCursor {
    /// The record's field.
    pub cursor_field: Text,
    /// Whether a catalog may choose another field.
    pub allow_catalog_defined_cursor_field: bool,
    /// How times are written in requests and in the state.
    pub datetime_format: String,
    /// How times are written in records, tried in order; empty: like `datetime_format`.
    pub cursor_datetime_formats: Vec<String>,
    /// Where a first read begins.
    pub start_datetime: MinMaxDatetime,
    /// Where every read ends; without one, now.
    pub end_datetime: Option<MinMaxDatetime>,
    /// Where a slice's start goes.
    pub start_time_option: Option<RequestOption>,
    /// Where a slice's end goes.
    pub end_time_option: Option<RequestOption>,
    /// A slice's length: a text that evaluates to an ISO 8601 duration; without one, a single slice.
    pub step: Option<Text>,
    /// The smallest difference between two times, an ISO 8601 duration; there exactly when `step` is.
    pub cursor_granularity: Option<String>,
    /// How far before the state a read begins: a text that evaluates to an ISO 8601 duration.
    pub lookback_window: Option<Text>,
    /// The slice's field for its start, `start_time` by default.
    pub partition_field_start: Text,
    /// The slice's field for its end, `end_time` by default.
    pub partition_field_end: Text,
    /// The upstream answers newest first and knows no filter: stop at the first record that is too old.
    pub is_data_feed: bool,
    /// The upstream knows no filter: leave out what is outside the window here.
    pub is_client_side_incremental: bool,
    /// The start itself does not belong to the window.
    pub is_compare_strictly: bool,
    /// One cursor for all partitions.
    pub global_substream_cursor: bool,
    /// Slices that follow the calendar.
    pub clamping: Option<Clamping>,
}

/// `MinMaxDatetime`.
#[derive(Debug, Clone)]
pub struct MinMaxDatetime {
    /// The time.
    pub datetime: Text,
    /// How it is written; without one, like the cursor's `datetime_format`.
    pub datetime_format: Option<String>,
    /// Not before.
    pub min_datetime: Option<Text>,
    /// Not after.
    pub max_datetime: Option<Text>,
}

/// Slices that follow the calendar.
#[derive(Debug, Clone)]
pub struct Clamping {
    /// A text that evaluates to DAY, WEEK or MONTH.
    pub target: Text,
    /// The first day of a week.
    pub weekday: Option<Weekday>,
}

/// A day of the week.
pub type Weekday = chrono::Weekday;
