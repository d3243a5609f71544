//! What goes wrong while reading, as one type.
//!
//! The engine decides from `kind` and `retryable` what happens to the run, a person reads `message`, and a
//! test reads `code`. A message is built from what *we* know (the status, the component, the limit) plus at
//! most a short, sanitised excerpt of the upstream's own error text; never from headers, query strings or
//! configuration values, so no later redaction has to find secrets in prose.
//!
//! | happens | kind | code | retryable |
//! |---|---|---|---|
//! | 400, 405, 409, 410, 422 … | Upstream | `HTTP_<status>` | no |
//! | 401, 403 | Auth | `HTTP_401`, `HTTP_403` | no |
//! | 404 | Config | `HTTP_404` | no |
//! | 408 | Timeout | `HTTP_408` | yes |
//! | 429, or an answer the manifest calls rate limited | RateLimited | `HTTP_429` … | yes, after `retry_after` |
//! | 5xx, unknown statuses | Upstream | `HTTP_<status>` | yes |
//! | refused, reset, DNS, TLS | Network | `CONNECTION_REFUSED`, `DNS`, `TLS`, `NETWORK` | yes |
//! | an address the guard refuses | Config | `BLOCKED_ADDRESS` | no |
//! | no answer in time, or a body that stops flowing | Timeout | `TIMEOUT`, `STALLED` | yes |
//! | HTML or other text where JSON was expected | Malformed | `NOT_JSON` | yes |
//! | something else where XML, CSV or an archive was expected | Malformed | `NOT_XML`, `NOT_CSV`, `NOT_GZIP`, `NOT_ZIP`, `NOT_TEXT` | yes |
//! | a job that failed or took too long, three times | Upstream | `JOB_FAILED`, `JOB_TIMED_OUT` | yes |
//! | a job's status that the manifest does not know | Config | `JOB_STATUS_UNKNOWN` | no |
//! | not asked, because a budget is spent or the upstream is known to be down | RateLimited, Upstream | `BUDGET_SPENT`, `CIRCUIT_OPEN` | yes, after `retry_after` |
//! | half a body | Network (cut connection) or Malformed (cut JSON) | `BODY_TRUNCATED` | yes |
//! | too much of it | Malformed | `BODY_TOO_LARGE` | no |
//! | a page token seen before, identical pages, too many pages | Upstream | `REPEATED_PAGE_TOKEN`, `REPEATED_PAGE`, `PAGE_LIMIT` | no |
//! | what an answer says of itself, whatever its status | by its code | `GRAPHQL_…`, `SOAP_…` | by its code |
//! | PostgreSQL refuses | by its SQLSTATE | `POSTGRES_<SQLSTATE>` | by its SQLSTATE |
//! | lines of a file that are no records, a hundred in a row | Malformed | `BAD_RECORD` | no |
//! | a page size, or a window of time, that is refused down to the smallest | Upstream | `PAGE_SIZE_REFUSED`, `WINDOW_REFUSED` | yes |
//! | pages that were begun anew and came no further | Upstream | `PAGINATION_RESET` | no |
//! | a template that fails | Config | `TEMPLATE` | no |
//!
//! 404 is Config because an address in a manifest is configuration: retrying cannot mend it and it says
//! nothing about the upstream's health. HTML is retryable because it is nearly always a proxy's error page
//! with status 200; the policy bounds how often.

use std::fmt;
use std::time::Duration;

use super::PageStats;
use crate::http::gate::Holder;

/// The classes of failure that a run can end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The configuration or the manifest cannot work as it is.
    Config,
    /// The credential is refused.
    Auth,
    /// The upstream asks for patience.
    RateLimited,
    /// The upstream answered, and the answer is a failure.
    Upstream,
    /// Nothing came in time.
    Timeout,
    /// The upstream could not be reached, or the connection broke.
    Network,
    /// The answer cannot be understood.
    Malformed,
    /// A record does not fit what the manifest says of it.
    Schema,
    /// The caller asked to stop.
    Cancelled,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// The name in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "CONFIG",
            Self::Auth => "AUTH",
            Self::RateLimited => "RATE_LIMITED",
            Self::Upstream => "UPSTREAM",
            Self::Timeout => "TIMEOUT",
            Self::Network => "NETWORK",
            Self::Malformed => "MALFORMED",
            Self::Schema => "SCHEMA",
            Self::Cancelled => "CANCELLED",
            Self::Internal => "INTERNAL",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why reading stopped. See the module for the table of codes.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadError {
    /// The class, which decides what happens to the run.
    pub kind: ErrorKind,
    /// A stable code, `SCREAMING_SNAKE`.
    pub code: String,
    /// One sentence for a person; contains no secret.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// How long the upstream or the manifest asks to wait before that.
    pub retry_after: Option<Duration>,
    /// The request was not made, because of this: nothing failed, and `retry_after` says when it may be.
    pub held_back: Option<Holder>,
    /// The status of the answer, where there was one.
    pub http_status: Option<u16>,
    /// Scheme, host and path of the request; no query, no userinfo.
    pub url: Option<String>,
    /// What was spent since the last page.
    pub stats: PageStats,
    /// What the manifest's error handler asks of whoever reads the pages, before this becomes an error.
    pub demand: Option<Demand>,
}

/// What an error handler may ask for instead of a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The pages are to be asked for from the first again.
    ResetPagination,
    /// The page is to be asked for again, with fewer records.
    ReducePageSize,
    /// The window of time is to be read in parts.
    SplitRequestWindow,
}

impl ReadError {
    /// An error that is not worth repeating.
    #[must_use]
    pub fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            retryable: false,
            retry_after: None,
            held_back: None,
            http_status: None,
            url: None,
            stats: PageStats::default(),
            demand: None,
        }
    }

    /// The same error, worth repeating.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// The same error, with the address it happened at.
    #[must_use]
    pub fn at(mut self, url: &url::Url) -> Self {
        self.url
            .get_or_insert_with(|| platform::http_client::redacted(url));
        self
    }

    /// A configuration or manifest that cannot work.
    #[must_use]
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, "CONFIG_INVALID", message)
    }

    /// A template that cannot be evaluated.
    #[must_use]
    pub fn template(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, "TEMPLATE", message)
    }

    /// The caller asked to stop.
    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "CANCELLED", "The read was cancelled.")
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.kind, self.code, self.message)?;
        if let Some(url) = &self.url {
            write!(f, " [{url}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for ReadError {}
