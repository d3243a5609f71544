//! Filters and transformations: what happens to one record between the wire and the page.
//!
//! A record becomes a tree only here, and only when there is something to do to it.

use serde_json::{Map, Value};

use super::operations;
use super::page::PageRequest;
use super::stream::StreamReader;
use super::{ErrorKind, ReadError};
use crate::http::session::display;
use crate::manifest::components::{Condition, SchemaNormalization, Text, Transformation, ValueType};
use crate::record::Record;
use crate::template::{ValidTypes, Variable};

impl StreamReader {
    /// The record as the stream gives it; `None` where a filter drops it.
    pub(super) fn map_one(
        &self,
        request: &PageRequest,
        record: &Record,
    ) -> Result<Option<Record>, ReadError> {
        if !record.json().starts_with('{') {
            return Err(ReadError::new(
                ErrorKind::Schema,
                "NOT_AN_OBJECT",
                "A record must be an object.",
            ));
        }
        if self.untouched {
            return Ok(Some(record.clone()));
        }
        let selector = self.selector();
        let mut value = record.to_value();
        let kept = if selector.transform_before_filtering {
            self.transform(request, &mut value)?;
            self.keeps(request, &value)?
        } else {
            let kept = self.keeps(request, &value)?;
            if kept {
                self.transform(request, &mut value)?;
            }
            kept
        };
        if !kept {
            return Ok(None);
        }
        if selector.schema_normalization == SchemaNormalization::Default {
            super::normalize::normalize(&mut value, self.schema());
        }
        if selector.transformations.is_empty() && selector.schema_normalization == SchemaNormalization::None {
            return Ok(Some(record.clone()));
        }
        Ok(Some(Record::from_value(&value)))
    }

    fn keeps(&self, request: &PageRequest, value: &Value) -> Result<bool, ReadError> {
        let by_cursor = self.filters_by_cursor() && !self.is_data_feed();
        if by_cursor && !self.is_new_value(request, value) {
            return Ok(false);
        }
        let Some(condition) = &self.selector().record_filter else {
            return Ok(true);
        };
        let token = request.token.as_ref().map_or(
            Value::Null,
            |token| serde_json::json!({ "next_page_token": token }),
        );
        let names = [
            ("record", Variable::Json(value)),
            ("stream_slice", request.slice.variable()),
            ("next_page_token", Variable::Json(&token)),
        ];
        self.session.condition(condition, &names)
    }

    fn is_new_value(&self, request: &PageRequest, record: &Value) -> bool {
        let (Some((low, high)), Some(settings)) = (request.bounds, &self.cursor) else {
            return true;
        };
        let value = record
            .get(&settings.field)
            .and_then(|value| settings.parse_value(value));
        value.is_none_or(|value| low <= value && value <= high)
    }

    fn transform(&self, request: &PageRequest, record: &mut Value) -> Result<(), ReadError> {
        for transformation in &self.selector().transformations {
            self.apply(request, transformation, record)?;
        }
        Ok(())
    }

    pub(super) fn apply(
        &self,
        request: &PageRequest,
        transformation: &Transformation,
        record: &mut Value,
    ) -> Result<(), ReadError> {
        let session = &self.session;
        match transformation {
            Transformation::AddFields { fields, condition } => {
                for field in fields {
                    let valid = field.value_type.map_or(ValidTypes::ANY, ValueType::valid);
                    let names = [
                        ("record", Variable::Json(record)),
                        ("stream_slice", request.slice.variable()),
                    ];
                    let value = session.typed(&field.value, &names, valid)?;
                    let path = field
                        .path
                        .iter()
                        .map(|part| session.text(part, &[]))
                        .collect::<Result<Vec<_>, _>>()?;
                    if let Some(condition) = condition {
                        let shown = Value::from(path.clone());
                        let names = [
                            ("record", Variable::Json(record)),
                            ("stream_slice", request.slice.variable()),
                            ("value", Variable::Json(&value)),
                            ("path", Variable::Json(&shown)),
                        ];
                        if !session.condition(condition, &names)? {
                            continue;
                        }
                    }
                    operations::write(record, &path, value);
                }
            }
            Transformation::RemoveFields {
                field_pointers,
                condition,
            } => match condition {
                None => field_pointers
                    .iter()
                    .for_each(|pointer| operations::remove(record, pointer)),
                Some(condition) => self.remove_where(condition, record)?,
            },
            Transformation::KeysToLower => rename(record, false, &mut |key| key.to_lowercase()),
            Transformation::KeysToSnakeCase => rename(record, true, &mut snake_case),
            Transformation::FlattenFields { flatten_lists } => *record = flatten(record, *flatten_lists),
            Transformation::DpathFlattenFields {
                field_path,
                delete_origin_value,
                replace_record,
                key_prefix,
                key_suffix,
            } => {
                let path = field_path
                    .iter()
                    .map(|part| session.text(part, &[]))
                    .collect::<Result<Vec<_>, _>>()?;
                let part = |text: &Option<Text>| match text {
                    Some(text) => session.value(text, &[]).map(|value| display(&value)),
                    None => Ok(String::new()),
                };
                let (prefix, suffix) = (part(key_prefix)?, part(key_suffix)?);
                lift(
                    record,
                    &path,
                    &prefix,
                    &suffix,
                    *delete_origin_value,
                    *replace_record,
                );
            }
            Transformation::KeysReplace { old, new } => {
                let names = [
                    ("record", Variable::Json(record)),
                    ("stream_slice", request.slice.variable()),
                ];
                let (old, new) = (session.text(old, &names)?, session.text(new, &names)?);
                rename(record, true, &mut |key| key.replace(&old, &new));
            }
        }
        Ok(())
    }

    fn remove_where(&self, condition: &Condition, record: &mut Value) -> Result<(), ReadError> {
        let mut failed = None;
        operations::remove_leaves(record, &mut |property| match self
            .session
            .condition(condition, &[("property", Variable::Json(property))])
        {
            Ok(remove) => remove,
            Err(error) => {
                failed.get_or_insert(error);
                false
            }
        });
        failed.map_or(Ok(()), Err)
    }
}

/// Renames keys; `deep` goes into objects, never into lists, as the reference does.
fn rename(value: &mut Value, deep: bool, new_name: &mut dyn FnMut(&str) -> String) {
    let Value::Object(fields) = value else { return };
    *fields = std::mem::take(fields)
        .into_iter()
        .map(|(key, mut inner)| {
            if deep {
                rename(&mut inner, deep, new_name);
            }
            (new_name(&key), inner)
        })
        .collect();
}

/// `fooBarID` → `foo_bar_id`: runs of one kind of character are words.
fn snake_case(key: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = key;
    while let Some(first) = rest.chars().next() {
        let run = |test: fn(&char) -> bool| rest.chars().take_while(test).map(char::len_utf8).sum::<usize>();
        let length = if first.is_ascii_uppercase() {
            let upper = run(char::is_ascii_uppercase);
            upper + rest[upper..].chars().take_while(char::is_ascii_lowercase).count()
        } else if first.is_ascii_lowercase() {
            run(char::is_ascii_lowercase)
        } else if first.is_ascii_digit() {
            run(char::is_ascii_digit)
        } else {
            run(|character| !character.is_ascii_alphanumeric())
        };
        let (word, after) = rest.split_at(length);
        words.push(if first.is_ascii_alphanumeric() {
            word.to_ascii_lowercase()
        } else {
            String::new()
        });
        rest = after;
    }
    if words.len() >= 3 {
        let last = words.len() - 1;
        let mut index = 0;
        words.retain(|word| {
            let keep = index == 0 || index == last || !word.is_empty();
            index += 1;
            keep
        });
    }
    if words
        .first()
        .is_some_and(|word| word.starts_with(|character: char| character.is_ascii_digit()))
    {
        words.insert(0, String::new());
    }
    words.join("_")
}

/// Leaves by their own name, or by their path where that name is taken or they come out of a list.
fn flatten(record: &Value, flatten_lists: bool) -> Value {
    let mut flat = Map::new();
    let mut with_parent = false;
    let mut stack = vec![(record, "_".to_owned())];
    while let Some((value, key)) = stack.pop() {
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    let name = if with_parent || flat.contains_key(name) {
                        format!("{key}.{name}")
                    } else {
                        name.clone()
                    };
                    stack.push((inner, name));
                }
            }
            Value::Array(items) if flatten_lists => {
                for (index, item) in items.iter().enumerate() {
                    with_parent = true;
                    stack.push((item, format!("{key}.{index}")));
                }
            }
            leaf => {
                flat.insert(key, leaf.clone());
            }
        }
    }
    Value::Object(flat)
}

/// Moves an object's fields up into the record.
fn lift(record: &mut Value, path: &[String], prefix: &str, suffix: &str, delete: bool, replace: bool) {
    let Some(Value::Object(found)) = find(record, path) else {
        return;
    };
    let lifted: Map<String, Value> = found
        .iter()
        .map(|(key, value)| (format!("{prefix}{key}{suffix}"), value.clone()))
        .collect();
    if replace && !lifted.is_empty() {
        *record = Value::Object(lifted);
        return;
    }
    let taken = record
        .as_object()
        .is_some_and(|fields| lifted.keys().any(|key| fields.contains_key(key)));
    if taken {
        return;
    }
    if delete {
        operations::remove(record, path);
    }
    if let Value::Object(fields) = record {
        fields.extend(lifted);
    }
}

pub(super) fn find<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    let Some((part, rest)) = path.split_first() else {
        return Some(value);
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| operations::matches(part, name))
            .find_map(|(_, inner)| find(inner, rest)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter(|(index, _)| operations::matches(part, &index.to_string()))
            .find_map(|(_, inner)| find(inner, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_become_snake_case() {
        for (key, expected) in [
            ("fooBar", "foo_bar"),
            ("FOOBar", "foobar"),
            ("foo bar", "foo_bar"),
            ("a__b", "a_b"),
            ("2fa", "_2_fa"),
            ("Id", "id"),
            ("x-Y 9", "x_y_9"),
            ("trailing_", "trailing_"),
        ] {
            assert_eq!(snake_case(key), expected, "{key}");
        }
    }

    #[test]
    fn fields_are_flattened() {
        let record = json!({"a": 1, "b": {"c": 2, "l": [{"d": 3}, 4]}});
        assert_eq!(
            flatten(&record, true),
            json!({"l.1": 4, "l.0.d": 3, "c": 2, "a": 1})
        );
        assert_eq!(
            flatten(&record, false),
            json!({"l": [{"d": 3}, 4], "c": 2, "a": 1})
        );
    }

    #[test]
    fn an_object_s_fields_move_up_unless_they_would_hide_others() {
        let lifted = |delete, replace| {
            let mut record = json!({"id": 1, "props": {"name": "x"}});
            lift(&mut record, &["props".to_owned()], "p_", "", delete, replace);
            record
        };
        assert_eq!(lifted(true, false), json!({"id": 1, "p_name": "x"}));
        assert_eq!(lifted(false, true), json!({"p_name": "x"}));
        let mut clash = json!({"id": 1, "props": {"id": 2}});
        lift(&mut clash, &["props".to_owned()], "", "", true, false);
        assert_eq!(clash, json!({"id": 1, "props": {"id": 2}}));
    }
}
