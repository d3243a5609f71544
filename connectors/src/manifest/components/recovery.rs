//! What is done where an upstream refuses a request as it is, besides repeating it.

/// `PaginationReset`: the pages are asked for from the first again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaginationReset {
    /// Whether only what comes after the records so far is asked for then.
    pub splits_using_cursor: bool,
    /// It happens after so many records, too.
    pub number_of_records: Option<u64>,
}

/// `PageSizeReduction`: the same page with fewer records.
#[derive(Debug, Clone, PartialEq)]
pub struct PageSizeReduction {
    /// The page size is divided by this.
    pub reduction_factor: f64,
    /// Never less than that.
    pub minimum_page_size: i64,
    /// How often in a row.
    pub max_attempts: u32,
    /// How long to wait before the page is asked for again, times the attempts so far.
    pub backoff_seconds: f64,
    /// How often a page of the smallest size is asked for again.
    pub retries_at_minimum_page_size: u32,
    /// What a person could do where nothing helps.
    pub failure_message: Option<String>,
    /// Whether the page after one that was answered has the full size again.
    pub resets_after_page: bool,
}

/// `RequestWindowSplitting`: the window of time in halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestWindowSplitting {
    /// What a person could do where nothing helps.
    pub failure_message: Option<String>,
    /// A window this short is not cut any more.
    pub min_split_window_micros: Option<i64>,
}
