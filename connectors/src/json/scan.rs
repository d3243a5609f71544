//! The one reader of JSON text that everything here stands on.
//!
//! It checks as strictly as RFC 8259 asks, allocates nothing, and does not recurse: the open brackets of a value
//! that is skipped live in the bits of one integer, so neither a deep nor a broken document can cost more than
//! its own length. A value is known by where it begins and ends; whoever wants more looks again.

use super::{JsonError, MAX_DEPTH};

/// A place in a text.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    pub(crate) at: usize,
}

/// A string's inside, between the quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<'a> {
    pub(crate) raw: &'a str,
    /// Whether `raw` holds escapes, so that it is not yet the string's content.
    pub(crate) escaped: bool,
}

/// What begins here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The bytes of the word that end a run of plain string content: a quote, a backslash, a control character.
/// A byte after a true hit may be marked falsely; the lowest mark is always true.
const fn string_stops(word: u64) -> u64 {
    let quote = zero_bytes(word ^ (ONES * b'"' as u64));
    let backslash = zero_bytes(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    quote | backslash | control
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Scanner {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    pub(crate) fn fail(&self, message: &'static str) -> JsonError {
        JsonError {
            message,
            offset: self.at,
        }
    }

    pub(crate) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        self.space();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.fail("unexpected text after the JSON value"))
        }
    }

    pub(crate) fn kind(&self) -> Result<Kind, JsonError> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.fail("expected a JSON value")),
            None => Err(self.fail("the text ends where a JSON value should be")),
        }
    }

    /// Reads a string; the scanner stands on its opening quote.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Quoted<'a>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.fail("expected a string"));
        }
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            while let Some(chunk) = self.bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
                let stops = string_stops(u64::from_le_bytes(*chunk));
                if stops != 0 {
                    at += (stops.trailing_zeros() / 8) as usize;
                    break;
                }
                at += 8;
            }
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Quoted {
                        raw: self.slice(start, at),
                        escaped,
                    });
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                Some(0..0x20) => {
                    self.at = at;
                    return Err(self.fail("a control character inside a string"));
                }
                Some(_) => at += 1,
                None => {
                    self.at = at;
                    return Err(self.fail("the text ends inside a string"));
                }
            }
        }
    }

    fn escape(&mut self, at: usize) -> Result<usize, JsonError> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                let hex = self.bytes.get(at + 2..at + 6);
                if hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                    return Ok(at + 6);
                }
                self.at = at;
                Err(self.fail("a \\u escape without four hexadecimal digits"))
            }
            _ => {
                self.at = at;
                Err(self.fail("an unknown escape inside a string"))
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fail("expected a digit"))
        } else {
            Ok(())
        }
    }

    /// Reads a number and gives its text.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if let Some(b'0'..=b'9') = self.peek() {
                return Err(self.fail("a number with a leading zero"));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.slice(start, self.at))
    }

    pub(crate) fn word(&mut self, word: &'static [u8]) -> Result<(), JsonError> {
        if self
            .bytes
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.fail("expected a JSON value"))
        }
    }

    /// Goes to the first member or element: true, or past the closing bracket: false.
    pub(crate) fn open(&mut self, close: u8) -> bool {
        self.at += 1;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return false;
        }
        true
    }

    /// After a member or element: true at the next one, false past the closing bracket.
    #[inline]
    pub(crate) fn next(&mut self, close: u8) -> Result<bool, JsonError> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) => Err(self.fail("expected a comma or a closing bracket")),
            None => Err(self.fail("the text ends inside an object or array")),
        }
    }

    /// Reads a member's name and its colon.
    #[inline]
    pub(crate) fn name(&mut self) -> Result<Quoted<'a>, JsonError> {
        let name = self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.fail("expected a colon"));
        }
        self.at += 1;
        self.space();
        Ok(name)
    }

    /// Checks and passes over one value that stands `depth` brackets deep, and gives its text.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<&'a str, JsonError> {
        let start = self.at;
        let mut open = depth;
        // Bit 0: the innermost bracket is an object's.
        let mut objects: u128 = 0;
        'value: loop {
            match self.kind()? {
                Kind::String => drop(self.string()?),
                Kind::Number => drop(self.number()?),
                Kind::True => self.word(b"true")?,
                Kind::False => self.word(b"false")?,
                Kind::Null => self.word(b"null")?,
                kind => {
                    open += 1;
                    if open > MAX_DEPTH {
                        return Err(self.fail("nested too deeply"));
                    }
                    let object = kind == Kind::Object;
                    objects = objects << 1 | u128::from(object);
                    if self.open(if object { b'}' } else { b']' }) {
                        if object {
                            self.name()?;
                        }
                        continue 'value;
                    }
                    open -= 1;
                    objects >>= 1;
                }
            }
            while open > depth {
                let object = objects & 1 == 1;
                if self.next(if object { b'}' } else { b']' })? {
                    if object {
                        self.name()?;
                    }
                    continue 'value;
                }
                open -= 1;
                objects >>= 1;
            }
            return Ok(self.slice(start, self.at));
        }
    }
}

/// One step of a string's content.
pub(crate) enum Piece<'a> {
    /// Content as it stands.
    Plain(&'a str),
    /// An escaped character.
    Char(char),
    /// Half of a surrogate pair, alone: Python reads it, Unicode has no such character.
    Lone(u16),
}

/// Walks through the content of a checked string.
pub(crate) fn pieces(quoted: Quoted<'_>, mut each: impl FnMut(Piece<'_>)) {
    let mut rest = quoted.raw;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        if !plain.is_empty() {
            each(Piece::Plain(plain));
        }
        let kind = escape.as_bytes().get(1).copied().unwrap_or(b'\\');
        let mut length = 2;
        match kind {
            b'b' => each(Piece::Char('\u{8}')),
            b'f' => each(Piece::Char('\u{c}')),
            b'n' => each(Piece::Char('\n')),
            b'r' => each(Piece::Char('\r')),
            b't' => each(Piece::Char('\t')),
            b'u' => {
                let unit = |at: usize| {
                    let text = escape.get(at..at + 6)?.strip_prefix("\\u")?;
                    u16::from_str_radix(text, 16).ok()
                };
                length = 6;
                let first = unit(0).unwrap_or(0xfffd);
                match char::decode_utf16([Some(first), unit(6)].into_iter().flatten()).next() {
                    Some(Ok(char)) => {
                        length = if char.len_utf16() == 2 { 12 } else { 6 };
                        each(Piece::Char(char));
                    }
                    _ => each(Piece::Lone(first)),
                }
            }
            other => each(Piece::Char(char::from(other))),
        }
        rest = escape.get(length..).unwrap_or_default();
    }
    if !rest.is_empty() {
        each(Piece::Plain(rest));
    }
}

impl<'a> Quoted<'a> {
    /// The string's content; a lone surrogate becomes U+FFFD.
    pub(crate) fn text(self) -> std::borrow::Cow<'a, str> {
        if !self.escaped {
            return self.raw.into();
        }
        let mut content = String::with_capacity(self.raw.len());
        pieces(self, |piece| match piece {
            Piece::Plain(text) => content.push_str(text),
            Piece::Char(char) => content.push(char),
            Piece::Lone(_) => content.push('\u{fffd}'),
        });
        content.into()
    }

    /// Whether the content is this text.
    #[inline]
    pub(crate) fn is(self, text: &str) -> bool {
        if self.escaped {
            self.text() == text
        } else {
            self.raw == text
        }
    }
}
