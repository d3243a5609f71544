//! Where in an answer the records are.

use serde_json::{Map, Value};

/// Envelopes are not deeper than this.
const DEEPEST: usize = 4;
/// What envelopes call the records.
const NAMES: [&str; 8] = [
    "data", "results", "items", "records", "entries", "values", "rows", "list",
];

/// A place that may hold the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordsAt {
    /// The path, as `DpathExtractor` takes it.
    pub path: Vec<String>,
    /// How many there are.
    pub count: usize,
}

/// The places, the likeliest first; `subject` is what the address calls the records.
pub(super) fn candidates(body: &Value, subject: &str) -> Vec<RecordsAt> {
    let mut found = Vec::new();
    search(body, &mut Vec::new(), &mut found);
    let rank = |at: &RecordsAt| {
        let name = at.path.last().map_or("", String::as_str);
        let named = usize::from(!(NAMES.contains(&name) || name.eq_ignore_ascii_case(subject)));
        // An envelope with a name that says it, then the shallower, then the longer one.
        (named.min(at.path.len()), at.path.len(), usize::MAX - at.count)
    };
    found.sort_by_key(rank);
    // An empty list where records would be is an empty answer, and not a record.
    let is_empty_list = |(name, value): (&String, &Value)| {
        let named = NAMES.contains(&name.as_str()) || name.eq_ignore_ascii_case(subject);
        named && value.as_array().is_some_and(Vec::is_empty)
    };
    let single = |fields: &Map<String, Value>| !fields.is_empty() && !fields.iter().any(is_empty_list);
    if found.is_empty() && body.as_object().is_some_and(single) {
        found.extend(dictionary(body));
        found.push(RecordsAt {
            path: Vec::new(),
            count: 1,
        });
    }
    found
}

fn search(value: &Value, path: &mut Vec<String>, found: &mut Vec<RecordsAt>) {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            found.push(RecordsAt {
                path: path.clone(),
                count: items.len(),
            });
        }
        Value::Object(fields) if path.len() < DEEPEST => {
            for (name, inner) in fields {
                path.push(name.clone());
                search(inner, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// An object whose fields are all alike: `{"a1": {…}, "a2": {…}}`.
fn dictionary(body: &Value) -> Option<RecordsAt> {
    let alike = |fields: &Map<String, Value>| {
        let mut objects = fields.values().map(Value::as_object);
        let Some(Some(first)) = objects.next() else {
            return false;
        };
        fields.len() > 1
            && objects.all(|object| {
                object.is_some_and(|object| {
                    let shared = object.keys().filter(|name| first.contains_key(*name)).count();
                    shared > 0 && shared * 2 >= object.len()
                })
            })
    };
    let at = |path: Vec<String>, fields: &Map<String, Value>| {
        let path = path.into_iter().chain(["*".to_owned()]).collect();
        alike(fields).then_some(RecordsAt {
            path,
            count: fields.len(),
        })
    };
    let fields = body.as_object()?;
    at(Vec::new(), fields).or_else(|| {
        fields
            .iter()
            .find_map(|(name, inner)| at(vec![name.clone()], inner.as_object()?))
    })
}

/// The records at the path.
pub(super) fn at<'v>(body: &'v Value, path: &[String]) -> Vec<&'v Value> {
    let Some((part, rest)) = path.split_first() else {
        return match body {
            Value::Array(items) => items.iter().collect(),
            Value::Object(fields) if !fields.is_empty() => vec![body],
            _ => Vec::new(),
        };
    };
    match body {
        Value::Object(fields) if part == "*" => match rest {
            [] => fields.values().collect(),
            _ => fields.values().flat_map(|inner| at(inner, rest)).collect(),
        },
        Value::Object(fields) => fields.get(part).map_or_else(Vec::new, |inner| at(inner, rest)),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first(body: Value) -> String {
        candidates(&body, "orders")
            .first()
            .map_or_else(|| "-".to_owned(), |at| at.path.join("."))
    }

    #[test]
    fn records_are_found_in_the_usual_envelopes() {
        assert_eq!(first(json!([{"id": 1}])), "");
        assert_eq!(
            first(json!({"data": [{"id": 1}], "errors": [{"a": 1}, {"a": 2}]})),
            "data"
        );
        assert_eq!(
            first(json!({"orders": [{"id": 1, "lines": [{"n": 1}, {"n": 2}]}]})),
            "orders"
        );
        assert_eq!(
            first(json!({"response": {"results": [{"id": 1}]}, "links": [{"rel": "next"}]})),
            "response.results"
        );
        assert_eq!(
            first(json!({"a1": {"id": 1, "n": 2}, "a2": {"id": 2, "n": 3}})),
            "*"
        );
        assert_eq!(first(json!({"id": 1, "name": "one"})), "");
        assert_eq!(first(json!([])), "-");
        assert_eq!(first(json!({"orders": [], "total": 0})), "-");
    }

    #[test]
    fn the_path_gives_back_what_was_found() {
        let body = json!({"data": {"a": {"id": 1}, "b": {"id": 2}}});
        assert_eq!(at(&body, &["data".to_owned(), "*".to_owned()]).len(), 2);
        assert_eq!(at(&json!({"data": []}), &["data".to_owned()]).len(), 0);
    }
}
