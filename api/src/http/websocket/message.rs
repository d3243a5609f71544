//! The protocol's messages. What a client sends is taken apart by hand rather than by derive: every fault must
//! become close code 4400, with a reason that helps.

use async_graphql::Response;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::http::answer::Envelope;
use crate::http::request::{self, Parameters};

/// What a client may say.
#[derive(Debug)]
pub(super) enum FromClient {
    Init { authorization: Option<String> },
    Subscribe { id: String, parameters: Parameters },
    Complete { id: String },
    Ping,
    Pong,
}

/// A message that is none of these; the text says why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid(pub(super) String);

pub(super) fn read(text: &str) -> Result<FromClient, Invalid> {
    request::require_few_values(text.as_bytes())
        .map_err(|unreadable| Invalid(unreadable.message.into_owned()))?;
    let Ok(Value::Object(mut message)) = serde_json::from_str::<Value>(text) else {
        return Err(Invalid("A message is a JSON object".to_owned()));
    };
    let Some(Value::String(kind)) = message.remove("type") else {
        return Err(Invalid("A message has a type".to_owned()));
    };
    let payload = message.remove("payload");
    match kind.as_str() {
        "connection_init" => Ok(FromClient::Init {
            authorization: authorization(optional(payload)?),
        }),
        "ping" => optional(payload).map(|_| FromClient::Ping),
        "pong" => optional(payload).map(|_| FromClient::Pong),
        "complete" => Ok(FromClient::Complete {
            id: id(&mut message)?,
        }),
        "subscribe" => {
            let id = id(&mut message)?;
            let payload = payload.ok_or_else(|| Invalid("A subscribe message has a payload".to_owned()))?;
            let parameters =
                request::from_json(payload).map_err(|unreadable| Invalid(unreadable.message.into_owned()))?;
            Ok(FromClient::Subscribe { id, parameters })
        }
        _ => Err(Invalid(format!("There is no message type {:.40}", kind))),
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, Invalid> {
    match message.remove("id") {
        Some(Value::String(id)) if (1..=256).contains(&id.len()) => Ok(id),
        _ => Err(Invalid("This message has an id of 1 to 256 bytes".to_owned())),
    }
}

fn optional(payload: Option<Value>) -> Result<Map<String, Value>, Invalid> {
    match payload {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(payload)) => Ok(payload),
        Some(_) => Err(Invalid("A payload is an object".to_owned())),
    }
}

/// Header names have no case, so neither has this one.
fn authorization(payload: Map<String, Value>) -> Option<String> {
    payload
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .and_then(|(_, value)| match value {
            Value::String(value) => Some(value),
            Value::Null => None,
            // A credential, and not one of ours.
            _ => Some(String::new()),
        })
}

/// What we say.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum FromServer<'a> {
    #[serde(rename = "connection_ack")]
    Ack,
    Pong,
    Next {
        id: &'a str,
        payload: Envelope<'a>,
    },
    Error {
        id: &'a str,
        payload: &'a [async_graphql::ServerError],
    },
    Complete {
        id: &'a str,
    },
}

impl<'a> FromServer<'a> {
    pub(super) fn next(id: &'a str, response: &'a Response) -> Self {
        Self::Next {
            id,
            payload: Envelope::new(response),
        }
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a message has string keys only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_invalid() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"start","id":"1"}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
            r#"{"type":"connection_init","payload":1}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_credential_is_found_whatever_its_case() {
        for name in ["Authorization", "authorization", "AUTHORIZATION"] {
            let text = format!(r#"{{"type":"connection_init","payload":{{"{name}":"Bearer x"}}}}"#);
            let Ok(FromClient::Init { authorization }) = read(&text) else {
                panic!("{text}")
            };
            assert_eq!(authorization.as_deref(), Some("Bearer x"));
        }
    }
}
