//! A JSON Schema from records.
//!
//! Every record is looked at, since the one that has `null` where the others have a text is the one that matters. A
//! field that is absent or null somewhere may be null; a format is named only where every text has it.

use serde_json::{Map, Value, json};

use super::types::Types;
use crate::datetime;

/// Deeper structure is left open.
const DEEPEST: usize = 12;
/// An object with more different names than this is a dictionary, and its names are no fields.
const MOST_FIELDS: usize = 500;

/// The schema that all of these records fit.
pub fn infer<'a>(records: impl IntoIterator<Item = &'a Value>) -> Value {
    let mut shape = Shape::default();
    for record in records {
        shape.take(record, 0);
    }
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    if let Value::Object(inner) = shape.schema(false) {
        schema.extend(inner);
    }
    Value::Object(schema)
}

#[derive(Default)]
struct Shape {
    types: Types,
    objects: usize,
    fields: Vec<(String, usize, Shape)>,
    is_dictionary: bool,
    items: Option<Box<Shape>>,
    texts: usize,
    date_times: usize,
    dates: usize,
}

impl Shape {
    fn take(&mut self, value: &Value, depth: usize) {
        let types = match value {
            Value::Null => Types::NULL,
            Value::Bool(_) => Types::BOOLEAN,
            Value::Number(number) if number.is_f64() => Types::NUMBER,
            Value::Number(_) => Types::INTEGER,
            Value::String(_) => Types::STRING,
            Value::Object(_) => Types::OBJECT,
            Value::Array(_) => Types::ARRAY,
        };
        self.types = self.types.or(types);
        match value {
            Value::String(text) => {
                self.texts += 1;
                self.date_times += usize::from(is_date_time(text));
                self.dates += usize::from(is_date(text));
            }
            Value::Array(items) if depth < DEEPEST => {
                let shape = self.items.get_or_insert_default();
                for item in items {
                    shape.take(item, depth + 1);
                }
            }
            Value::Object(fields) if depth < DEEPEST => self.object(fields, depth),
            _ => {}
        }
    }

    fn object(&mut self, fields: &Map<String, Value>, depth: usize) {
        self.objects += 1;
        for (place, (name, value)) in fields.iter().enumerate() {
            // Records have their fields in one order, mostly.
            let known = match self.fields.get(place) {
                Some((own, _, _)) if own == name => Some(place),
                _ => self.fields.iter().position(|(own, _, _)| own == name),
            };
            if let Some((_, count, shape)) = known.and_then(|at| self.fields.get_mut(at)) {
                *count += 1;
                shape.take(value, depth + 1);
            } else if self.fields.len() == MOST_FIELDS {
                self.is_dictionary = true;
            } else {
                let mut shape = Self::default();
                shape.take(value, depth + 1);
                self.fields.push((name.clone(), 1, shape));
            }
        }
    }

    fn schema(&self, nullable: bool) -> Value {
        let types = if nullable {
            self.types.or(Types::NULL)
        } else {
            self.types
        };
        let mut schema = Map::new();
        let names: Vec<Value> = types.to_string().split(" or ").map(Value::from).collect();
        match names.as_slice() {
            _ if types == Types::ANY || types.without(Types::NULL).is_empty() => {}
            [one] => drop(schema.insert("type".to_owned(), one.clone())),
            _ => drop(schema.insert("type".to_owned(), Value::Array(names))),
        }
        if self.texts > 0 && self.date_times == self.texts {
            schema.insert("format".to_owned(), json!("date-time"));
        } else if self.texts > 0 && self.dates == self.texts {
            schema.insert("format".to_owned(), json!("date"));
        }
        if self.objects > 0 && !self.is_dictionary && !self.fields.is_empty() {
            let properties = self
                .fields
                .iter()
                .map(|(name, count, shape)| (name.clone(), shape.schema(*count < self.objects)))
                .collect();
            schema.insert("properties".to_owned(), Value::Object(properties));
        }
        if let Some(items) = &self.items
            && !items.types.is_empty()
        {
            schema.insert("items".to_owned(), items.schema(false));
        }
        Value::Object(schema)
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && datetime::parse(text, "%Y-%m-%d").is_ok()
}

/// As JSON Schema means it: RFC 3339.
fn is_date_time(text: &str) -> bool {
    text.len() >= 20 && chrono::DateTime::parse_from_rfc3339(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_null_and_formats_are_taken_from_all_records() {
        let records = [
            json!({"id": 1, "name": "a", "at": "2026-01-02T03:04:05Z", "day": "2026-01-02", "n": 1,
                   "tags": ["x"], "address": {"city": "B", "zip": null}}),
            json!({"id": 2, "name": null, "at": "2026-01-02T03:04:05.123+01:00", "day": "2026-01-03", "n": 1.5,
                   "tags": [], "address": {"city": "C", "zip": "1"}, "late": true}),
        ];
        assert_eq!(
            infer(&records),
            json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "properties": {
                    "id": {"type": "integer"},
                    "name": {"type": ["null", "string"]},
                    "at": {"type": "string", "format": "date-time"},
                    "day": {"type": "string", "format": "date"},
                    "n": {"type": "number"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "address": {"type": "object", "properties": {
                        "city": {"type": "string"}, "zip": {"type": ["null", "string"]}}},
                    "late": {"type": ["null", "boolean"]},
                }
            })
        );
    }

    #[test]
    fn what_is_never_anything_but_null_is_left_open() {
        let schema = infer(&[json!({"a": null})]);
        assert_eq!(schema["properties"]["a"], json!({}));
    }
}
