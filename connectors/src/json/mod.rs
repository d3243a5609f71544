//! JSON as text: bodies are checked and cut in one pass over their bytes, and no tree is built for what nobody
//! looks into.
//!
//! The text of a page is kept once, as shared UTF-8, and a record is a range of it. `bytes::Bytes` would do the
//! same without the one copy a page, but it does not know that it is text, and asking again at every look costs
//! more than the copy.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use scan::{Kind, Scanner};

pub(crate) mod scan;
#[cfg(test)]
pub(crate) mod tests;

/// Nesting deeper than this is refused.
pub const MAX_DEPTH: usize = 120;

/// Why a text is not JSON.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub message: &'static str,
    /// Where.
    pub offset: usize,
}

/// A response's body: checked UTF-8, shared by all records that are cut from it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Body(pub(crate) Arc<str>);

impl Body {
    /// Takes a response's bytes; a byte order mark is dropped.
    pub fn new(bytes: &Bytes) -> Result<Body, JsonError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| JsonError {
            message: "not UTF-8",
            offset: error.valid_up_to(),
        })?;
        if u32::try_from(text.len()).is_err() {
            return Err(JsonError {
                message: "longer than 4 GiB",
                offset: 0,
            });
        }
        Ok(Body(text.into()))
    }

    /// Takes a text that was made here.
    pub(crate) fn of_text(text: &str) -> Body {
        Body(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole body as a tree.
    pub fn to_value(&self) -> Result<Value, JsonError> {
        parse(&self.0)
    }

    /// The parts of the body that lie at these paths, as a tree that has nothing else: what a template mentions.
    ///
    /// A path that ends early (at an array, a text, null) brings what is there. The rest of the body is passed
    /// over unchecked beyond its syntax. Of a body that is no object, all of it is taken.
    pub fn project(&self, paths: &[Vec<String>]) -> Result<Value, JsonError> {
        let mut scanner = Scanner::new(&self.0);
        scanner.space();
        let paths: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
        let value = projected(&mut scanner, &paths, 0)?;
        scanner.end()?;
        Ok(value)
    }
}

fn projected(scanner: &mut Scanner<'_>, paths: &[&[String]], depth: usize) -> Result<Value, JsonError> {
    if depth > MAX_DEPTH {
        return Err(scanner.fail("nested too deeply"));
    }
    if scanner.kind()? != Kind::Object || paths.iter().any(|path| path.is_empty()) {
        return parse(scanner.skip(depth)?);
    }
    let mut members = Map::new();
    let mut more = scanner.open(b'}');
    while more {
        let name = scanner.name()?;
        let wanted = |path: &&[String]| path.first().is_some_and(|first| name.is(first));
        let inner: Vec<&[String]> = paths
            .iter()
            .copied()
            .filter(wanted)
            .map(|path| path.get(1..).unwrap_or_default())
            .collect();
        if inner.is_empty() {
            scanner.skip(depth + 1)?;
        } else {
            members.insert(name.text().into_owned(), projected(scanner, &inner, depth + 1)?);
        }
        more = scanner.next(b'}')?;
    }
    Ok(Value::Object(members))
}

/// Reads a text as a tree.
///
/// Beyond what `serde_json` takes, it takes what Python writes: half a surrogate pair (which becomes U+FFFD) and
/// numbers beyond a double's range (which stay text).
pub fn parse(text: &str) -> Result<Value, JsonError> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let mut scanner = Scanner::new(text);
    scanner.space();
    let value = tree(&mut scanner, 0)?;
    scanner.end()?;
    Ok(value)
}

fn tree(scanner: &mut Scanner<'_>, depth: usize) -> Result<Value, JsonError> {
    if depth > MAX_DEPTH {
        return Err(scanner.fail("nested too deeply"));
    }
    Ok(match scanner.kind()? {
        Kind::String => Value::String(scanner.string()?.text().into_owned()),
        Kind::Number => {
            let text = scanner.number()?;
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        }
        Kind::Object => {
            let mut members = Map::new();
            let mut more = scanner.open(b'}');
            while more {
                let name = scanner.name()?.text().into_owned();
                members.insert(name, tree(scanner, depth + 1)?);
                more = scanner.next(b'}')?;
            }
            Value::Object(members)
        }
        Kind::Array => {
            let mut elements = Vec::new();
            let mut more = scanner.open(b']');
            while more {
                elements.push(tree(scanner, depth + 1)?);
                more = scanner.next(b']')?;
            }
            Value::Array(elements)
        }
        Kind::True => scanner.word(b"true").map(|()| Value::Bool(true))?,
        Kind::False => scanner.word(b"false").map(|()| Value::Bool(false))?,
        Kind::Null => scanner.word(b"null").map(|()| Value::Null)?,
    })
}
