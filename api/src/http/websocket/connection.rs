//! One connection, from its greeting to its close.

use std::pin::pin;
use std::time::Duration;

use async_graphql::Response;
use async_graphql::parser::types::OperationType;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_stream::StreamMap;
use tracing::{Instrument, Span};

use super::PROTOCOL;
use super::message::{FromClient, FromServer, read};
use crate::auth::{Admitted, Denied, Peer, Session};
use crate::counters::{self, By};
use crate::graphql::{self, Caller, Code};
use crate::http::places::Place;
use crate::http::{Api, Parameters, admission, idempotency};

/// From the upgrade to connection_init.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that answers nothing for two of these is gone.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// A peer whose buffers stay full for this long is not reading.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// For the other side's half of a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Operations at once.
const MAX_OPERATIONS: usize = 100;

/// Why a connection ends.
struct Close {
    code: u16,
    reason: String,
}

impl Close {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

enum End {
    Close(Close),
    /// The peer closes: it waits for our half, and without it takes the end for an accident (1006).
    Answer,
    /// Without a frame: the peer is gone already.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

/// What an operation brings: an answer, or its end.
type Operation = BoxStream<'static, Option<Response>>;

pub(super) struct Connection {
    api: Api,
    /// From the upgrade request; connection_init's takes precedence.
    authorization: Option<String>,
    peer: Peer,
    place: Place,
    /// Known once connection_init was accepted, with what ends with the credential.
    admitted: Option<(Admitted, Session)>,
    initialised: bool,
    heard: bool,
    operations: StreamMap<String, Operation>,
}

impl Connection {
    pub(super) fn new(api: Api, authorization: Option<String>, peer: Peer, place: Place) -> Self {
        Self {
            api,
            authorization,
            peer,
            place,
            admitted: None,
            initialised: false,
            heard: true,
            operations: StreamMap::new(),
        }
    }

    pub(super) async fn serve(mut self, mut socket: WebSocket, span: Span) {
        let end = self.run(&mut socket).instrument(span).await;
        // Streams first: nothing is read for a connection that is closing.
        self.operations.clear();
        let frame = match end {
            End::Close(Close { code, reason }) => Some(CloseFrame {
                code,
                reason: Utf8Bytes::from(cut(reason)),
            }),
            End::Answer => None,
            End::Gone => return,
        };
        let goodbye = async {
            let sent = match frame {
                Some(frame) => socket.send(Message::Close(Some(frame))).await,
                None => Ok(()),
            };
            // Reading on sends the answer to a close; and without reading to the end the kernel may throw away what the
            // peer has not read yet.
            while sent.is_ok() && matches!(socket.recv().await, Some(Ok(_))) {}
        };
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
    }

    async fn run(&mut self, socket: &mut WebSocket) -> End {
        if socket.protocol().and_then(|name| name.to_str().ok()) != Some(PROTOCOL) {
            return Close::new(4406, format!("Subprotocol not acceptable: offer {PROTOCOL}")).into();
        }
        let stopping = self.api.shutdown.soft.clone();
        let mut stopping = pin!(stopping.cancelled());
        let mut init_deadline = self.api.engine.clock.sleep(INIT_TIMEOUT);
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        loop {
            let step = tokio::select! {
                message = socket.recv() => match message {
                    Some(Ok(message)) => self.take(socket, message).await,
                    Some(Err(error)) if is_too_large(&error) => Err(Close::new(1009, "Message too large").into()),
                    Some(Err(_)) | None => Err(End::Gone),
                },
                Some((id, event)) = self.operations.next(), if !self.operations.is_empty() => {
                    self.tell(socket, &id, event).await
                }
                () = &mut init_deadline, if !self.initialised => {
                    Err(Close::new(4408, "Connection initialisation timeout").into())
                }
                () = ended(&mut self.admitted) => {
                    Err(Close::new(4403, "Forbidden: the credential has ended").into())
                }
                _ = heartbeat.tick() => self.ping(socket).await,
                () = &mut stopping => Err(Close::new(1001, "The server is stopping").into()),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn take(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        self.heard = true;
        match message {
            // Boxed: a connection holds its future for as long as it is open, and letting somebody in is most of it.
            Message::Text(text) => Box::pin(self.understand(socket, text.as_str())).await,
            Message::Binary(_) => Err(Close::new(4400, "Messages are text").into()),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Answer),
        }
    }

    async fn understand(&mut self, socket: &mut WebSocket, text: &str) -> Result<(), End> {
        match read(text).map_err(|invalid| Close::new(4400, invalid.0))? {
            FromClient::Init { authorization } => {
                if self.initialised {
                    return Err(Close::new(4429, "Too many initialisation requests").into());
                }
                self.initialised = true;
                let authorization = authorization.or_else(|| self.authorization.take());
                let admitted = self
                    .api
                    .gate
                    .authenticate(authorization.as_deref(), self.peer)
                    .await;
                let admitted = admitted.map_err(|denied| match denied {
                    Denied::Unauthenticated(_) => {
                        counters::refused(By::Login);
                        Close::new(4403, "Forbidden")
                    }
                    Denied::TooManyFailures(_) => {
                        counters::refused(By::Login);
                        Close::new(1013, "Too many wrong credentials: try again later")
                    }
                    Denied::Failed(error) => {
                        tracing::warn!(error = %error.chain(), "nobody can tell who connects");
                        Close::new(1013, "Try again later")
                    }
                })?;
                // What opens connections is a request as well.
                let quota = self.api.gate.spend(&admitted).await;
                if let Some(wait) = quota.wait {
                    counters::refused(By::Budget);
                    return Err(Close::new(1013, admission::over_budget(&quota, wait)).into());
                }
                self.place.claim(&admitted).map_err(|most| {
                    counters::refused(By::Connections);
                    let reason =
                        format!("This credential has {most} WebSockets open, which is the most: close one");
                    Close::new(4429, reason)
                })?;
                let session = self.api.sessions.open(&self.api.engine, &admitted);
                self.admitted = Some((admitted, session));
                send(socket, &FromServer::Ack).await
            }
            FromClient::Ping => send(socket, &FromServer::Pong).await,
            FromClient::Pong => Ok(()),
            FromClient::Complete { id } => {
                self.operations.remove(&id);
                Ok(())
            }
            FromClient::Subscribe { id, parameters } => self.start(socket, id, parameters).await,
        }
    }

    async fn start(&mut self, socket: &mut WebSocket, id: String, parameters: Parameters) -> Result<(), End> {
        let Some((admitted, session)) = &mut self.admitted else {
            return Err(Close::new(4401, "Unauthorized").into());
        };
        if self.operations.contains_key(&id) {
            return Err(Close::new(4409, format!("Subscriber for {id} already exists")).into());
        }
        let correlation_id = self.api.new_id();
        if self.operations.len() >= MAX_OPERATIONS {
            let message = format!("A connection has at most {MAX_OPERATIONS} operations at once");
            let refused = graphql::answer(Code::RateLimited, &message, &correlation_id);
            return refuse(socket, &id, &refused).await;
        }
        let quota = self.api.gate.spend(admitted).await;
        if let Some(wait) = quota.wait {
            counters::refused(By::Budget);
            let message = admission::over_budget(&quota, wait);
            let refused = graphql::answer(Code::RateLimited, &message, &correlation_id);
            let refused = graphql::retry_after(refused, admission::seconds(wait));
            return refuse(socket, &id, &refused).await;
        }
        let caller = Caller {
            actor: admitted.actor,
            correlation_id: correlation_id.clone(),
        };
        let keyed = idempotency::keyed(None, &parameters);
        let prepared = match self.api.graphql.prepare(parameters, caller.clone()) {
            Ok(prepared) => prepared,
            Err(refused) => return refuse(socket, &id, &refused).await,
        };
        let permit = match prepared.operation() {
            OperationType::Subscription => match session.subscribe() {
                Ok(permit) => Some(permit),
                Err(most) => {
                    counters::refused(By::Subscriptions);
                    let message =
                        format!("This credential has {most} subscriptions open, which is the most: end one");
                    let refused = graphql::answer(Code::RateLimited, &message, &correlation_id);
                    return refuse(socket, &id, &refused).await;
                }
            },
            _ => None,
        };
        let keyed = keyed.filter(|_| prepared.operation() == OperationType::Mutation);
        let answers = match keyed {
            Some(keyed) => {
                let span = tracing::info_span!("operation", request_id = %correlation_id);
                let told = idempotency::told_once(self.api.clone(), prepared, keyed, caller);
                stream::once(told.instrument(span)).boxed()
            }
            None => self.api.graphql.stream(prepared),
        };
        let answers = answers.map(Some).chain(stream::iter([None])).map(move |answer| {
            let _held_until_the_stream_ends = &permit;
            answer
        });
        self.operations.insert(id, answers.boxed());
        Ok(())
    }

    async fn tell(&mut self, socket: &mut WebSocket, id: &str, event: Option<Response>) -> Result<(), End> {
        match event {
            // What validation refuses is an error message, which ends the operation by itself.
            Some(response) if graphql::is_request_error(&response) => {
                self.operations.remove(id);
                send(
                    socket,
                    &FromServer::Error {
                        id,
                        payload: &response.errors,
                    },
                )
                .await
            }
            Some(response) => send(socket, &FromServer::next(id, &response)).await,
            None => {
                self.operations.remove(id);
                send(socket, &FromServer::Complete { id }).await
            }
        }
    }

    async fn ping(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        if !std::mem::take(&mut self.heard) {
            return Err(End::Gone);
        }
        transmit(socket, Message::Ping(bytes::Bytes::new())).await
    }
}

/// Tells that an operation does not begin.
async fn refuse(socket: &mut WebSocket, id: &str, refused: &Response) -> Result<(), End> {
    let payload = &refused.errors;
    send(socket, &FromServer::Error { id, payload }).await
}

/// Ends with the session, where there is one already.
async fn ended(admitted: &mut Option<(Admitted, Session)>) {
    match admitted {
        Some((_, session)) => session.ended().await,
        None => std::future::pending().await,
    }
}

async fn send(socket: &mut WebSocket, message: &FromServer<'_>) -> Result<(), End> {
    transmit(socket, Message::Text(message.text().into())).await
}

async fn transmit(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(SEND_TIMEOUT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

/// A close frame holds 123 bytes of reason.
fn cut(mut reason: String) -> String {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

fn is_too_large(error: &axum::Error) -> bool {
    // axum hides tungstenite's type; its Display for a capacity error begins so.
    std::error::Error::source(error)
        .is_some_and(|source| source.to_string().starts_with("Space limit exceeded"))
}
