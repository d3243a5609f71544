//! Secrets: kept out of sight in memory, sealed on disk.
//!
//! In memory a secret is a [`SecretString`], which shows nothing in `Debug` and is wiped when dropped. On
//! disk it is sealed by [`Cipher`] with the installation's [`MasterKey`], and bound to the row it belongs
//! to: a sealed value that is copied to another row does not open there, so who can write to the database
//! but has no key cannot hand himself somebody else's credential.
//!
//! Rotation is a list: the newest key seals, every listed key opens, and the key's id at the head of each
//! sealed value says which. To rotate, put a new key first, and take the old one out when nothing is sealed
//! with it any more.

mod cipher;
mod master_key;

pub use cipher::{Cipher, CipherError};
pub use master_key::{KeyId, MasterKey, MasterKeyError};
pub use secrecy::{ExposeSecret, SecretString};
pub use zeroize::Zeroizing;
