//! A record a row, after RFC 4180: CRLF, quotes doubled inside quotes, UTF-8, a header.
//!
//! The columns are what we know of a record, then the outermost fields that the connector's schema declares, in its
//! order, then the fields that it does not declare, together as one JSON object: a record that is more than its schema
//! says loses nothing. What is nested is its JSON. Null and what is not there are an empty cell, an empty text is `""`.
//!
//! # Formulas
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@` or some controls for a formula, and what an upstream's
//! users typed would run on an operator's desk. So such a *text* gets a `'` before it, which spreadsheets show as
//! text. Numbers and what else is not a text are left as they are: `-1` is no attack. Programs that load the file ask
//! for `formulas=keep`, and JSON lines are exact anyway. Escaping is the default because the one who is hurt without it
//! does not know that there is a choice.

use std::collections::HashMap;

use engine::records::ExportedRecord;
use serde_json::value::RawValue;

use super::jsonl::compact;
use crate::graphql::rfc3339;

/// What we know of a record, before its fields.
const OURS: [&str; 6] = [
    "_syncline_key",
    "_syncline_change",
    "_syncline_changed_at",
    "_syncline_first_seen_at",
    "_syncline_deleted_at",
    "_syncline_cursor",
];
/// The column of the fields that have none.
const REST: &str = "_syncline_rest";

/// What to do with a text that a spreadsheet would take for a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Formulas {
    Escape,
    Keep,
}

pub(super) struct Table {
    fields: Vec<String>,
    formulas: Formulas,
}

impl Table {
    /// A table with a column for each of these fields. One that is called like a column of ours has none.
    pub(super) fn new(fields: &[String], formulas: Formulas) -> Self {
        let ours = |field: &str| OURS.contains(&field) || field == REST;
        Self {
            fields: fields.iter().filter(|field| !ours(field)).cloned().collect(),
            formulas,
        }
    }

    pub(super) fn header(&self, out: &mut Vec<u8>) {
        for name in OURS {
            cell(name, out);
        }
        for field in &self.fields {
            self.text(field, out);
        }
        cell(REST, out);
        end(out);
    }

    /// Writes a record's row.
    pub(super) fn row(&self, record: &ExportedRecord, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let is_object = record.data.trim_ascii_start().starts_with('{');
        let mut fields: HashMap<String, &RawValue> = if is_object {
            serde_json::from_str(&record.data)?
        } else {
            HashMap::new()
        };
        self.text(&record.key, out);
        cell(record.change.as_str(), out);
        cell(&rfc3339(record.changed_at), out);
        cell(&rfc3339(record.first_seen_at), out);
        cell(&record.deleted_at.map(rfc3339).unwrap_or_default(), out);
        cell(&record.cursor, out);
        for field in &self.fields {
            match fields.remove(field) {
                None => out.push(b','),
                Some(value) => self.value(value.get(), out)?,
            }
        }
        if !is_object {
            cell(&compact(&record.data), out);
        } else if fields.is_empty() {
            out.push(b',');
        } else {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            let mut rest = String::from("{");
            for (place, name) in names.into_iter().enumerate() {
                if place > 0 {
                    rest.push(',');
                }
                rest.push_str(&serde_json::to_string(name)?);
                rest.push(':');
                rest.push_str(&compact(fields[name].get()));
            }
            rest.push('}');
            cell(&rest, out);
        }
        end(out);
        Ok(())
    }

    fn value(&self, json: &str, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        match json.as_bytes().first() {
            Some(b'"') => {
                let text: String = serde_json::from_str(json)?;
                if text.is_empty() {
                    out.extend_from_slice(b"\"\",");
                } else {
                    self.text(&text, out);
                }
            }
            Some(b'n') => out.push(b','),
            Some(b'{' | b'[') => cell(&compact(json), out),
            _ => cell(json, out),
        }
        Ok(())
    }

    /// A text of somebody else's.
    fn text(&self, text: &str, out: &mut Vec<u8>) {
        if self.formulas == Formulas::Escape && begins_a_formula(text) {
            cell(&format!("'{text}"), out);
        } else {
            cell(text, out);
        }
    }
}

/// The signs that OWASP names, also in the width that East Asian keyboards give them.
fn begins_a_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

fn cell(text: &str, out: &mut Vec<u8>) {
    if text.contains(['"', ',', '\r', '\n']) || text.starts_with(' ') || text.ends_with(' ') {
        out.push(b'"');
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b',');
}

/// Ends a row: its last comma becomes the end of the line.
fn end(out: &mut Vec<u8>) {
    out.pop();
    out.extend_from_slice(b"\r\n");
}
