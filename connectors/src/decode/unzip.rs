//! ZIP: each file in it, in the order of its directory, through the inner decoder.
//!
//! The directory stands at the archive's end, so an archive is held packed and whole, under the bound of a body; what
//! is in it is unpacked a piece at a time. The `zip` crate reads the directory; the files are inflated here, because its
//! readers borrow from the archive and pull.

use std::collections::VecDeque;
use std::io::{Cursor, Write};
use std::ops::Range;

use bytes::Bytes;
use flate2::Crc;
use flate2::write::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::{PIECE, Rows, Stage, Undecodable};
use crate::manifest::components::Decoder;

/// Files in one archive.
const MAX_FILES: usize = 100_000;

/// See the module.
pub(super) struct Unzip {
    decoder: Decoder,
    packed: Vec<u8>,
    files: Option<VecDeque<File>>,
    archive: Bytes,
    open: Option<Open>,
    left: usize,
    limit: usize,
}

struct File {
    name: String,
    place: Range<usize>,
    deflated: bool,
    crc: u32,
}

struct Open {
    file: File,
    stage: Box<dyn Stage>,
    inflating: Option<DeflateDecoder<Vec<u8>>>,
    crc: Crc,
    all: bool,
}

impl Unzip {
    pub(super) fn new(decoder: Decoder, limit: usize) -> Self {
        Self {
            decoder,
            packed: Vec::new(),
            files: None,
            archive: Bytes::new(),
            open: None,
            left: limit,
            limit,
        }
    }

    fn directory(&mut self) -> Result<(), Undecodable> {
        self.archive = Bytes::from(std::mem::take(&mut self.packed));
        let broken = || {
            Undecodable::new(
                "NOT_ZIP",
                "The upstream's answer is not a ZIP archive, or half of one.",
            )
        };
        let mut archive = ZipArchive::new(Cursor::new(self.archive.clone())).map_err(|_| broken())?;
        if archive.len() > MAX_FILES {
            return Err(Undecodable::new(
                "NOT_ZIP",
                format!("The upstream's ZIP archive has more than {MAX_FILES} files."),
            ));
        }
        let mut files = VecDeque::with_capacity(archive.len());
        for index in 0..archive.len() {
            let file = archive.by_index_raw(index).map_err(|_| broken())?;
            if file.is_dir() {
                continue;
            }
            let name = file.name().to_owned();
            let deflated = match file.compression() {
                CompressionMethod::STORE => false,
                CompressionMethod::DEFLATE => true,
                other => {
                    return Err(Undecodable {
                        retryable: false,
                        ..Undecodable::new(
                            "NOT_ZIP",
                            format!(
                                "The file {name:?} in the upstream's ZIP archive is packed with {other}; only deflate is read."
                            ),
                        )
                    });
                }
            };
            if file.encrypted() {
                return Err(Undecodable {
                    retryable: false,
                    ..Undecodable::new(
                        "NOT_ZIP",
                        format!("The file {name:?} in the upstream's ZIP archive is encrypted."),
                    )
                });
            }
            let start = file.data_start().and_then(|start| usize::try_from(start).ok());
            let length = usize::try_from(file.compressed_size()).ok();
            let place = start.zip(length).and_then(|(start, length)| {
                let place = start..start.checked_add(length)?;
                (place.end <= self.archive.len()).then_some(place)
            });
            files.push_back(File {
                name,
                place: place.ok_or_else(broken)?,
                deflated,
                crc: file.crc32(),
            });
        }
        self.files = Some(files);
        Ok(())
    }

    /// Unpacks a piece of the open file; false: it is done.
    fn piece(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        let Some(open) = &mut self.open else {
            return Ok(false);
        };
        if open.all {
            return Ok(!open.stage.finish(rows).map_err(|wrong| open.file.wrong(wrong))?);
        }
        let place = &mut open.file.place;
        let end = place.end.min(place.start + PIECE);
        let piece = self.archive.slice(place.start..end);
        place.start = end;
        let plain = match &mut open.inflating {
            None => piece,
            Some(inflating) => {
                inflating.write_all(&piece).map_err(|_| open.file.broken())?;
                if open.file.place.is_empty() {
                    inflating.try_finish().map_err(|_| open.file.broken())?;
                }
                Bytes::from(std::mem::take(inflating.get_mut()))
            }
        };
        self.left = self
            .left
            .checked_sub(plain.len())
            .ok_or_else(|| Undecodable::too_large(self.limit))?;
        open.crc.update(&plain);
        for part in plain.chunks(PIECE) {
            open.stage
                .push(part, rows)
                .map_err(|wrong| open.file.wrong(wrong))?;
        }
        if open.file.place.is_empty() {
            if open.crc.sum() != open.file.crc {
                return Err(open.file.broken());
            }
            open.all = true;
        }
        Ok(true)
    }
}

impl File {
    fn wrong(&self, wrong: Undecodable) -> Undecodable {
        Undecodable {
            message: format!("The file {:?} in the ZIP archive: {}", self.name, wrong.message),
            ..wrong
        }
    }

    fn broken(&self) -> Undecodable {
        Undecodable::new(
            "NOT_ZIP",
            format!(
                "The file {:?} in the upstream's ZIP archive cannot be unpacked.",
                self.name
            ),
        )
    }
}

impl Stage for Unzip {
    fn push(&mut self, bytes: &[u8], _: &mut Rows) -> Result<(), Undecodable> {
        if self.packed.len() + bytes.len() > self.limit {
            return Err(Undecodable::too_large(self.limit));
        }
        self.packed.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        if self.files.is_none() {
            self.directory()?;
        }
        if self.piece(rows)? {
            return Ok(false);
        }
        self.open = self
            .files
            .as_mut()
            .and_then(VecDeque::pop_front)
            .map(|file| Open {
                stage: super::stage(&self.decoder, self.limit),
                inflating: file.deflated.then(|| DeflateDecoder::new(Vec::new())),
                crc: Crc::new(),
                all: false,
                file,
            });
        Ok(self.open.is_none())
    }
}
