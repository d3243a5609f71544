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
mod peer;
mod quotas;
mod sessions;
mod subscriptions;
mod tokens;

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use engine::access::{Credential, KEY_MARK, Presented};
use engine::{Actor, Engine};
use ipnet::IpNet;
use platform::gather::Gather;
use platform::settings::ServerSettings;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub(crate) use self::loopback::Loopback;
pub(crate) use self::origins::Origins;
pub(crate) use self::peer::Peer;
pub(crate) use self::quotas::Quota;
use self::quotas::{Hash, Quotas};
pub(crate) use self::sessions::{Session, Sessions};
pub(crate) use self::subscriptions::Permit;
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
    quotas: Quotas,
    trusted_proxies: Vec<IpNet>,
    /// Secrets that wait to be looked up.
    presented: Gather<SecretString, Recognised>,
}

/// Who holds an API key's secret; the error is everybody's who asked together.
type Recognised = Result<Option<Presented>, Arc<engine::Error>>;

/// Who was let in, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) actor: Actor,
    /// Whose budgets its requests and subscriptions are taken from.
    payer: Arc<str>,
    /// Which secret of an API key was shown.
    prefix: Option<String>,
    /// When the credential ends, as far as is known.
    ends_at: Option<DateTime<Utc>>,
}

impl Admitted {
    fn new(actor: Actor, peer: Peer) -> Self {
        let payer = match actor {
            Actor::Operator | Actor::System => "operator".to_owned(),
            Actor::AnonymousLoopback => peer.payer(),
            Actor::Holder(holder) => match holder.credential {
                Credential::Key(id) => id.to_string(),
                Credential::Token(subject) => format!("token/{subject}"),
            },
        };
        Self {
            actor,
            payer: payer.into(),
            prefix: None,
            ends_at: None,
        }
    }

    /// Whose budgets and shares are taken from.
    pub(crate) fn payer(&self) -> &Arc<str> {
        &self.payer
    }

    /// Whether it is one of many, of whom none may take what there is for all.
    pub(crate) fn has_a_share(&self) -> bool {
        matches!(self.actor, Actor::Holder(_))
    }
}

/// Why nobody was let in.
#[derive(Debug)]
pub(crate) enum Denied {
    /// The credential is missing or not one of ours; what is left of its address's failures.
    Unauthenticated(Quota),
    /// Nothing from this address is looked at for a while.
    TooManyFailures(Quota),
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
            quotas: Quotas::new(&settings.limits),
            trusted_proxies: settings.trusted_proxies.clone(),
            presented: Gather::default(),
        }
    }

    /// Who is at the other end of a connection.
    pub(crate) fn peer(&self, connected: IpAddr, headers: &HeaderMap) -> Peer {
        Peer::of(connected, headers, &self.trusted_proxies)
    }

    /// Counts a request, and says whether it may be served.
    pub(crate) async fn spend(&self, admitted: &Admitted) -> Quota {
        self.quotas.request(&self.engine, &admitted.payer).await
    }

    /// Who may come without an operator key, where there is none.
    pub(crate) fn loopback(&self) -> Option<&Loopback> {
        self.loopback.as_ref()
    }

    /// Which web pages may call.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Who sends this `Authorization` value from there.
    pub(crate) async fn authenticate(
        &self,
        authorization: Option<&str>,
        peer: Peer,
    ) -> Result<Admitted, Denied> {
        if authorization.is_none() && self.anonymous {
            return Ok(Admitted::new(Actor::AnonymousLoopback, peer));
        }
        let hash: Option<Hash> = authorization.map(|text| Sha256::digest(text).into());
        if let Some(spent) = self.quotas.spent(&self.engine, peer, hash.as_ref()).await {
            return Err(Denied::TooManyFailures(spent));
        }
        let found = match authorization {
            Some(authorization) => self.holder(authorization, peer).await?,
            None => None,
        };
        match found {
            Some(admitted) => {
                if let Some(hash) = hash {
                    self.quotas.remember(&self.engine, hash);
                }
                Ok(admitted)
            }
            None => Err(Denied::Unauthenticated(
                self.quotas.failure(&self.engine, peer).await,
            )),
        }
    }

    /// Who holds this credential; nobody when it is none of ours.
    async fn holder(&self, authorization: &str, peer: Peer) -> Result<Option<Admitted>, engine::Error> {
        let token = match authorization.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Ok(None),
        };
        if self.is_operator_key(token) {
            return Ok(Some(Admitted::new(Actor::Operator, peer)));
        }
        if token.starts_with(KEY_MARK) {
            let presented = self.presented(token).await?;
            return Ok(presented.map(|presented| Admitted {
                prefix: Some(presented.prefix),
                ends_at: presented.ends_at,
                ..Admitted::new(presented.actor, peer)
            }));
        }
        let Some(tokens) = self.tokens.as_ref().filter(|_| Tokens::looks_like_one(token)) else {
            return Ok(None);
        };
        let vouched = tokens.authenticate(&self.engine, token).await?;
        Ok(vouched.map(|(actor, ends_at)| Admitted {
            ends_at: Some(ends_at),
            ..Admitted::new(actor, peer)
        }))
    }

    /// Who holds an API key's secret: those that are shown at the same time are looked up together.
    async fn presented(&self, secret: &str) -> Result<Option<Presented>, engine::Error> {
        let engine = self.engine.clone();
        let look = move |secrets: Vec<SecretString>| {
            let engine = engine.clone();
            async move {
                let shown: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
                match engine.api_keys().authenticate_all(&shown).await {
                    Ok(holders) => holders.into_iter().map(Ok).collect(),
                    Err(error) => {
                        let error = Arc::new(error);
                        shown.iter().map(|_| Err(Arc::clone(&error))).collect()
                    }
                }
            }
        };
        let secret = SecretString::from(secret.to_owned());
        match self.presented.ask(secret, look).await {
            Some(found) => found.map_err(|error| match *error {
                engine::Error::Unavailable(_) => engine::Error::Unavailable(error.into()),
                _ => engine::Error::internal(error),
            }),
            None => Err(engine::Error::internal("the look-up of a key came to no end")),
        }
    }

    fn is_operator_key(&self, token: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(token).into();
        self.operator
            .is_some_and(|expected| bool::from(presented.ct_eq(&expected)))
    }
}
