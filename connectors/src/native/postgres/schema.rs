//! What the columns' types are in a record.
//!
//! A record is what `row_to_json` makes of a row, after the casts of [`super::sql`], and that is what is described: a
//! `numeric` is text here because it comes as text. What JSON has no word for comes as text, so text is what an unknown
//! type is. Every value may be null: a transformation, or tomorrow's table, may make it so.

use serde_json::{Map, Value, json};
use tokio_postgres::Column;
use tokio_postgres::types::{Kind, Type};

/// Arrays hold arrays in PostgreSQL without saying how deep; domains may be of domains.
const MAX_DEPTH: usize = 16;

pub(super) fn of(columns: &[Column], key_field: Option<&str>) -> Value {
    let mut properties = Map::new();
    if let Some(field) = key_field {
        properties.insert(field.to_owned(), json!({ "type": "string" }));
    }
    for column in columns {
        properties.insert(column.name().to_owned(), kind(column.type_(), Place::Column, 0));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": true,
        "properties": properties,
    })
}

/// Where a value stands: a column of its own is cast before it becomes JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Column,
    /// In an array that is a column.
    Item,
    /// In a composite.
    Field,
}

fn kind(of: &Type, place: Place, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return json!({});
    }
    match of.kind() {
        Kind::Array(item) => {
            // Of several dimensions, an item may be a list again.
            let inside = if place == Place::Column {
                Place::Item
            } else {
                place
            };
            let items = match kind(item, inside, depth + 1) {
                Value::Object(mut item) => {
                    if let Some(Value::Array(types)) = item.get_mut("type") {
                        types.push(json!("array"));
                    }
                    Value::Object(item)
                }
                other => other,
            };
            return json!({ "type": ["null", "array"], "items": items });
        }
        Kind::Composite(fields) => {
            let fields = fields.iter().map(|field| {
                (
                    field.name().to_owned(),
                    kind(field.type_(), Place::Field, depth + 1),
                )
            });
            return json!({ "type": ["null", "object"], "properties": fields.collect::<Map<_, _>>() });
        }
        Kind::Domain(base) => return kind(base, place, depth + 1),
        _ => {}
    }
    let text = |format: &str| json!({ "type": ["null", "string"], "format": format });
    let zoned = |format: &str, name: &str| {
        let mut kind = text(format);
        kind["airbyte_type"] = json!(name);
        kind
    };
    match *of {
        Type::BOOL => json!({ "type": ["null", "boolean"] }),
        Type::INT2 | Type::INT4 | Type::INT8 => json!({ "type": ["null", "integer"] }),
        // NaN and the infinities come as text.
        Type::FLOAT4 | Type::FLOAT8 => json!({ "type": ["null", "number", "string"] }),
        Type::NUMERIC if place == Place::Field => json!({ "type": ["null", "number", "string"] }),
        Type::JSON | Type::JSONB => json!({}),
        Type::BYTEA if place == Place::Column => {
            json!({ "type": ["null", "string"], "contentEncoding": "base64" })
        }
        Type::DATE => text("date"),
        Type::TIMESTAMP => zoned("date-time", "timestamp_without_timezone"),
        Type::TIMESTAMPTZ => zoned("date-time", "timestamp_with_timezone"),
        Type::UUID => text("uuid"),
        _ => json!({ "type": ["null", "string"] }),
    }
}
