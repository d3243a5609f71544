//! Interchangeable tokens that take turns.

use super::{HttpMethod, RequestMatcher, Text, TextMap};

/// `RateLimitedMultipleTokenAuthenticator`.
#[derive(Debug, Clone)]
pub struct RotatingTokensAuthenticator {
    /// The tokens.
    pub tokens: RotatingTokens,
    /// Put before a token, with a space.
    pub auth_method: String,
    /// The header.
    pub header: String,
    /// Where a token's quotas are asked for.
    pub status: QuotaStatus,
    /// What a token may be used for, and how often; at least one.
    pub quotas: Vec<TokenQuota>,
    /// How long to wait where all tokens are spent: a text that evaluates to an ISO 8601 duration.
    pub max_wait_time: Text,
    /// Below this part of its limit, a quota's calls are spread over the time that is left.
    pub budget_reserve_fraction: f64,
    /// The same as a number of calls; the larger of both counts.
    pub budget_min_reserve: i64,
}

/// Where the tokens are.
#[derive(Debug, Clone)]
pub enum RotatingTokens {
    /// In one text.
    Joined {
        /// The text.
        text: Text,
        /// Between two of them.
        delimiter: String,
    },
    /// One by one.
    Listed(Vec<Text>),
}

/// `QuotaStatusSource`.
#[derive(Debug, Clone)]
pub struct QuotaStatus {
    /// The address.
    pub url: Text,
    /// How it is asked.
    pub http_method: HttpMethod,
    /// Headers besides the token's.
    pub request_headers: TextMap,
    /// Statuses that mean that nobody counts.
    pub unavailable_status_codes: Vec<u16>,
}

/// `TokenQuota`.
#[derive(Debug, Clone)]
pub struct TokenQuota {
    /// Its name, for messages.
    pub name: String,
    /// Where the answer says how many calls are left.
    pub remaining_path: Vec<String>,
    /// Where it says when there are more.
    pub reset_path: Vec<String>,
    /// Where it says how many there are at most.
    pub limit_path: Option<Vec<String>>,
    /// The requests that count; empty: all that count for no other.
    pub matchers: Vec<RequestMatcher>,
    /// The header of an answer that says how many calls are left.
    pub remaining_header: Option<String>,
    /// The header that says when there are more.
    pub reset_header: Option<String>,
    /// The header that says how many there are at most.
    pub limit_header: Option<String>,
    /// Statuses that mean that none are left.
    pub exhaustion_status_codes: Vec<u16>,
}
