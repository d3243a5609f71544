//! How many requests an upstream allows.

use std::time::Duration;

use super::{Integer, Pattern};

/// `HTTPAPIBudget`.
#[derive(Debug)]
pub struct ApiBudget {
    /// In order; the first that matches a request counts it.
    pub policies: Vec<CallRatePolicy>,
    /// The header, in lower case, that says when the limit starts anew, in Unix seconds.
    pub reset_header: String,
    /// The header, in lower case, that says how many calls are left.
    pub remaining_header: String,
    /// Answers with these statuses say that none are left.
    pub status_codes: Vec<u16>,
}

/// One of a budget's policies.
#[derive(Debug)]
pub struct CallRatePolicy {
    /// Any of these; without one, every request.
    pub matchers: Vec<RequestMatcher>,
    /// How much is allowed.
    pub allowance: Allowance,
}

/// How much a policy allows.
#[derive(Debug)]
pub enum Allowance {
    /// `UnlimitedCallRatePolicy`
    Unlimited,
    /// `FixedWindowCallRatePolicy`: so many, and then none until the window is over
    FixedWindow {
        /// How many.
        call_limit: u32,
        /// In how long.
        period: Duration,
    },
    /// `MovingWindowCallRatePolicy`: never more than any of these
    MovingWindow {
        /// At least one.
        rates: Vec<CallRateLimit>,
    },
}

/// `Rate`.
#[derive(Debug)]
pub struct CallRateLimit {
    /// How many.
    pub limit: Integer,
    /// In how long.
    pub interval: Duration,
}

/// `HttpRequestRegexMatcher`: everything that it has must fit.
#[derive(Debug, Clone)]
pub struct RequestMatcher {
    /// In upper case.
    pub method: Option<String>,
    /// Scheme and host, without a slash at the end.
    pub url_base: Option<String>,
    /// Found anywhere in the path.
    pub url_path_pattern: Option<Pattern>,
    /// Query parameters that must be there.
    pub params: Vec<(String, String)>,
    /// Headers that must be there; names in lower case.
    pub headers: Vec<(String, String)>,
    /// How many calls such a request counts for; without one, one.
    pub weight: Option<Integer>,
}
