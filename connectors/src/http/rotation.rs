//! `RateLimitedMultipleTokenAuthenticator`: interchangeable tokens, each with its own quotas, used one after the other.
//!
//! What each token has left is asked of the upstream once a read, counted down here, and corrected by what answers say where
//! the manifest names their headers. A spent token gives way to the next. Where all are spent, a read by hand waits for the
//! first that is good again; a server's run is parked until then, as it is by any other budget.
//!
//! The lock is held while quotas are asked for, so that they are asked for once, and never while anybody waits.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};

use super::answer::Answer;
use super::gate::{HeldBack, Holder};
use super::quota::{Pool, State, Turn};
use super::session::{Session, display};
use super::token::{insist, refused};
use super::{address, authenticator, budget, merge, requester};
use crate::datetime::duration;
use crate::manifest::components::{Authenticator, HttpMethod, RotatingTokens, RotatingTokensAuthenticator};
use crate::read::{ErrorKind, NoteLevel, ReadError, RetryMode};
use crate::template::ValidTypes;

/// The shortest wait for a quota: what is said of its end may be old.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);

/// The tokens of a read, by what they are.
pub(crate) struct Rotation {
    tokens: Vec<String>,
    state: tokio::sync::Mutex<State>,
}

/// A request's place in the rotation.
pub(super) struct Signed {
    rotation: Arc<Rotation>,
    token: usize,
    quota: usize,
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
            return Ok(vec![Pool::untracked(now); rotating.quotas.len()]);
        }
        let told = answer.json_or_empty();
        let quotas = rotating.quotas.iter();
        quotas.map(|quota| Pool::read(quota, &told)).collect()
    }
}

async fn sleep(session: &Session, wait: Duration) -> Result<(), ReadError> {
    let context = &session.context;
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => Err(ReadError::cancelled()),
        () = context.clock.sleep(wait) => Ok(()),
    }
}
