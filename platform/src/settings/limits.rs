//! `[limits]`: how much a caller of the API gets.
//!
//! A default lets through whatever a person or a frontend sends, GraphiQL's introspection included, and nothing that
//! takes a processor for longer than a moment.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::sources::{Fault, Sources};

/// How much a caller of the API gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Levels of fields, after fragments are expanded.
    pub query_depth: u64,
    /// Fields that an answer may have, lists counting with the size of their page.
    pub query_complexity: usize,
    /// Fields, after fragments are expanded.
    pub query_fields: u64,
    /// Aliases, after fragments are expanded.
    pub query_aliases: u64,
    /// Directives in the whole text.
    pub query_directives: u64,
    /// Tokens of the text.
    pub query_tokens: usize,
    /// Brackets of any kind inside one another: what parsers recurse on.
    pub query_nesting: usize,
    /// Bytes of the text.
    pub query_bytes: usize,
    /// Values in the variables, those inside of lists and objects included.
    pub variable_values: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// How long a request may take.
    pub request_time: Duration,
    /// Requests a minute of one credential, or of one address where none is needed.
    pub requests_per_minute: u32,
    /// Credentials a minute, of one address, that turn out to be none.
    pub failed_logins_per_minute: u32,
    /// Subscriptions of one credential at once, in one process.
    pub subscriptions: usize,
    /// WebSockets at once, in one process.
    pub web_sockets: usize,
    /// Of them of one API key or token.
    pub web_sockets_per_credential: usize,
    /// Whether the schema may be asked about itself.
    pub introspection: bool,
    /// Whether an error about an unknown name tells what may have been meant.
    pub suggestions: bool,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            // The least that lets GraphiQL's introspection pass.
            query_depth: 15,
            query_complexity: 20_000,
            query_fields: 3_000,
            query_aliases: 100,
            query_directives: 50,
            query_tokens: 5_000,
            query_nesting: 40,
            query_bytes: 100_000,
            variable_values: 10_000,
            body_bytes: 2 * 1024 * 1024,
            request_time: Duration::from_secs(60),
            requests_per_minute: 6_000,
            failed_logins_per_minute: 60,
            subscriptions: 1_000,
            web_sockets: 10_000,
            web_sockets_per_credential: 1_000,
            introspection: true,
            suggestions: false,
        }
    }
}

impl LimitSettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        let default = Self::default();
        let switch = |key, default| -> Result<bool, Fault> {
            Ok(sources.parse(key, "true or false")?.unwrap_or(default))
        };
        let of = sources;
        Ok(Self {
            query_depth: number(of, "limits.query_depth", 1..=100, default.query_depth)?,
            query_complexity: number(
                of,
                "limits.query_complexity",
                1..=100_000_000,
                default.query_complexity,
            )?,
            query_fields: number(of, "limits.query_fields", 1..=100_000, default.query_fields)?,
            query_aliases: number(of, "limits.query_aliases", 0..=100_000, default.query_aliases)?,
            query_directives: number(
                of,
                "limits.query_directives",
                0..=10_000,
                default.query_directives,
            )?,
            query_tokens: number(of, "limits.query_tokens", 1..=200_000, default.query_tokens)?,
            // Beyond this the parser's own stack is in danger.
            query_nesting: number(of, "limits.query_nesting", 1..=100, default.query_nesting)?,
            query_bytes: number(of, "limits.query_bytes", 1..=10_000_000, default.query_bytes)?,
            // No more values are read of a JSON text.
            variable_values: number(of, "limits.variable_values", 0..=20_000, default.variable_values)?,
            body_bytes: number(
                of,
                "limits.body_kibibytes",
                1..=102_400,
                default.body_bytes / 1024,
            )? * 1024,
            request_time: Duration::from_secs(number(
                of,
                "limits.request_seconds",
                1..=3_600,
                default.request_time.as_secs(),
            )?),
            requests_per_minute: number(
                of,
                "limits.requests_per_minute",
                1..=10_000_000,
                default.requests_per_minute,
            )?,
            failed_logins_per_minute: number(
                of,
                "limits.failed_logins_per_minute",
                1..=1_000_000,
                default.failed_logins_per_minute,
            )?,
            subscriptions: number(of, "limits.subscriptions", 0..=1_000_000, default.subscriptions)?,
            web_sockets: number(of, "limits.web_sockets", 1..=1_000_000, default.web_sockets)?,
            web_sockets_per_credential: number(
                of,
                "limits.web_sockets_per_credential",
                1..=1_000_000,
                default.web_sockets_per_credential,
            )?,
            introspection: switch("limits.introspection", default.introspection)?,
            suggestions: switch("limits.suggestions", default.suggestions)?,
        })
    }
}

fn number<T: FromStr + PartialOrd + Display>(
    sources: &Sources<'_>,
    key: &'static str,
    range: RangeInclusive<T>,
    default: T,
) -> Result<T, Fault> {
    Ok(sources.number(key, range)?.unwrap_or(default))
}
