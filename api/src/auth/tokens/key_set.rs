//! A JSON Web Key Set (RFC 7517), as far as we use its keys.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use super::signature::Signed;

/// Keys that are looked at. Issuers have two or three.
const MOST_KEYS: usize = 100;

/// How tokens may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A key of the issuer.
#[derive(Debug)]
pub(super) enum PublicKey {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(UnparsedPublicKey<Vec<u8>>),
    Ed25519(UnparsedPublicKey<Vec<u8>>),
}

impl PublicKey {
    fn of_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let key = match (text("kty")?, text("crv")) {
            ("RSA", _) => Self::Rsa {
                modulus: bytes("n")?,
                exponent: bytes("e")?,
            },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if (x.len(), y.len()) != (32, 32) {
                    return None;
                }
                // An uncompressed point.
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                Self::P256(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
            }
            ("OKP", Some("Ed25519")) => Self::Ed25519(UnparsedPublicKey::new(&ED25519, bytes("x")?)),
            _ => return None,
        };
        let fits = text("alg").is_none_or(|name| Algorithm::of_name(name) == Some(key.algorithm()));
        fits.then_some(key)
    }

    /// The only one that the key is for.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .is_ok(),
            Self::P256(key) | Self::Ed25519(key) => key.verify(message, signature).is_ok(),
        }
    }
}

/// The keys that are good at a time.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    named: HashMap<String, Arc<PublicKey>>,
    nameless: Vec<Arc<PublicKey>>,
}

impl KeySet {
    /// The keys of a set that we can use; none where it is no set.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(body).ok()?;
        let mut set = Self::default();
        for jwk in document.get("keys")?.as_array()?.iter().take(MOST_KEYS) {
            let Some(key) = PublicKey::of_jwk(jwk).map(Arc::new) else {
                continue;
            };
            match jwk.get("kid").and_then(Value::as_str) {
                Some(name) => drop(set.named.insert(name.to_owned(), key)),
                None => set.nameless.push(key),
            }
        }
        Some(set)
    }

    /// The key that a token says it was signed with. One that says nothing means the only key of its algorithm.
    pub(super) fn find(&self, token: &Signed<'_>) -> Option<Arc<PublicKey>> {
        if let Some(name) = &token.key_id {
            return self.named.get(name).cloned();
        }
        let all = self.named.values().chain(&self.nameless);
        let mut fitting = all.filter(|key| key.algorithm() == token.algorithm);
        let only = fitting.next().cloned();
        only.filter(|_| fitting.next().is_none())
    }
}
