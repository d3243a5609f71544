//! Character sets, under the names that Python knows them by.
//!
//! The web's names are not enough: on the web `latin-1` is windows-1252, in Python it is what it says, and a manifest
//! was tried against Python. What is no text in its charset is an error, as it is there; a replacement character in
//! a name or an amount would be found by a customer.

use std::borrow::Cow;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16LE};

use super::Undecodable;

/// A character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8; a byte order mark is dropped.
    Utf8,
    /// Every byte is the character of that number.
    Latin1,
    /// Seven bits.
    Ascii,
    /// UTF-16 whose byte order mark says which.
    Utf16,
    /// One of the web's.
    Web(&'static Encoding),
}

impl Charset {
    /// The charset that Python calls this.
    pub fn by_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        Some(match name.as_str() {
            "utf-8" | "utf8" | "u8" | "utf" | "cp65001" | "utf-8-sig" => Self::Utf8,
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" | "l1" => Self::Latin1,
            "ascii" | "us-ascii" | "646" => Self::Ascii,
            "utf-16" | "utf16" | "u16" => Self::Utf16,
            "mac-roman" | "macroman" => Self::web("macintosh")?,
            "utf-16-le" => Self::web("utf-16le")?,
            "utf-16-be" => Self::web("utf-16be")?,
            other => Self::web(other)?,
        })
    }

    fn web(label: &str) -> Option<Self> {
        let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
        Some(if encoding == UTF_8 {
            Self::Utf8
        } else {
            Self::Web(encoding)
        })
    }

    /// What an XML document is written in: what the answer says, else what the document does.
    pub(super) fn of_xml(body: &[u8], content_type: Option<&str>) -> Self {
        let told = content_type.and_then(|told| {
            let (_, after) = told.split_once("charset=")?;
            let name = after.split(';').next()?;
            Self::by_name(name.trim_matches(['"', '\'', ' ']))
        });
        let marked = || match body {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(Self::Utf16),
            _ => None,
        };
        let declared = || {
            let head = String::from_utf8_lossy(&body[..body.len().min(200)]);
            let (_, after) = head.split("?>").next()?.split_once("encoding=")?;
            let quote = after.chars().next().filter(|char| matches!(char, '"' | '\''))?;
            Self::by_name(after[1..].split(quote).next()?)
        };
        told.or_else(marked).or_else(declared).unwrap_or(Self::Utf8)
    }

    /// Decodes all of a text.
    pub(super) fn decode_all(self, bytes: &[u8]) -> Result<Cow<'_, str>, Undecodable> {
        if self == Self::Utf8 {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            return std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|_| self.broken());
        }
        let mut text = Vec::new();
        let mut recoder = Recoder::new(self);
        recoder.push(bytes, &mut text)?;
        recoder.finish(&mut text)?;
        String::from_utf8(text).map(Cow::Owned).map_err(|_| self.broken())
    }

    /// The text is none in this charset.
    pub(super) fn broken(self) -> Undecodable {
        let name = match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "ISO-8859-1",
            Self::Ascii => "ASCII",
            Self::Utf16 => "UTF-16",
            Self::Web(encoding) => encoding.name(),
        };
        Undecodable::new(
            "NOT_TEXT",
            format!("The upstream's text is not {name}; the decoder's field encoding says what it is."),
        )
    }
}

/// Turns text into UTF-8, piece by piece. UTF-8 itself passes unchecked: whoever cuts it looks at each cut.
pub(super) struct Recoder {
    charset: Charset,
    decoder: Option<Decoder>,
}

impl Recoder {
    pub(super) fn new(charset: Charset) -> Self {
        let decoder = match charset {
            Charset::Utf8 | Charset::Latin1 | Charset::Ascii => None,
            Charset::Utf16 => Some(UTF_16LE.new_decoder()),
            Charset::Web(encoding) => Some(encoding.new_decoder_without_bom_handling()),
        };
        Self { charset, decoder }
    }

    pub(super) fn push(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> Result<(), Undecodable> {
        self.recode(bytes, into, false)
    }

    pub(super) fn finish(&mut self, into: &mut Vec<u8>) -> Result<(), Undecodable> {
        self.recode(&[], into, true)
    }

    fn recode(&mut self, bytes: &[u8], into: &mut Vec<u8>, last: bool) -> Result<(), Undecodable> {
        let Some(decoder) = &mut self.decoder else {
            if self.charset == Charset::Ascii && !bytes.is_ascii() {
                return Err(self.charset.broken());
            }
            if self.charset == Charset::Latin1 {
                into.extend_from_slice(encoding_rs::mem::decode_latin1(bytes).as_bytes());
            } else {
                into.extend_from_slice(bytes);
            }
            return Ok(());
        };
        let mut rest = bytes;
        loop {
            let room = decoder
                .max_utf8_buffer_length_without_replacement(rest.len())
                .unwrap_or(usize::MAX / 2);
            let start = into.len();
            into.resize(start + room, 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut into[start..], last);
            into.truncate(start + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => return Err(self.charset.broken()),
            }
        }
    }
}
