//! The secret of an API key: `syn_k3f9a2bcd0qx_` and 52 characters more.
//!
//! The mark in front lets scanners of repositories and logs find a key that went astray. The twelve characters after it
//! are the *prefix*, which is shown in lists and finds the row. The rest is 256 bits of randomness.
//!
//! What is kept is the SHA-256 of the whole. A slow hash (argon2, bcrypt) makes guessing dear where people choose the
//! secret; nobody guesses 256 random bits, and every request would pay for it. Nor is it keyed: the hash of a random
//! secret tells whoever steals the table nothing to begin with, and a key of the hash could be lost.

use platform::random::Random;
use platform::secrets::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What every key begins with.
pub const KEY_MARK: &str = "syn_";

const PREFIX_LETTERS: usize = 12;
const SECRET_LETTERS: usize = 52;
/// As in ids: no letter looks like another one.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new secret: its prefix, the whole of it, and what is kept.
pub(super) struct NewSecret {
    pub(super) prefix: String,
    pub(super) secret: SecretString,
    pub(super) hash: Vec<u8>,
}

pub(super) fn draw(random: &dyn Random) -> NewSecret {
    let prefix = format!("{KEY_MARK}{}", letters(random, PREFIX_LETTERS));
    let secret = format!("{prefix}_{}", letters(random, SECRET_LETTERS));
    NewSecret {
        hash: hash(&secret).to_vec(),
        secret: secret.into(),
        prefix,
    }
}

/// The prefix of what looks like a secret.
pub(super) fn prefix_of(secret: &str) -> Option<&str> {
    let rest = secret.strip_prefix(KEY_MARK)?;
    let (prefix, random) = rest.split_once('_')?;
    let fits =
        |text: &str, length| text.len() == length && text.bytes().all(|letter| ALPHABET.contains(&letter));
    (fits(prefix, PREFIX_LETTERS) && fits(random, SECRET_LETTERS))
        .then(|| &secret[..KEY_MARK.len() + PREFIX_LETTERS])
}

/// Whether this is the secret that was kept; nothing kept is compared with all the same, and takes as long.
pub(super) fn is(secret: &str, kept: Option<&[u8]>) -> bool {
    let none = [0; 32];
    let equal = bool::from(hash(secret).ct_eq(kept.unwrap_or(&none)));
    equal && kept.is_some()
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn letters(random: &dyn Random, count: usize) -> String {
    let mut bytes = vec![0; count];
    random.fill(&mut bytes);
    // 256 is a multiple of 32: every letter is as likely.
    bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use platform::random::SystemRandom;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_itself_and_no_other_is() {
        let (one, other) = (draw(&SystemRandom), draw(&SystemRandom));
        let secret = one.secret.expose_secret();
        assert_eq!(prefix_of(secret), Some(one.prefix.as_str()));
        assert!(is(secret, Some(&one.hash)));
        assert!(!is(secret, Some(&other.hash)) && !is(secret, None));
        assert!(!is(&secret[..secret.len() - 1], Some(&one.hash)));
        assert_ne!(one.prefix, other.prefix);
    }

    #[test]
    fn what_is_no_secret_has_no_prefix() {
        let secret = draw(&SystemRandom).secret.expose_secret().to_owned();
        for text in [
            "",
            "syn_",
            "syn_short_x",
            &secret[1..],
            &secret[..20],
            &secret.to_uppercase(),
            "é",
        ] {
            assert_eq!(prefix_of(text), None, "{text}");
        }
    }
}
