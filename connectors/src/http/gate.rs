//! Whom a request has to pass before it is sent, and who is told what came of it.
//!
//! Budgets and circuits belong to an installation and not to a read: they are shared by runs, workers and processes,
//! and a crate without a database or a domain can know none of those. So a read is handed a gate, asks it before every
//! request, and tells it afterwards what anybody could see of the upstream: whether it works, and whether it asked for
//! patience. A request that is held back was never made; the error says so ([`ReadError::held_back`]), and the caller
//! reads on from the last checkpoint when the wait is over.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use platform::http_client::HttpError;
use url::Url;

use super::answer::Answer;
use super::retry_after;
use crate::read::{ErrorKind, ReadError};

/// Asked before every request, and told what came of it.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Whether this request may be sent.
    async fn admit(&self, ask: &Ask<'_>) -> Result<(), HeldBack>;

    /// What came of an admitted request.
    async fn seen(&self, ask: &Ask<'_>, seen: Seen, told: Told);
}

/// A request, as far as a gate has to know it.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Whom it goes to (with the port, where that is not the scheme's).
    pub host: &'a str,
    /// What the connector's manifest allows of such requests.
    pub allowed: &'a Allowed,
}

/// What a manifest's `HTTPAPIBudget` allows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// It says nothing on it.
    Unsaid,
    /// As many as anybody likes.
    Unlimited,
    /// So many.
    Counted(Counted),
}

/// The policy that a request is counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The policy's place in the budget: requests of one class share its limits.
    pub class: usize,
    /// None of these may be exceeded; at least one.
    pub rates: Vec<CallRate>,
    /// Whether the limit starts anew as a whole (a fixed window), not call by call (a moving one).
    pub in_windows: bool,
    /// How many calls the request counts for.
    pub weight: u32,
}

/// So many calls in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRate {
    /// How many, at least one.
    pub limit: u32,
    /// In how long.
    pub per: Duration,
}

/// What the headers that the manifest's budget names say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Calls that are left.
    pub remaining: Option<u32>,
    /// When the limit starts anew.
    pub resets_at: Option<DateTime<Utc>>,
}

/// A request is not made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBack {
    /// Why.
    pub by: Holder,
    /// Until it is worth asking again.
    pub wait: Duration,
}

/// What holds a request back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// No requests are left.
    Budget,
    /// The upstream is known to be down.
    Circuit,
}

impl HeldBack {
    pub(super) fn error(self, url: &Url) -> ReadError {
        self.unaddressed().at(url)
    }

    /// The error of a call that goes to no URL.
    pub(crate) fn unaddressed(self) -> ReadError {
        let (kind, code, message) = match self.by {
            Holder::Budget => (
                ErrorKind::RateLimited,
                "BUDGET_SPENT",
                "The integration has made as many requests as its requestsPerMinute, or the connector's api_budget, lets it.",
            ),
            Holder::Circuit => (
                ErrorKind::Upstream,
                "CIRCUIT_OPEN",
                "The upstream has failed repeatedly and is left alone for a while.",
            ),
        };
        ReadError {
            held_back: Some(self.by),
            retry_after: Some(self.wait),
            ..ReadError::new(kind, code, message)
        }
        .retryable()
    }
}

/// What could be seen of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It works, whatever it thought of the request.
    Works {
        /// For how long it asks to be left alone.
        patience: Option<Duration>,
    },
    /// It does not: it could not be reached, did not answer, or answered that it failed.
    Fails {
        /// For how long it asks to be left alone.
        patience: Option<Duration>,
    },
    /// Nothing: the request was broken off by ourselves.
    Nothing,
}

impl Seen {
    pub(super) fn of(outcome: Result<&Answer, &HttpError>, now: DateTime<Utc>) -> Self {
        match outcome {
            Ok(answer) => {
                let patience = patience(answer, now);
                if answer.status >= 500 {
                    Self::Fails { patience }
                } else {
                    Self::Works { patience }
                }
            }
            Err(
                HttpError::Timeout { .. }
                | HttpError::Stalled { .. }
                | HttpError::Dns { .. }
                | HttpError::Refused { .. }
                | HttpError::Connect { .. }
                | HttpError::Tls { .. }
                | HttpError::Truncated,
            ) => Self::Fails { patience: None },
            Err(HttpError::Blocked(_) | HttpError::Other { .. }) => Self::Nothing,
            Err(HttpError::TooLarge { .. } | HttpError::Undecodable { .. } | HttpError::Redirects { .. }) => {
                Self::Works { patience: None }
            }
        }
    }
}

/// Times above this are moments since the epoch, below it seconds from now: nobody's limit resets in 30 years.
const EPOCH_SECONDS: f64 = 1e9;

/// For how long the upstream asks to be left alone: `Retry-After` on an answer that refuses, or a limit that is used up,
/// in the headers that most of those have who have any (`X-RateLimit-*`, and `RateLimit-*` of the IETF's drafts).
fn patience(answer: &Answer, now: DateTime<Utc>) -> Option<Duration> {
    if answer.status == 429 || answer.status == 503 {
        let told = answer
            .header("retry-after")
            .and_then(|text| retry_after::parse(text, now));
        if told.is_some() {
            return told;
        }
    }
    ["x-ratelimit", "ratelimit"].into_iter().find_map(|prefix| {
        let number =
            |what: &str| -> Option<f64> { answer.header(&format!("{prefix}-{what}"))?.trim().parse().ok() };
        if number("remaining")? > 0.0 {
            return None;
        }
        let reset = number("reset")?;
        let seconds = if reset > EPOCH_SECONDS {
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of this era fit a double exactly"
            )]
            let now = now.timestamp_millis() as f64 / 1000.0;
            (reset - now).max(0.0)
        } else {
            reset
        };
        retry_after::seconds_to_duration(seconds)
    })
}

/// The host as circuits are named by it.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::TimeZone;
    use serde_json::{Map, Value};

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        Answer {
            status,
            headers: headers.collect::<Map<_, _>>(),
            url: Url::parse("https://api.example.com").unwrap(),
            body: Bytes::new(),
        }
    }

    #[test]
    fn an_upstream_fails_by_what_it_does_and_not_by_what_was_sent() {
        let now = Utc.with_ymd_and_hms(2026, 6, 15, 12, 0, 0).unwrap();
        for status in [500, 502, 503, 504] {
            assert_eq!(
                Seen::of(Ok(&answer(status, &[])), now),
                Seen::Fails { patience: None }
            );
        }
        for status in [200, 400, 401, 404, 429] {
            assert_eq!(
                Seen::of(Ok(&answer(status, &[])), now),
                Seen::Works { patience: None }
            );
        }
        assert_eq!(
            Seen::of(Err(&HttpError::Truncated), now),
            Seen::Fails { patience: None }
        );
    }

    #[test]
    fn patience_is_read_from_the_usual_headers() {
        let now = Utc.with_ymd_and_hms(2026, 6, 15, 12, 0, 0).unwrap();
        let asked = |status, headers: &[(&str, &str)]| {
            patience(&answer(status, headers), now).map(|wait| wait.as_secs())
        };
        assert_eq!(asked(429, &[("retry-after", "7")]), Some(7));
        assert_eq!(
            asked(200, &[("retry-after", "7")]),
            None,
            "it says when to poll, not that too much was asked"
        );
        let used_up = |reset| [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)];
        assert_eq!(asked(200, &used_up("30")), Some(30));
        assert_eq!(asked(200, &used_up("1781524860")), Some(60));
        assert_eq!(asked(200, &used_up("1781524000")), Some(0));
        assert_eq!(asked(200, &used_up("soon")), None);
        assert_eq!(
            asked(200, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "5")]),
            Some(5)
        );
        assert_eq!(
            asked(200, &[("ratelimit-remaining", "1"), ("ratelimit-reset", "5")]),
            None
        );
    }

    #[test]
    fn a_host_is_named_with_its_port_where_that_is_unusual() {
        let named = |text| host(&Url::parse(text).unwrap());
        assert_eq!(named("https://api.example.com/v1?x=1"), "api.example.com");
        assert_eq!(named("https://u:p@api.example.com:443/"), "api.example.com");
        assert_eq!(named("http://127.0.0.1:8080/"), "127.0.0.1:8080");
    }
}
