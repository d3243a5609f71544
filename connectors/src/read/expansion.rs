//! A record taken apart: each item of a list in it becomes a record.
//!
//! An item may carry its parent along, whole or in parts, so what comes of a page can be much more than the page. It is
//! bounded by what a body may have, because a thousand items with a copy of a large parent each are a gigabyte.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::extraction::Found;
use super::slice::{Partition, Slice};
use super::stream::StreamReader;
use super::{ErrorKind, NoteLevel, ReadError, lookup};
use crate::http::session::{Session, is_truthy};
use crate::manifest::components::{RecordExpander, Text};
use crate::record::{PathPart, Record};

/// See the module.
pub(super) struct Expansion {
    path: Vec<PathPart>,
    /// The path as a person reads it.
    shown: String,
    /// From the parent, into the item.
    fields: Vec<(Vec<String>, Vec<String>)>,
    with_original: bool,
    with_parent: bool,
    keeps_parent: bool,
    indicator: Vec<String>,
    /// Reads a list that is not whole.
    complete: Option<Arc<StreamReader>>,
    warned: AtomicBool,
}

impl Expansion {
    pub(super) fn ready(
        session: &Arc<Session>,
        expander: &RecordExpander,
        now: DateTime<Utc>,
    ) -> Result<Self, ReadError> {
        let parts = texts(session, &expander.expand_records_from_field)?;
        let single = |path: &[Text]| {
            let path = texts(session, path)?;
            if path.iter().any(|part| part.contains(['*', '?', '['])) {
                let message = format!("The path {} has to mean one field.", path.join("."));
                return Err(ReadError::config(message));
            }
            Ok(path)
        };
        let complete = match &expander.truncated_list {
            None => None,
            Some(plan) => {
                single(&expander.expand_records_from_field)?;
                Some(StreamReader::new(session, plan, now)?)
            }
        };
        Ok(Self {
            path: parts.iter().map(|part| PathPart::new(part)).collect(),
            shown: parts.join("."),
            fields: expander
                .parent_fields
                .iter()
                .map(|(from, to)| Ok((single(from)?, single(to)?)))
                .collect::<Result<_, ReadError>>()?,
            with_original: expander.remain_original_record,
            with_parent: expander.merge_parent,
            keeps_parent: expander.emits_parent,
            indicator: single(&expander.truncation_indicator_path)?,
            complete,
            warned: AtomicBool::new(false),
        })
    }

    /// Adds what the record is expanded to.
    pub(super) async fn expand(
        &self,
        reader: &StreamReader,
        record: Record,
        into: &mut Found,
    ) -> Result<(), ReadError> {
        if !record.is_object() || self.path.is_empty() {
            into.records.push(record);
            return Ok(());
        }
        let parent = record.to_value();
        let limit = reader.session.context.limits.max_body_bytes;
        let base = self.with_parent.then(|| {
            let mut base = parent.clone();
            strip(&mut base, &self.path);
            base
        });
        let mut give = |item: Value| {
            let item = Record::from_value(&self.child(&parent, base.as_ref(), item)?);
            into.made += item.json().len();
            if into.made > limit {
                return Err(too_large(limit));
            }
            into.records.push(item);
            Ok(())
        };
        let truncated = !self.indicator.is_empty() && at(&parent, &self.indicator).is_some_and(is_truthy);
        let mut fetched = 0;
        if let Some(complete) = self.complete.as_ref().filter(|_| truncated) {
            let slice = Slice::new(
                &Partition {
                    fields: Map::from_iter([("parent_record".to_owned(), parent.clone())]),
                    ..Partition::default()
                },
                None,
            );
            let mut visit = |_: &Slice, item: Value| {
                fetched += 1;
                give(item).map(|()| true)
            };
            lookup::slice(complete, slice, &mut visit).await?;
            self.compare(reader, &parent, fetched);
            if fetched > 0 {
                return Ok(());
            }
        }
        let mut lists = Vec::new();
        lists_at(&parent, &self.path, &mut lists);
        let count: usize = lists.iter().map(|items| items.len()).sum();
        if truncated && self.complete.is_none() {
            let missing = "the others are not read: a truncated_list_retriever could fetch them";
            self.warn(reader, &parent, count, missing);
        }
        for item in lists.into_iter().flatten() {
            give(item.clone())?;
        }
        if count == 0 && self.keeps_parent {
            into.records.push(record);
        }
        Ok(())
    }

    /// An item with what it carries of its parent: the parent's fields beneath its own, then single ones, then all of it.
    fn child(&self, parent: &Value, base: Option<&Value>, item: Value) -> Result<Value, ReadError> {
        let carries = self.with_parent || self.with_original || !self.fields.is_empty();
        let mut child = match item {
            Value::Object(fields) => fields,
            other if carries => Map::from_iter([("value".to_owned(), other)]),
            other => return Ok(other),
        };
        if let Some(Value::Object(base)) = base {
            let own = std::mem::replace(&mut child, base.clone());
            child.extend(own);
        }
        for (from, to) in &self.fields {
            let value = at(parent, from).cloned().unwrap_or_default();
            write(&mut child, to, value)?;
        }
        if self.with_original {
            child.insert("original_record".to_owned(), parent.clone());
        }
        Ok(Value::Object(child))
    }

    /// Whether a list that was fetched is whole now, where the record says how long it is.
    fn compare(&self, reader: &StreamReader, parent: &Value, fetched: usize) {
        if let Some(total) = self.total(parent)
            && u64::try_from(fetched).is_ok_and(|fetched| fetched < total)
        {
            let missing = "the truncated_list_retriever gave no more: it may need a paginator";
            self.warn(reader, parent, fetched, missing);
        }
    }

    fn total(&self, parent: &Value) -> Option<u64> {
        let (_, beside) = self.indicator.split_last()?;
        at(parent, beside)?.get("total_count")?.as_u64()
    }

    /// Once for a stream: other records are probably cut off as well.
    fn warn(&self, reader: &StreamReader, parent: &Value, read: usize, missing: &str) {
        if self.warned.swap(true, Ordering::Relaxed) {
            return;
        }
        let of = self
            .total(parent)
            .map_or_else(String::new, |total| format!(" of {total}"));
        let message = format!(
            "A list at {} is not whole. {read}{of} of its items were read; {missing}.",
            self.shown
        );
        reader.session.note(NoteLevel::Warning, message);
    }
}

fn texts(session: &Session, texts: &[Text]) -> Result<Vec<String>, ReadError> {
    texts.iter().map(|text| session.text(text, &[])).collect()
}

fn too_large(limit: usize) -> ReadError {
    let message = format!(
        "The items of one answer, with what each carries of its parent, are more than {limit} bytes. Ask for smaller pages, \
         or copy single fields with parent_fields."
    );
    ReadError::new(ErrorKind::Malformed, "BODY_TOO_LARGE", message)
}

/// The value at a path without patterns.
fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Object(fields) => fields.get(part),
        Value::Array(items) => {
            let index: i64 = part.parse().ok()?;
            let place = match usize::try_from(index) {
                Ok(place) => place,
                Err(_) => items
                    .len()
                    .checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
            };
            items.get(place)
        }
        _ => None,
    })
}

fn lists_at<'a>(value: &'a Value, path: &[PathPart], found: &mut Vec<&'a Vec<Value>>) {
    let Some((part, rest)) = path.split_first() else {
        if let Value::Array(items) = value {
            found.push(items);
        }
        return;
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| part.fits_name(name))
            .for_each(|(_, inner)| lists_at(inner, rest, found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter(|(index, _)| part.fits_index(*index, items.len()))
            .for_each(|(_, inner)| lists_at(inner, rest, found)),
        _ => {}
    }
}

/// Takes away the lists at the path, and nothing else.
fn strip(value: &mut Value, path: &[PathPart]) {
    let Some((part, rest)) = path.split_first() else {
        return;
    };
    let last = rest.is_empty();
    match value {
        Value::Object(fields) => {
            if last {
                fields.retain(|name, inner| !(inner.is_array() && part.fits_name(name)));
            } else {
                let inner = fields.iter_mut().filter(|(name, _)| part.fits_name(name));
                inner.for_each(|(_, inner)| strip(inner, rest));
            }
        }
        Value::Array(items) => {
            let length = items.len();
            if last {
                let mut index = 0;
                items.retain(|inner| {
                    index += 1;
                    !(inner.is_array() && part.fits_index(index - 1, length))
                });
            } else {
                let inner = items.iter_mut().enumerate();
                inner
                    .filter(|(index, _)| part.fits_index(*index, length))
                    .for_each(|(_, inner)| strip(inner, rest));
            }
        }
        _ => {}
    }
}

/// Writes a parent's value into an item, making the objects on the way.
fn write(child: &mut Map<String, Value>, path: &[String], value: Value) -> Result<(), ReadError> {
    let Some((last, parents)) = path.split_last() else {
        return Ok(());
    };
    let mut target = child;
    for part in parents {
        let inner = target
            .entry(part.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else {
            return Err(ReadError::config(format!(
                "A parent's field cannot be written to {}: the item has something else than an object on the way.",
                path.join(".")
            )));
        };
        target = inner;
    }
    target.insert(last.clone(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Vec<PathPart> {
        text.split('.').map(PathPart::new).collect()
    }

    #[test]
    fn lists_are_found_and_taken_away_by_patterns() {
        let record = json!({"a": {"x": [1, 2], "y": [3]}, "b": {"x": 4, "z": 5}, "c": [[6], [7]]});
        let found = |text: &str| {
            let mut found = Vec::new();
            lists_at(&record, &path(text), &mut found);
            found.into_iter().flatten().cloned().collect::<Vec<_>>()
        };
        assert_eq!(found("a.*"), [1, 2, 3]);
        assert_eq!(found("*.x"), [1, 2]);
        assert_eq!(found("c.1"), [7]);
        assert_eq!(found("b.z"), Vec::<Value>::new());
        let without = |text: &str| {
            let mut record = record.clone();
            strip(&mut record, &path(text));
            record
        };
        assert_eq!(without("a.x")["a"], json!({"y": [3]}));
        assert_eq!(
            without("*.x"),
            json!({"a": {"y": [3]}, "b": {"x": 4, "z": 5}, "c": [[6], [7]]})
        );
        assert_eq!(without("c.*")["c"], json!([]));
        assert_eq!(without("b.z"), record, "what is no list stays");
    }
}
