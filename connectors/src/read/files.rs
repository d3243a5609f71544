//! The files that belong to records: found in a record, fetched, and put into a folder.
//!
//! They are fetched record by record when whoever reads asks for them, and not with the page, as the reference has it: a
//! read that stops after five records has then fetched five files, and one that wants none asks for none.
//!
//! What a file is called is up to the upstream. So its name is taken apart, and one that would leave the folder is an
//! error, as is a link on its way. What comes goes into a file of its own first, which takes its place when it is whole.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf as _;
use serde_json::{Map, Value};
use tokio::fs;
use tokio::io::AsyncWriteExt as _;

use super::extraction::Extraction;
use super::slice::Slice;
use super::stream::StreamReader;
use super::{ErrorKind, Note, ReadError, RetryMode};
use crate::http::flow::Source;
use crate::http::requester;
use crate::http::session::Session;
use crate::json::Body;
use crate::manifest::components::StreamPlan;
use crate::record::Record;
use crate::template::Variable;

/// How often a file is asked for again that broke off, where the read repeats by itself.
const MAX_RETRIES: u32 = 5;

/// The files of a stream, and the folder for them.
pub struct Files {
    reader: Arc<StreamReader>,
    target: Extraction,
    folder: PathBuf,
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReference {
    /// Where it is.
    pub path: PathBuf,
    /// Where it is in the folder: the stream's name, and its own.
    pub relative_path: PathBuf,
    /// How large it is.
    pub bytes: u64,
}

impl Files {
    /// `None`: no files belong to the stream's records.
    pub(crate) fn new(
        session: &Arc<Session>,
        plan: &Arc<StreamPlan>,
        folder: PathBuf,
    ) -> Result<Option<Self>, ReadError> {
        let Some(uploader) = plan.files() else {
            return Ok(None);
        };
        let now = session.context.clock.now();
        Ok(Some(Self {
            target: Extraction::ready(session, &uploader.download_target_extractor, now)?,
            reader: StreamReader::new(session, plan, now)?,
            folder,
        }))
    }

    /// What a person should know of the files that were fetched since it was last asked.
    pub fn take_notes(&self) -> Vec<Note> {
        self.reader.session.take_notes()
    }

    /// Fetches the file of a record.
    pub async fn fetch(&self, record: &Record) -> Result<Option<FileReference>, ReadError> {
        let session = &*self.reader.session;
        let Some(uploader) = self.reader.plan.files() else {
            return Ok(None);
        };
        let target = self.target(record).await?;
        let shown = record.to_value();
        let name = session.text(&uploader.filename, &[("record", Variable::Json(&shown))])?;
        let relative_path = relative(&self.reader.plan.name, &name)?;
        let slice =
            Slice::default().carrying(Map::from_iter([("download_target".to_owned(), target.clone())]));
        let names = [
            ("stream_slice", slice.variable()),
            ("next_page_token", Variable::Json(&Value::Null)),
            ("download_target", Variable::Json(&target)),
        ];
        let mut tries = 0;
        loop {
            let (answer, source) = requester::file(session, &uploader.requester, &names).await?;
            let error = match self.land(&relative_path, source, &answer.url).await {
                Ok(bytes) => {
                    return Ok(Some(FileReference {
                        path: self.folder.join(&relative_path),
                        relative_path,
                        bytes,
                    }));
                }
                Err(error) => error,
            };
            tries += 1;
            let context = &session.context;
            if !error.retryable || tries > MAX_RETRIES || context.retry == RetryMode::LeaveToCaller {
                return Err(error);
            }
            let wait = Duration::from_secs(1 << (tries - 1)).min(context.limits.max_backoff);
            tokio::select! {
                biased;
                () = context.cancel.cancelled() => return Err(ReadError::cancelled()),
                () = context.clock.sleep(wait) => {}
            }
        }
    }

    /// Where the record says that its file is.
    async fn target(&self, record: &Record) -> Result<Value, ReadError> {
        let text = bytes::Bytes::copy_from_slice(record.json().as_bytes());
        let body = Body::new(&text).map_err(|_| ReadError::config("A record is not UTF-8."))?;
        let found = self.target.records(&self.reader, &body, false).await?;
        match found.records.first().map(Record::to_value) {
            Some(target @ Value::String(_)) => Ok(target),
            Some(_) => Err(ReadError::config(
                "What the download_target_extractor finds in a record is no text; it has to be the file's address.",
            )),
            None => Err(ReadError::config(
                "The download_target_extractor finds nothing in a record; leave records without a file out with a \
                 record_filter.",
            )),
        }
    }

    /// Writes what comes, and says how much it was.
    async fn land(&self, relative: &Path, mut source: Source, url: &url::Url) -> Result<u64, ReadError> {
        let session = &*self.reader.session;
        let unwritten = |error: io::Error| {
            let message = format!("The file {} cannot be written: {error}.", relative.display());
            ReadError::new(ErrorKind::Config, "FILE_NOT_WRITTEN", message)
        };
        let folder = self.folder_of(relative).await.map_err(unwritten)?;
        let part = Part(folder.join(format!(".{:016x}.part", session.context.random.u64())));
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .open(&part.0)
            .await
            .map_err(unwritten)?;
        let mut bytes = 0;
        while let Some(piece) = source.next(session, url).await? {
            bytes += u64::try_from(piece.remaining()).unwrap_or(u64::MAX);
            file.write_all(&piece).await.map_err(unwritten)?;
        }
        file.flush().await.map_err(unwritten)?;
        drop(file);
        fs::rename(&part.0, self.folder.join(relative))
            .await
            .map_err(unwritten)?;
        Ok(bytes)
    }

    /// The folder that a file goes into, made where it is missing; no link is followed to it.
    async fn folder_of(&self, relative: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.folder).await?;
        let mut folder = self.folder.clone();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            folder.push(part);
            match fs::symlink_metadata(&folder).await {
                Ok(there) if there.is_dir() => {}
                Ok(_) => {
                    let message = format!("{} is there, and is no folder", folder.display());
                    return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&folder).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(folder)
    }
}

/// A file that is not whole, and is gone when nobody writes it any more.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Where it has its own name by now, nothing is left under this one.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A file's place in the folder: the stream's name, and what the manifest or the upstream calls it.
fn relative(stream: &str, name: &str) -> Result<PathBuf, ReadError> {
    let refused = |why: &str| {
        let message = format!("The name {name:?} of a file {why}; see the filename_extractor.");
        Err(ReadError::new(ErrorKind::Config, "FILE_NAME", message))
    };
    let mut path = PathBuf::new();
    let name = name.trim_start_matches('/');
    let (stream, own) = (Path::new(stream), Path::new(name));
    if own.components().all(|part| part == Component::CurDir) {
        return refused("is empty");
    }
    for part in stream.components().chain(own.components()) {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return refused("leads out of the folder");
            }
        }
    }
    if name.contains('\0') {
        return refused("has a zero byte");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_folder() {
        for (name, expected) in [
            ("a.pdf", "s/a.pdf"),
            ("/a/b.pdf", "s/a/b.pdf"),
            ("//etc/passwd", "s/etc/passwd"),
            ("1/./b.pdf/", "s/1/b.pdf"),
            ("..a/b..", "s/..a/b.."),
        ] {
            assert_eq!(relative("s", name).unwrap(), Path::new(expected), "{name}");
        }
        for name in [
            "",
            "/",
            ".",
            "./",
            "..",
            "a/../../b",
            "../b",
            "/../b",
            "a/..",
            "a\0b",
        ] {
            assert_eq!(relative("s", name).unwrap_err().code, "FILE_NAME", "{name}");
        }
        for stream in ["..", "/etc", "a/../.."] {
            assert_eq!(relative(stream, "a").unwrap_err().code, "FILE_NAME", "{stream}");
        }
    }
}
