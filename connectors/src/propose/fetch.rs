//! The sample: one request, made as a read would make it.

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use std::time::Duration;

use super::{Sample, address};
use crate::http::answer::{Answer, exchange};
use crate::http::session::Session;
use crate::http::{excerpt, retry_after};
use crate::json;
use crate::read::{ErrorKind, ReadContext, ReadError};

/// How often an upstream that is busy or broken is asked.
const ATTEMPTS: u32 = 4;
/// The longest wait between two of them.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for this address.
///
/// # Errors
/// When nothing comes, when what comes is an error, and when it is not JSON: each says what to do.
pub async fn fetch(
    context: &ReadContext,
    url: &Url,
    headers: &[(String, String)],
) -> Result<Sample, ReadError> {
    let (_, values) = address::take_apart(url, headers);
    let secrets = values.into_iter().map(|(_, value)| value).collect();
    let session = Session::new(context.clone(), Value::Null, secrets, None);
    let mut attempt = 1;
    let answer = loop {
        let answer = exchange(&session, request(context, url, headers)?).await?;
        let again = answer.status == 429 || answer.status >= 500;
        if !again || attempt == ATTEMPTS {
            break answer;
        }
        let asked = answer
            .header("retry-after")
            .and_then(|value| retry_after::parse(value, context.clock.now()));
        let wait = asked.unwrap_or(Duration::from_secs(1)).min(PATIENCE);
        context.clock.sleep(wait).await;
        attempt += 1;
    };
    if !(200..300).contains(&answer.status) {
        return Err(refused(&session, &answer));
    }
    let body = std::str::from_utf8(&answer.body)
        .ok()
        .and_then(|text| json::parse(text).ok());
    let Some(body) = body else {
        let kind = answer
            .header("content-type")
            .unwrap_or("no content type")
            .to_owned();
        let message = format!(
            "The answer is not JSON ({kind}). Give the address of the API itself, not of its documentation; \
             some APIs want the header Accept: application/json."
        );
        return Err(ReadError::new(ErrorKind::Malformed, "NOT_JSON", message).at(url));
    };
    let headers = answer.headers.into_iter();
    Ok(Sample {
        url: url.clone(),
        headers: headers
            .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
            .collect(),
        body,
    })
}

fn request(
    context: &ReadContext,
    url: &Url,
    headers: &[(String, String)],
) -> Result<reqwest::Request, ReadError> {
    let mut request = context
        .http
        .request(Method::GET, url)
        .map_err(|blocked| ReadError::new(ErrorKind::Config, "BLOCKED_ADDRESS", format!("{blocked}.")))?;
    for (name, value) in headers {
        let parsed = HeaderName::try_from(name.as_str())
            .map_err(|_| ReadError::config(format!("{name:?} is not a header's name.")))?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| {
            ReadError::config(format!(
                "The value of the header {name:?} has characters that headers cannot carry."
            ))
        })?;
        value.set_sensitive(true);
        request = request.header(parsed, value);
    }
    request
        .build()
        .map_err(|_| ReadError::config("The request cannot be built from this address and these headers."))
}

fn refused(session: &Session, answer: &Answer) -> ReadError {
    let status = answer.status;
    let advice = match status {
        401 | 403 => " Give the credential with --header, as the API's documentation says.",
        404 => " Is the path right?",
        429 => " Try again later.",
        _ => "",
    };
    let own = excerpt::error_message(&answer.body)
        .and_then(|text| excerpt::presentable(&session.scrub(&text)))
        .map(|text| format!(": {text}"))
        .unwrap_or_default();
    let kind = if matches!(status, 401 | 403) {
        ErrorKind::Auth
    } else {
        ErrorKind::Upstream
    };
    ReadError::new(
        kind,
        format!("HTTP_{status}"),
        format!("The answer is HTTP {status}{own}.{advice}"),
    )
}
