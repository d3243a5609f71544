//! `RateLimitedMultipleTokenAuthenticator`: interchangeable tokens, each with its own quotas, used one after the other.
//!
//! What each token has left is asked of the upstream once a read, counted down here, and corrected by what answers say where
//! the manifest names their headers. A spent token gives way to the next. Where all are spent, a read by hand waits for the
//! first that is good again; a server's run is parked until then, as it is by any other budget.
//!
//! The lock is held while quotas are asked for, so that they are asked for once, and never while anybody waits.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::answer::Answer;
use super::gate::{HeldBack, Holder};
use super::session::{Session, display};
use super::token::{insist, refused};
use super::{address, authenticator, budget, merge, requester};
use crate::datetime::duration;
use crate::manifest::components::{
    Authenticator, HttpMethod, RotatingTokens, RotatingTokensAuthenticator, TokenQuota,
};
use crate::read::{ErrorKind, NoteLevel, ReadError, RetryMode};
use crate::template::ValidTypes;

/// The longest pause that spreads the last calls of a quota.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The shortest wait for a quota: what is said of its end may be old.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);
/// How much an answer's window may be older than the one that is known, and count as the same.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// The tokens of a read, by what they are.
pub(crate) struct Rotation {
    tokens: Vec<String>,
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    active: usize,
    /// For each token its quotas; empty before they were asked for.
    pools: Vec<Vec<Pool>>,
}

#[derive(Clone, Copy)]
struct Pool {
    remaining: i64,
    limit: i64,
    resets_at: DateTime<Utc>,
    /// Whether the upstream counts at all.
    tracked: bool,
}

/// A request's place in the rotation.
pub(super) struct Signed {
    rotation: Arc<Rotation>,
    token: usize,
    quota: usize,
}

enum Turn {
    Given(usize, Option<Duration>),
    Wait(Duration),
}

/// Puts the token whose turn it is into the request, if the requester has tokens that take turns.
pub(super) async fn sign(
    session: &Session,
    authenticator: &Authenticator,
    request: &mut reqwest::Request,
) -> Result<Option<Signed>, ReadError> {
    let Some(rotating) = authenticator::rotating(session, authenticator)? else {
        return Ok(None);
    };
    let rotation = rotation(session, rotating).await?;
    let quota = quota_of(session, rotating, request);
    let token = rotation.acquire(session, rotating, quota, request.url()).await?;
    let (name, value) = header(rotating, &rotation.tokens[token])?;
    request.headers_mut().insert(name, value);
    Ok(Some(Signed {
        rotation,
        token,
        quota,
    }))
}

/// Takes up what an answer says of its token's quota.
pub(super) async fn observe(
    session: &Session,
    authenticator: &Authenticator,
    signed: Option<&Signed>,
    answer: &Answer,
) -> Result<(), ReadError> {
    if let (Some(signed), Some(rotating)) = (signed, authenticator::rotating(session, authenticator)?) {
        let quota = &rotating.quotas[signed.quota];
        let mut state = signed.rotation.state.lock().await;
        if let Some(pool) = state
            .pools
            .get_mut(signed.token)
            .and_then(|pools| pools.get_mut(signed.quota))
        {
            pool.correct(quota, answer);
        }
    }
    Ok(())
}

/// Whether the token of this request is spent and another one is not, so that asking again needs no wait.
pub(super) async fn has_another(signed: Option<&Signed>) -> bool {
    let Some(signed) = signed else { return false };
    let state = signed.rotation.state.lock().await;
    let pool = |token: usize| state.pools.get(token).and_then(|pools| pools.get(signed.quota));
    pool(signed.token).is_some_and(|own| own.tracked && own.remaining <= 0)
        && (0..signed.rotation.tokens.len())
            .any(|token| token != signed.token && pool(token).is_some_and(|pool| pool.remaining > 0))
}

/// How many tokens take turns.
pub(super) fn count(signed: Option<&Signed>) -> usize {
    signed.map_or(0, |signed| signed.rotation.tokens.len())
}

async fn rotation(
    session: &Session,
    rotating: &RotatingTokensAuthenticator,
) -> Result<Arc<Rotation>, ReadError> {
    let tokens: Vec<String> = match &rotating.tokens {
        RotatingTokens::Joined { text, delimiter } => {
            let joined = display(&session.value(text, &[])?);
            joined
                .split(delimiter.as_str())
                .map(|token| token.trim().to_owned())
                .collect()
        }
        RotatingTokens::Listed(texts) => texts
            .iter()
            .map(|text| Ok(display(&session.value(text, &[])?).trim().to_owned()))
            .collect::<Result<_, ReadError>>()?,
    };
    let tokens: Vec<String> = tokens
        .into_iter()
        .filter(|token| !token.is_empty() && token != "None")
        .collect();
    if tokens.is_empty() {
        let message = "The configuration has no token.";
        return Err(ReadError::new(ErrorKind::Auth, "CREDENTIALS_MISSING", message));
    }
    tokens.iter().for_each(|token| session.hide(token));
    let quotas: Vec<&str> = rotating.quotas.iter().map(|quota| quota.name.as_str()).collect();
    let url = session.text(&rotating.status.url, &[])?;
    // Every mention in a manifest is a component of its own, and means the same tokens.
    let key = format!("{url} {} {}", quotas.join(" "), tokens.join(" "));
    let mut rotations = session.rotations.lock().await;
    let rotation = rotations.entry(key).or_insert_with(|| {
        Arc::new(Rotation {
            tokens,
            state: tokio::sync::Mutex::default(),
        })
    });
    Ok(Arc::clone(rotation))
}

/// The first quota that a request counts for; one without matchers is everybody's.
fn quota_of(session: &Session, rotating: &RotatingTokensAuthenticator, request: &reqwest::Request) -> usize {
    let mut usual = None;
    for (index, quota) in rotating.quotas.iter().enumerate() {
        if quota.matchers.is_empty() {
            usual.get_or_insert(index);
        } else if quota
            .matchers
            .iter()
            .any(|matcher| budget::fits(matcher, request))
        {
            return index;
        }
    }
    usual.unwrap_or_else(|| {
        let message = format!(
            "A request counts for no quota of its tokens; {} is taken. One without matchers would be for all.",
            rotating.quotas.first().map_or("none", |quota| quota.name.as_str())
        );
        session.note(NoteLevel::Warning, message);
        0
    })
}

fn header(
    rotating: &RotatingTokensAuthenticator,
    token: &str,
) -> Result<(HeaderName, HeaderValue), ReadError> {
    let malformed = || ReadError::config("A token, or its header's name, cannot be sent.");
    let name = HeaderName::try_from(rotating.header.as_str()).map_err(|_| malformed())?;
    let value = format!("{} {token}", rotating.auth_method);
    let mut value = HeaderValue::try_from(value.trim()).map_err(|_| malformed())?;
    value.set_sensitive(true);
    Ok((name, value))
}

impl Rotation {
    /// Takes a call of a token's quota.
    async fn acquire(
        &self,
        session: &Session,
        rotating: &RotatingTokensAuthenticator,
        quota: usize,
        url: &url::Url,
    ) -> Result<usize, ReadError> {
        let context = &session.context;
        let most = self.patience(session, rotating)?;
        let started = context.clock.monotonic();
        loop {
            let turn = {
                let mut state = self.state.lock().await;
                if state.pools.is_empty() {
                    state.pools = self.ask(session, rotating).await?;
                }
                state.turn(rotating, quota, context.clock.now())
            };
            match turn {
                Turn::Given(token, None) => return Ok(token),
                Turn::Given(token, Some(pause)) => {
                    sleep(session, pause).await?;
                    return Ok(token);
                }
                Turn::Wait(wait) => {
                    if context.retry == RetryMode::LeaveToCaller {
                        let wait = wait.max(SHORTEST_WAIT);
                        return Err(HeldBack {
                            by: Holder::Budget,
                            wait,
                        }
                        .error(url));
                    }
                    let spent = context.clock.monotonic().saturating_sub(started);
                    let left = most.saturating_sub(spent);
                    if left.is_zero() || wait >= left {
                        let message = "All tokens have spent their quota, which comes back later than the manifest waits for.";
                        return Err(ReadError::new(ErrorKind::RateLimited, "BUDGET_SPENT", message)
                            .retryable()
                            .at(url));
                    }
                    sleep(session, wait.max(SHORTEST_WAIT).min(left)).await?;
                    let mut state = self.state.lock().await;
                    if state.is_spent(quota) {
                        state.pools = self.ask(session, rotating).await?;
                    }
                }
            }
        }
    }

    fn patience(
        &self,
        session: &Session,
        rotating: &RotatingTokensAuthenticator,
    ) -> Result<Duration, ReadError> {
        let text = session.text(&rotating.max_wait_time, &[])?;
        let length = duration::parse(&text).ok().filter(duration::Duration::is_exact);
        length
            .and_then(|length| u64::try_from(length.micros).ok())
            .map(Duration::from_micros)
            .ok_or_else(|| {
                ReadError::config(format!(
                    "max_wait_time gives {text:?}, which is no ISO 8601 duration of a fixed length such as PT2H."
                ))
            })
    }

    /// Asks what every token has left.
    async fn ask(
        &self,
        session: &Session,
        rotating: &RotatingTokensAuthenticator,
    ) -> Result<Vec<Vec<Pool>>, ReadError> {
        let mut pools = Vec::with_capacity(self.tokens.len());
        for token in &self.tokens {
            pools.push(self.ask_for(session, rotating, token).await?);
        }
        if pools.iter().flatten().any(|pool| !pool.tracked) {
            session.note(
                NoteLevel::Info,
                "The upstream does not count the calls of its tokens; they are used in turn.",
            );
        }
        Ok(pools)
    }

    async fn ask_for(
        &self,
        session: &Session,
        rotating: &RotatingTokensAuthenticator,
        token: &str,
    ) -> Result<Vec<Pool>, ReadError> {
        let status = &rotating.status;
        let url = address::join(&session.text(&status.url, &[])?, "")?;
        let headers = match session.pairs(&status.request_headers, &[], ValidTypes::ANY)? {
            merge::Part::Mapping(headers) => headers,
            merge::Part::Text(_) => serde_json::Map::new(),
        };
        let build = || {
            let method = match status.http_method {
                HttpMethod::Get => Method::GET,
                HttpMethod::Post => Method::POST,
            };
            let builder = session.context.http.request(method, &url).map_err(|blocked| {
                let message = session.scrub(&format!("{blocked}."));
                ReadError::new(ErrorKind::Config, "BLOCKED_ADDRESS", message).at(&url)
            })?;
            let mut headers = requester::header_map(&headers)?;
            let (name, value) = header(rotating, token)?;
            headers.insert(name, value);
            builder
                .headers(headers)
                .build()
                .map_err(|_| ReadError::config("The request for a token's quota cannot be built."))
        };
        let accepts =
            |answer: &Answer| answer.is_usable() || status.unavailable_status_codes.contains(&answer.status);
        let answer = insist(session, &build, &accepts, &refused).await?;
        let now = session.context.clock.now();
        if status.unavailable_status_codes.contains(&answer.status) {
            let pool = Pool {
                remaining: 0,
                limit: 0,
                resets_at: now,
                tracked: false,
            };
            return Ok(vec![pool; rotating.quotas.len()]);
        }
        let told = answer.json_or_empty();
        let quotas = rotating.quotas.iter();
        quotas.map(|quota| Pool::read(quota, &told)).collect()
    }
}

impl State {
    fn turn(&mut self, rotating: &RotatingTokensAuthenticator, quota: usize, now: DateTime<Utc>) -> Turn {
        let count = self.pools.len();
        for _ in 0..count {
            let token = self.active % count.max(1);
            let pool = &mut self.pools[token][quota];
            if !pool.tracked {
                // Nothing tells them apart, so they take turns.
                self.active = (token + 1) % count;
                return Turn::Given(token, None);
            }
            if pool.remaining > 0 {
                pool.remaining -= 1;
                return Turn::Given(token, self.pause(rotating, token, quota, now));
            }
            self.active = (token + 1) % count;
        }
        let soonest = self
            .pools
            .iter()
            .map(|pools| pools[quota].resets_at)
            .min()
            .unwrap_or(now);
        Turn::Wait((soonest - now).to_std().unwrap_or_default())
    }

    fn is_spent(&self, quota: usize) -> bool {
        self.pools
            .iter()
            .all(|pools| pools[quota].tracked && pools[quota].remaining <= 0)
    }

    /// The last calls are spread over the time until there are more.
    fn pause(
        &self,
        rotating: &RotatingTokensAuthenticator,
        token: usize,
        quota: usize,
        now: DateTime<Utc>,
    ) -> Option<Duration> {
        let pools = || self.pools.iter().map(|pools| pools[quota]);
        #[expect(clippy::cast_precision_loss, reason = "numbers of calls")]
        let scarce = |pool: Pool| {
            let reserve = (pool.limit as f64 * rotating.budget_reserve_fraction)
                .max(rotating.budget_min_reserve as f64);
            pool.tracked && pool.remaining as f64 <= reserve
        };
        if !pools().all(scarce) {
            return None;
        }
        let left: i64 = pools().map(|pool| pool.remaining.max(0)).sum();
        let until = (self.pools[token][quota].resets_at - now).to_std().ok()?;
        let pause = until.checked_div(u32::try_from(left).ok()?)?.min(LONGEST_PAUSE);
        (pause >= Duration::from_millis(100)).then_some(pause)
    }
}

impl Pool {
    fn read(quota: &TokenQuota, told: &Value) -> Result<Self, ReadError> {
        let at = |path: &[String]| {
            let found = path.iter().try_fold(told, |value, part| value.get(part));
            found.ok_or_else(|| {
                ReadError::config(format!(
                    "The answer about the tokens' quotas has no {} for the quota {}.",
                    path.join("."),
                    quota.name
                ))
            })
        };
        let number = |path: &[String]| {
            whole(&display(at(path)?)).ok_or_else(|| {
                ReadError::config(format!(
                    "The quota {} is no number at {}.",
                    quota.name,
                    path.join(".")
                ))
            })
        };
        let remaining = number(&quota.remaining_path)?;
        let resets_at = moment(&display(at(&quota.reset_path)?)).ok_or_else(|| {
            let path = quota.reset_path.join(".");
            ReadError::config(format!("The quota {} has no time at {path}.", quota.name))
        })?;
        Ok(Self {
            remaining,
            limit: match &quota.limit_path {
                Some(path) => number(path)?,
                None => remaining,
            },
            resets_at,
            tracked: true,
        })
    }

    /// What an answer's headers say. Answers come in any order, so within a window only fewer calls are believed.
    fn correct(&mut self, quota: &TokenQuota, answer: &Answer) {
        if !self.tracked {
            return;
        }
        let header = |name: &Option<String>| answer.header(name.as_deref()?);
        let exhausted = quota.exhaustion_status_codes.contains(&answer.status);
        let remaining = header(&quota.remaining_header)
            .and_then(whole)
            .or(exhausted.then_some(0));
        let resets_at = header(&quota.reset_header).and_then(moment);
        let limit = header(&quota.limit_header).and_then(whole);
        let is_older = |by: TimeDelta| resets_at.is_some_and(|resets_at| resets_at < self.resets_at - by);
        if let Some(limit) = limit.filter(|limit| *limit > 0 && !is_older(TimeDelta::zero())) {
            self.limit = limit;
        }
        match (resets_at, remaining) {
            (Some(later), _) if later > self.resets_at => {
                self.resets_at = later;
                self.remaining = remaining.unwrap_or(self.limit);
            }
            (_, Some(remaining)) if (remaining <= 0 && exhausted) || !is_older(SKEW) => {
                self.remaining = self.remaining.min(remaining);
            }
            _ => {}
        }
    }
}

fn whole(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// Unix seconds, or a date as upstreams write it.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return DateTime::from_timestamp(seconds, 0);
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    if let Ok(moment) = DateTime::parse_from_rfc2822(text) {
        return Some(moment.to_utc());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_time(chrono::NaiveTime::MIN).and_utc())
}

async fn sleep(session: &Session, wait: Duration) -> Result<(), ReadError> {
    let context = &session.context;
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => Err(ReadError::cancelled()),
        () = context.clock.sleep(wait) => Ok(()),
    }
}
