//! From credentials to an [`Actor`], and which requests may ask at all.
//!
//! There are two ways to be reached. With an operator key the address may be any, and every request shows the
//! key. Without one the address is loopback, and whoever reaches it is the operator: so the one thing to
//! keep out is a web page that drives the API through somebody's browser, which is what [`loopback`] does.

mod loopback;

use engine::Actor;
use platform::secrets::SecretString;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub(crate) use self::loopback::Loopback;

/// Decides who a caller is.
#[derive(Debug)]
pub(crate) enum Gate {
    /// Every caller shows this key; its hash is kept, so that comparing takes the same time whatever the
    /// length of what was sent.
    Key([u8; 32]),
    /// No key: whoever reaches loopback and is not a web page of somebody else.
    Open(Loopback),
}

/// The credential is missing or not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unauthenticated;

impl Gate {
    /// The gate of these settings; `port` is the one that is really listened on.
    pub(crate) fn new(operator_key: Option<&SecretString>, allowed_origins: &[String], port: u16) -> Self {
        match operator_key {
            Some(key) => Self::Key(Sha256::digest(key.expose_secret()).into()),
            None => Self::Open(Loopback::new(port, allowed_origins)),
        }
    }

    /// Who sends this `Authorization` value.
    pub(crate) fn authenticate(&self, authorization: Option<&str>) -> Result<Actor, Unauthenticated> {
        let Self::Key(expected) = self else {
            return Ok(Actor::AnonymousLoopback);
        };
        let (scheme, token) = authorization
            .and_then(|value| value.split_once(' '))
            .ok_or(Unauthenticated)?;
        let presented: [u8; 32] = Sha256::digest(token.trim()).into();
        let equal = bool::from(presented.ct_eq(expected));
        if equal && scheme.eq_ignore_ascii_case("bearer") {
            Ok(Actor::Operator)
        } else {
            Err(Unauthenticated)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_opens() {
        let gate = Gate::new(Some(&SecretString::from("correct horse")), &[], 8000);
        assert!(matches!(
            gate.authenticate(Some("Bearer correct horse")),
            Ok(Actor::Operator)
        ));
        assert!(matches!(
            gate.authenticate(Some("bearer correct horse")),
            Ok(Actor::Operator)
        ));
        for wrong in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer correct"),
            Some("Basic correct horse"),
        ] {
            assert!(gate.authenticate(wrong).is_err(), "{wrong:?}");
        }
    }
}
