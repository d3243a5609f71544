//! Sealing: XChaCha20-Poly1305.
//!
//! Its nonce is 192 bits, so that a random one never repeats in practice and there is no counter to keep;
//! AES-GCM's 96 would need one. A sealed value is
//!
//! ```text
//! version (1) | key id (8) | nonce (24) | ciphertext and tag
//! ```
//!
//! Version, key id and what it is bound to are authenticated with it.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::master_key::{KeyId, MasterKey};
use crate::random::SharedRandom;

const VERSION: u8 = 1;
const ID: usize = size_of::<KeyId>();
const HEAD: usize = 1 + ID;
const NONCE: usize = 24;

/// Seals with the newest master key, and opens what any of them sealed.
#[derive(Debug)]
pub struct Cipher {
    keys: MasterKey,
    random: SharedRandom,
}

/// Sealed data that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// It was sealed with a key that is not here.
    #[error(
        "it was sealed with the master key {0}, which is not among those set: was the key file lost, or \
         taken out of SYNCLINE_MASTER_KEY too early?"
    )]
    UnknownKey(KeyId),
    /// It was changed, or it belongs to another row.
    #[error("it was changed after it was sealed, or was sealed for another row")]
    Damaged,
    /// It is nothing that this program sealed.
    #[error("it is not in a format that this version of Syncline seals in")]
    Malformed,
}

impl Cipher {
    /// A cipher of these keys.
    pub fn new(keys: MasterKey, random: SharedRandom) -> Self {
        Self { keys, random }
    }

    /// Seals, for this place only: the table and the row's id, for example `integration:<id>`.
    pub fn seal(&self, plain: &[u8], bound_to: &str) -> Vec<u8> {
        let key = self.keys.newest();
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(HEAD + NONCE + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(key.id.as_bytes());
        let authenticated = authenticated(&sealed, bound_to);
        sealed.extend_from_slice(&nonce);
        let payload = Payload {
            msg: plain,
            aad: &authenticated,
        };
        let ciphertext = XChaCha20Poly1305::new(&(*key.bytes).into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("only a plaintext of 256 GiB cannot be sealed");
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// When its key is not here, when it was changed, or when it was sealed for another place.
    pub fn open(&self, sealed: &[u8], bound_to: &str) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        let (head, rest) = sealed.split_at_checked(HEAD).ok_or(CipherError::Malformed)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(CipherError::Malformed)?;
        let (&version, id) = head.split_first().ok_or(CipherError::Malformed)?;
        if version != VERSION {
            return Err(CipherError::Malformed);
        }
        let id = KeyId::from_slice(id).ok_or(CipherError::Malformed)?;
        let key = self.keys.find(id).ok_or(CipherError::UnknownKey(id))?;
        let payload = Payload {
            msg: ciphertext,
            aad: &authenticated(head, bound_to),
        };
        XChaCha20Poly1305::new(&(*key.bytes).into())
            .decrypt(&XNonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| CipherError::Damaged)
    }

    /// Whether this was sealed with an older key, and should be sealed again.
    pub fn is_stale(&self, sealed: &[u8]) -> bool {
        sealed.get(1..HEAD) != Some(self.keys.newest().id.as_bytes().as_slice())
    }
}

fn authenticated(head: &[u8], bound_to: &str) -> Vec<u8> {
    [head, bound_to.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    fn key(seed: u64) -> MasterKey {
        MasterKey::generate(&SeededRandom::new(seed))
    }

    fn cipher(key: MasterKey) -> Cipher {
        Cipher::new(key, SeededRandom::shared(99))
    }

    #[test]
    fn what_is_sealed_opens_in_its_place() {
        let cipher = cipher(key(1));
        let sealed = cipher.seal(b"api key", "integration:1");
        assert!(!sealed.windows(7).any(|window| window == b"api key"));
        assert_eq!(
            cipher.open(&sealed, "integration:1").unwrap().as_slice(),
            b"api key"
        );
        assert_eq!(cipher.open(&cipher.seal(b"", "x"), "x").unwrap().as_slice(), b"");
    }

    #[test]
    fn it_does_not_open_in_another_row() {
        let cipher = cipher(key(1));
        let sealed = cipher.seal(b"api key", "integration:1");
        assert_eq!(
            cipher.open(&sealed, "integration:2").unwrap_err(),
            CipherError::Damaged
        );
    }

    #[test]
    fn a_change_of_any_byte_is_noticed() {
        let cipher = cipher(key(1));
        let sealed = cipher.seal(b"api key", "integration:1");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(cipher.open(&changed, "integration:1").is_err(), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert!(
                cipher.open(&sealed[..length], "integration:1").is_err(),
                "length {length}"
            );
        }
    }

    #[test]
    fn two_sealings_of_one_value_differ() {
        let cipher = cipher(key(1));
        assert_ne!(cipher.seal(b"x", "y"), cipher.seal(b"x", "y"));
    }

    #[test]
    fn an_old_key_still_opens_and_a_new_one_seals() {
        let old = cipher(key(1)).seal(b"api key", "here");
        let rotated = cipher(key(2).before(key(1)));
        assert_eq!(rotated.open(&old, "here").unwrap().as_slice(), b"api key");
        assert!(rotated.is_stale(&old));
        let new = rotated.seal(b"api key", "here");
        assert!(!rotated.is_stale(&new));
        assert!(cipher(key(2)).open(&new, "here").is_ok());
        assert!(matches!(
            cipher(key(2)).open(&old, "here"),
            Err(CipherError::UnknownKey(_))
        ));
    }

    #[test]
    fn nothing_shows_a_key() {
        let secret = format!("{:?}", cipher(key(1)));
        let mut bytes = [0; 32];
        crate::random::Random::fill(&SeededRandom::new(1), &mut bytes);
        assert!(!secret.contains(&hex::encode(bytes)));
        assert!(
            !secret.contains(&format!("{}, {}, {}", bytes[0], bytes[1], bytes[2])),
            "{secret}"
        );
    }
}
