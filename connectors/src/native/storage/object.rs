//! One object that is being read: portions of bytes in, records out.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use super::format::{Broken, Format, Framed};
use super::list::Found;
use super::{Backend, Inside};
use crate::http::session::Session;
use crate::manifest::components::ObjectCompression;
use crate::read::{ErrorKind, NoteLevel, ReadError};

/// Bytes that are asked for at once.
const PORTION: u64 = 1 << 20;

/// Lines in a row that are no records, after which a file is none of these.
const MOST_BROKEN: usize = 100;

/// Compressed bytes that are expanded at once: a thousandfold at most comes of them.
const PIECE: usize = 4 << 10;

/// How an object is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// What the key's end says.
    Auto,
    Gzip,
    None,
}

impl From<ObjectCompression> for Compression {
    fn from(compression: ObjectCompression) -> Self {
        match compression {
            ObjectCompression::Auto => Self::Auto,
            ObjectCompression::Gzip => Self::Gzip,
            ObjectCompression::None => Self::None,
        }
    }
}

/// Records of a portion, with their numbers in the object.
pub(super) struct Portion {
    pub(super) records: Vec<(u64, String)>,
    /// What is none, each with a sentence on where and why.
    pub(super) broken: Vec<Broken>,
    /// The object has no more.
    pub(super) ended: bool,
}

/// What a storage answers when it is asked for bytes.
pub(super) enum Fetched {
    Bytes(Bytes),
    /// The object is not the one that was listed any more.
    Changed,
}

/// See the module.
pub(super) struct Opened {
    found: Found,
    format: Format,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    /// Where the next portion begins in the object.
    asked: u64,
    compressed: Bytes,
    /// Bytes after decompression that are not records yet.
    plain: Vec<u8>,
    /// Where those begin.
    offset: u64,
    line: u64,
    header: Option<Vec<String>>,
    /// Broken ones since the last record.
    broken: usize,
    exhausted: bool,
    changed: bool,
}

impl Opened {
    pub(super) fn new(found: Found, format: Format, compression: Compression) -> Self {
        let zipped = match compression {
            Compression::Auto => found.place.key.ends_with(".gz"),
            Compression::Gzip => true,
            Compression::None => false,
        };
        Self {
            found,
            format,
            gzip: zipped.then(|| MultiGzDecoder::new(Vec::new())),
            asked: 0,
            compressed: Bytes::new(),
            plain: Vec::new(),
            offset: 0,
            line: 0,
            header: None,
            broken: 0,
            exhausted: false,
            changed: false,
        }
    }

    /// Whether it stands where a read goes on.
    pub(super) fn is_at(&self, inside: &Inside) -> bool {
        self.found == inside.found && self.offset == inside.offset && self.line == inside.line
    }

    pub(super) fn position(&self) -> (u64, u64) {
        (self.offset, self.line)
    }

    /// Goes to a position: past the header first, which later records are read with.
    pub(super) async fn seek(
        &mut self,
        session: &Session,
        backend: &Backend,
        inside: &Inside,
    ) -> Result<(), ReadError> {
        if self.format.has_header() && self.header.is_none() {
            while self.header.is_none() && !self.changed {
                let framed = self.format.header(&self.plain, self.exhausted);
                match framed.map_err(|fault| self.malformed(&fault))? {
                    Some((header, length)) => {
                        self.consume(length);
                        self.header = Some(header);
                    }
                    None if self.exhausted => self.header = Some(Vec::new()),
                    None => self.fill(session, backend).await?,
                }
            }
        }
        if self.offset >= inside.offset {
            return Ok(());
        }
        if self.gzip.is_none() {
            self.plain.clear();
            self.asked = inside.offset;
            self.offset = inside.offset;
            self.exhausted = self.asked >= self.found.size;
        }
        while self.offset < inside.offset && !self.changed {
            let missing = usize::try_from(inside.offset - self.offset).unwrap_or(usize::MAX);
            if self.plain.is_empty() {
                if self.exhausted {
                    break;
                }
                self.fill(session, backend).await?;
            }
            self.consume(missing.min(self.plain.len()));
        }
        self.line = inside.line;
        Ok(())
    }

    /// Reads some records, at least one where there is one.
    pub(super) async fn read(
        &mut self,
        session: &Session,
        backend: &Backend,
        most: usize,
        bytes: usize,
    ) -> Result<Portion, ReadError> {
        loop {
            if self.changed {
                let message = format!(
                    "The object {:?} was changed or removed while it was read; it is read again when it is listed anew.",
                    self.found.place.key
                );
                session.note(NoteLevel::Warning, message);
                return Ok(Portion {
                    records: Vec::new(),
                    broken: Vec::new(),
                    ended: true,
                });
            }
            let header = self.header.as_deref().unwrap_or_default();
            let framed = self
                .format
                .frame(
                    &self.plain,
                    self.exhausted,
                    header,
                    (most, bytes.max(1)),
                    self.line,
                )
                .map_err(|fault| self.malformed(&fault))?;
            let Framed {
                records,
                mut broken,
                length,
                line,
            } = framed;
            self.line = line;
            self.consume(length);
            self.broken = if records.is_empty() { self.broken } else { 0 } + broken.len();
            if records.is_empty() && self.broken > MOST_BROKEN {
                let last = broken.pop().map(|broken| broken.why).unwrap_or_default();
                return Err(self.malformed(&format!("{} in a row are no records: {last}", self.broken)));
            }
            for broken in &mut broken {
                broken.why = self.placed(&broken.why);
            }
            let ended = self.exhausted && self.plain.is_empty();
            if !records.is_empty() || !broken.is_empty() || ended {
                return Ok(Portion {
                    records,
                    broken,
                    ended,
                });
            }
            let limit = session.context.limits.max_body_bytes;
            if self.plain.len() > limit {
                let message = format!(
                    "A record of {:?} (after line {}) is larger than {limit} bytes.",
                    self.found.place.key, self.line
                );
                return Err(ReadError::new(ErrorKind::Malformed, "BODY_TOO_LARGE", message));
            }
            self.fill(session, backend).await?;
        }
    }

    fn consume(&mut self, length: usize) {
        self.plain.drain(..length);
        self.offset += u64::try_from(length).unwrap_or(0);
    }

    /// Gets more bytes, if there are any.
    async fn fill(&mut self, session: &Session, backend: &Backend) -> Result<(), ReadError> {
        if self.compressed.is_empty() && self.asked < self.found.size {
            let length = PORTION.min(self.found.size - self.asked);
            let fetched = match backend {
                Backend::Local(folder) => folder.fetch(session, &self.found, self.asked, length).await?,
                Backend::S3(bucket) => bucket.fetch(session, &self.found, self.asked, length).await?,
            };
            let Fetched::Bytes(bytes) = fetched else {
                self.changed = true;
                return Ok(());
            };
            if u64::try_from(bytes.len()).ok() != Some(length) {
                let message = "The storage sent fewer bytes than it was asked for.";
                return Err(ReadError::new(ErrorKind::Network, "BODY_TRUNCATED", message).retryable());
            }
            self.asked += length;
            self.compressed = bytes;
        }
        let Some(gzip) = &mut self.gzip else {
            self.plain.extend_from_slice(&self.compressed);
            self.compressed = Bytes::new();
            self.exhausted = self.asked >= self.found.size;
            return Ok(());
        };
        let mut broken = false;
        if self.compressed.is_empty() {
            broken = gzip.try_finish().is_err();
            self.exhausted = true;
            self.plain.append(gzip.get_mut());
        }
        // As much as a portion without compression has: whoever looks for a record's end looks from its beginning.
        let enough = self.plain.len() + usize::try_from(PORTION).unwrap_or(usize::MAX);
        while !broken && !self.compressed.is_empty() && self.plain.len() < enough {
            let piece = self.compressed.split_to(PIECE.min(self.compressed.len()));
            broken = gzip.write_all(&piece).is_err();
            self.plain.append(gzip.get_mut());
        }
        if broken {
            let message = format!(
                "The object {:?} is not gzip, or ends in the middle of it.",
                self.found.place.key
            );
            return Err(ReadError::new(ErrorKind::Malformed, "BODY_UNDECODABLE", message));
        }
        Ok(())
    }

    fn placed(&self, fault: &str) -> String {
        format!("In the object {:?}, {fault}.", self.found.place.key)
    }

    fn malformed(&self, fault: &str) -> ReadError {
        let message = self.placed(fault);
        ReadError::new(ErrorKind::Malformed, "BAD_RECORD", message)
    }
}
