//! JSON Web Tokens of an OpenID Connect issuer: signed by it, made for us, not expired.
//!
//! What a holder may see and do is in two claims that the settings name. The one for the client must be there: a client's
//! slug or id, or `*` for the operator's own people. Were a token without it let in unbound, an issuer that forgot a claim
//! would make an operator of everybody. Scopes that we do not know (`openid`, `profile`) mean nothing here.
//!
//! Signatures are checked with ring and with three algorithms, of which none is symmetric: RS256, ES256, EdDSA. The
//! algorithm is the key's, and the token's header must agree with it; the header alone decides nothing. jsonwebtoken was
//! the alternative: it reads the wall clock by itself, and its provider for ring would have been this code again.

mod claims;
mod issuer_keys;
mod key_set;
mod signature;

use chrono::{DateTime, TimeDelta, Utc};
use engine::access::{Credential, Holder, Rights};
use engine::ids::ClientId;
use engine::{Actor, Engine};
use platform::settings::IdentitySettings;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::claims::{Claims, Owner};
use self::issuer_keys::IssuerKeys;
use self::key_set::PublicKey;
use self::signature::Signed;

/// Longer tokens are not looked at.
const LONGEST: usize = 16 * 1024;
/// By how much clocks may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// Lets holders of an issuer's tokens in.
#[derive(Debug)]
pub(super) struct Tokens {
    settings: IdentitySettings,
    keys: IssuerKeys,
}

impl Tokens {
    pub(super) fn new(settings: IdentitySettings, engine: &Engine) -> Self {
        let keys = IssuerKeys::new(&settings.issuer, engine);
        Self { settings, keys }
    }

    /// Whether this has the form of a token.
    pub(super) fn looks_like_one(token: &str) -> bool {
        token.len() <= LONGEST && token.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Whom the issuer vouches for with this token, and until when; nobody when it does not.
    pub(super) async fn authenticate(
        &self,
        engine: &Engine,
        token: &str,
    ) -> Result<Option<(Actor, DateTime<Utc>)>, engine::Error> {
        let Some(signed) = Signed::parse(token) else {
            return Ok(None);
        };
        let Some(key) = self.keys.find(&signed).await? else {
            return Ok(None);
        };
        let Some((claims, ends_at)) = self.claims(&signed, &key, engine.clock.now()) else {
            return Ok(None);
        };
        let client = match &claims.owner {
            Owner::Operator => None,
            Owner::Client(name) => match find_client(engine, name).await? {
                Some(client) => Some(client),
                None => return Ok(None),
            },
        };
        let rights = Rights::of_scopes(claims.scopes.iter().map(String::as_str));
        let rights = if client.is_some() {
            rights.of_a_client()
        } else {
            rights
        };
        let subject = Sha256::digest(format!("{}\n{}", self.settings.issuer, claims.subject));
        let mut number = [0; 16];
        number.copy_from_slice(&subject[..16]);
        let holder = Holder {
            client,
            rights,
            credential: Credential::Token(Uuid::from_bytes(number)),
        };
        Ok(Some((Actor::Holder(holder), ends_at)))
    }

    /// What a token that is good now claims, and when it ends.
    fn claims(
        &self,
        signed: &Signed<'_>,
        key: &PublicKey,
        now: DateTime<Utc>,
    ) -> Option<(Claims, DateTime<Utc>)> {
        let claims = Claims::read(&signed.verified(key)?, &self.settings)?;
        let ends_at = self.valid_until(&claims, now)?;
        Some((claims, ends_at))
    }

    /// When a token that is good now ends.
    fn valid_until(&self, claims: &Claims, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let is_ours =
            claims.issuer == self.settings.issuer && claims.audience.contains(&self.settings.audience);
        let ends_at = claims.expires.checked_add_signed(LEEWAY)?;
        let has_begun = claims.not_before.is_none_or(|begin| begin <= now + LEEWAY);
        (is_ours && has_begun && now < ends_at).then_some(ends_at)
    }
}

async fn find_client(engine: &Engine, name: &str) -> Result<Option<ClientId>, engine::Error> {
    let clients = engine.clients();
    let found = match name.parse() {
        Ok(id) => clients.find(&Actor::System, id).await?,
        Err(_) => clients.find_by_slug(&Actor::System, name).await?,
    };
    Ok(found.map(|client| client.id))
}
