//! The graphql-transport-ws protocol.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::fixture::Fixture;

const PATIENCE: Duration = Duration::from_secs(10);

/// What a server says: a message, or the code it closed with.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Message(Value),
    Closed(u16),
    Gone,
}

pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn connect(server: &Fixture, protocol: Option<&'static str>) -> Self {
        let mut request = format!("ws://{}/graphql/ws", server.address)
            .into_client_request()
            .unwrap();
        if let Some(protocol) = protocol {
            request
                .headers_mut()
                .insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        }
        // The client library refuses an answer without the protocol that it asked for: not what is tested.
        Self(tokio_tungstenite::connect_async(request).await.unwrap().0)
    }

    /// Connected and acknowledged.
    pub(crate) async fn open(server: &Fixture) -> Self {
        let mut socket = Self::connect(server, Some("graphql-transport-ws")).await;
        socket.say(json!({ "type": "connection_init" })).await;
        assert_eq!(
            socket.hear().await,
            Said::Message(json!({ "type": "connection_ack" }))
        );
        socket
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    async fn say_text(&mut self, text: &str) {
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "type": "subscribe", "id": id, "payload": payload }))
            .await;
    }

    pub(crate) async fn hear(&mut self) -> Said {
        loop {
            match timeout(PATIENCE, self.0.next())
                .await
                .expect("the server says something")
            {
                Some(Ok(Message::Text(text))) => {
                    return Said::Message(serde_json::from_str(text.as_str()).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => return Said::Closed(frame.code.into()),
                Some(Ok(Message::Close(None))) | Some(Err(_)) | None => return Said::Gone,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next message, which must be one.
    pub(crate) async fn message(&mut self) -> Value {
        match self.hear().await {
            Said::Message(message) => message,
            other => panic!("a message, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_query_gives_next_and_complete() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    socket.subscribe("1", "{ viewer { kind } }", json!({})).await;
    let payload = json!({ "data": { "viewer": { "kind": "ANONYMOUS_LOOPBACK" } } });
    assert_eq!(
        socket.message().await,
        json!({ "type": "next", "id": "1", "payload": payload })
    );
    assert_eq!(socket.message().await, json!({ "type": "complete", "id": "1" }));
    // The id is free again.
    socket.subscribe("1", "mutation { __typename }", json!({})).await;
    assert_eq!(
        socket.message().await["payload"],
        json!({ "data": { "__typename": "Mutation" } })
    );
}

#[tokio::test]
async fn what_is_refused_is_an_error_message() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    let bomb = format!("{{ {} }}", "__typename ".repeat(4_000));
    for (query, code) in [
        ("{", "BAD_USER_INPUT"),
        ("{ nothing }", "BAD_USER_INPUT"),
        ("subscription { nothing }", "BAD_USER_INPUT"),
        (
            "subscription { syncRunUpdated { id } integrationUpdated { id } }",
            "BAD_USER_INPUT",
        ),
        (&bomb, "TOO_COMPLEX"),
    ] {
        socket.subscribe("1", query, json!({})).await;
        let message = socket.message().await;
        assert_eq!(
            (&message["type"], &message["id"]),
            (&json!("error"), &json!("1")),
            "{message}"
        );
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{message}");
    }
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(
        socket.message().await,
        json!({ "type": "pong" }),
        "an error is not followed by complete"
    );
}

#[tokio::test]
async fn each_breach_of_the_protocol_has_its_code() {
    let server = Fixture::start().await;
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": "subscription { syncRunUpdated { id } }" } });
    let init = json!({ "type": "connection_init" });
    for (name, messages, code) in [
        ("subscribe before init", vec![subscribe.to_string()], 4401),
        ("second init", vec![init.to_string(), init.to_string()], 4429),
        (
            "same id twice",
            vec![init.to_string(), subscribe.to_string(), subscribe.to_string()],
            4409,
        ),
        ("not JSON", vec!["{".to_owned()], 4400),
        ("unknown type", vec![json!({ "type": "start" }).to_string()], 4400),
        (
            "no payload",
            vec![
                init.to_string(),
                json!({ "type": "subscribe", "id": "1" }).to_string(),
            ],
            4400,
        ),
        (
            "query is no text",
            vec![
                init.to_string(),
                json!({ "type": "subscribe", "id": "1", "payload": { "query": 1 } }).to_string(),
            ],
            4400,
        ),
        (
            "no id",
            vec![init.to_string(), json!({ "type": "complete" }).to_string()],
            4400,
        ),
    ] {
        let mut socket = Socket::connect(&server, Some("graphql-transport-ws")).await;
        for message in &messages {
            socket.say_text(message).await;
        }
        loop {
            match socket.hear().await {
                Said::Message(_) => {}
                other => break assert_eq!(other, Said::Closed(code), "{name}"),
            }
        }
    }
}

#[tokio::test]
async fn another_subprotocol_is_not_spoken() {
    let server = Fixture::start().await;
    let mut socket = Socket::connect(&server, None).await;
    assert_eq!(socket.hear().await, Said::Closed(4406));
}

#[tokio::test]
async fn a_goodbye_is_answered() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    socket.0.send(Message::Close(Some(frame))).await.unwrap();
    assert_eq!(socket.hear().await, Said::Closed(1000));
}

#[tokio::test]
async fn complete_ends_an_operation_and_frees_its_id() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    // Of an operation that is not there it says nothing, as when both sides complete at once.
    socket.say(json!({ "type": "complete", "id": "1" })).await;
    let watch = "subscription { eventPublished(types: [\"client.registered\"]) { id } }";
    socket.subscribe("1", watch, json!({})).await;
    socket.say(json!({ "type": "complete", "id": "1" })).await;
    server.client("acme").await;
    server.engine.events().relay().await.unwrap();
    socket.say(json!({ "type": "pong" })).await;
    socket.subscribe("1", "{ __typename }", json!({})).await;
    let message = socket.message().await;
    assert_eq!(
        message["payload"]["data"],
        json!({ "__typename": "Query" }),
        "{message}"
    );
    assert_eq!(socket.message().await, json!({ "type": "complete", "id": "1" }));
}

#[tokio::test]
async fn a_binary_or_huge_message_ends_the_connection() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    socket
        .0
        .send(Message::Binary(vec![1, 2, 3].into()))
        .await
        .unwrap();
    assert_eq!(socket.hear().await, Said::Closed(4400));
    let mut socket = Socket::open(&server).await;
    let huge = json!({ "type": "ping", "payload": { "a": "x".repeat(300 * 1024) } });
    let _ = socket.0.send(Message::Text(huge.to_string().into())).await;
    assert!(matches!(socket.hear().await, Said::Closed(1009) | Said::Gone));
}

#[tokio::test]
async fn ping_is_answered_before_init_too() {
    let server = Fixture::start().await;
    let mut socket = Socket::connect(&server, Some("graphql-transport-ws")).await;
    socket.say(json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(socket.message().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn the_credential_comes_with_init() {
    let server = Fixture::guarded("a key of the operator").await;
    for payload in [
        json!(null),
        json!({}),
        json!({ "Authorization": "Bearer wrong" }),
        json!({ "Authorization": 7 }),
    ] {
        let mut socket = Socket::connect(&server, Some("graphql-transport-ws")).await;
        socket
            .say(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(socket.hear().await, Said::Closed(4403), "{payload}");
    }
    let mut socket = Socket::connect(&server, Some("graphql-transport-ws")).await;
    socket.say(json!({ "type": "connection_init", "payload": { "Authorization": "Bearer a key of the operator" } })).await;
    assert_eq!(socket.message().await, json!({ "type": "connection_ack" }));
    socket.subscribe("1", "{ viewer { kind } }", json!({})).await;
    assert_eq!(
        socket.message().await["payload"]["data"]["viewer"]["kind"],
        "OPERATOR"
    );
}

#[tokio::test]
async fn without_init_the_connection_times_out() {
    let server = Fixture::start().await;
    let mut socket = Socket::connect(&server, Some("graphql-transport-ws")).await;
    let said = timeout(Duration::from_secs(15), async {
        loop {
            if let Some(Ok(Message::Close(Some(frame)))) = socket.0.next().await {
                break u16::from(frame.code);
            }
        }
    });
    assert_eq!(said.await, Ok(4408));
}

#[tokio::test]
async fn a_plain_request_is_told_what_this_is() {
    let server = Fixture::start().await;
    let answer = crate::wire::get(server.address, "/graphql/ws", &[]).await;
    assert_eq!(
        (answer.status, answer.header("upgrade")),
        (426, Some("websocket"))
    );
}

#[tokio::test]
async fn stopping_says_goodbye() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    socket
        .subscribe("1", "subscription { syncRunUpdated { id } }", json!({}))
        .await;
    server.shutdown.drain();
    assert_eq!(socket.hear().await, Said::Closed(1001));
}

#[tokio::test]
async fn a_connection_has_a_hundred_operations_at_most() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    for id in 0..=100 {
        socket
            .subscribe(
                &id.to_string(),
                "subscription { eventPublished { id } }",
                json!({}),
            )
            .await;
    }
    let message = socket.message().await;
    assert_eq!(
        (&message["type"], &message["id"]),
        (&json!("error"), &json!("100")),
        "{message}"
    );
    assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED");
}
