//! `/graphql`: POST for everything, GET for queries.

use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::LengthLimitError;
use tokio::time::timeout;

use super::accept::{MediaType, negotiate};
use super::idempotency::Keyed;
use super::request::{self, Parameters, Unreadable};
use super::request_id::{Id, RequestId};
use super::{Api, admission, answer, idempotency};
use crate::counters::{self, By};
use crate::graphql::{Caller, Code};

/// A body that trickles in slower than this is not waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn handle(State(api): State<Api>, id: Id, request: Request) -> Response<Body> {
    let id = id.0;
    // Boxed here: every layer between this and the connection boxes the future that it gets, with all that is in it.
    match Box::pin(serve(&api, &id, request)).await {
        Ok(response) | Err(response) => response,
    }
}

async fn serve(api: &Api, id: &RequestId, request: Request) -> Result<Response<Body>, Response<Body>> {
    let (parts, body) = request.into_parts();
    let media_type = negotiate(&parts.headers).ok_or_else(|| {
        let message = "Accept application/json or application/graphql-response+json";
        answer::failure(StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message, id)
    })?;
    let parameters = parameters(api, &parts, body, id).await?;
    let keyed = idempotency::keyed(Some(&parts.headers), &parameters);
    let caller = admission::caller(&parts.extensions).ok_or_else(|| admission::unauthenticated(id))?;
    answer_to(
        api,
        Asked { parameters, keyed },
        caller,
        media_type,
        parts.method == Method::GET,
        id,
    )
    .await
}

/// What is asked, by either method; or what to answer.
pub(super) async fn parameters(
    api: &Api,
    parts: &Parts,
    body: Body,
    id: &RequestId,
) -> Result<Parameters, Response<Body>> {
    let unreadable = |unreadable: Unreadable| {
        counters::refused(By::Reading);
        answer::failure(unreadable.status, unreadable.code, &unreadable.message, id)
    };
    match parts.method {
        Method::POST => {
            request::require_json(&parts.headers).map_err(unreadable)?;
            let caller_body = read(body, api.body_bytes, id).await?;
            request::from_body(&caller_body).map_err(unreadable)
        }
        Method::GET => request::from_query_string(parts.uri.query().unwrap_or_default()).map_err(unreadable),
        _ => Err(not_allowed(
            "GET, POST",
            "GraphQL is served over GET and POST",
            id,
        )),
    }
}

/// A request, and the key under which it may be repeated.
struct Asked {
    parameters: Parameters,
    keyed: Option<Keyed>,
}

async fn answer_to(
    api: &Api,
    Asked { parameters, keyed }: Asked,
    caller: Caller,
    media_type: MediaType,
    read_only: bool,
    id: &RequestId,
) -> Result<Response<Body>, Response<Body>> {
    let prepared = match api.graphql.prepare(parameters, caller.clone()) {
        Ok(prepared) => prepared,
        Err(refused) => return Ok(answer::of(&refused, media_type)),
    };
    match prepared.operation() {
        OperationType::Mutation if read_only => {
            return Err(not_allowed("POST", "A mutation is sent with POST", id));
        }
        OperationType::Subscription => {
            let message = "A subscription is asked for at /graphql/ws (graphql-transport-ws) or /graphql/stream (event stream)";
            let refused = crate::graphql::answer(Code::BadUserInput, message, &id.0);
            return Ok(answer::send(StatusCode::BAD_REQUEST, media_type, &refused));
        }
        OperationType::Mutation if let Some(keyed) = keyed => {
            return Ok(idempotency::answer_once(api, prepared, keyed, &caller, media_type).await);
        }
        _ => {}
    }
    match timeout(api.graphql.request_time(), api.graphql.execute(prepared)).await {
        Ok(response) => Ok(answer::of(&response, media_type)),
        Err(_) => Err(too_long(api, id)),
    }
}

/// The answer to a request that took too long: 503, since asking again may help.
pub(super) fn too_long(api: &Api, id: &RequestId) -> Response<Body> {
    let refused = crate::graphql::too_long(api.graphql.request_time(), &id.0);
    answer::send(StatusCode::SERVICE_UNAVAILABLE, MediaType::Json, &refused)
}

async fn read(body: Body, most: usize, id: &RequestId) -> Result<axum::body::Bytes, Response<Body>> {
    match timeout(BODY_TIMEOUT, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if too_large(&error) => {
            counters::refused(By::Reading);
            let message = format!("The body is larger than {most} bytes");
            Err(answer::failure(
                StatusCode::PAYLOAD_TOO_LARGE,
                Code::BadUserInput,
                &message,
                id,
            ))
        }
        Ok(Err(_)) => Err(answer::failure(
            StatusCode::BAD_REQUEST,
            Code::BadUserInput,
            "The body broke off",
            id,
        )),
        Err(_) => {
            let message = "The body did not arrive in time";
            Err(answer::failure(
                StatusCode::REQUEST_TIMEOUT,
                Code::BadUserInput,
                message,
                id,
            ))
        }
    }
}

fn too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<LengthLimitError>())
}

pub(super) fn not_allowed(methods: &'static str, message: &str, id: &RequestId) -> Response<Body> {
    let mut response = answer::failure(StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message, id);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
