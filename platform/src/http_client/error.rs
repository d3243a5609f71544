//! What can go wrong in a call, in words that may be shown: no path, no query, no user name, no password.
//! A path can be as secret as a query (webhooks' are), and whoever wrote the URL knows it anyway.

use std::error::Error;
use std::io;
use std::time::Duration;

use url::Url;

/// A URL that may not be called, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target} may not be called: {reason}")]
pub struct Blocked {
    /// Scheme, host and port of what was asked for.
    pub target: String,
    /// Why not, and what an operator can do about it.
    pub reason: String,
}

/// A call that gave no whole answer. An answer with an error status is an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The URL, an address its name has, or a redirect's target may not be called.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// The whole call took too long.
    #[error("{target} did not answer in full within {after:?}")]
    Timeout {
        /// Scheme, host and port.
        target: String,
        /// The limit.
        after: Duration,
    },
    /// The body stopped coming.
    #[error("the body stopped coming for {after:?}")]
    Stalled {
        /// The limit.
        after: Duration,
    },
    /// The host's name has no address.
    #[error("the name of {target} cannot be resolved")]
    Dns {
        /// Scheme, host and port.
        target: String,
    },
    /// Nobody listens there.
    #[error("{target} refused the connection")]
    Refused {
        /// Scheme, host and port.
        target: String,
    },
    /// No connection could be made, or it broke before the answer's head had come.
    #[error("the connection to {target} failed: {detail}")]
    Connect {
        /// Scheme, host and port.
        target: String,
        /// What the system said.
        detail: String,
    },
    /// The other side's certificate or TLS is not acceptable.
    #[error("no secure connection to {target}: {detail}")]
    Tls {
        /// Scheme, host and port.
        target: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The body is larger than allowed, counted after decompression.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The connection ended before the body did.
    #[error("the connection ended before the body did")]
    Truncated,
    /// The body is not what its Content-Encoding says.
    #[error("the body cannot be decompressed: {detail}")]
    Undecodable {
        /// What the decoder said.
        detail: String,
    },
    /// Too many redirects, or one that cannot be followed.
    #[error("a redirect cannot be followed: {reason}")]
    Redirects {
        /// Why.
        reason: String,
    },
    /// Anything else, such as an answer that is not HTTP.
    #[error("the call to {target} failed: {detail}")]
    Other {
        /// Scheme, host and port.
        target: String,
        /// What the client said.
        detail: String,
    },
}

impl HttpError {
    /// The error's code, as runs carry it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Blocked(_) => "BLOCKED_ADDRESS",
            Self::Timeout { .. } => "TIMEOUT",
            Self::Stalled { .. } => "STALLED",
            Self::Dns { .. } => "DNS",
            Self::Refused { .. } => "CONNECTION_REFUSED",
            Self::Connect { .. } => "CONNECTION_FAILED",
            Self::Tls { .. } => "TLS",
            Self::TooLarge { .. } => "BODY_TOO_LARGE",
            Self::Truncated => "BODY_TRUNCATED",
            Self::Undecodable { .. } => "BODY_UNDECODABLE",
            Self::Redirects { .. } => "REDIRECT",
            Self::Other { .. } => "HTTP_FAILURE",
        }
    }

    /// What the client says of a call whose answer's head did not come.
    pub(super) fn of_call(error: reqwest::Error, url: &Url, timeout: Duration, to_connect: Duration) -> Self {
        let target = target_of(url);
        let error = error.without_url();
        if let Some(blocked) = find::<Blocked>(&error) {
            // The resolver knows the name only.
            return Self::Blocked(Blocked {
                target,
                reason: blocked.reason.clone(),
            });
        }
        if let Some(tls) = find::<rustls::Error>(&error) {
            return Self::Tls {
                target,
                detail: tls.to_string(),
            };
        }
        if error.is_timeout() {
            let after = if error.is_connect() {
                timeout.min(to_connect)
            } else {
                timeout
            };
            return Self::Timeout { target, after };
        }
        if error.is_dns() {
            return Self::Dns { target };
        }
        match find::<io::Error>(&error).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused { target },
            Some(_) => Self::Connect {
                target,
                detail: root(&error),
            },
            None if error.is_connect() => Self::Connect {
                target,
                detail: root(&error),
            },
            None => Self::Other {
                target,
                detail: root(&error),
            },
        }
    }

    /// There is no client for secure calls.
    pub(super) fn unsecured(url: &Url, error: &dyn Error) -> Self {
        Self::Tls {
            target: target_of(url),
            detail: error.to_string(),
        }
    }

    /// The whole call took too long.
    pub(super) fn late(url: &Url, after: Duration) -> Self {
        Self::Timeout {
            target: target_of(url),
            after,
        }
    }

    /// What the client says of a body that did not come whole.
    pub(super) fn of_body(error: reqwest::Error, url: &Url, timeout: Duration) -> Self {
        let error = error.without_url();
        if error.is_timeout() {
            return Self::late(url, timeout);
        }
        // A decoder's complaint is an io::Error that is none of the connection's.
        match find::<io::Error>(&error).map(io::Error::kind) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                Self::Undecodable { detail: root(&error) }
            }
            _ => Self::Truncated,
        }
    }
}

/// Scheme, host and port: all of a URL that is nobody's secret.
pub(super) fn target_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// A URL as it may be shown to whoever configured it: without user, password, query and fragment.
pub fn redacted(url: &Url) -> String {
    format!("{}{}", target_of(url), url.path())
}

/// The first cause of this type. An `io::Error` that wraps another error is looked into as well.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The last cause: the one that says something.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
