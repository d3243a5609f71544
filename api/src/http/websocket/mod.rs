//! `/graphql/ws`: the graphql-transport-ws protocol, one loop a connection.
//!
//! The loop owns the socket and all of the connection's operations, so there are no tasks, channels or
//! queues between them: while the socket is full nothing is polled, a feed that is not polled skips to its
//! newest state, and ten thousand idle connections cost their buffers and nothing else.

mod connection;
mod message;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::Response;

use self::connection::Connection;
use super::request_id::Id;
use super::{Api, admission, answer};
use crate::counters::{self, By};
use crate::graphql::Code;

const PROTOCOL: &str = "graphql-transport-ws";
/// Of one message. What is larger (a connector's manifest) goes over HTTP.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// The default is 128 KiB for every connection, mostly idle. What is longer takes more than one read.
const READ_BUFFER_BYTES: usize = 1024;

pub(super) async fn upgrade(
    State(api): State<Api>,
    id: Id,
    headers: HeaderMap,
    extensions: Extensions,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !api.gate.origins().admit(&headers) {
        let message = "Pages of this origin may not connect: server.allowed_origins lists those that may";
        return answer::failure(StatusCode::FORBIDDEN, Code::Forbidden, message, &id.0);
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(_) => {
            let message = "This is a WebSocket endpoint: connect with the subprotocol graphql-transport-ws";
            let mut refused =
                answer::failure(StatusCode::UPGRADE_REQUIRED, Code::BadUserInput, message, &id.0);
            refused
                .headers_mut()
                .insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
            return refused;
        }
    };
    let Some(place) = api.web_sockets.take() else {
        counters::refused(By::Connections);
        return answer::full("All WebSockets of this server are taken: try again later", &id.0);
    };
    let authorization = headers
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().unwrap_or_default().to_owned());
    let peer = admission::peer(&api, &extensions, &headers);
    let span = tracing::Span::current();
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .protocols([PROTOCOL])
        .on_upgrade(move |socket| Connection::new(api, authorization, peer, place).serve(socket, span))
}
