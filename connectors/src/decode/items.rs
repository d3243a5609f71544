//! The items of an array that stands somewhere inside of one large document, cut while the bytes come.
//!
//! A path is written as `ijson` writes prefixes: names joined by dots, `item` for what is in an array. What lies beside
//! the path is checked for its brackets and passed over; an item is kept until it is whole, and then checked as all
//! JSON is here. What is held is one item and the way to it.

use super::charset::Recoder;
use super::{Charset, Row, Rows, Stage, Undecodable};
use crate::json::scan::Scanner;
use crate::json::{JsonError, MAX_DEPTH};

/// A number or a word is not longer.
const MAX_SCALAR: usize = 4 * 1024;

/// See the module.
pub(super) struct Items {
    recoder: Recoder,
    recoded: Vec<u8>,
    walk: Walk,
}

struct Walk {
    /// The prefix of an item.
    wanted: String,
    open: Vec<Level>,
    /// The prefix of the value that comes next, or is being read.
    prefix: String,
    want: Want,
    token: Token,
    /// The string or scalar that is being read, quotes included; of an item, all of it.
    text: Vec<u8>,
    /// The depth at which an item is being kept.
    item: Option<usize>,
    begun: bool,
}

struct Level {
    object: bool,
    /// How long the prefix of the bracket itself is.
    prefix: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    None,
    Scalar,
    String { key: bool, escaped: bool },
}

impl Items {
    pub(super) fn new(path: &str, charset: Charset) -> Self {
        Self {
            recoder: Recoder::new(charset),
            recoded: Vec::new(),
            walk: Walk {
                wanted: format!("{path}.item"),
                open: Vec::new(),
                prefix: String::new(),
                want: Want::Value,
                token: Token::None,
                text: Vec::new(),
                item: None,
                begun: false,
            },
        }
    }
}

impl Stage for Items {
    fn push(&mut self, bytes: &[u8], rows: &mut Rows) -> Result<(), Undecodable> {
        self.recoded.clear();
        self.recoder.push(bytes, &mut self.recoded)?;
        let Self { walk, recoded, .. } = self;
        recoded.iter().try_for_each(|&byte| walk.byte(byte, rows))
    }

    fn finish(&mut self, rows: &mut Rows) -> Result<bool, Undecodable> {
        self.recoded.clear();
        self.recoder.finish(&mut self.recoded)?;
        let Self { walk, recoded, .. } = self;
        recoded.iter().try_for_each(|&byte| walk.byte(byte, rows))?;
        if walk.token == Token::Scalar {
            walk.end_scalar(rows)?;
        }
        match walk.want {
            Want::Nothing => Ok(true),
            _ if walk.begun => Err(Undecodable::truncated("JSON")),
            _ => Err(wrong("an empty body")),
        }
    }
}

fn wrong(what: &str) -> Undecodable {
    Undecodable::new(
        "NOT_JSON",
        format!("The upstream answered with {what} where JSON was expected."),
    )
}

fn checked<'t>(text: &'t [u8], depth: usize) -> Result<&'t str, Undecodable> {
    let text = std::str::from_utf8(text).map_err(|_| wrong("text that is not UTF-8"))?;
    let mut scanner = Scanner::new(text);
    let check = |scanner: &mut Scanner<'t>| -> Result<(), JsonError> {
        scanner.skip(depth)?;
        scanner.end()
    };
    check(&mut scanner).map_err(|error| Undecodable::json(&error))?;
    Ok(text)
}

impl Walk {
    fn byte(&mut self, byte: u8, rows: &mut Rows) -> Result<(), Undecodable> {
        match self.token {
            Token::String { key, escaped } => {
                self.keep(byte, key);
                if byte == b'"' && !escaped {
                    self.token = Token::None;
                    if key { self.end_key() } else { self.end_value(rows) }
                } else {
                    let escaped = byte == b'\\' && !escaped;
                    self.token = Token::String { key, escaped };
                    Ok(())
                }
            }
            Token::Scalar => {
                if matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r') {
                    self.end_scalar(rows)?;
                    self.byte(byte, rows)
                } else if self.item.is_none() && self.text.len() >= MAX_SCALAR {
                    Err(wrong("something else"))
                } else {
                    self.text.push(byte);
                    Ok(())
                }
            }
            Token::None => self.mark(byte, rows),
        }
    }

    /// Keys and items are kept; a string beside the path is not.
    fn keep(&mut self, byte: u8, key: bool) {
        if key || self.item.is_some() {
            self.text.push(byte);
        }
    }

    fn mark(&mut self, byte: u8, rows: &mut Rows) -> Result<(), Undecodable> {
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(());
        }
        if !self.begun {
            // A byte order mark, byte by byte.
            if matches!(byte, 0xef | 0xbb | 0xbf) {
                return Ok(());
            }
            if byte == b'<' {
                return Err(wrong("HTML or XML"));
            }
            self.begun = true;
        }
        match (self.want, byte) {
            (Want::ValueOrEnd, b']') | (Want::KeyOrEnd, b'}') => self.close(byte, rows),
            (Want::CommaOrEnd, b']') if self.open.last().is_some_and(|level| !level.object) => {
                self.close(byte, rows)
            }
            (Want::CommaOrEnd, b'}') if self.open.last().is_some_and(|level| level.object) => {
                self.close(byte, rows)
            }
            (Want::CommaOrEnd, b',') => {
                self.keep(byte, false);
                let object = self.open.last().is_some_and(|level| level.object);
                self.want = if object { Want::Key } else { Want::Value };
                Ok(())
            }
            (Want::Colon, b':') => {
                self.keep(byte, false);
                self.want = Want::Value;
                Ok(())
            }
            (Want::Key | Want::KeyOrEnd, b'"') => {
                if self.item.is_none() {
                    self.text.clear();
                }
                self.text.push(byte);
                self.token = Token::String {
                    key: true,
                    escaped: false,
                };
                Ok(())
            }
            (Want::Value | Want::ValueOrEnd, _) => self.value(byte),
            _ => Err(wrong("something else")),
        }
    }

    fn value(&mut self, byte: u8) -> Result<(), Undecodable> {
        let in_array = self.open.last().is_some_and(|level| !level.object);
        if in_array {
            self.descend("item");
        }
        if self.item.is_none() {
            self.text.clear();
            if self.prefix == self.wanted {
                self.item = Some(self.open.len());
            }
        }
        match byte {
            b'{' | b'[' => {
                if self.open.len() >= MAX_DEPTH {
                    return Err(wrong("JSON that is nested too deeply"));
                }
                self.keep(byte, false);
                self.open.push(Level {
                    object: byte == b'{',
                    prefix: self.prefix.len(),
                });
                self.want = if byte == b'{' {
                    Want::KeyOrEnd
                } else {
                    Want::ValueOrEnd
                };
            }
            b'"' => {
                self.keep(byte, false);
                self.token = Token::String {
                    key: false,
                    escaped: false,
                };
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.text.push(byte);
                self.token = Token::Scalar;
            }
            _ => return Err(wrong("something else")),
        }
        Ok(())
    }

    fn descend(&mut self, name: &str) {
        let base = self.open.last().map_or(0, |level| level.prefix);
        self.prefix.truncate(base);
        if base > 0 {
            self.prefix.push('.');
        }
        self.prefix.push_str(name);
    }

    fn end_key(&mut self) -> Result<(), Undecodable> {
        self.want = Want::Colon;
        // Inside of an item no prefix matters.
        if self.item.is_none() {
            let name: String =
                serde_json::from_str(checked(&self.text, 0)?).map_err(|_| wrong("a broken name"))?;
            self.descend(&name);
        }
        Ok(())
    }

    fn end_scalar(&mut self, rows: &mut Rows) -> Result<(), Undecodable> {
        self.token = Token::None;
        if self.item.is_none() {
            checked(&self.text, 0)?;
        }
        self.end_value(rows)
    }

    fn close(&mut self, byte: u8, rows: &mut Rows) -> Result<(), Undecodable> {
        self.keep(byte, false);
        if let Some(level) = self.open.pop() {
            self.prefix.truncate(level.prefix);
        }
        self.end_value(rows)
    }

    fn end_value(&mut self, rows: &mut Rows) -> Result<(), Undecodable> {
        if self.item == Some(self.open.len()) {
            self.item = None;
            rows.push(Row::Json(checked(&self.text, 0)?.to_owned()));
            self.text.clear();
        }
        self.want = if self.open.is_empty() {
            Want::Nothing
        } else {
            Want::CommaOrEnd
        };
        Ok(())
    }
}
