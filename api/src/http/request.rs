//! From an HTTP request to the four parameters of GraphQL over HTTP, each type-checked.
//!
//! The library's own extractors are not used: they ignore the body limit, take PUT, text and forms, and show
//! Rust's Debug text in a 400.

use std::borrow::Cow;

use async_graphql::Variables;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use crate::graphql::{self, Code};

/// A manifest's ids may be longer than a hash.
const LONGEST_HASH: usize = 256;

/// What is asked.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) query: String,
    pub(crate) operation_name: Option<String>,
    pub(crate) variables: Variables,
    /// The hash of the document, which may come without it.
    pub(crate) persisted: Option<String>,
    /// The key under which a mutation may be repeated, where it came beside the document.
    pub(crate) idempotency_key: Option<String>,
}

/// Why the request cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) status: StatusCode,
    pub(crate) code: Code,
    pub(crate) message: Cow<'static, str>,
}

fn bad(message: impl Into<Cow<'static, str>>) -> Unreadable {
    Unreadable {
        status: StatusCode::BAD_REQUEST,
        code: Code::BadUserInput,
        message: message.into(),
    }
}

/// Refuses JSON with more values than anybody sends, before it is read.
pub(crate) fn require_few_values(json: &[u8]) -> Result<(), Unreadable> {
    if graphql::few_values(json) {
        return Ok(());
    }
    Err(Unreadable {
        code: Code::TooComplex,
        ..bad("The request has too many values: send fewer at once")
    })
}

/// Refuses every body that a browser would send for another site without asking first (forms, text): with
/// JSON only, a cross-site request needs a preflight, and gets no permission.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Unreadable> {
    let wrong = || {
        let message = "Send the request as content-type: application/json, in UTF-8";
        Unreadable {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ..bad(message)
        }
    };
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(wrong)?;
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    if parts.next().as_deref() != Some("application/json") {
        return Err(wrong());
    }
    for part in parts {
        if let Some(charset) = part.strip_prefix("charset=")
            && !matches!(charset.trim_matches('"'), "utf-8" | "utf8")
        {
            return Err(wrong());
        }
    }
    Ok(())
}

/// The parameters of a POST body.
pub(crate) fn from_body(body: &[u8]) -> Result<Parameters, Unreadable> {
    require_few_values(body)?;
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        bad(format!(
            "The body is not valid JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    from_json(value)
}

/// The parameters of a JSON object: a POST body, or a subscribe message's payload.
pub(crate) fn from_json(value: Value) -> Result<Parameters, Unreadable> {
    match value {
        Value::Object(fields) => from_fields(fields),
        Value::Array(_) => Err(bad("Batches are not supported: send one operation a request")),
        _ => Err(bad("The body is not a JSON object")),
    }
}

/// The parameters of a GET: two of them are JSON inside the query string.
pub(crate) fn from_query_string(query: &str) -> Result<Parameters, Unreadable> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match name.as_ref() {
            "query" | "operationName" => Value::String(value.into_owned()),
            "variables" | "extensions" if value.is_empty() => Value::Null,
            "variables" | "extensions" => {
                require_few_values(value.as_bytes())?;
                serde_json::from_str(&value).map_err(|_| bad(format!("\"{name}\" is not valid JSON")))?
            }
            _ => continue,
        };
        if fields.insert(name.clone().into_owned(), value).is_some() {
            return Err(bad(format!("\"{name}\" is given twice")));
        }
    }
    if fields.get("operationName").is_some_and(|name| name == "") {
        fields.remove("operationName");
    }
    from_fields(fields)
}

fn from_fields(mut fields: Map<String, Value>) -> Result<Parameters, Unreadable> {
    let extensions = match fields.remove("extensions") {
        Some(Value::Object(extensions)) => extensions,
        Some(Value::Null) | None => Map::new(),
        Some(_) => return Err(bad("\"extensions\" must be an object")),
    };
    let persisted = persisted(&extensions)?;
    let idempotency_key = match extensions.get("idempotencyKey") {
        Some(Value::String(key)) => Some(key.clone()),
        None | Some(Value::Null) => None,
        Some(_) => return Err(bad("\"idempotencyKey\" must be a string")),
    };
    let query = match fields.remove("query") {
        Some(Value::String(query)) => query,
        None | Some(Value::Null) if persisted.is_some() => String::new(),
        None => return Err(bad("\"query\" is missing")),
        Some(_) => return Err(bad("\"query\" must be a string")),
    };
    let operation_name = match fields.remove("operationName") {
        Some(Value::String(name)) => Some(name),
        None | Some(Value::Null) => None,
        Some(_) => return Err(bad("\"operationName\" must be a string")),
    };
    let variables = match fields.remove("variables") {
        Some(Value::Object(variables)) => Variables::from_json(Value::Object(variables)),
        None | Some(Value::Null) => Variables::default(),
        Some(_) => return Err(bad("\"variables\" must be an object")),
    };
    Ok(Parameters {
        query,
        operation_name,
        variables,
        persisted,
        idempotency_key,
    })
}

/// The hash of Apollo's protocol, which has had one version.
fn persisted(extensions: &Map<String, Value>) -> Result<Option<String>, Unreadable> {
    let Some(persisted) = extensions.get("persistedQuery").filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    if persisted["version"] != 1 {
        return Err(bad("\"persistedQuery\" must have the version 1"));
    }
    match persisted["sha256Hash"].as_str() {
        Some(hash) if (1..=LONGEST_HASH).contains(&hash.len()) => Ok(Some(hash.to_owned())),
        _ => Err(bad("\"persistedQuery\" must have a sha256Hash")),
    }
}
