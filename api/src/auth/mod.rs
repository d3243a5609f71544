//! From credentials to an [`Actor`], and which requests may ask at all.
//!
//! A caller shows the operator's key, an API key or a token of the issuer that is set, always as `Authorization: Bearer …`. With an operator key the address
//! may be any. Without one it is loopback, and whoever reaches it and shows nothing is the operator, unless settings say
//! otherwise: so the one thing to keep out is a web page that drives the API through somebody's browser, which is what
//! [`loopback`] does.
//!
//! A credential that is shown and does not count is refused also on loopback. Taking its holder for the operator, who
//! would be let in with nothing, would turn a revoked key into the best one there is.

mod loopback;
mod origins;
mod sessions;
mod tokens;

use chrono::{DateTime, Utc};
use engine::access::KEY_MARK;
use engine::{Actor, Engine};
use platform::settings::ServerSettings;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub(crate) use self::loopback::Loopback;
pub(crate) use self::origins::Origins;
pub(crate) use self::sessions::{Session, Sessions};
use self::tokens::Tokens;

/// Decides who a caller is.
#[derive(Debug)]
pub(crate) struct Gate {
    engine: Engine,
    /// The operator key's hash, so that comparing takes the same time whatever the length of what was sent.
    operator: Option<[u8; 32]>,
    /// Without an operator key: whoever reaches loopback and is not a web page of somebody else.
    loopback: Option<Loopback>,
    /// Which web pages may call.
    origins: Origins,
    /// Whom an issuer of tokens vouches for, where one is set.
    tokens: Option<Tokens>,
    /// Whether those are let in with nothing.
    anonymous: bool,
}

/// Who was let in, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) actor: Actor,
    /// Which secret of an API key was shown.
    prefix: Option<String>,
    /// When the credential ends, as far as is known.
    ends_at: Option<DateTime<Utc>>,
}

impl From<Actor> for Admitted {
    fn from(actor: Actor) -> Self {
        Self {
            actor,
            prefix: None,
            ends_at: None,
        }
    }
}

/// Why nobody was let in.
#[derive(Debug)]
pub(crate) enum Denied {
    /// The credential is missing or not one of ours.
    Unauthenticated,
    /// Nobody can tell at the moment.
    Failed(engine::Error),
}

impl From<engine::Error> for Denied {
    fn from(error: engine::Error) -> Self {
        Self::Failed(error)
    }
}

impl Gate {
    /// The gate of these settings; `port` is the one that is really listened on.
    pub(crate) fn new(engine: Engine, settings: &ServerSettings, port: u16) -> Self {
        let key = settings.operator_key.as_ref();
        let identity = settings.identity.clone();
        Self {
            tokens: identity.map(|identity| Tokens::new(identity, &engine)),
            engine,
            operator: key.map(|key| Sha256::digest(key.expose_secret()).into()),
            loopback: key
                .is_none()
                .then(|| Loopback::new(port, &settings.allowed_origins)),
            origins: Origins::new(&settings.allowed_origins),
            anonymous: key.is_none() && settings.anonymous_loopback,
        }
    }

    /// Who may come without an operator key, where there is none.
    pub(crate) fn loopback(&self) -> Option<&Loopback> {
        self.loopback.as_ref()
    }

    /// Which web pages may call.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Who sends this `Authorization` value.
    pub(crate) async fn authenticate(&self, authorization: Option<&str>) -> Result<Admitted, Denied> {
        let Some(authorization) = authorization else {
            return if self.anonymous {
                Ok(Actor::AnonymousLoopback.into())
            } else {
                Err(Denied::Unauthenticated)
            };
        };
        let token = match authorization.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(Denied::Unauthenticated),
        };
        if self.is_operator_key(token) {
            return Ok(Actor::Operator.into());
        }
        if token.starts_with(KEY_MARK) {
            let presented = self.engine.api_keys().authenticate(token).await?;
            let presented = presented.ok_or(Denied::Unauthenticated)?;
            return Ok(Admitted {
                actor: presented.actor,
                prefix: Some(presented.prefix),
                ends_at: presented.ends_at,
            });
        }
        match &self.tokens {
            Some(tokens) if Tokens::looks_like_one(token) => tokens.authenticate(&self.engine, token).await,
            _ => Err(Denied::Unauthenticated),
        }
    }

    fn is_operator_key(&self, token: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(token).into();
        self.operator
            .is_some_and(|expected| bool::from(presented.ct_eq(&expected)))
    }
}
