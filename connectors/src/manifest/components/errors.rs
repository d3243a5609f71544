//! What an answer means that is not plainly good, and how long to wait before asking again.

use super::{Condition, Integer, Number, Text};

/// `DefaultErrorHandler` or `CompositeErrorHandler`.
#[derive(Debug, Clone)]
pub enum ErrorHandler {
    /// One list of filters, then the defaults by status.
    Default(DefaultErrorHandler),
    /// Handlers tried in order. The first one's `max_retries` rules; the first back-off that has one waits.
    Composite(Vec<ErrorHandler>),
}

impl Default for ErrorHandler {
    fn default() -> Self {
        Self::Default(DefaultErrorHandler::default())
    }
}

impl ErrorHandler {
    /// Whether a filter has this action.
    pub(crate) fn uses(&self, action: ResponseAction) -> bool {
        match self {
            Self::Default(handler) => {
                let mut filters = handler.response_filters.iter();
                filters.any(|filter| filter.action == Some(action))
            }
            Self::Composite(handlers) => handlers.iter().any(|handler| handler.uses(action)),
        }
    }
}

/// `DefaultErrorHandler`.
#[derive(Debug, Clone, Default)]
pub struct DefaultErrorHandler {
    /// Tried in order; the first that matches decides.
    pub response_filters: Vec<HttpResponseFilter>,
    /// How often a request is repeated; 5 where the manifest does not say.
    pub max_retries: Option<Integer>,
    /// Tried in order; the first that gives a time decides. Empty: exponential.
    pub backoff_strategies: Vec<BackoffStrategy>,
}

/// `HttpResponseFilter`.
#[derive(Debug, Clone)]
pub struct HttpResponseFilter {
    /// What to do; without one, what the defaults say for the status (or FAIL).
    pub action: Option<ResponseAction>,
    /// Whose fault it is.
    pub failure_type: Option<FailureType>,
    /// What to tell a person; reads `response`.
    pub error_message: Option<Text>,
    /// Matches when the answer's error text holds this.
    pub error_message_contains: Option<Text>,
    /// Matches these statuses.
    pub http_codes: Vec<u16>,
    /// Matches when true; reads `response` and `headers`.
    pub predicate: Option<Condition>,
}

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseAction {
    /// Take it as good.
    Success,
    /// End the read with an error.
    Fail,
    /// Ask again.
    Retry,
    /// Take it as empty and go on.
    Ignore,
    /// Ask again after the upstream's limit, without counting.
    RateLimited,
    /// Get a new token, then ask again.
    RefreshTokenThenRetry,
    /// Ask for the pages from the first again.
    ResetPagination,
    /// Ask again for a smaller page.
    ReducePageSize,
    /// Ask for the window of time in parts.
    SplitRequestWindow,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureType {
    /// Ours or the connector's.
    SystemError,
    /// The configuration's.
    ConfigError,
    /// Nobody's: it passes.
    TransientError,
}

/// How long to wait before asking again.
#[derive(Debug, Clone)]
pub enum BackoffStrategy {
    /// `ConstantBackoffStrategy`
    Constant {
        /// Seconds.
        backoff_time_in_seconds: Number,
        /// Up to as many seconds more or less, by chance.
        jitter_range_in_seconds: Option<f64>,
    },
    /// `ExponentialBackoffStrategy`: factor · 2^attempt
    Exponential {
        /// Seconds.
        factor: Number,
        /// Up to as many seconds more or less, by chance.
        jitter_range_in_seconds: Option<f64>,
    },
    /// `WaitTimeFromHeader`: a number of seconds
    WaitTimeFromHeader {
        /// The header.
        header: Text,
        /// Picks the number out of the header.
        regex: Option<Pattern>,
        /// A longer wait ends the read instead.
        max_waiting_time_in_seconds: Option<Number>,
    },
    /// `WaitUntilTimeFromHeader`: a time in Unix seconds
    WaitUntilTimeFromHeader {
        /// The header.
        header: Text,
        /// Never less than so many seconds.
        min_wait: Option<Number>,
        /// Picks the number out of the header.
        regex: Option<Pattern>,
        /// A longer wait ends the read instead.
        max_waiting_time_in_seconds: Option<Number>,
    },
    /// `WaitTimeFromResponse`: a number of seconds that a template finds in the answer
    WaitTimeFromResponse {
        /// Reads `response` and `headers`.
        wait_time_in_seconds: Text,
        /// A longer wait ends the read instead.
        max_waiting_time_in_seconds: Option<Number>,
    },
}

/// A compiled pattern (a text with templates is not one: the reference evaluates those, and no manifest has any).
pub type Pattern = regex::Regex;
