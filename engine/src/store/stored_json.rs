//! JSON between columns and models.

use sea_orm::DbErr;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A value as a column may hold it: PostgreSQL's `jsonb` and `text` have no NUL, and JSON does (`"\u0000"`).
/// In what came from outside each becomes U+FFFD; what a caller configures is refused instead.
pub(crate) fn storable(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable_text(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(storable).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (storable_text(name), storable(value)))
                .collect(),
        ),
        other => other,
    }
}

/// A text as a column may hold it.
pub(crate) fn storable_text(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

/// A model's part as a column holds it.
pub(crate) fn write<T: Serialize>(part: &T) -> Result<Value, DbErr> {
    serde_json::to_value(part)
        .map(storable)
        .map_err(|error| DbErr::Json(error.to_string()))
}

/// A column's content as the model's part that it is.
pub(crate) fn read<T: DeserializeOwned>(column: Value) -> Result<T, DbErr> {
    serde_json::from_value(column).map_err(|error| DbErr::Json(error.to_string()))
}

/// Whether there is a NUL anywhere in it.
pub(crate) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}
