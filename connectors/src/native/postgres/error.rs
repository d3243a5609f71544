//! What PostgreSQL's failures mean.

use tokio_postgres::error::SqlState;

use super::connection::Connection;
use crate::http::excerpt;
use crate::http::session::Session;
use crate::read::{ErrorKind, ReadError};

/// A failure, before it is known what the connection saw.
#[derive(Debug)]
pub(super) enum Failed {
    Read(ReadError),
    Postgres(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<ReadError> for Failed {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl Failed {
    pub(super) fn classified(self, session: &Session, connection: &Connection) -> ReadError {
        if connection.was_too_much() {
            let limit = session.context.limits.max_body_bytes;
            let message = format!("A page of rows is larger than {limit} bytes; make page_size smaller.");
            return ReadError::new(ErrorKind::Malformed, "BODY_TOO_LARGE", message);
        }
        match self {
            Self::Read(error) => error,
            Self::Postgres(error) => classify(session, &error),
        }
    }
}

/// See the module.
pub(super) fn classify(session: &Session, error: &tokio_postgres::Error) -> ReadError {
    let Some(refusal) = error.as_db_error() else {
        return unanswered(session, error);
    };
    let code = refusal.code();
    let (kind, retryable) = class(code);
    let said = excerpt::presentable(&session.scrub(refusal.message())).unwrap_or_default();
    let mut classified = ReadError::new(
        kind,
        format!("POSTGRES_{}", code.code()),
        format!("PostgreSQL refused ({}): {said}.", code.code()),
    );
    classified.retryable = retryable;
    classified
}

fn class(code: &SqlState) -> (ErrorKind, bool) {
    let text = code.code();
    match text {
        "42501" => (ErrorKind::Auth, false),
        // A statement that took too long.
        "57014" => (ErrorKind::Timeout, true),
        "57P04" => (ErrorKind::Config, false),
        _ => match text.get(..2).unwrap_or_default() {
            "28" => (ErrorKind::Auth, false),
            "08" | "57" => (ErrorKind::Network, true),
            "0A" | "22" | "25" | "26" | "34" | "3D" | "3F" | "42" => (ErrorKind::Config, false),
            "40" | "53" | "55" | "58" | "72" | "XX" => (ErrorKind::Upstream, true),
            _ => (ErrorKind::Upstream, false),
        },
    }
}

/// No refusal: the connection broke, or what came was not PostgreSQL's.
fn unanswered(session: &Session, error: &tokio_postgres::Error) -> ReadError {
    if let Some(tls) = cause::<rustls::Error>(error) {
        let message = session.scrub(&format!("No secure connection to PostgreSQL: {tls}."));
        return ReadError::new(ErrorKind::Network, "TLS", message).retryable();
    }
    let text = told(error);
    if text.contains("server does not support TLS") {
        let message = "The server does not offer TLS; let it, or set tls_mode to disable.";
        return ReadError::new(ErrorKind::Config, "TLS", message);
    }
    if error.is_closed() || cause::<std::io::Error>(error).is_some() {
        let message = "The connection to PostgreSQL ended in the middle.";
        return ReadError::new(ErrorKind::Network, "CONNECTION_LOST", message).retryable();
    }
    if text.contains("password missing") || text.contains("authentication") {
        let message = "The server asks for a password, and the configuration has none that it takes.";
        return ReadError::new(ErrorKind::Auth, "POSTGRES_AUTHENTICATION", message);
    }
    let message = session.scrub(&format!("The answer is not understood: {text}."));
    ReadError::new(ErrorKind::Malformed, "POSTGRES_PROTOCOL", message).retryable()
}

/// The error with its causes: the library's own words name only the step that failed.
fn told(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// The first cause of this type; an `io::Error` that wraps another error is looked into as well.
fn cause<'e, T: std::error::Error + 'static>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_kinds() {
        for (code, kind, retryable) in [
            ("28P01", ErrorKind::Auth, false),
            ("28000", ErrorKind::Auth, false),
            ("42501", ErrorKind::Auth, false),
            ("3D000", ErrorKind::Config, false),
            ("42P01", ErrorKind::Config, false),
            ("42703", ErrorKind::Config, false),
            ("42601", ErrorKind::Config, false),
            ("25006", ErrorKind::Config, false),
            ("22P02", ErrorKind::Config, false),
            ("57P03", ErrorKind::Network, true),
            ("57P01", ErrorKind::Network, true),
            ("08006", ErrorKind::Network, true),
            ("57014", ErrorKind::Timeout, true),
            ("53300", ErrorKind::Upstream, true),
            ("40001", ErrorKind::Upstream, true),
            ("P0001", ErrorKind::Upstream, false),
        ] {
            assert_eq!(class(&SqlState::from_code(code)), (kind, retryable), "{code}");
        }
    }
}
