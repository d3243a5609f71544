//! HTTP to other people's servers: guarded, bounded, and quiet about secrets.
//!
//! What is called is decided by [`NetworkPolicy`] (see `guard`), how long and how much by [`HttpLimits`],
//! and what goes wrong is a [`HttpError`] that may be shown to whoever configured the call. The ambient
//! proxy variables are ignored: a proxy would resolve names for us, behind the guard's back.
//!
//! There is one client for all upstreams, because connections are pooled by origin anyway and its TLS roots
//! are the largest thing in it. They are read when the first secure call is made: a command that makes none starts
//! sooner and stays smaller.

mod body;
mod connect;
mod error;
mod guard;
mod redirect;
mod resolve;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Method, Request, RequestBuilder, Response};
use url::Url;

pub use body::BodyStream;
pub use error::{Blocked, HttpError, redacted};
pub use guard::NetworkPolicy;
pub use tls::{TlsSetup, install_crypto_provider, tls_setup};

use crate::clock::{Clock, SharedClock, SystemClock};

/// Idle connections are kept for less than servers usually keep them, lest we write into a closing one.
const IDLE: Duration = Duration::from_secs(30);

/// How much of our patience and memory an upstream gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// For the connection to be made.
    pub connect_timeout: Duration,
    /// From the first byte sent to the last of the body, redirects included. A request's own timeout
    /// replaces it.
    pub request_timeout: Duration,
    /// Between two pieces of the body.
    pub stall_timeout: Duration,
    /// Of a body, after decompression.
    pub max_body_bytes: usize,
    /// Followed before it is an error.
    pub max_redirects: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            max_body_bytes: 64 << 20,
            max_redirects: 5,
        }
    }
}

/// An HTTP client for other people's servers. Clones share its connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// For calls that are not secure; it trusts nobody.
    plain: reqwest::Client,
    secure: Arc<OnceLock<reqwest::Client>>,
    limits: HttpLimits,
    policy: Arc<NetworkPolicy>,
}

/// What the time limit of a call is for.
#[derive(Debug, Clone, Copy)]
enum Limited {
    /// All of it.
    Call,
    /// Until the body begins.
    Head,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// TLS could not.
    #[error("cannot set up TLS for calls to others: {0}")]
    Tls(#[from] rustls::Error),
    /// The client itself could not.
    #[error("cannot set up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

impl HttpClient {
    /// A client under this policy.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(policy: NetworkPolicy, limits: HttpLimits) -> Result<Self, HttpClientError> {
        let policy = Arc::new(policy);
        Ok(Self {
            plain: bare(&policy, &limits, tls::trusting_nobody()?)?,
            secure: Arc::default(),
            limits,
            policy,
        })
    }

    /// The client for a URL.
    fn of(&self, url: &Url) -> Result<&reqwest::Client, HttpError> {
        if url.scheme() != "https" {
            return Ok(&self.plain);
        }
        if let Some(secure) = self.secure.get() {
            return Ok(secure);
        }
        let made = tls::client_config()
            .map_err(HttpClientError::from)
            .and_then(|tls| bare(&self.policy, &self.limits, tls))
            .map_err(|error| HttpError::unsecured(url, &error))?;
        Ok(self.secure.get_or_init(|| made))
    }

    /// The limits it was made with.
    pub fn limits(&self) -> HttpLimits {
        self.limits
    }

    /// Starts a request to this URL.
    ///
    /// # Errors
    /// When the URL may not be called.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Blocked> {
        self.policy.check(url)?;
        Ok(self.plain.request(method, url.clone()))
    }

    /// Sends a request and follows redirects, each checked as the first URL was. Dropping the future ends
    /// the call.
    ///
    /// # Errors
    /// When no answer's head came; an error status is an answer.
    pub async fn execute(&self, request: Request) -> Result<Response, HttpError> {
        self.follow(request, Limited::Call).await
    }

    /// As [`HttpClient::execute`], for a body that is read with [`HttpClient::stream_body`]: the time limit is the
    /// head's, and the body has its own.
    ///
    /// # Errors
    /// As [`HttpClient::execute`].
    pub async fn open(&self, request: Request) -> Result<Response, HttpError> {
        self.follow(request, Limited::Head).await
    }

    async fn follow(&self, mut request: Request, limited: Limited) -> Result<Response, HttpError> {
        let timeout = request.timeout().copied().unwrap_or(self.limits.request_timeout);
        let started = SystemClock.monotonic();
        for _ in 0..=self.limits.max_redirects {
            self.policy.check(request.url())?;
            let left = timeout.saturating_sub(SystemClock.monotonic() - started);
            let url = request.url().clone();
            let client = self.of(&url)?;
            let sent;
            let response = match limited {
                Limited::Call => {
                    *request.timeout_mut() = Some(left);
                    sent = redirect::Sent::of(&request);
                    client.execute(request).await
                }
                Limited::Head => {
                    *request.timeout_mut() = None;
                    sent = redirect::Sent::of(&request);
                    let call = tokio::time::timeout(left, client.execute(request));
                    call.await.map_err(|_| HttpError::late(&url, timeout))?
                }
            };
            let response = response
                .map_err(|error| HttpError::of_call(error, &url, timeout, self.limits.connect_timeout))?;
            match redirect::next(&response, sent)? {
                None => return Ok(response),
                Some(next) => request = next,
            }
        }
        Err(HttpError::Redirects {
            reason: format!("there were more than {}", self.limits.max_redirects),
        })
    }

    /// The body piece by piece, up to `max` bytes and the client's own bound, counted after decompression; waiting
    /// for pieces takes at most `timeout` by this clock.
    pub fn stream_body(
        &self,
        response: Response,
        max: usize,
        timeout: Duration,
        clock: SharedClock,
    ) -> BodyStream {
        let limit = max.min(self.limits.max_body_bytes);
        BodyStream::new(response, limit, self.limits.stall_timeout, timeout, clock)
    }

    /// A connection for another protocol, under the same policy and patience.
    ///
    /// # Errors
    /// When the host may not be called, or cannot be reached.
    pub async fn connect(&self, host: &str, port: u16) -> Result<tokio::net::TcpStream, HttpError> {
        connect::connect(&self.policy, host, port, self.limits.connect_timeout).await
    }

    /// The body, up to `max` bytes and the client's own bound, counted after decompression.
    ///
    /// # Errors
    /// When it is larger, stops coming, ends early or cannot be decompressed.
    pub async fn read_body(&self, response: Response, max: usize) -> Result<Bytes, HttpError> {
        let limit = max.min(self.limits.max_body_bytes);
        body::read(
            response,
            limit,
            self.limits.stall_timeout,
            self.limits.request_timeout,
        )
        .await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the guarded client is built on the bare one"
)]
fn bare(
    policy: &Arc<NetworkPolicy>,
    limits: &HttpLimits,
    tls: rustls::ClientConfig,
) -> Result<reqwest::Client, HttpClientError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(resolve::GuardedResolver(Arc::clone(policy))))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(limits.connect_timeout)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("syncline/", env!("CARGO_PKG_VERSION")))
        .build()?)
}
