//! `/graphql`: POST for everything, GET for queries.

use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::LengthLimitError;
use tokio::time::timeout;

use super::accept::{MediaType, negotiate};
use super::idempotency::Keyed;
use super::request::{self, Parameters, Unreadable};
use super::request_id::{Id, RequestId};
use super::{Api, answer, idempotency};
use crate::auth::{Admitted, Denied};
use crate::graphql::{Caller, Code};

/// A manifest or a config is the largest thing anybody sends.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// A body that trickles in slower than this is not waited for.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// An answer takes at most this long; checkIntegration calls an upstream within it.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) async fn handle(State(api): State<Api>, id: Id, request: Request) -> Response<Body> {
    let id = id.0;
    match serve(&api, &id, request).await {
        Ok(response) | Err(response) => response,
    }
}

async fn serve(api: &Api, id: &RequestId, request: Request) -> Result<Response<Body>, Response<Body>> {
    let (parts, body) = request.into_parts();
    let media_type = negotiate(&parts.headers).ok_or_else(|| {
        let message = "Accept application/json or application/graphql-response+json";
        answer::failure(StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message, id)
    })?;
    let parameters = parameters(&parts, body, id).await?;
    let keyed = idempotency::keyed(&parts.headers, &parameters);
    let caller = authenticate(api, &parts.headers, id).await?;
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
    parts: &Parts,
    body: Body,
    id: &RequestId,
) -> Result<Parameters, Response<Body>> {
    let unreadable =
        |Unreadable(status, message): Unreadable| answer::failure(status, Code::BadUserInput, &message, id);
    match parts.method {
        Method::POST => {
            request::require_json(&parts.headers).map_err(unreadable)?;
            let caller_body = read(body, id).await?;
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
    let Ok(response) = timeout(ANSWER_TIMEOUT, api.graphql.execute(prepared)).await else {
        let message = "The answer took too long";
        return Err(answer::failure(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            message,
            id,
        ));
    };
    Ok(answer::of(&response, media_type))
}

/// Who sends these headers; or what to answer them.
pub(super) async fn authenticate(
    api: &Api,
    headers: &HeaderMap,
    id: &RequestId,
) -> Result<Caller, Response<Body>> {
    let admitted = admit(api, headers, id).await?;
    Ok(Caller {
        actor: admitted.actor,
        correlation_id: id.0.clone(),
    })
}

/// Who sends these headers, and for how long; or what to answer them.
pub(super) async fn admit(
    api: &Api,
    headers: &HeaderMap,
    id: &RequestId,
) -> Result<Admitted, Response<Body>> {
    // What is no text is a credential too, and not one of ours.
    let authorization = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().unwrap_or_default());
    match api.gate.authenticate(authorization).await {
        Ok(admitted) => Ok(admitted),
        Err(Denied::Unauthenticated) => Err(unauthenticated(id)),
        Err(Denied::Failed(error)) => {
            let failed = crate::graphql::failed(error, &id.0);
            Err(answer::send(
                StatusCode::SERVICE_UNAVAILABLE,
                MediaType::Json,
                &failed,
            ))
        }
    }
}

fn unauthenticated(id: &RequestId) -> Response<Body> {
    let message = "Send the operator key, an API key or a token as Authorization: Bearer <key>";
    let mut response = answer::failure(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message, id);
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

async fn read(body: Body, id: &RequestId) -> Result<axum::body::Bytes, Response<Body>> {
    match timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if too_large(&error) => {
            let message = format!("The body is larger than {MAX_BODY_BYTES} bytes");
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
