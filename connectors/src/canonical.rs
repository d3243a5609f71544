//! The canonical form of a record, and its hash: how a sync knows that a record has not changed.
//!
//! Two texts have one canonical form when they say the same: members sorted (of equal names the last counts, as
//! every reader has it), no white space, one spelling for each string and number; `3.0` is `3`, because APIs
//! change their serialiser more often than their data. Nine of ten records of an incremental sync pass through
//! here only to be found unchanged, so it works on the text. A tree of the same record takes eight times as long
//! to build as the form takes to write.
//!
//! Numbers are written in positional notation: what has no exponent and at most fifteen significant digits is
//! exact in a double, and only loses its trailing zeros; whole numbers keep all their digits however many there
//! are; the rest goes through a double and its shortest decimal form.
//!
//! The hash is SipHash-2-4 with 128 bits (<https://www.aumasson.jp/siphash/siphash.pdf>) under a key that its caller
//! gives: whoever writes into an upstream does not know the key, so cannot prepare two contents that hide each
//! other. BLAKE3 needs no key for that, and six times as long (0.7 µs for a record of 420 bytes, against 0.12); a
//! hash without either (XXH3) would let an upstream's users craft such records.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::json::scan::{Kind, Piece, Quoted, Scanner, pieces};
use crate::json::{JsonError, MAX_DEPTH};

/// Scratch space beyond this is given back after use.
const KEPT: usize = 1 << 20;

thread_local! {
    static SCRATCH: RefCell<Canonicaliser> = RefCell::default();
}

/// The hash of the canonical form, under a key of 128 bits.
pub fn hash(json: &str, key: &[u8; 16]) -> Result<[u8; 16], JsonError> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut hasher = SipHasher24::new_with_key(key);
        hasher.write(scratch.form(json)?.as_bytes());
        Ok(hasher.finish128().as_bytes())
    })
}

/// The canonical form itself.
pub fn canonicalise(json: &str) -> Result<String, JsonError> {
    SCRATCH.with_borrow_mut(|scratch| scratch.form(json).map(str::to_owned))
}

/// The canonical form and the space it is made in, to be used again.
#[derive(Debug, Default)]
struct Canonicaliser {
    form: String,
    sorted: String,
    members: Vec<Member>,
}

/// A piece of the source, where it is canonical as it stands, or of the form, where it had to be written.
#[derive(Clone, Copy, Debug)]
struct Span {
    written: bool,
    start: u32,
    end: u32,
}

impl Span {
    fn new(written: bool, start: usize, end: usize) -> Span {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span {
            written,
            start: place(start),
            end: place(end),
        }
    }

    fn of<'t>(self, form: &'t str, json: &'t str) -> &'t str {
        let text = if self.written { form } else { json };
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// A member of an object that is being read. Names are compared by their first eight bytes, as a number, and only
/// then by the rest: most sorting is done without looking at the text again.
#[derive(Clone, Copy, Debug)]
struct Member {
    prefix: u64,
    order: u32,
    name: Span,
    value: Span,
}

impl Canonicaliser {
    fn form(&mut self, json: &str) -> Result<&str, JsonError> {
        if u32::try_from(json.len()).is_err() {
            return Err(JsonError {
                message: "longer than 4 GiB",
                offset: 0,
            });
        }
        if self.form.capacity() > KEPT {
            *self = Canonicaliser::default();
        }
        self.form.clear();
        self.members.clear();
        self.form.reserve(json.len());
        let mut scanner = Scanner::new(json);
        scanner.space();
        let span = self.value(&mut scanner, json, 0)?;
        scanner.end()?;
        if !span.written {
            self.form.push_str(span.of("", json));
        }
        Ok(&self.form)
    }

    /// Reads a value; writes it only if its text is not canonical.
    fn value(&mut self, scanner: &mut Scanner<'_>, json: &str, depth: usize) -> Result<Span, JsonError> {
        if depth > MAX_DEPTH {
            return Err(scanner.fail("nested too deeply"));
        }
        let start = scanner.at;
        let written = self.form.len();
        match scanner.kind()? {
            Kind::String => {
                let quoted = scanner.string()?;
                if quoted.escaped {
                    string(&mut self.form, quoted);
                }
            }
            Kind::Number => {
                let text = scanner.number()?;
                if text == "-0" || text.bytes().any(|byte| !byte.is_ascii_digit() && byte != b'-') {
                    number(&mut self.form, text);
                }
            }
            Kind::True => scanner.word(b"true")?,
            Kind::False => scanner.word(b"false")?,
            Kind::Null => scanner.word(b"null")?,
            Kind::Array => {
                self.form.push('[');
                let mut more = scanner.open(b']');
                while more {
                    let element = self.value(scanner, json, depth + 1)?;
                    if !element.written {
                        self.form.push_str(element.of("", json));
                    }
                    more = scanner.next(b']')?;
                    if more {
                        self.form.push(',');
                    }
                }
                self.form.push(']');
            }
            Kind::Object => self.object(scanner, json, depth)?,
        }
        Ok(if self.form.len() > written {
            Span::new(true, written, self.form.len())
        } else {
            Span::new(false, start, scanner.at)
        })
    }

    fn object(&mut self, scanner: &mut Scanner<'_>, json: &str, depth: usize) -> Result<(), JsonError> {
        self.form.push('{');
        let inside = self.form.len();
        let first = self.members.len();
        let mut more = scanner.open(b'}');
        while more {
            let start = scanner.at + 1;
            let order = u32::try_from(start).unwrap_or(u32::MAX);
            let quoted = scanner.name()?;
            let (name, prefix) = if quoted.escaped {
                let start = self.form.len() + 1;
                string(&mut self.form, quoted);
                let end = self.form.len() - 1;
                let name = self.form.get(start..end).unwrap_or_default();
                (Span::new(true, start, end), prefix(name))
            } else {
                (
                    Span::new(false, start, start + quoted.raw.len()),
                    prefix(quoted.raw),
                )
            };
            let value = self.value(scanner, json, depth + 1)?;
            self.members.push(Member {
                prefix,
                order,
                name,
                value,
            });
            more = scanner.next(b'}')?;
        }
        self.assemble(json, inside, first);
        self.members.truncate(first);
        self.form.push('}');
        Ok(())
    }

    /// Writes the members that were read, sorted, in place of what was written of them.
    fn assemble(&mut self, json: &str, inside: usize, first: usize) {
        let Canonicaliser {
            form,
            sorted,
            members,
        } = self;
        let text = |span: Span| span.of(form, json);
        let Some(members) = members.get_mut(first..) else {
            return;
        };
        members.sort_unstable_by(|a, b| {
            let by_name = a
                .prefix
                .cmp(&b.prefix)
                .then_with(|| text(a.name).cmp(text(b.name)));
            by_name.then(a.order.cmp(&b.order))
        });
        sorted.clear();
        for (index, member) in members.iter().enumerate() {
            let same =
                |later: &Member| later.prefix == member.prefix && text(later.name) == text(member.name);
            if members.get(index + 1).is_some_and(same) {
                continue;
            }
            if !sorted.is_empty() {
                sorted.push(',');
            }
            let Member { name, value, .. } = *member;
            if !name.written && !value.written && value.start == name.end + 2 {
                // Name, quote, colon and value stand in the source just so.
                sorted.push_str(
                    Span {
                        start: name.start - 1,
                        ..value
                    }
                    .of("", json),
                );
            } else {
                sorted.push('"');
                sorted.push_str(text(name));
                sorted.push_str("\":");
                sorted.push_str(text(value));
            }
        }
        form.truncate(inside);
        form.push_str(sorted);
    }
}

/// The first eight bytes of a name, as a number of the same order.
fn prefix(name: &str) -> u64 {
    match name.as_bytes().first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => name.bytes().enumerate().fold(0, |prefix, (index, byte)| {
            prefix | u64::from(byte) << (56 - 8 * index)
        }),
    }
}

fn string(form: &mut String, quoted: Quoted<'_>) {
    form.push('"');
    if quoted.escaped {
        pieces(quoted, |piece| match piece {
            Piece::Plain(text) => form.push_str(text),
            Piece::Char(char) => escaped(form, char),
            Piece::Lone(unit) => {
                let _ = write!(form, "\\u{unit:04x}");
            }
        });
    } else {
        form.push_str(quoted.raw);
    }
    form.push('"');
}

fn escaped(form: &mut String, char: char) {
    match char {
        '"' => form.push_str("\\\""),
        '\\' => form.push_str("\\\\"),
        '\n' => form.push_str("\\n"),
        '\r' => form.push_str("\\r"),
        '\t' => form.push_str("\\t"),
        '\u{8}' => form.push_str("\\b"),
        '\u{c}' => form.push_str("\\f"),
        '\0'..='\u{1f}' => {
            let _ = write!(form, "\\u{:04x}", u32::from(char));
        }
        other => form.push(other),
    }
}

/// Writes a number's canonical text.
pub(crate) fn number(form: &mut String, text: &str) {
    let Some(point) = text.bytes().position(|byte| matches!(byte, b'.' | b'e' | b'E')) else {
        form.push_str(if text == "-0" { "0" } else { text });
        return;
    };
    if text.as_bytes().get(point) == Some(&b'.') && text.len() <= 16 && !text.contains(['e', 'E']) {
        let fraction = text.trim_end_matches('0');
        let short = fraction.strip_suffix('.').unwrap_or(fraction);
        form.push_str(if short == "-0" { "0" } else { short });
        return;
    }
    match text.parse::<f64>() {
        // Adding zero takes the sign from a negative zero.
        Ok(value) if value.is_finite() => {
            let _ = write!(form, "{}", value + 0.0);
        }
        _ => form.push_str(text),
    }
}

#[cfg(test)]
mod tests;
