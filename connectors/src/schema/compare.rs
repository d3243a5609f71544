//! Two versions of a connector, as those who use its records see them.
//!
//! A change is breaking when something that was promised is not any more: a stream or a field is gone, a field may
//! hold a type that it could not hold before, records have another key, progress is measured by another field.
//! That a field may be null is not counted as a promise broken: upstreams leave fields out at will.

use std::collections::BTreeSet;

use serde_json::Value;

use super::types::Types;
use crate::StreamDescription;

/// Deeper structure is not compared.
const DEEPEST: usize = 12;
/// More changes than these are one: it is another connector.
const MOST_CHANGES: usize = 500;

/// A difference between two versions of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamChange {
    /// The stream.
    pub stream: String,
    /// The field, a nested one with dots, the items of an array with `[]`; none: the stream as a whole.
    pub field: Option<String>,
    /// What it is.
    pub kind: ChangeKind,
    /// For people.
    pub message: String,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A stream is new.
    StreamAdded,
    /// A stream is gone.
    StreamRemoved,
    /// A field is new.
    FieldAdded,
    /// A field is gone.
    FieldRemoved,
    /// A field may hold what it could not hold before.
    TypeChanged,
    /// Records are told apart by other fields.
    PrimaryKeyChanged,
    /// Progress is measured by another field, or not any more.
    CursorChanged,
}

impl ChangeKind {
    /// Whether it may break those who use the records.
    pub fn is_breaking(self) -> bool {
        !matches!(self, Self::StreamAdded | Self::FieldAdded)
    }
}

/// What the new version changes, breaking or not, in the order of the old one's streams.
pub fn compare(old: &[StreamDescription], new: &[StreamDescription]) -> Vec<StreamChange> {
    let mut changes = Changes(Vec::new());
    let find =
        |streams: &'_ [StreamDescription], name: &str| streams.iter().position(|stream| stream.name == name);
    for before in old {
        match find(new, &before.name).and_then(|at| new.get(at)) {
            Some(after) => changes.stream(before, after),
            None => changes.push(
                &before.name,
                None,
                ChangeKind::StreamRemoved,
                "The stream is gone.".to_owned(),
            ),
        }
    }
    for after in new.iter().filter(|after| find(old, &after.name).is_none()) {
        changes.push(
            &after.name,
            None,
            ChangeKind::StreamAdded,
            "The stream is new.".to_owned(),
        );
    }
    changes.0
}

struct Changes(Vec<StreamChange>);

impl Changes {
    fn push(&mut self, stream: &str, field: Option<&str>, kind: ChangeKind, message: String) {
        if self.0.len() < MOST_CHANGES {
            self.0.push(StreamChange {
                stream: stream.to_owned(),
                field: field.map(str::to_owned),
                kind,
                message,
            });
        }
    }

    fn stream(&mut self, before: &StreamDescription, after: &StreamDescription) {
        let name = &before.name;
        if before.primary_key != after.primary_key {
            let message = format!(
                "The primary key was {} and is {}: records that are stored keep their old key. \
                 Read the stream once with FULL_REFRESH.",
                key(&before.primary_key),
                key(&after.primary_key)
            );
            self.push(name, None, ChangeKind::PrimaryKeyChanged, message);
        }
        if before.cursor_field != after.cursor_field {
            let told = |field: &Option<String>| field.clone().unwrap_or_else(|| "none".to_owned());
            let message = format!(
                "The cursor field was {} and is {}: how far the stream was read has to be found anew.",
                told(&before.cursor_field),
                told(&after.cursor_field)
            );
            self.push(name, None, ChangeKind::CursorChanged, message);
        }
        self.fields(name, "", &before.json_schema, &after.json_schema, 0);
    }

    fn fields(&mut self, stream: &str, path: &str, before: &Value, after: &Value, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        if let Some(old) = before.get("properties").and_then(Value::as_object) {
            let Some(new) = after.get("properties").and_then(Value::as_object) else {
                let message = "The schema names no fields any more.".to_owned();
                let field = (!path.is_empty()).then_some(path);
                return self.push(stream, field, ChangeKind::FieldRemoved, message);
            };
            let at = |name: &str| {
                if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}.{name}")
                }
            };
            for (name, before) in old {
                match new.get(name) {
                    Some(after) => self.field(stream, &at(name), before, after, depth),
                    None => {
                        let message = "The field is gone.".to_owned();
                        self.push(stream, Some(&at(name)), ChangeKind::FieldRemoved, message);
                    }
                }
            }
            let known: BTreeSet<&String> = old.keys().collect();
            for name in new.keys().filter(|name| !known.contains(name)) {
                let message = "The field is new.".to_owned();
                self.push(stream, Some(&at(name)), ChangeKind::FieldAdded, message);
            }
        }
        if let (Some(before), Some(after)) = (before.get("items"), after.get("items"))
            && before.is_object()
        {
            self.field(stream, &format!("{path}[]"), before, after, depth);
        }
    }

    fn field(&mut self, stream: &str, path: &str, before: &Value, after: &Value, depth: usize) {
        let (old, new) = (Types::of_schema(before), Types::of_schema(after));
        if new.without(old).without(Types::NULL).is_empty() {
            self.fields(stream, path, before, after, depth + 1);
        } else {
            let message = format!("The type was {old} and is {new}.");
            self.push(stream, Some(path), ChangeKind::TypeChanged, message);
        }
    }
}

fn key(paths: &[Vec<String>]) -> String {
    if paths.is_empty() {
        return "none".to_owned();
    }
    let parts: Vec<String> = paths.iter().map(|path| path.join(".")).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stream(name: &str, key: &[&str], cursor: Option<&str>, properties: Value) -> StreamDescription {
        StreamDescription {
            name: name.to_owned(),
            primary_key: key.iter().map(|name| vec![(*name).to_owned()]).collect(),
            supports_incremental: cursor.is_some(),
            cursor_field: cursor.map(str::to_owned),
            json_schema: json!({"type": "object", "properties": properties}),
            has_files: false,
        }
    }

    fn told(old: &[StreamDescription], new: &[StreamDescription]) -> Vec<(String, ChangeKind)> {
        compare(old, new)
            .into_iter()
            .map(|change| {
                let field = change.field.map(|field| format!(".{field}")).unwrap_or_default();
                (format!("{}{field}", change.stream), change.kind)
            })
            .collect()
    }

    #[test]
    fn what_breaks_is_told_from_what_does_not() {
        let old = [
            stream(
                "users",
                &["id"],
                Some("updated_at"),
                json!({
                    "id": {"type": "integer"}, "name": {"type": "string"}, "age": {"type": "number"},
                    "gone": {}, "address": {"type": "object", "properties": {"zip": {"type": "string"}}},
                    "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
                }),
            ),
            stream("orders", &["id"], None, json!({})),
        ];
        let new = [
            stream(
                "users",
                &["uuid"],
                Some("modified"),
                json!({
                    "id": {"type": "string"}, "name": {"type": ["null", "string"]}, "age": {"type": "integer"},
                    "address": {"type": "object", "properties": {}}, "fresh": {},
                    "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "integer"}}}},
                }),
            ),
            stream("invoices", &["id"], None, json!({})),
        ];
        use ChangeKind::*;
        let expected: Vec<(String, ChangeKind)> = [
            ("users", PrimaryKeyChanged),
            ("users", CursorChanged),
            ("users.id", TypeChanged),
            ("users.gone", FieldRemoved),
            ("users.address.zip", FieldRemoved),
            ("users.lines[].sku", TypeChanged),
            ("users.fresh", FieldAdded),
            ("orders", StreamRemoved),
            ("invoices", StreamAdded),
        ]
        .into_iter()
        .map(|(place, kind)| (place.to_owned(), kind))
        .collect();
        let sorted = |mut list: Vec<(String, ChangeKind)>| {
            list.sort_by(|a, b| {
                a.0.cmp(&b.0)
                    .then(format!("{:?}", a.1).cmp(&format!("{:?}", b.1)))
            });
            list
        };
        assert_eq!(sorted(told(&old, &new)), sorted(expected));
        assert!(told(&old, &old).is_empty());
    }
}
