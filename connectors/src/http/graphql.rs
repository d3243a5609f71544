//! GraphQL: a query with its variables goes out, and an answer that may be a failure with status 200 comes back.
//!
//! GraphQL says what went wrong in `errors`, whatever the status. What an error *is* stands in its `extensions.code`
//! (or, older, in its `type`), and servers agree on a handful of words for it; those are classified here, so that a
//! manifest needs no filter for them. An answer without `data` was refused before it was executed, which is the
//! query's fault; one with data had a resolver fail, which is the upstream's and may pass.
//!
//! Data beside errors is a failure by default. Lists in it may lack members, and a full refresh would delete what
//! is not there; whoever knows better says `partial_data: ACCEPT`.

use serde_json::{Map, Value};

use super::answer::Answer;
use super::excerpt;
use super::session::{Names, Session};
use super::verdict::Said;
use crate::manifest::components::{GraphqlOperation, PartialData};
use crate::read::{ErrorKind, NoteLevel, ReadError};

/// The request's body, before others inject into it.
pub(super) fn body(
    session: &Session,
    operation: &GraphqlOperation,
    names: &Names<'_>,
) -> Result<Map<String, Value>, ReadError> {
    let mut body = Map::new();
    body.insert(
        "query".to_owned(),
        Value::String(session.text(&operation.query, names)?),
    );
    if let Some(name) = &operation.operation_name {
        body.insert(
            "operationName".to_owned(),
            Value::String(session.text(name, names)?),
        );
    }
    match session.json(&operation.variables, names)? {
        Value::Object(variables) if variables.is_empty() => {}
        variables @ Value::Object(_) => {
            body.insert("variables".to_owned(), variables);
        }
        Value::Null => {}
        _ => return Err(ReadError::config("The GraphQL variables must be an object.")),
    }
    Ok(body)
}

/// What the answer's `errors` say; `None`: there are none that count.
pub(super) fn said(session: &Session, operation: &GraphqlOperation, answer: &Answer) -> Option<Said> {
    // Good pages are spared the parse: every answer is asked.
    if !mentions_errors(&answer.body) {
        return None;
    }
    let document: Value = serde_json::from_slice(&answer.body).ok()?;
    let errors = document.get("errors")?.as_array()?;
    let has_data = document.get("data").is_some_and(|data| !data.is_null());
    let executed = document.get("data").is_some();
    let (class, error) = errors
        .iter()
        .map(|error| (classify(error, executed), error))
        .min_by_key(|(class, _)| *class)?;
    let words = words(session, error);
    if has_data && operation.partial_data == PartialData::Accept && class >= Class::Failed {
        let message = format!("The upstream left something out of an answer: {words}");
        session.note(NoteLevel::Warning, message);
        return None;
    }
    let (kind, code, retryable) = match class {
        Class::RateLimited => (ErrorKind::RateLimited, "GRAPHQL_RATE_LIMITED", true),
        Class::Auth => (ErrorKind::Auth, "GRAPHQL_AUTH", false),
        Class::Invalid => (ErrorKind::Config, "GRAPHQL_INVALID", false),
        Class::Timeout => (ErrorKind::Timeout, "GRAPHQL_TIMEOUT", true),
        Class::Failed => (ErrorKind::Upstream, "GRAPHQL_ERROR", true),
    };
    let more = match errors.len() {
        1 => String::new(),
        count => format!(" ({} more)", count - 1),
    };
    Some(Said {
        kind,
        code,
        retryable,
        message: format!("The upstream's GraphQL answer is an error{more}: {words}"),
    })
}

fn mentions_errors(body: &[u8]) -> bool {
    let wanted = b"\"errors\"";
    body.windows(wanted.len()).any(|window| window == wanted)
}

/// In the order in which one of several decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    RateLimited,
    Auth,
    Invalid,
    Timeout,
    Failed,
}

fn classify(error: &Value, executed: bool) -> Class {
    let code = code(error).unwrap_or_default().to_ascii_uppercase();
    match code.as_str() {
        "THROTTLED"
        | "RATE_LIMITED"
        | "RATELIMITED"
        | "RATE_LIMIT"
        | "RATE_LIMIT_EXCEEDED"
        | "RATE_LIMIT_REACHED"
        | "TOO_MANY_REQUESTS"
        | "COMPLEXITYEXCEPTION" => Class::RateLimited,
        "UNAUTHENTICATED"
        | "UNAUTHORIZED"
        | "FORBIDDEN"
        | "ACCESS_DENIED"
        | "PERMISSION_DENIED"
        | "AUTHENTICATION_ERROR"
        | "AUTHENTICATION_FAILED"
        | "INVALID_TOKEN"
        | "INSUFFICIENT_SCOPES" => Class::Auth,
        "GRAPHQL_VALIDATION_FAILED"
        | "GRAPHQL_PARSE_FAILED"
        | "BAD_USER_INPUT"
        | "BAD_REQUEST"
        | "OPERATION_RESOLUTION_FAILURE"
        | "PERSISTED_QUERY_NOT_FOUND"
        | "PERSISTED_QUERY_NOT_SUPPORTED"
        | "MAX_COST_EXCEEDED"
        | "MAX_NODE_LIMIT_EXCEEDED"
        | "QUERY_TOO_COMPLEX"
        | "UNDEFINEDFIELD"
        | "UNDEFINEDTYPE"
        | "ARGUMENTNOTACCEPTED"
        | "ARGUMENTLITERALSINCOMPATIBLE"
        | "MISSINGREQUIREDARGUMENTS"
        | "VARIABLEMISMATCH"
        | "SELECTIONMISMATCH"
        | "NOT_FOUND" => Class::Invalid,
        "TIMEOUT" | "GATEWAY_TIMEOUT" | "REQUEST_TIMEOUT" => Class::Timeout,
        "" if !executed => Class::Invalid,
        _ => Class::Failed,
    }
}

fn code(error: &Value) -> Option<&str> {
    let extensions = error.get("extensions");
    extensions
        .and_then(|extensions| extensions.get("code"))
        .and_then(Value::as_str)
        .or_else(|| error.get("type").and_then(Value::as_str))
}

/// The error's own words, with its code and where in the query it was.
fn words(session: &Session, error: &Value) -> String {
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let mut said = excerpt::presentable(&session.scrub(message)).unwrap_or_else(|| "no message".to_owned());
    let path: Vec<String> = error
        .get("path")
        .and_then(Value::as_array)
        .map(|path| {
            path.iter()
                .map(|part| part.as_str().map_or_else(|| part.to_string(), ToOwned::to_owned))
                .collect()
        })
        .unwrap_or_default();
    for detail in [code(error).map(ToOwned::to_owned), Some(path.join("."))] {
        if let Some(detail) = detail.and_then(|detail| excerpt::presentable(&session.scrub(&detail))) {
            said = format!("{said} [{detail}]");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_found_where_servers_put_them() {
        let class = |error: Value| classify(&error, true);
        assert_eq!(
            class(json!({"message": "x", "extensions": {"code": "THROTTLED"}})),
            Class::RateLimited
        );
        assert_eq!(
            class(json!({"message": "x", "type": "RATE_LIMITED"})),
            Class::RateLimited
        );
        assert_eq!(
            class(json!({"extensions": {"code": "undefinedField"}})),
            Class::Invalid
        );
        assert_eq!(class(json!({"extensions": {"code": 17}})), Class::Failed);
        assert_eq!(
            classify(&json!({"message": "Syntax Error"}), false),
            Class::Invalid
        );
        assert_eq!(classify(&json!({"message": "it broke"}), true), Class::Failed);
    }
}
