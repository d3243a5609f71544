//! A graphql-transport-ws client: the protocol as its specification has it, and no more.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::PATIENCE;

/// One open subscription.
pub struct Subscription(WebSocketStream<MaybeTlsStream<TcpStream>>, Option<u16>);

impl Subscription {
    /// Connects, initialises and subscribes.
    ///
    /// # Panics
    /// When the server does not acknowledge.
    pub async fn open(address: SocketAddr, query: &str, variables: Value) -> Self {
        Self::open_with(address, None, query, variables).await
    }

    /// Connects, initialises with a key, and subscribes.
    ///
    /// # Panics
    /// When the server does not acknowledge.
    pub async fn open_with(address: SocketAddr, key: Option<&str>, query: &str, variables: Value) -> Self {
        let mut this = Self::connect(address, key).await;
        this.send(
            json!({ "id": "1", "type": "subscribe", "payload": { "query": query, "variables": variables } }),
        )
        .await;
        this
    }

    /// Connects, initialises and sends a subscribe message with this text as its payload, whatever it is. A server
    /// that does not read it to its end is no failure.
    ///
    /// # Panics
    /// When the server does not acknowledge.
    pub async fn open_raw(address: SocketAddr, payload: &str) -> Self {
        let mut this = Self::connect(address, None).await;
        let text = format!(r#"{{"id":"1","type":"subscribe","payload":{payload}}}"#);
        let _closed_meanwhile = this.0.send(Message::text(text)).await;
        this
    }

    async fn connect(address: SocketAddr, key: Option<&str>) -> Self {
        Self::try_connect(address, key)
            .await
            .expect("the server acknowledges")
    }

    /// Connects and initialises. What it is refused with otherwise: the HTTP status of the upgrade, or the code with
    /// which the server closes.
    ///
    /// # Errors
    /// That.
    ///
    /// # Panics
    /// When the server neither acknowledges nor closes.
    pub async fn try_connect(address: SocketAddr, key: Option<&str>) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/graphql/ws")
            .into_client_request()
            .expect("a request");
        request.headers_mut().insert(
            "Sec-WebSocket-Protocol",
            "graphql-transport-ws".parse().expect("a header value"),
        );
        let socket = match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(refused)) => return Err(refused.status().as_u16()),
            Err(error) => panic!("the WebSocket does not open: {error}"),
        };
        let mut this = Self(socket, None);
        let payload = key.map(|key| json!({ "Authorization": format!("Bearer {key}") }));
        this.send(json!({ "type": "connection_init", "payload": payload }))
            .await;
        match this.receive().await {
            Some(message) => {
                assert_eq!(message["type"], "connection_ack");
                Ok(this)
            }
            None => Err(this.1.expect("a code")),
        }
    }

    /// The next event's `data`; `None` when the server completed the subscription.
    ///
    /// # Panics
    /// On an error message, or when nothing comes.
    pub async fn next(&mut self) -> Option<Value> {
        let mut answer = self.answer().await?;
        assert!(answer.get("errors").is_none(), "{answer}");
        Some(answer["data"].take())
    }

    /// The next event, errors included; `None` when the server completed the subscription.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn answer(&mut self) -> Option<Value> {
        loop {
            let mut message = self.receive().await?;
            match message["type"].as_str() {
                Some("next") => return Some(message["payload"].take()),
                Some("complete") => return None,
                Some("ping") => self.send(json!({ "type": "pong" })).await,
                _ => panic!("unexpected message: {message}"),
            }
        }
    }

    async fn send(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .expect("the server reads");
    }

    /// The next message of the protocol as it is; `None` once the connection is closed.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn receive(&mut self) -> Option<Value> {
        self.hear().await.expect("a whole message")
    }

    /// The next message, or with which code the server closed the connection: with none, when it hung up on what it
    /// did not want to read.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn receive_or_close(&mut self) -> Result<Value, Option<u16>> {
        match self.hear().await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(self.1),
            Err(_) => Err(None),
        }
    }

    async fn hear(&mut self) -> Result<Option<Value>, Error> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await;
            let Some(message) = message.expect("a message in time") else {
                return Ok(None);
            };
            match message? {
                Message::Text(text) => return Ok(Some(serde_json::from_str(&text).expect("JSON"))),
                Message::Close(frame) => {
                    self.1 = frame.map(|frame| frame.code.into());
                    return Ok(None);
                }
                _ => {}
            }
        }
    }

    /// With which code the server closed the connection, after whatever it still said.
    ///
    /// # Panics
    /// When it does not close it.
    pub async fn closed(&mut self) -> Option<u16> {
        while self.receive().await.is_some() {}
        self.1
    }
}
