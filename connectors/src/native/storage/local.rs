//! A folder of the machine's, below one that the operator allows.
//!
//! A folder in a manifest is somebody's wish, as a URL is, and the machine's files are not theirs: none may be read
//! unless the operator says below which folders. Links are followed nowhere; what is opened has to lie where it seems to.

use std::fs::{File, Metadata};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::list::{Found, Nearest, Place};
use super::object::Fetched;
use crate::http::session::Session;
use crate::read::{ErrorKind, ReadError};

/// Folders inside of folders.
const MAX_DEPTH: usize = 64;

/// Files and folders that one listing looks at.
const MAX_ENTRIES: u64 = 10_000_000;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(session: &Session, folder: &str) -> Result<Self, ReadError> {
        let allowed = &session.context.folders;
        if allowed.is_empty() {
            return Err(ReadError::config(
                "No folder of this machine may be read; an operator can allow one with SYNCLINE_ALLOW_FOLDERS.",
            ));
        }
        let outside = || {
            ReadError::config(format!(
                "The folder {folder:?} is not there, or not below one that the operator allows (SYNCLINE_ALLOW_FOLDERS)."
            ))
        };
        let root = std::fs::canonicalize(folder).map_err(|_| outside())?;
        let within = allowed
            .iter()
            .filter_map(|allowed| std::fs::canonicalize(allowed).ok())
            .any(|allowed| root.starts_with(allowed));
        if within && root.is_dir() {
            Ok(Self { root })
        } else {
            Err(outside())
        }
    }

    /// Shows every file below the folder whose key begins with the prefix.
    pub(super) async fn list(
        &self,
        session: &Session,
        prefix: &str,
        nearest: &mut Nearest<'_>,
    ) -> Result<(), ReadError> {
        let mut folders = vec![(self.root.clone(), String::new(), 0)];
        let mut entries = 0;
        while let Some((folder, path, depth)) = folders.pop() {
            if session.context.cancel.is_cancelled() {
                return Err(ReadError::cancelled());
            }
            // A folder that went away meanwhile has nothing to read.
            let Ok(mut listing) = tokio::fs::read_dir(&folder).await else {
                continue;
            };
            while let Some(entry) = listing.next_entry().await.map_err(|error| failed(&error))? {
                entries += 1;
                if entries > MAX_ENTRIES {
                    let message = format!("The folder has more than {MAX_ENTRIES} files; read a part of it.");
                    return Err(ReadError::new(ErrorKind::Config, "TOO_MANY_OBJECTS", message));
                }
                let Ok(name) = entry.file_name().into_string() else {
                    nearest.skipped += 1;
                    continue;
                };
                let key = format!("{path}{name}");
                let Ok(metadata) = entry.metadata().await else {
                    continue;
                };
                if metadata.is_dir() && depth < MAX_DEPTH {
                    let key = format!("{key}/");
                    if prefix.starts_with(&key) || key.starts_with(prefix) {
                        folders.push((entry.path(), key, depth + 1));
                    }
                } else if metadata.is_file() && key.starts_with(prefix) {
                    nearest.see(found(key, &metadata));
                }
            }
        }
        session.count(0);
        Ok(())
    }

    pub(super) async fn fetch(
        &self,
        session: &Session,
        wanted: &Found,
        offset: u64,
        length: u64,
    ) -> Result<Fetched, ReadError> {
        let (root, wanted) = (self.root.clone(), wanted.clone());
        let read = tokio::task::spawn_blocking(move || read(&root, &wanted, offset, length));
        let bytes = read
            .await
            .map_err(|_| ReadError::new(ErrorKind::Internal, "INTERNAL", "The file's reader ended early."))?;
        match bytes {
            Ok(Some(bytes)) => {
                session.count(bytes.len());
                Ok(Fetched::Bytes(bytes.into()))
            }
            Ok(None) => Ok(Fetched::Changed),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Fetched::Changed),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn found(key: String, metadata: &Metadata) -> Found {
    Found {
        place: Place {
            modified: changed(metadata),
            key,
        },
        size: metadata.len(),
        tag: None,
    }
}

/// When a file came to be what and where it is. A copy may keep its original's time of modification, and would then be
/// older than what was read already; the inode's time cannot be set.
fn changed(metadata: &Metadata) -> DateTime<Utc> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or(0);
        DateTime::from_timestamp(metadata.ctime(), nanoseconds).unwrap_or_default()
    }
    #[cfg(not(unix))]
    {
        metadata.modified().map(DateTime::from).unwrap_or_default()
    }
}

/// The bytes; `None` when the file is not what it was.
fn read(root: &Path, wanted: &Found, offset: u64, length: u64) -> std::io::Result<Option<Vec<u8>>> {
    let path = root.join(&wanted.place.key);
    if std::fs::canonicalize(&path)? != path {
        return Ok(None);
    }
    let mut file = File::open(&path)?;
    let now = found(wanted.place.key.clone(), &file.metadata()?);
    if now != *wanted {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn failed(error: &std::io::Error) -> ReadError {
    let message = format!("The folder cannot be read: {}.", error.kind());
    let kind = match error.kind() {
        std::io::ErrorKind::PermissionDenied => ErrorKind::Auth,
        _ => ErrorKind::Upstream,
    };
    ReadError::new(kind, "FOLDER", message)
}
