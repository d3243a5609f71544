//! From an error to what an outsider reads of it: the last step, and the only one that knows the codes.
//!
//! Resolvers return the engine's error with `?`; the library keeps it as the source, and [`present`] maps it
//! here. An error that nobody gave a code is ours by definition: it is logged with its inside and shown as
//! INTERNAL_SERVER_ERROR without. So a forgotten mapping hides too much, never too little.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};

use super::guard::Refusal;
use crate::counters::{self, By};

/// `extensions.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// No credential, or not one of ours.
    Unauthenticated,
    /// A known caller who may not.
    Forbidden,
    /// The request is wrong.
    BadUserInput,
    /// The hash of a document that is not kept here: Apollo's word, upon which its clients send the text.
    PersistedQueryNotFound,
    /// Something else is under way that excludes this.
    Conflict,
    /// Too much at once.
    RateLimited,
    /// The document costs too much.
    TooComplex,
    /// Something we stand on is away; asking again may help.
    Unavailable,
    /// Our fault.
    Internal,
}

impl Code {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::RateLimited => "RATE_LIMITED",
            Self::TooComplex => "TOO_COMPLEX",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL_SERVER_ERROR",
        }
    }
}

/// An error that a resolver of ours decides on, beside those of the engine.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    code: Code,
    message: String,
}

impl Fault {
    /// What the caller sent cannot be worked with.
    pub(crate) fn bad_input(message: impl Into<String>) -> Self {
        Self {
            code: Code::BadUserInput,
            message: message.into(),
        }
    }

    /// The caller should come again.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            code: Code::Unavailable,
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error of the engine, shared by all who waited for the same batch.
pub(crate) type Shared = Arc<engine::Error>;

const INTERNAL: &str = "Internal error. The correlation id finds it in the log.";

/// Gives every error its code, its correlation id and a message that shows nothing inside.
pub(crate) fn present(response: &mut Response, correlation_id: &str) {
    for error in &mut response.errors {
        let (code, message) = read(error);
        if code == Code::Internal {
            tracing::error!(path = ?error.path, error = %inside(error), "a resolver failed");
        }
        if let Some(message) = message {
            error.message = message;
        }
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", code.as_str());
        extensions.set("correlationId", correlation_id);
        error.source = None;
    }
}

/// The answer to a document that the guard refused.
pub(crate) fn refuse(refusal: Refusal, correlation_id: &str) -> Response {
    let mut error = ServerError::new(refusal.message, None);
    error.locations = refusal.locations;
    error.source = Some(Arc::new(Fault {
        code: refusal.code,
        message: error.message.clone(),
    }));
    let mut response = Response::from_errors(vec![error]);
    present(&mut response, correlation_id);
    response
}

/// An answer of one error that is about no place in the document.
pub(crate) fn answer(code: Code, message: &str, correlation_id: &str) -> Response {
    refuse(
        Refusal {
            code,
            message: message.to_owned(),
            locations: Vec::new(),
        },
        correlation_id,
    )
}

/// An answer to a request that the engine could not even begin.
pub(crate) fn failed(error: engine::Error, correlation_id: &str) -> Response {
    let mut told = ServerError::new(String::new(), None);
    told.source = Some(Arc::new(error));
    let mut response = Response::from_errors(vec![told]);
    present(&mut response, correlation_id);
    response
}

/// The answer to a request that took longer than it may.
pub(crate) fn too_long(allowed: Duration, correlation_id: &str) -> Response {
    counters::refused(By::Time);
    let message = format!(
        "The answer took longer than the {} s that a request has: ask for less at once",
        allowed.as_secs()
    );
    answer(Code::Unavailable, &message, correlation_id)
}

/// The answer, with the seconds after which asking again helps.
pub(crate) fn retry_after(mut response: Response, seconds: u64) -> Response {
    for error in &mut response.errors {
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("retryAfter", seconds);
    }
    response
}

/// The answer, with a word that tells it from others of its code.
pub(crate) fn with_reason(mut response: Response, reason: &str) -> Response {
    for error in &mut response.errors {
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("reason", reason);
    }
    response
}

/// Whether this is what became of the operation, and asking again would not give a better answer. An answer that was
/// [presented](present) with a fault of ours, or of something we stand on, is not.
pub(crate) fn is_final(response: &Response) -> bool {
    let passing = [Code::Unavailable, Code::Internal].map(|code| Value::from(code.as_str()));
    let passes = |error: &ServerError| {
        let code = error
            .extensions
            .as_ref()
            .and_then(|extensions| extensions.get("code"));
        code.is_none_or(|code| passing.contains(code))
    };
    !is_request_error(response) && !response.errors.iter().any(passes)
}

fn engine_error(error: &ServerError) -> Option<&engine::Error> {
    error
        .source::<engine::Error>()
        .or_else(|| error.source::<Shared>().map(|shared| &**shared))
}

fn read(error: &ServerError) -> (Code, Option<String>) {
    if let Some(engine) = engine_error(error) {
        let code = match engine {
            engine::Error::Unavailable(_) => Code::Unavailable,
            engine::Error::Forbidden(_) => Code::Forbidden,
            engine::Error::BadCursor | engine::Error::BadInput(_) => Code::BadUserInput,
            engine::Error::Internal(_) => Code::Internal,
        };
        return (code, Some(engine.outsider_message().to_owned()));
    }
    if let Some(fault) = error.source::<Fault>() {
        return (fault.code, None);
    }
    if error.path.is_empty() {
        return (of_request(&error.message), None);
    }
    if is_unreadable_input(&error.message) {
        return (Code::BadUserInput, None);
    }
    (Code::Internal, Some(INTERNAL.to_owned()))
}

/// The library's own limits speak through their messages only.
fn of_request(message: &str) -> Code {
    let limits = [
        "Query is too complex",
        "Query is nested too deep",
        "The recursion depth",
        "The number of directives",
    ];
    if limits.iter().any(|start| message.starts_with(start)) {
        Code::TooComplex
    } else {
        Code::BadUserInput
    }
}

/// An argument that passed validation and still did not parse (a date, an out-of-range Int) is reported by
/// the library in the resolver's place, without a code. Errors of ours never begin like this uncoded.
fn is_unreadable_input(message: &str) -> bool {
    [
        "Failed to parse \"",
        "Expected input type \"",
        "Invalid value for argument",
    ]
    .iter()
    .any(|start| message.starts_with(start))
}

fn inside(error: &ServerError) -> String {
    engine_error(error).map_or_else(|| error.message.clone(), engine::Error::chain)
}

/// Whether this answers a request that was refused before anything ran: such an answer has no `data` key.
pub(crate) fn is_request_error(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

#[cfg(test)]
mod tests {
    use async_graphql::PathSegment;

    use super::*;

    /// An answer with data, and this error in one of its fields.
    fn executed(source: Option<Fault>) -> Response {
        let mut error = ServerError::new("something", None);
        error.path = vec![PathSegment::Field("registerClient".to_owned())];
        error.source = source.map(|fault| Arc::new(fault) as _);
        let mut response = Response::new(Value::Object(Default::default()));
        response.errors = vec![error];
        present(&mut response, "correlation");
        response
    }

    #[test]
    fn an_answer_is_final_unless_asking_again_may_better_it() {
        assert!(is_final(&Response::new(Value::Object(Default::default()))));
        assert!(is_final(&executed(Some(Fault::bad_input("a cursor")))));
        assert!(!is_final(&executed(Some(Fault::unavailable("a database")))));
        assert!(!is_final(&executed(None)), "nobody's error is ours");
        assert!(!is_final(&answer(
            Code::BadUserInput,
            "was not executed",
            "correlation"
        )));
    }
}
