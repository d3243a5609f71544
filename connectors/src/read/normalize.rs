//! `schema_normalization: Default`: values are cast to the one type that the schema gives them.
//!
//! A value that cannot be cast stays as it is, and so does one whose type is ambiguous.

use serde_json::{Number, Value};

use crate::http::session::{display, is_truthy};

/// Casts the properties of an object, and the items of a list, by their schemas.
pub(super) fn normalize(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                return;
            };
            for (name, subschema) in properties {
                if let Some(field) = fields.get_mut(name) {
                    cast(field, subschema);
                    normalize(field, subschema);
                }
            }
        }
        Value::Array(items) => {
            let Some(subschema) = schema.get("items").filter(|items| items.is_object()) else {
                return;
            };
            for item in items {
                cast(item, subschema);
                normalize(item, subschema);
            }
        }
        _ => {}
    }
}

fn cast(value: &mut Value, schema: &Value) {
    let target = match schema.get("type") {
        Some(Value::String(one)) => {
            if value.is_null() && one == "null" {
                return;
            }
            one.as_str()
        }
        Some(Value::Array(several)) => {
            if value.is_null() && several.iter().any(|one| one == "null") {
                return;
            }
            let mut others = several
                .iter()
                .filter_map(Value::as_str)
                .filter(|one| *one != "null");
            match (others.next(), others.next()) {
                (Some(one), None) => one,
                _ => return,
            }
        }
        _ => return,
    };
    let converted = match target {
        "string" if !value.is_string() => Some(Value::String(display(value))),
        "number" => number(value).and_then(Number::from_f64).map(Value::Number),
        "integer" => integer(value),
        "boolean" => boolean(value),
        "array" if value.is_string() || value.is_number() || value.is_boolean() => {
            let items = schema.get("items").and_then(|items| items.get("type"));
            is_simple(items).then(|| Value::Array(vec![value.clone()]))
        }
        _ => None,
    };
    if let Some(converted) = converted {
        *value = converted;
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) if number.is_f64() => None,
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().filter(|_| number.is_f64())?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "int() truncates; checked to be in range"
            )]
            (number.abs() < 9e18).then(|| Value::from(number.trunc() as i64))
        }
        Value::String(text) => text.trim().parse::<i64>().ok().map(Value::from),
        Value::Bool(flag) => Some(Value::from(u8::from(*flag))),
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => None,
        Value::String(text) => match text.to_lowercase().as_str() {
            "y" | "yes" | "t" | "true" | "on" | "1" => Some(Value::Bool(true)),
            "n" | "no" | "f" | "false" | "off" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        other => Some(Value::Bool(is_truthy(other))),
    }
}

fn is_simple(kind: Option<&Value>) -> bool {
    let simple = |name: &str| matches!(name, "string" | "number" | "integer" | "boolean" | "null");
    match kind {
        None => true,
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).all(simple),
        // The reference takes the letters of the one type for a set of types, and none of them is simple.
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn casts_what_the_schema_names() {
        let schema = json!({"properties": {
            "s": {"type": ["null", "string"]}, "n": {"type": "number"}, "i": {"type": "integer"},
            "b": {"type": "boolean"}, "two": {"type": ["string", "integer"]}, "bad": {"type": "integer"},
            "o": {"type": "object", "properties": {"n": {"type": "number"}}},
            "l": {"type": "array", "items": {"type": "string"}}, "none": {"type": ["null", "string"]},
        }});
        let mut record = json!({
            "s": 7, "n": "1.5", "i": "12", "b": "yes", "two": 3, "bad": "x", "o": {"n": "2"}, "l": [1, "a"],
            "none": null, "other": "9",
        });
        normalize(&mut record, &schema);
        let expected = json!({
            "s": "7", "n": 1.5, "i": 12, "b": true, "two": 3, "bad": "x", "o": {"n": 2.0}, "l": ["1", "a"],
            "none": null, "other": "9",
        });
        assert_eq!(record, expected);
    }
}
