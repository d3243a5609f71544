//! `[storage]`: files, and the key that seals secrets.

use std::path::PathBuf;

use secrecy::SecretString;

use super::sources::{Fault, Sources};

/// Files, and the key that seals secrets.
#[derive(Debug, Clone)]
pub struct StorageSettings {
    /// Where files are kept.
    pub data_dir: PathBuf,
    /// The master key itself.
    pub master_key: Option<SecretString>,
    /// A file that holds the master key.
    pub master_key_file: Option<PathBuf>,
}

impl StorageSettings {
    /// Files in this directory, and the master key with them.
    pub fn in_directory(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            master_key: None,
            master_key_file: None,
        }
    }

    pub(super) fn read(sources: &Sources<'_>) -> Result<Self, Fault> {
        Ok(Self {
            data_dir: sources
                .text("storage.data_dir")?
                .unwrap_or_else(|| "./data".to_owned())
                .into(),
            master_key: sources.text("storage.master_key")?.map(SecretString::from),
            master_key_file: sources.text("storage.master_key_file")?.map(PathBuf::from),
        })
    }

    /// The SQLite file, when no other database is named.
    pub fn default_database(&self) -> PathBuf {
        self.data_dir.join("syncline.db")
    }

    /// Whether this can be used.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn validate(&self) -> Result<(), Fault> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(Fault::new(
                "storage.data_dir",
                "is empty, must name a directory, such as ./data",
            ));
        }
        if self.master_key.is_some() && self.master_key_file.is_some() {
            return Err(Fault::new(
                "storage.master_key",
                "and SYNCLINE_MASTER_KEY_FILE are both set: keep one, so that there is no doubt which key seals",
            ));
        }
        Ok(())
    }
}
