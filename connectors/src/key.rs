//! Record keys: the text by which a record is found again.
//!
//! A key of one part is that part's value as a person would write it, so that `7` and `"7"` are one record: APIs
//! that change an id from number to text mean the same thing by it. A key of several parts is a JSON array, since
//! any separator could occur in a value.

use crate::canonical;
use crate::json::scan::{Kind, Scanner};
use crate::record::{Record, get};

/// A record lacks (a part of) its primary key.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the record has no {path} to be its key")]
pub struct KeyMissing {
    /// The field that is missing or null, dotted.
    pub path: String,
}

/// The key of a record. One part: its value as text; several: a JSON array of them. Each part is a path.
///
/// A stream without a primary key has no key to extract: an empty `primary_key` is an error here.
pub fn extract(primary_key: &[Vec<String>], record: &Record) -> Result<String, KeyMissing> {
    let part = |path: &Vec<String>| {
        let missing = || KeyMissing { path: path.join(".") };
        get(record, path).filter(|raw| *raw != "null").ok_or_else(missing)
    };
    match primary_key {
        [] => Err(KeyMissing {
            path: "primary key".to_owned(),
        }),
        [only] => Ok(text(part(only)?)),
        several => {
            let mut key = String::from("[");
            for (index, path) in several.iter().enumerate() {
                if index > 0 {
                    key.push(',');
                }
                key.push_str(&canonical(part(path)?));
            }
            key.push(']');
            Ok(key)
        }
    }
}

/// A value as text: a string's content, the canonical form of anything else.
fn text(raw: &str) -> String {
    let mut scanner = Scanner::new(raw);
    match scanner.kind() {
        Ok(Kind::String) => scanner
            .string()
            .map(|quoted| quoted.text().into_owned())
            .unwrap_or_default(),
        _ => canonical(raw),
    }
}

fn canonical(raw: &str) -> String {
    canonical::canonicalise(raw).unwrap_or_else(|_| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{KeyMissing, extract};
    use crate::record::Record;

    fn key(parts: &[&[&str]], json: &str) -> Result<String, KeyMissing> {
        let parts: Vec<Vec<String>> = parts
            .iter()
            .map(|path| path.iter().map(|&part| part.to_owned()).collect())
            .collect();
        extract(&parts, &Record::from_json(json))
    }

    #[test]
    fn one_part_is_its_text() {
        for (json, expected) in [
            (r#"{"id":7}"#, "7"),
            (r#"{"id":7.0}"#, "7"),
            (r#"{"id":"7"}"#, "7"),
            (r#"{"id":"a\"\u0062"}"#, "a\"b"),
            (r#"{"id":""}"#, ""),
            (r#"{"id":true}"#, "true"),
            (r#"{"id":{"b":1,"a":2}}"#, r#"{"a":2,"b":1}"#),
            (r#"{"id":12345678901234567890123}"#, "12345678901234567890123"),
        ] {
            assert_eq!(key(&[&["id"]], json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn several_parts_are_an_array() {
        let json = r#"{"id":7.0,"at":{"day":"x,\"y"}}"#;
        assert_eq!(
            key(&[&["id"], &["at", "day"]], json).as_deref(),
            Ok(r#"[7,"x,\"y"]"#)
        );
    }

    #[test]
    fn a_missing_part_is_named() {
        assert_eq!(key(&[&["a", "b"]], r#"{"a":{}}"#).unwrap_err().path, "a.b");
        assert!(key(&[&["id"]], r#"{"id":null}"#).is_err());
        assert!(key(&[&["id"], &["x"]], r#"{"id":1}"#).is_err());
        assert!(key(&[], "{}").is_err());
    }
}
