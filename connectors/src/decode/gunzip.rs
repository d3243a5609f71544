//! gzip, one member or several. What does not begin like gzip passes as it is: servers that are asked for a file that
//! is compressed anyway send it plain, or have it unpacked on the way, and the reference lets that pass too.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::{Rows, Stage, Undecodable};

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// See the module.
pub(super) struct Gunzip {
    inner: Box<dyn Stage>,
    state: State,
    left: usize,
    limit: usize,
}

enum State {
    /// Not enough bytes to tell.
    Beginning(Vec<u8>),
    Plain,
    Packed(Box<MultiGzDecoder<Vec<u8>>>),
    /// All was pushed on.
    Ended,
}

impl Gunzip {
    pub(super) fn new(inner: Box<dyn Stage>, limit: usize) -> Self {
        Self {
            inner,
            state: State::Beginning(Vec::new()),
            left: limit,
            limit,
        }
    }

    fn unpacked(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Undecodable> {
        self.left = self
            .left
            .checked_sub(bytes.len())
            .ok_or_else(|| Undecodable::too_large(self.limit))?;
        self.inner.push(bytes, rows)
    }
}

/// Unpacks a document, or gives it back where it is not packed.
pub(super) fn whole(bytes: &[u8], limit: usize) -> Result<Option<Vec<u8>>, Undecodable> {
    if !bytes.starts_with(&MAGIC) {
        return Ok(None);
    }
    let mut unpacked = Vec::new();
    let mut decoder = MultiGzDecoder::new(Vec::new());
    for piece in bytes.chunks(super::PIECE) {
        decoder.write_all(piece).map_err(|error| broken(&error))?;
        let more = decoder.get_mut();
        if unpacked.len() + more.len() > limit {
            return Err(Undecodable::too_large(limit));
        }
        unpacked.append(more);
    }
    decoder.try_finish().map_err(|_| Undecodable::truncated("gzip"))?;
    unpacked.append(decoder.get_mut());
    Ok(Some(unpacked))
}

impl Stage for Gunzip {
    fn push(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Undecodable> {
        match &mut self.state {
            State::Beginning(first) => {
                first.extend_from_slice(bytes);
                if first.len() < MAGIC.len() {
                    return Ok(());
                }
                let first = std::mem::take(first);
                self.state = if first.starts_with(&MAGIC) {
                    State::Packed(Box::new(MultiGzDecoder::new(Vec::new())))
                } else {
                    State::Plain
                };
                self.push(&first, rows)
            }
            State::Plain | State::Ended => self.unpacked(bytes, rows),
            State::Packed(decoder) => {
                decoder.write_all(bytes).map_err(|error| broken(&error))?;
                let unpacked = std::mem::take(decoder.get_mut());
                self.unpacked(&unpacked, rows)
            }
        }
    }

    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        let rest = match std::mem::replace(&mut self.state, State::Ended) {
            State::Beginning(first) => first,
            State::Packed(mut decoder) => {
                decoder.try_finish().map_err(|_| Undecodable::truncated("gzip"))?;
                std::mem::take(decoder.get_mut())
            }
            State::Plain | State::Ended => Vec::new(),
        };
        if !rest.is_empty() {
            self.unpacked(&rest, rows)?;
        }
        self.inner.finish(rows)
    }
}

fn broken(error: &io::Error) -> Undecodable {
    Undecodable::new(
        "NOT_GZIP",
        format!("The upstream's answer begins like gzip and cannot be unpacked: {error}."),
    )
}
