//! `LegacySessionTokenAuthenticator`: a session's token that the configuration has, or one from a login.
//!
//! The reference asks whether the token still holds before every single request. It is asked once a read here (and again
//! where an answer makes the token be forgotten): twice as many requests would tell nothing more.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::address;
use super::answer::{Answer, exchange};
use super::session::{Session, display, is_truthy};
use super::token::{Token, refused};
use crate::manifest::components::{LegacySessionTokenAuthenticator, Text};
use crate::read::{ErrorKind, ReadError};

/// The header, and the token that goes into it.
pub(super) async fn header(
    session: &Session,
    legacy: &LegacySessionTokenAuthenticator,
) -> Result<(String, String), ReadError> {
    let name = session.text(&legacy.header, &[])?;
    let key = format!("legacy {:p}", std::ptr::from_ref(legacy));
    let mut tokens = session.tokens.lock().await;
    if let Some(token) = tokens.get(&key) {
        return Ok((name, display(token.value())));
    }
    let value = token(session, legacy, &name).await?;
    session.hide(&value);
    let token = Token::for_ever(Value::String(value.clone()));
    tokens.insert(key, Arc::new(token));
    Ok((name, value))
}

async fn token(
    session: &Session,
    legacy: &LegacySessionTokenAuthenticator,
    header: &str,
) -> Result<String, ReadError> {
    let text = |text: &Option<Text>| match text {
        None => Ok(String::new()),
        Some(text) => session.value(text, &[]).map(|value| {
            if is_truthy(&value) {
                display(&value)
            } else {
                String::new()
            }
        }),
    };
    let given = text(&legacy.session_token)?;
    if !given.is_empty() && holds(session, legacy, header, &given).await? {
        return Ok(given);
    }
    let (username, password) = (text(&legacy.username)?, text(&legacy.password)?);
    if username.is_empty() || password.is_empty() {
        let message =
            "The configuration has neither a session token that is valid nor a user with a password.";
        return Err(ReadError::new(ErrorKind::Auth, "CREDENTIALS_MISSING", message));
    }
    session.hide(&password);
    let body = json!({ "username": username, "password": password }).to_string();
    let url = target(session, legacy, &legacy.login_url)?;
    let answer = ask(session, Method::POST, &url, None, Some(body)).await?;
    if !answer.is_usable() {
        return Err(refused(session, &answer));
    }
    let field = session.text(&legacy.session_token_response_key, &[])?;
    let json = answer.json_or_empty();
    json.get(&field)
        .filter(|token| is_truthy(token))
        .map(display)
        .ok_or_else(|| {
            let message = format!("The login's answer has no \"{field}\".");
            ReadError::new(ErrorKind::Malformed, "TOKEN_MISSING", message).at(&answer.url)
        })
}

/// Whether the upstream still takes the token.
async fn holds(
    session: &Session,
    legacy: &LegacySessionTokenAuthenticator,
    header: &str,
    token: &str,
) -> Result<bool, ReadError> {
    session.hide(token);
    let url = target(session, legacy, &legacy.validate_session_url)?;
    let answer = ask(session, Method::GET, &url, Some((header, token)), None).await?;
    match answer.status {
        401 => Ok(false),
        _ if answer.is_usable() => Ok(true),
        _ => Err(refused(session, &answer)),
    }
}

/// The API's address with a path behind it, put together as they are.
fn target(
    session: &Session,
    legacy: &LegacySessionTokenAuthenticator,
    path: &Text,
) -> Result<url::Url, ReadError> {
    let whole = format!(
        "{}{}",
        session.text(&legacy.api_url, &[])?,
        session.text(path, &[])?
    );
    address::join(&whole, "")
}

async fn ask(
    session: &Session,
    method: Method,
    url: &url::Url,
    header: Option<(&str, &str)>,
    body: Option<String>,
) -> Result<Answer, ReadError> {
    let builder = session.context.http.request(method, url).map_err(|blocked| {
        let message = session.scrub(&format!("{blocked}."));
        ReadError::new(ErrorKind::Config, "BLOCKED_ADDRESS", message).at(url)
    })?;
    let mut builder = builder;
    if let Some((name, value)) = header {
        let malformed = || ReadError::config("The session token, or its header's name, cannot be sent.");
        let name = HeaderName::try_from(name).map_err(|_| malformed())?;
        let mut value = HeaderValue::try_from(value).map_err(|_| malformed())?;
        value.set_sensitive(true);
        builder = builder.header(name, value);
    }
    if let Some(body) = body {
        builder = builder
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body);
    }
    let request = builder
        .build()
        .map_err(|_| ReadError::config("The login cannot be built from the manifest."))?;
    exchange(session, request).await
}
