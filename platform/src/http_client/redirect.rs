//! Redirects, followed by hand.
//!
//! reqwest would follow them, and would drop `Authorization` and `Cookie` on the way to another host. But an
//! API's credential is as often an `X-Api-Key`, which it cannot know. So on the way to another origin
//! everything is dropped but what describes the wish, and a body goes nowhere it was not addressed to.

use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION,
    TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::{Method, Request, Response, StatusCode};

use super::error::HttpError;

/// What may be told to an origin that was not the one addressed.
const HARMLESS: [HeaderName; 3] = [ACCEPT, ACCEPT_LANGUAGE, USER_AGENT];

/// What describes a body, and goes with it.
const OF_BODY: [HeaderName; 4] = [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING];

/// The request that a redirect asks for; `None` when the answer is not a redirect.
///
/// `sent` is a copy of the request that was answered, or what can be copied of it: a streamed body cannot.
pub(super) fn next(response: &Response, sent: Sent) -> Result<Option<Request>, HttpError> {
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let rewritten = match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if sent.method == Method::POST => Some(Method::GET),
        StatusCode::SEE_OTHER if sent.method != Method::HEAD => Some(Method::GET),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => None,
        _ => return Ok(None),
    };
    let refuse = |reason: &str| HttpError::Redirects {
        reason: reason.to_owned(),
    };
    let location = location
        .to_str()
        .map_err(|_| refuse("its Location is not text"))?;
    let from = response.url();
    let to = from
        .join(location)
        .map_err(|_| refuse("its Location is not a URL"))?;

    let same_origin = to.origin() == from.origin();
    let keeps_body = rewritten.is_none() && sent.had_body;
    if keeps_body && !same_origin {
        return Err(refuse("it would send the request's body to another origin"));
    }
    let mut request = match (keeps_body, sent.copy) {
        (true, None) => return Err(refuse("the request's body was streamed and cannot be sent again")),
        (true, Some(copy)) => copy,
        (false, _) => Request::new(rewritten.unwrap_or(sent.method), to.clone()),
    };
    *request.url_mut() = to;
    *request.headers_mut() = headers(sent.headers, same_origin, keeps_body);
    Ok(Some(request))
}

fn headers(mut sent: HeaderMap, same_origin: bool, keeps_body: bool) -> HeaderMap {
    if !keeps_body {
        for name in OF_BODY {
            sent.remove(name);
        }
    }
    if same_origin {
        return sent;
    }
    HARMLESS
        .into_iter()
        .filter_map(|name| sent.remove(&name).map(|value| (name, value)))
        .collect()
}

/// What is needed of a request to follow a redirect, taken before it is sent.
pub(super) struct Sent {
    method: Method,
    headers: HeaderMap,
    had_body: bool,
    copy: Option<Request>,
}

impl Sent {
    pub(super) fn of(request: &Request) -> Self {
        let had_body = request.body().is_some();
        Self {
            method: request.method().clone(),
            headers: request.headers().clone(),
            had_body,
            copy: if had_body { request.try_clone() } else { None },
        }
    }
}
