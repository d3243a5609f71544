//! Who sends a request, and whether there is something left of what they may send: before its body is read.
//!
//! Every answer says what is left (`RateLimit`, `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers), and one that
//! is refused also when to come again (`Retry-After`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::Next;

use super::accept::MediaType;
use super::request_id::{Id, RequestId};
use super::{Api, answer};
use crate::auth::{Admitted, Denied, Peer, Quota};
use crate::counters::{self, By};
use crate::graphql::{self, Caller, Code};

pub(super) const LEFT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Lets a request pass with its [`Caller`] and [`Admitted`] in its extensions. A browser's preflight has no credential
/// and does nothing, so it passes without.
pub(super) async fn admit(
    State(api): State<Api>,
    id: Id,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let peer = peer(&api, request.extensions(), request.headers());
    let admitted = match Box::pin(authenticate(&api, request.headers(), peer, &id.0)).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    let quota = api.gate.spend(&admitted).await;
    let mut response = match quota.wait {
        Some(wait) => {
            counters::refused(By::Budget);
            too_many(wait, &over_budget(&quota, wait), &id.0)
        }
        None => {
            let extensions = request.extensions_mut();
            extensions.insert(Caller {
                actor: admitted.actor,
                correlation_id: id.0.0.clone(),
            });
            extensions.insert(admitted);
            next.run(request).await
        }
    };
    tell(&quota, response.headers_mut());
    response
}

/// Who was let in; nobody where only a preflight gets to.
pub(super) fn caller(extensions: &Extensions) -> Option<Caller> {
    extensions.get::<Caller>().cloned()
}

/// Who is at the other end.
pub(super) fn peer(api: &Api, extensions: &Extensions, headers: &HeaderMap) -> Peer {
    let connected = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |connected| connected.0.ip());
    api.gate.peer(connected, headers)
}

/// What a caller without requests is told, on every transport.
pub(super) fn over_budget(quota: &Quota, wait: Duration) -> String {
    format!(
        "Too many requests: {} a minute are let through; ask again in {} s",
        quota.rate.limit(),
        seconds(wait)
    )
}

/// Whole seconds, enough of them.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1) as u64
}

async fn authenticate(
    api: &Api,
    headers: &HeaderMap,
    peer: Peer,
    id: &RequestId,
) -> Result<Admitted, Response<Body>> {
    // What is no text is a credential too, and not one of ours.
    let authorization = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().unwrap_or_default());
    let denied = match api.gate.authenticate(authorization, peer).await {
        Ok(admitted) => return Ok(admitted),
        Err(denied) => denied,
    };
    Err(match denied {
        Denied::Unauthenticated(quota) => {
            counters::refused(By::Login);
            let mut response = unauthenticated(id);
            tell(&quota, response.headers_mut());
            response
        }
        Denied::TooManyFailures(quota) => {
            counters::refused(By::Login);
            let wait = quota.wait.unwrap_or_default();
            let message = format!(
                "Too many wrong credentials came from this address: ask again in {} s",
                seconds(wait)
            );
            let mut response = too_many(wait, &message, id);
            tell(&quota, response.headers_mut());
            response
        }
        Denied::Failed(error) => {
            let failed = graphql::failed(error, &id.0);
            answer::send(StatusCode::SERVICE_UNAVAILABLE, MediaType::Json, &failed)
        }
    })
}

pub(super) fn unauthenticated(id: &RequestId) -> Response<Body> {
    let message = "Send the operator key, an API key or a token as Authorization: Bearer <key>";
    let mut response = answer::failure(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message, id);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn too_many(wait: Duration, message: &str, id: &RequestId) -> Response<Body> {
    let refused = graphql::retry_after(graphql::answer(Code::RateLimited, message, &id.0), seconds(wait));
    let mut response = answer::send(StatusCode::TOO_MANY_REQUESTS, MediaType::Json, &refused);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
    response
}

fn tell(quota: &Quota, headers: &mut HeaderMap) {
    let (name, window) = (quota.policy, quota.rate.per().as_secs());
    let policy = format!("\"{name}\";q={};w={window}", quota.rate.limit());
    // Until all of it is there again: in steady use a caller may send what is left over that time.
    let whole_in = quota.whole_in.as_millis().div_ceil(1_000);
    let left = format!("\"{name}\";r={};t={whole_in}", quota.remaining);
    for (name, value) in [(POLICY, policy), (LEFT, left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
