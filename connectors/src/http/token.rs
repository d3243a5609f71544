//! Tokens that have to be asked for: OAuth access tokens, and session tokens of a login.
//!
//! A token is kept for the read, by what was asked for, and asked for once: whoever needs it meanwhile waits
//! for the one that asks. A refused refresh is an AUTH error, so that the integration pauses for a new
//! credential instead of knocking again.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::answer::{Answer, exchange};
use super::merge::Part;
use super::requester::{self, Injected};
use super::session::{Session, display};
use super::{address, excerpt, jwt};
use crate::datetime;
use crate::decode;
use crate::manifest::components::{
    Decoder, JwtAuthenticator, OAuthAuthenticator, SessionTokenAuthenticator, Text,
};
use crate::read::{ErrorKind, NoteLevel, ReadError, RetryMode};
use crate::template::ValidTypes;

/// A token, and when it ends.
pub(super) struct Token {
    value: Value,
    /// Forever where nothing is said.
    ends: Option<DateTime<Utc>>,
}

impl Token {
    /// A token that ends when it is forgotten.
    pub(super) fn for_ever(value: Value) -> Self {
        Self { value, ends: None }
    }

    pub(super) fn value(&self) -> &Value {
        &self.value
    }
}

/// A token whose answer does not say how long it lives is taken to live this long.
const DEFAULT_LIFE: TimeDelta = TimeDelta::hours(1);

/// How deep an answer is searched for the token.
const SEARCH_DEPTH: usize = 5;

/// Makes everybody ask again.
pub(super) async fn forget(session: &Session) {
    session.tokens.lock().await.clear();
}

/// The access token of the OAuth flow that the manifest describes.
pub(super) async fn oauth(session: &Session, oauth: &OAuthAuthenticator) -> Result<String, ReadError> {
    let given = match &oauth.access_token_value {
        Some(text) => Some(session.value(text, &[])?).filter(|value| !value.is_null()),
        None => None,
    };
    let Some(endpoint) = &oauth.token_refresh_endpoint else {
        return given.map(|token| display(&token)).ok_or_else(|| {
            ReadError::config("The OAuth authenticator has neither a token endpoint nor a token.")
        });
    };
    let now = session.context.clock.now();
    if let Some(token) = given
        && expiry(session, oauth)?.is_some_and(|ends| ends > now)
    {
        return Ok(display(&token));
    }
    let endpoint = session.text(endpoint, &[])?;
    let asserts = match &oauth.profile_assertion {
        Some((jwt, uses)) if session.condition(uses, &[])? => Some(jwt),
        _ => None,
    };
    let (key, form) = match asserts {
        // Every assertion is another text, and the token that it is for the same.
        Some(jwt) => (
            format!("oauth {endpoint} {:p}", std::ptr::from_ref(oauth)),
            assertion_form(session, oauth, jwt)?,
        ),
        None => {
            let form = refresh_form(session, oauth)?;
            (format!("oauth {endpoint} {}", Value::Object(form.clone())), form)
        }
    };
    let mut tokens = session.tokens.lock().await;
    if let Some(token) = tokens
        .get(&key)
        .filter(|token| token.ends.is_none_or(|ends| ends >= now))
    {
        return Ok(display(&token.value));
    }
    let answer = refresh(session, oauth, &endpoint, &form).await?;
    let token = Arc::new(read_token(session, oauth, &answer)?);
    tokens.insert(key, Arc::clone(&token));
    Ok(display(&token.value))
}

fn expiry(session: &Session, oauth: &OAuthAuthenticator) -> Result<Option<DateTime<Utc>>, ReadError> {
    let Some(text) = &oauth.token_expiry_date else {
        return Ok(None);
    };
    Ok(moment(
        &session.text(text, &[])?,
        oauth.token_expiry_date_format.as_deref(),
    ))
}

/// An end of life, in the manifest's format, in RFC 3339, or in seconds of the epoch.
fn moment(text: &str, format: Option<&str>) -> Option<DateTime<Utc>> {
    if let Some(moment) = format.and_then(|format| datetime::parse(text, format).ok()) {
        return Some(moment.to_utc());
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    DateTime::from_timestamp(text.parse().ok()?, 0)
}

fn refresh_form(session: &Session, oauth: &OAuthAuthenticator) -> Result<Map<String, Value>, ReadError> {
    let mut form = Map::new();
    let mut put = |name: &Text, value: Option<&Text>| -> Result<(), ReadError> {
        let value = value.map(|value| session.text(value, &[])).transpose()?;
        form.insert(session.text(name, &[])?, value.map_or(Value::Null, Value::String));
        Ok(())
    };
    put(&oauth.grant_type_name, Some(&oauth.grant_type))?;
    if !refresh_headers(session, oauth)?.contains_key("Authorization") {
        put(&oauth.client_id_name, oauth.client_id.as_ref())?;
        put(&oauth.client_secret_name, oauth.client_secret.as_ref())?;
    }
    put(&oauth.refresh_token_name, oauth.refresh_token.as_ref())?;
    if !oauth.scopes.is_empty() {
        form.insert(
            "scopes".to_owned(),
            oauth.scopes.iter().cloned().map(Value::String).collect(),
        );
    }
    if let Part::Mapping(more) = session.pairs(&oauth.refresh_request_body, &[], ValidTypes::ANY)? {
        for (name, value) in more {
            form.entry(name).or_insert(value);
        }
    }
    Ok(form)
}

/// The grant of RFC 7523: nothing but a token of our own.
fn assertion_form(
    session: &Session,
    oauth: &OAuthAuthenticator,
    jwt: &JwtAuthenticator,
) -> Result<Map<String, Value>, ReadError> {
    Ok(Map::from_iter([
        (
            session.text(&oauth.grant_type_name, &[])?,
            Value::String(session.text(&oauth.grant_type, &[])?),
        ),
        ("assertion".to_owned(), Value::String(jwt::token(session, jwt)?)),
    ]))
}

fn refresh_headers(session: &Session, oauth: &OAuthAuthenticator) -> Result<Map<String, Value>, ReadError> {
    match session.pairs(&oauth.refresh_request_headers, &[], ValidTypes::ANY)? {
        Part::Mapping(headers) => Ok(headers),
        Part::Text(_) => Ok(Map::new()),
    }
}

async fn refresh(
    session: &Session,
    oauth: &OAuthAuthenticator,
    endpoint: &str,
    form: &Map<String, Value>,
) -> Result<Answer, ReadError> {
    let fields = requester::flat(form);
    let mut target = address::join(endpoint, "")?;
    let mut body = address::form(&fields);
    if oauth.send_refresh_request_as_query_params {
        target = address::with_query(target, &fields);
        body.clear();
    }
    let mut headers = HeaderMap::new();
    for (name, value) in refresh_headers(session, oauth)? {
        let malformed = || ReadError::config(format!("The token request's header {name:?} is not one."));
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| malformed())?;
        let mut value = HeaderValue::try_from(display(&value)).map_err(|_| malformed())?;
        value.set_sensitive(true);
        headers.insert(parsed, value);
    }
    if !body.is_empty() {
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    let build = || {
        let builder = session
            .context
            .http
            .request(Method::POST, &target)
            .map_err(|blocked| {
                let message = session.scrub(&format!("{blocked}."));
                ReadError::new(ErrorKind::Config, "BLOCKED_ADDRESS", message).at(&target)
            })?;
        builder
            .headers(headers.clone())
            .body(body.clone())
            .build()
            .map_err(|_| ReadError::config("The token request cannot be built from the manifest."))
    };
    insist(session, &build, &Answer::is_usable, &refused).await
}

/// Asks until there is an answer that is accepted; as often as the reference, where nobody else repeats.
pub(super) async fn insist(
    session: &Session,
    build: &(dyn Fn() -> Result<reqwest::Request, ReadError> + Sync),
    accepts: &(dyn Fn(&Answer) -> bool + Sync),
    refused: &(dyn Fn(&Session, &Answer) -> ReadError + Sync),
) -> Result<Answer, ReadError> {
    let mut attempt = 0;
    loop {
        let error = match exchange(session, build()?).await {
            Ok(answer) if accepts(&answer) => return Ok(answer),
            Ok(answer) => refused(session, &answer),
            Err(error) => error,
        };
        attempt += 1;
        if !error.retryable || session.context.retry == RetryMode::LeaveToCaller || attempt > 5 {
            return Err(error);
        }
        let wait = std::time::Duration::from_secs(1 << (attempt - 1)).min(session.context.limits.max_backoff);
        tokio::select! {
            biased;
            () = session.context.cancel.cancelled() => return Err(ReadError::cancelled()),
            () = session.context.clock.sleep(wait) => {}
        }
    }
}

/// What a token endpoint's refusal means. Its answer may repeat the credential, so only its short error code
/// and description are shown, and scrubbed.
pub(super) fn refused(session: &Session, answer: &Answer) -> ReadError {
    let transient = answer.status == 429 || answer.status >= 500;
    let kind = match answer.status {
        429 => ErrorKind::RateLimited,
        500.. => ErrorKind::Upstream,
        _ => ErrorKind::Auth,
    };
    let mut message = format!("The token endpoint answered {}", answer.status);
    let said =
        excerpt::error_message(&answer.body).and_then(|said| excerpt::presentable(&session.scrub(&said)));
    match said {
        Some(said) => {
            message.push_str(": ");
            message.push_str(&said);
        }
        None => message.push('.'),
    }
    let mut error = ReadError::new(kind, format!("HTTP_{}", answer.status), message).at(&answer.url);
    error.retryable = transient;
    error.http_status = Some(answer.status);
    error
}

fn read_token(session: &Session, oauth: &OAuthAuthenticator, answer: &Answer) -> Result<Token, ReadError> {
    let json = answer.json_or_empty();
    let name = session.text(&oauth.access_token_name, &[])?;
    let value = find(&json, &name, 0)
        .filter(|value| super::session::is_truthy(value))
        .cloned();
    let Some(value) = value else {
        let message = format!("The token endpoint's answer has no \"{name}\".");
        return Err(ReadError::new(ErrorKind::Malformed, "TOKEN_MISSING", message).at(&answer.url));
    };
    let now = session.context.clock.now();
    let said = find(&json, &session.text(&oauth.expires_in_name, &[])?, 0);
    let ends = match said.filter(|value| !value.is_null()) {
        None => now + DEFAULT_LIFE,
        Some(said) => {
            let text = display(said);
            let ends = if oauth.token_expiry_date_format.is_some() {
                moment(&text, oauth.token_expiry_date_format.as_deref())
            } else {
                #[expect(clippy::cast_possible_truncation, reason = "whole seconds, saturating")]
                let seconds = text.parse::<f64>().ok().map(|seconds| seconds as i64);
                seconds
                    .and_then(TimeDelta::try_seconds)
                    .and_then(|life| now.checked_add_signed(life))
            };
            ends.unwrap_or(now + DEFAULT_LIFE)
        }
    };
    if oauth.refresh_token_updater.is_some() {
        session.note(
            NoteLevel::Warning,
            "The upstream hands out refresh tokens for one use; the new one is kept for this read only.",
        );
    }
    Ok(Token {
        value,
        ends: Some(ends),
    })
}

/// The first value of that name, the outermost first.
fn find<'a>(value: &'a Value, name: &str, depth: usize) -> Option<&'a Value> {
    if depth > SEARCH_DEPTH {
        return None;
    }
    match value {
        Value::Object(fields) => fields
            .get(name)
            .or_else(|| fields.values().find_map(|inner| find(inner, name, depth + 1))),
        Value::Array(items) => items.iter().find_map(|item| find(item, name, depth + 1)),
        _ => None,
    }
}

/// The token of a login.
pub(super) async fn session_token(
    session: &Session,
    login: &SessionTokenAuthenticator,
) -> Result<Value, ReadError> {
    let key = format!("login {:p}", std::ptr::from_ref(login));
    let now = session.context.clock.now();
    {
        let tokens = session.tokens.lock().await;
        if let Some(token) = tokens
            .get(&key)
            .filter(|token| token.ends.is_none_or(|ends| ends >= now))
        {
            return Ok(token.value.clone());
        }
    }
    let answer = requester::send(session, &login.login_requester, &[], None, &Injected::default()).await?;
    let json = match login.decoder {
        Decoder::Xml => xml_or_empty(&answer),
        _ => answer.json_or_empty(),
    };
    let mut found = Some(&json);
    for part in &login.session_token_path {
        found = found.and_then(|value| value.get(part));
    }
    let Some(value) = found.filter(|value| !value.is_null()).cloned() else {
        let message = format!(
            "The login's answer has no {}.",
            login.session_token_path.join(".")
        );
        return Err(ReadError::new(ErrorKind::Malformed, "TOKEN_MISSING", message).at(&answer.url));
    };
    let life = login
        .expiration_duration
        .as_deref()
        .and_then(|text| datetime::duration::parse(text).ok());
    let ends = life
        .and_then(|life| life.add_to(&now.fixed_offset()).ok())
        .map(|ends| ends.to_utc());
    session.tokens.lock().await.insert(
        key,
        Arc::new(Token {
            value: value.clone(),
            ends,
        }),
    );
    Ok(value)
}

/// A login's XML as a tree; what is none has no token.
fn xml_or_empty(answer: &Answer) -> Value {
    let content_type = answer.header("content-type");
    match decode::document(&Decoder::Xml, &answer.body, content_type, answer.body.len()) {
        Ok(decode::Document::Made(text)) => serde_json::from_str(&text).unwrap_or_default(),
        _ => Value::Null,
    }
}
