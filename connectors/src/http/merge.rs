//! Putting one request together from several contributors: the requester, the authenticator, the paginator,
//! the cursor and the partition each say what they add, and two that claim the same key are a mistake in the
//! manifest, not a race that the last one wins.
//!
//! Only JSON bodies nest, and there the same value twice is harmless.

use serde_json::{Map, Value};

use crate::read::ReadError;

/// What contributors add to one part of a request: a mapping, or for a body also a ready text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Mapping(Map<String, Value>),
    Text(String),
}

impl Part {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Mapping(mapping) => mapping.is_empty(),
            Self::Text(text) => text.is_empty(),
        }
    }
}

/// Merges mappings; `nested` is for JSON bodies.
///
/// # Errors
/// `CONFIG_INVALID`, naming the key, when two contributors claim it.
pub(crate) fn combine(
    parts: impl IntoIterator<Item = Map<String, Value>>,
    nested: bool,
) -> Result<Map<String, Value>, ReadError> {
    let mut result = Map::new();
    for part in parts {
        if result.is_empty() {
            result = part;
        } else {
            merge(&mut result, part, nested, "")?;
        }
    }
    Ok(result)
}

/// As [`combine`], where one contributor may give a ready text instead.
pub(crate) fn combine_parts(parts: Vec<Part>) -> Result<Part, ReadError> {
    let mut texts = parts.iter().filter(|part| matches!(part, Part::Text(_)));
    let text = texts.next().cloned();
    if texts.next().is_some() {
        return Err(ReadError::config(
            "Only one component may give a request body as text.",
        ));
    }
    let Some(text) = text else {
        let mappings = parts.into_iter().filter_map(|part| match part {
            Part::Mapping(mapping) => Some(mapping),
            Part::Text(_) => None,
        });
        return combine(mappings, false).map(Part::Mapping);
    };
    if parts
        .iter()
        .any(|part| matches!(part, Part::Mapping(mapping) if !mapping.is_empty()))
    {
        return Err(ReadError::config(
            "A request body given as text cannot be combined with injected fields.",
        ));
    }
    Ok(text)
}

fn merge(
    target: &mut Map<String, Value>,
    source: Map<String, Value>,
    nested: bool,
    path: &str,
) -> Result<(), ReadError> {
    for (key, value) in source {
        let here = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match (target.get_mut(&key), value) {
            (None, value) => {
                target.insert(key, value);
            }
            (Some(Value::Object(into)), Value::Object(from)) if nested => {
                merge(into, from, nested, &here)?;
            }
            (Some(existing), value) if nested && *existing == value => {}
            _ => {
                return Err(ReadError::config(format!(
                    "Two components set the request's \"{here}\"; each key may be set once."
                )));
            }
        }
    }
    Ok(())
}

/// Sets a value at a path, making the objects on the way.
pub(crate) fn set_at(target: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut current = target;
    for part in parents {
        let slot = current
            .entry(part.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        let Value::Object(inner) = slot else { return };
        current = inner;
    }
    current.insert(last.clone(), value);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_key_is_set_once() {
        let error = combine([map(json!({"a": 1})), map(json!({"a": 1}))], false).unwrap_err();
        assert!(error.message.contains("\"a\""));
        let both = combine([map(json!({"a": 1})), map(json!({"b": 2}))], false).unwrap();
        assert_eq!(Value::Object(both), json!({"a": 1, "b": 2}));
    }

    #[test]
    fn json_bodies_nest() {
        let body = combine(
            [
                map(json!({"v": {"first": 3, "same": 1}})),
                map(json!({"v": {"after": "x", "same": 1}})),
            ],
            true,
        )
        .unwrap();
        assert_eq!(
            Value::Object(body),
            json!({"v": {"first": 3, "same": 1, "after": "x"}})
        );
        assert!(combine([map(json!({"v": {"a": 1}})), map(json!({"v": {"a": 2}}))], true).is_err());
    }

    #[test]
    fn a_text_stands_alone() {
        let text = Part::Text("<x/>".to_owned());
        assert_eq!(
            combine_parts(vec![text.clone(), Part::Mapping(Map::new())]).unwrap(),
            text
        );
        assert!(combine_parts(vec![text.clone(), Part::Mapping(map(json!({"a": 1})))]).is_err());
        assert!(combine_parts(vec![text.clone(), text]).is_err());
    }
}
