//! The issuer's keys: read where its discovery document says, kept, and read again.
//!
//! An issuer changes its keys when it likes, and announces nothing. A token that names a key which we do not have is the
//! announcement, so the keys are read again then. Anybody can write such a token, so that happens once a minute at most.
//! And every hour, because a key that the issuer has withdrawn is named by nobody whom one would want to hear.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::Method;
use platform::clock::SharedClock;
use platform::http_client::{Blocked, HttpClient, HttpError};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::key_set::{KeySet, PublicKey};
use super::signature::Signed;

/// Between two readings.
const PAUSE: Duration = Duration::from_secs(60);
/// Older keys are read again.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// Older keys are not believed any more, when they cannot be read again.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST: usize = 256 * 1024;

/// Why the keys could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error("the issuer may not be called")]
    Blocked(#[from] Blocked),
    #[error("the issuer cannot be called")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the issuer does not answer")]
    Http(#[from] HttpError),
    #[error("{0} answered with status {1}")]
    Status(Url, u16),
    #[error("{0} is no {1}")]
    Unreadable(Url, &'static str),
    #[error("the discovery document is of the issuer {0:?}, not of the one that is set")]
    OtherIssuer(String),
    #[error("the keys could not be read within the last minute, and are asked for again after it")]
    Pausing,
}

/// An issuer's keys.
pub(super) struct IssuerKeys {
    issuer: String,
    http: HttpClient,
    clock: SharedClock,
    kept: RwLock<Option<Kept>>,
    /// When they were last asked for. Whoever asks holds it, and the others wait for what that one learns.
    asked: Mutex<Option<Duration>>,
}

#[derive(Clone)]
struct Kept {
    set: Arc<KeySet>,
    read_at: Duration,
}

impl IssuerKeys {
    pub(super) fn new(issuer: &str, engine: &engine::Engine) -> Self {
        Self {
            issuer: issuer.to_owned(),
            http: engine.connectors.http().clone(),
            clock: engine.clock.clone(),
            kept: RwLock::new(None),
            asked: Mutex::new(None),
        }
    }

    /// The key of a token; none where the issuer has no such key.
    pub(super) async fn find(&self, token: &Signed<'_>) -> Result<Option<Arc<PublicKey>>, engine::Error> {
        if let Some(key) = self.known(token, FRESH) {
            return Ok(Some(key));
        }
        let refreshed = self.refresh(token).await;
        if let Some(key) = self.known(token, BELIEVED) {
            if let Err(error) = &refreshed {
                tracing::debug!(error = %chain(error), "the issuer's keys are those read before");
            }
            return Ok(Some(key));
        }
        match refreshed {
            Ok(()) => Ok(None),
            // Keys that were just read, and this one is not among them.
            Err(KeysError::Pausing) if self.kept().is_some() => Ok(None),
            Err(error) => {
                tracing::warn!(error = %chain(&error), issuer = %self.issuer, "the issuer's keys cannot be read: nobody with a token is let in");
                Err(engine::Error::Unavailable(error.into()))
            }
        }
    }

    fn known(&self, token: &Signed<'_>, age: Duration) -> Option<Arc<PublicKey>> {
        let kept = self.kept()?;
        let is_young = self.clock.monotonic().saturating_sub(kept.read_at) < age;
        kept.set.find(token).filter(|_| is_young)
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn refresh(&self, token: &Signed<'_>) -> Result<(), KeysError> {
        let mut asked = self.asked.lock().await;
        if self.known(token, FRESH).is_some() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        if asked.is_some_and(|at| now.saturating_sub(at) < PAUSE) {
            return Err(KeysError::Pausing);
        }
        *asked = Some(now);
        let set = Arc::new(self.read().await?);
        let read = Kept { set, read_at: now };
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(read);
        Ok(())
    }

    async fn read(&self) -> Result<KeySet, KeysError> {
        let address = format!(
            "{}/.well-known/openid-configuration",
            self.issuer.trim_end_matches('/')
        );
        let address = Url::parse(&address).map_err(|error| KeysError::Request(error.into()))?;
        let document: Value = serde_json::from_slice(&self.get(&address).await?)
            .map_err(|_| KeysError::Unreadable(address.clone(), "discovery document"))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        match text("issuer") {
            Some(issuer) if issuer == self.issuer => {}
            other => {
                return Err(KeysError::OtherIssuer(
                    other.unwrap_or_default().chars().take(200).collect(),
                ));
            }
        }
        let keys = text("jwks_uri").and_then(|uri| Url::parse(uri).ok());
        // No weaker than the issuer itself: keys that come in clear could be anybody's.
        let keys = keys
            .filter(|url| url.scheme() == "https" || url.scheme() == address.scheme())
            .ok_or(KeysError::Unreadable(
                address,
                "discovery document with a jwks_uri",
            ))?;
        KeySet::read(&self.get(&keys).await?).ok_or(KeysError::Unreadable(keys, "key set"))
    }

    async fn get(&self, url: &Url) -> Result<bytes::Bytes, KeysError> {
        let request = self.http.request(Method::GET, url)?.timeout(PATIENCE).build();
        let request = request.map_err(|error| KeysError::Request(error.into()))?;
        let response = self.http.execute(request).await?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(KeysError::Status(url.clone(), status));
        }
        Ok(self.http.read_body(response, LARGEST).await?)
    }
}

fn chain(error: &KeysError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
