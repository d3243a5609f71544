//! `[coordination]`: how processes hear of one another.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::redact_url;
use super::sources::{Fault, Sources};

/// A prefix is part of every key.
const LONGEST_PREFIX: usize = 64;

/// How processes hear of one another.
#[derive(Debug, Clone)]
pub struct CoordinationSettings {
    /// `REDIS_URL`. Absent: inside the process, which then is the only one.
    pub redis_url: Option<RedisUrl>,
    /// `SYNCLINE_REDIS_PREFIX`: what every key and channel begins with. Installations that share a Redis need
    /// different ones; the processes of one installation the same.
    pub redis_prefix: String,
}

impl Default for CoordinationSettings {
    fn default() -> Self {
        Self {
            redis_url: None,
            redis_prefix: "syncline:".to_owned(),
        }
    }
}

impl CoordinationSettings {
    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        let redis_url = sources
            .text("coordination.redis_url")?
            .map(|text| RedisUrl::parse(&text))
            .transpose();
        Ok(Self {
            redis_url: redis_url.map_err(|problem| Fault::new("coordination.redis_url", problem))?,
            redis_prefix: sources
                .text("coordination.redis_prefix")?
                .unwrap_or(Self::default().redis_prefix),
        })
    }

    /// Whether this can be used. An address is checked where it is made.
    ///
    /// # Errors
    /// When the prefix would break up the names that are made with it.
    pub fn validate(&self) -> Result<(), Fault> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
        if self.redis_prefix.len() > LONGEST_PREFIX || !self.redis_prefix.chars().all(fine) {
            let problem = format!(
                "is {:?}, must be at most {LONGEST_PREFIX} letters, digits and -_.:/ such as syncline: (braces \
                 would decide where a cluster puts the keys, and * would make other installations' notices ours)",
                self.redis_prefix
            );
            return Err(Fault::new("coordination.redis_prefix", problem));
        }
        Ok(())
    }
}

/// A Redis's address, which may hold a password and therefore never shows it.
#[derive(Clone)]
pub struct RedisUrl {
    whole: SecretString,
    shown: String,
}

impl RedisUrl {
    /// Understands `redis://…` and, over TLS, `rediss://…`.
    ///
    /// # Errors
    /// A sentence that says what is wrong; it never repeats the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|error| format!("is not a URL ({error}): write redis://:PASSWORD@HOST:6379"))?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(format!(
                "has the scheme {:?}, must be redis:// or rediss://",
                url.scheme()
            ));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("names no host: write redis://:PASSWORD@HOST:6379".to_owned());
        }
        Ok(Self {
            shown: redact_url(&url),
            whole: SecretString::from(text.to_owned()),
        })
    }

    /// The whole address with its password: for the driver, and for nobody else.
    pub fn expose(&self) -> &str {
        self.whole.expose_secret()
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown)
    }
}
