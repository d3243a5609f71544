//! The installation's master key: where it comes from.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::random::Random;
use crate::settings::{Role, StorageSettings};

/// In the data directory, unless another one is named.
const FILE: &str = "master.key";

/// The newest key, which seals, and older ones, which still open.
#[derive(Debug)]
pub struct MasterKey {
    newest: Key,
    older: Vec<Key>,
}

pub(super) struct Key {
    pub(super) id: KeyId,
    pub(super) bytes: Zeroizing<[u8; 32]>,
}

/// What a key is called: a hash of it, which may be shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 8]);

/// There is no master key that can be used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// None is set, and this process may not make one.
    #[error(
        "no master key is set: every process must seal with the same one; set SYNCLINE_MASTER_KEY or \
         SYNCLINE_MASTER_KEY_FILE, for example to the output of `openssl rand -hex 32`"
    )]
    Missing,
    /// What is set is not a key.
    #[error("{place} does not hold 32 bytes as hex or base64: make a key with `openssl rand -hex 32`")]
    Malformed {
        /// Where it was found.
        place: String,
    },
    /// The file cannot be read or made.
    #[error("the master key file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl MasterKey {
    /// A fresh key.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut_slice());
        Self {
            newest: Key::new(bytes),
            older: Vec::new(),
        }
    }

    /// This key as the newest, with another's keys as older ones.
    #[must_use]
    pub fn before(mut self, older: Self) -> Self {
        self.older.push(older.newest);
        self.older.extend(older.older);
        self
    }

    /// The key that is set; else the one in the data directory, which `serve` makes when it is missing.
    ///
    /// # Errors
    /// When there is none, or it is not one.
    pub fn load(settings: &StorageSettings, role: Role, random: &dyn Random) -> Result<Self, MasterKeyError> {
        if let Some(text) = &settings.master_key {
            return Self::parse(text.expose_secret(), "SYNCLINE_MASTER_KEY");
        }
        if let Some(path) = &settings.master_key_file {
            return Self::read(path).map_err(|error| error.at(path));
        }
        if role != Role::Serve {
            return Err(MasterKeyError::Missing);
        }
        let path = settings.data_dir.join(FILE);
        match Self::read(&path) {
            Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            read => return read.map_err(|error| error.at(&path)),
        }
        let made = Self::generate(random);
        match made.write_new(&path, random) {
            Ok(()) => {
                tracing::info!(file = %path.display(), "made a master key: keep a copy, sealed secrets open with nothing else");
                Ok(made)
            }
            // Another process was faster: its key is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::read(&path).map_err(|error| error.at(&path))
            }
            Err(error) => Err(Unreadable::Io(error).at(&path)),
        }
    }

    /// Keys as text, the newest first, separated by white space or commas.
    ///
    /// # Errors
    /// When one of them is not 32 bytes as hex or base64; the text itself is not repeated.
    pub fn parse(text: &str, place: &str) -> Result<Self, MasterKeyError> {
        let malformed = || MasterKeyError::Malformed {
            place: place.to_owned(),
        };
        let parts = text
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|part| !part.is_empty());
        let mut keys = parts.map(|part| Key::parse(part).ok_or_else(malformed));
        let newest = keys.next().ok_or_else(malformed)??;
        Ok(Self {
            newest,
            older: keys.collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn newest(&self) -> &Key {
        &self.newest
    }

    pub(super) fn find(&self, id: KeyId) -> Option<&Key> {
        std::iter::once(&self.newest)
            .chain(&self.older)
            .find(|key| key.id == id)
    }

    fn read(path: &Path) -> Result<Self, Unreadable> {
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(Unreadable::Io)?);
        Self::parse(&text, &path.display().to_string()).map_err(Unreadable::Key)
    }

    /// Writes a file that only we may read, whole or not at all, and never over another one.
    fn write_new(&self, path: &Path, random: &dyn Random) -> io::Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let unfinished = path.with_extension(format!("{:016x}", random.u64()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let text = Zeroizing::new(format!("{}\n", hex::encode(*self.newest.bytes)));
        let written = options.open(&unfinished).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            // A link, unlike a rename, refuses to replace what is there.
            std::fs::hard_link(&unfinished, path)
        });
        let removed = std::fs::remove_file(&unfinished);
        written.and(removed)
    }
}

enum Unreadable {
    Io(io::Error),
    Key(MasterKeyError),
}

impl Unreadable {
    fn at(self, path: &Path) -> MasterKeyError {
        match self {
            Self::Io(source) => MasterKeyError::File {
                path: path.to_owned(),
                source,
            },
            Self::Key(error) => error,
        }
    }
}

impl Key {
    fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let digest = Sha256::new()
            .chain_update("syncline master key id")
            .chain_update(*bytes)
            .finalize();
        let id = digest.first_chunk().copied().expect("a SHA-256 has 32 bytes");
        Self { id: KeyId(id), bytes }
    }

    fn parse(text: &str) -> Option<Self> {
        let decoders = [BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD];
        let decoded = hex::decode(text)
            .ok()
            .or_else(|| decoders.iter().find_map(|it| it.decode(text).ok()));
        let decoded = Zeroizing::new(decoded?);
        let bytes = Zeroizing::new(<[u8; 32]>::try_from(decoded.as_slice()).ok()?);
        Some(Self::new(bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl KeyId {
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;
    use secrecy::SecretString;

    fn load(settings: &StorageSettings, role: Role, seed: u64) -> Result<KeyId, MasterKeyError> {
        MasterKey::load(settings, role, &SeededRandom::new(seed)).map(|key| key.newest.id)
    }

    #[test]
    fn serve_makes_a_key_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let settings = StorageSettings::in_directory(directory.path().join("deep/data"));
        let made = load(&settings, Role::Serve, 1).unwrap();
        assert_eq!(load(&settings, Role::Serve, 2).unwrap(), made);
        let files: Vec<_> = std::fs::read_dir(&settings.data_dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .collect();
        assert_eq!(files.len(), 1, "nothing unfinished is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_that_is_there_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        std::fs::write(&path, "not a key").unwrap();
        let settings = StorageSettings::in_directory(directory.path());
        let error = load(&settings, Role::Serve, 1).unwrap_err();
        assert!(matches!(error, MasterKeyError::Malformed { .. }), "{error}");
        let random = SeededRandom::new(1);
        let error = MasterKey::generate(&random)
            .write_new(&path, &random)
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a key");
    }

    #[test]
    fn split_roles_make_none() {
        let directory = tempfile::tempdir().unwrap();
        let settings = StorageSettings::in_directory(directory.path());
        let error = load(&settings, Role::Scheduler, 1).unwrap_err();
        assert!(matches!(error, MasterKeyError::Missing), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn hex_and_base64_are_one_key_and_a_list_is_a_rotation() {
        let hexadecimal = "ab".repeat(32);
        let base64 = BASE64_STANDARD.encode([0xab; 32]);
        let first = MasterKey::parse(&hexadecimal, "here").unwrap();
        assert_eq!(
            MasterKey::parse(&base64, "here").unwrap().newest.id,
            first.newest.id
        );
        let list = format!("{}\n{hexadecimal}\n", "cd".repeat(32));
        let rotated = MasterKey::parse(&list, "here").unwrap();
        assert_ne!(rotated.newest.id, first.newest.id);
        assert!(rotated.find(first.newest.id).is_some());
    }

    #[test]
    fn a_wrong_key_is_not_repeated() {
        let mut settings = StorageSettings::in_directory("unused");
        settings.master_key = Some(SecretString::from("hunter2"));
        let error = load(&settings, Role::Api, 1).unwrap_err().to_string();
        assert!(
            error.contains("SYNCLINE_MASTER_KEY") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn a_named_file_must_exist() {
        let mut settings = StorageSettings::in_directory("unused");
        settings.master_key_file = Some("/nonexistent/key".into());
        let error = load(&settings, Role::Serve, 1).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/key"), "{error}");
    }
}
