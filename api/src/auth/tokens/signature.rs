//! A token's three parts, and whether a key signed them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::key_set::{Algorithm, PublicKey};

/// A token that is well-formed and not verified yet: nothing of its payload can be had.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    pub(super) algorithm: Algorithm,
    /// Which key it says that it was signed with.
    pub(super) key_id: Option<String>,
    message: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Signed<'a> {
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        // Whoever marks something as critical means: refuse what you do not understand.
        if header.get("crit").is_some() {
            return None;
        }
        let key_id = match header.get("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.to_owned()),
        };
        Some(Self {
            algorithm: Algorithm::of_name(header.get("alg")?.as_str()?)?,
            key_id,
            message,
            payload,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// The payload, if this key signed it.
    pub(super) fn verified(&self, key: &PublicKey) -> Option<Vec<u8>> {
        if key.algorithm() != self.algorithm || !key.verifies(self.message.as_bytes(), &self.signature) {
            return None;
        }
        URL_SAFE_NO_PAD.decode(self.payload).ok()
    }
}
