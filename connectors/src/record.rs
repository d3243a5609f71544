//! Records, and how they are cut out of a response.
//!
//! Most records pass from a page to the store as they came, so a record is a range of the page's text, and
//! finding the ranges is one walk over the page that follows the path, checks everything else on the way, and
//! builds nothing. Half a page is therefore noticed wherever it breaks off, before its first record is used.
//!
//! The path means what the reference's extractor makes of it (it matches with `dpath`), in these cases too: a
//! body that is an array is a sequence of bodies; an object where the path ends is one record, an empty one
//! none; with `*` in the path every match is a record, itself, not its elements.

use std::sync::Arc;

use serde_json::Value;

use crate::json::scan::{Kind, Quoted, Scanner};
use crate::json::{Body, JsonError, MAX_DEPTH};

#[cfg(test)]
mod tests;

/// One record: a slice of the page's body where nothing was transformed, else a text of its own. Cheap to clone.
#[derive(Clone)]
pub struct Record {
    text: Arc<str>,
    start: u32,
    end: u32,
}

/// A step of a path into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPart {
    /// A member of an object, or by its number an element of an array.
    Name(String),
    /// Any member or element whose name or number fits: `*`, or another shell pattern.
    Pattern(String),
}

impl PathPart {
    /// A part as manifests write it.
    pub fn new(text: &str) -> PathPart {
        if text.contains(['*', '?', '[']) {
            PathPart::Pattern(text.to_owned())
        } else {
            PathPart::Name(text.to_owned())
        }
    }

    fn fits(&self, name: Quoted<'_>) -> bool {
        match self {
            PathPart::Name(own) => name.is(own),
            PathPart::Pattern(pattern) => pattern == "*" || fnmatch(pattern, &name.text()),
        }
    }

    /// The same for a name that is at hand.
    pub(crate) fn fits_name(&self, name: &str) -> bool {
        match self {
            PathPart::Name(own) => own == name,
            PathPart::Pattern(pattern) => pattern == "*" || fnmatch(pattern, name),
        }
    }

    pub(crate) fn fits_index(&self, index: usize, length: usize) -> bool {
        match self {
            PathPart::Name(own) => {
                let number: Option<i64> = own.trim().parse().ok();
                let as_signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
                number.is_some_and(|number| {
                    number == as_signed(index) || number < 0 && number + as_signed(length) == as_signed(index)
                })
            }
            PathPart::Pattern(pattern) => pattern == "*" || fnmatch(pattern, &index.to_string()),
        }
    }

    fn counts_backwards(&self) -> bool {
        matches!(self, PathPart::Name(own) if own.trim_start().starts_with('-'))
    }
}

/// A shell pattern as Python's `fnmatch` reads it: `*`, `?`, `[abc]`, `[!a-c]`.
fn fnmatch(pattern: &str, text: &str) -> bool {
    fn class(pattern: &[char], char: char) -> Option<(bool, usize)> {
        let negated = pattern.get(1) == Some(&'!');
        let first = if negated { 2 } else { 1 };
        // A bracket that is first belongs to the class.
        let close = first + 1 + pattern.get(first + 1..)?.iter().position(|&char| char == ']')?;
        let members = pattern.get(first..close)?;
        let mut at = 0;
        let mut found = false;
        while let Some(&low) = members.get(at) {
            match (members.get(at + 1), members.get(at + 2)) {
                (Some('-'), Some(&high)) => {
                    found |= (low..=high).contains(&char);
                    at += 3;
                }
                _ => {
                    found |= low == char;
                    at += 1;
                }
            }
        }
        Some((found != negated, close + 1))
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some('?'), Some(_)) => Some(1),
            (Some('['), Some(&char)) => match class(pattern.get(p..).unwrap_or_default(), char) {
                Some((true, length)) => Some(length),
                Some((false, _)) => None,
                None => (char == '[').then_some(1),
            },
            (Some(own), Some(char)) if own == char => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((after, from))) if from < text.len() => {
                star = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
            _ => return false,
        }
    }
}

/// Cuts the records at `path` out of `body`, in one pass. A body that is an array is a sequence of bodies.
pub fn select(body: &Body, path: &[PathPart]) -> Result<Vec<Record>, JsonError> {
    cut(body, path, true)
}

/// The same, for a document that stands for itself even where it is an array: a row.
pub(crate) fn select_in_row(row: &Body, path: &[PathPart]) -> Result<Vec<Record>, JsonError> {
    cut(row, path, false)
}

fn cut(body: &Body, path: &[PathPart], sequence: bool) -> Result<Vec<Record>, JsonError> {
    let mut scanner = Scanner::new(body.as_str());
    scanner.space();
    let each_match = path
        .iter()
        .any(|part| matches!(part, PathPart::Pattern(pattern) if pattern == "*"));
    let mut selection = Selection {
        body,
        each_match,
        records: Vec::new(),
    };
    if sequence && scanner.kind()? == Kind::Array {
        let mut more = scanner.open(b']');
        while more {
            selection.walk(&mut scanner, path, 1)?;
            more = scanner.next(b']')?;
        }
    } else {
        selection.walk(&mut scanner, path, 0)?;
    }
    scanner.end()?;
    Ok(selection.records)
}

struct Selection<'b> {
    body: &'b Body,
    each_match: bool,
    records: Vec<Record>,
}

impl Selection<'_> {
    fn walk(&mut self, scanner: &mut Scanner<'_>, path: &[PathPart], depth: usize) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return Err(scanner.fail("nested too deeply"));
        }
        let kind = scanner.kind()?;
        match (path.split_first(), kind) {
            (None, Kind::Array) if !self.each_match => {
                let mut more = scanner.open(b']');
                while more {
                    self.take(scanner, depth + 1)?;
                    more = scanner.next(b']')?;
                }
            }
            (None, _) => {
                let value = self.take(scanner, depth)?;
                if !self.each_match && is_false(value) {
                    self.records.pop();
                }
            }
            (Some((part, rest)), Kind::Object) => {
                // Of equal names the last counts: what an earlier one gave is taken back.
                let before = self.records.len();
                let exact = matches!(part, PathPart::Name(_));
                let mut more = scanner.open(b'}');
                while more {
                    let name = scanner.name()?;
                    if part.fits(name) {
                        if exact {
                            self.records.truncate(before);
                        }
                        self.walk(scanner, rest, depth + 1)?;
                    } else {
                        scanner.skip(depth + 1)?;
                    }
                    more = scanner.next(b'}')?;
                }
            }
            (Some((part, rest)), Kind::Array) => {
                let length = if part.counts_backwards() {
                    count(&mut scanner.clone(), depth)?
                } else {
                    0
                };
                let mut index = 0;
                let mut more = scanner.open(b']');
                while more {
                    if part.fits_index(index, length) {
                        self.walk(scanner, rest, depth + 1)?;
                    } else {
                        scanner.skip(depth + 1)?;
                    }
                    index += 1;
                    more = scanner.next(b']')?;
                }
            }
            (Some(_), _) => drop(scanner.skip(depth)?),
        }
        Ok(())
    }

    fn take<'t>(&mut self, scanner: &mut Scanner<'t>, depth: usize) -> Result<&'t str, JsonError> {
        let start = scanner.at;
        let value = scanner.skip(depth)?;
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.records.push(Record {
            text: self.body.0.clone(),
            start: place(start),
            end: place(scanner.at),
        });
        Ok(value)
    }
}

fn count(scanner: &mut Scanner<'_>, depth: usize) -> Result<usize, JsonError> {
    let mut length = 0;
    let mut more = scanner.open(b']');
    while more {
        scanner.skip(depth + 1)?;
        length += 1;
        more = scanner.next(b']')?;
    }
    Ok(length)
}

/// Python's `not value`, of one that is not an array.
fn is_false(json: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'{') => json
            .get(1..)
            .is_some_and(|rest| rest.trim_start().starts_with('}')),
        Some(b'-' | b'0') => json.parse::<f64>() == Ok(0.0),
        Some(b'"') => json == "\"\"",
        Some(b'f' | b'n') => true,
        _ => false,
    }
}

/// The raw JSON of the value at `path` (member names or array indices); `None` when there is none. Of equal names
/// the first counts: identifiers stand at a record's beginning, and looking on would cost a walk to its end.
pub fn get<'r>(record: &'r Record, path: &[impl AsRef<str>]) -> Option<&'r str> {
    find(record.json(), path)
}

/// The raw JSON of the value at `path` in any JSON text.
pub fn find<'t>(json: &'t str, path: &[impl AsRef<str>]) -> Option<&'t str> {
    let mut json = json;
    for part in path {
        json = child(json, part.as_ref())?;
    }
    Some(json)
}

fn child<'t>(json: &'t str, part: &str) -> Option<&'t str> {
    let mut scanner = Scanner::new(json);
    scanner.space();
    let mut found = None;
    match scanner.kind().ok()? {
        Kind::Object => {
            let mut more = scanner.open(b'}');
            while more && found.is_none() {
                let fits = scanner.name().ok()?.is(part);
                let value = scanner.skip(0).ok()?;
                if fits {
                    found = Some(value);
                } else {
                    more = scanner.next(b'}').ok()?;
                }
            }
        }
        Kind::Array => {
            let index: i64 = part.parse().ok()?;
            let mut place = match usize::try_from(index) {
                Ok(place) => place,
                Err(_) => {
                    let back = usize::try_from(index.unsigned_abs()).ok()?;
                    count(&mut scanner.clone(), 0).ok()?.checked_sub(back)?
                }
            };
            let mut more = scanner.open(b']');
            while more && found.is_none() {
                let value = scanner.skip(0).ok()?;
                if place == 0 {
                    found = Some(value);
                } else {
                    place -= 1;
                    more = scanner.next(b']').ok()?;
                }
            }
        }
        _ => {}
    }
    found
}

impl Record {
    /// A record of its own, after a transformation.
    pub fn from_value(value: &Value) -> Record {
        Record::from_json(&value.to_string())
    }

    /// A record from JSON text that is known to be valid (and shorter than 4 GiB).
    pub fn from_json(text: &str) -> Record {
        Record {
            text: text.into(),
            start: 0,
            end: u32::try_from(text.len()).unwrap_or(u32::MAX),
        }
    }

    /// The raw JSON text.
    pub fn json(&self) -> &str {
        self.text
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Whether it is an object, as records should be.
    pub fn is_object(&self) -> bool {
        self.json().starts_with('{')
    }

    /// Whether Python takes it for false: null, nothing, or empty.
    pub(crate) fn is_empty(&self) -> bool {
        let json = self.json();
        let inner = json.strip_prefix('[').map(str::trim_start);
        inner.map_or_else(|| is_false(json), |inner| inner.starts_with(']'))
    }

    /// The record as a tree.
    pub fn to_value(&self) -> Value {
        crate::json::parse(self.json()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.json())
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Record) -> bool {
        self.json() == other.json()
    }
}
