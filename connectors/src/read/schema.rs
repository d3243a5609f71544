//! A schema that an answer tells: the upstream describes its fields, and the manifest says what its words mean.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::page::PageRequest;
use super::stream::StreamReader;
use super::transform::find;
use super::{ReadError, lookup};
use crate::http::session::Session;
use crate::manifest::components::{DynamicSchema, SchemaPart, StreamPlan, Text, TypeMapping};
use crate::manifest::laid_over;
use crate::template::Variable;

/// The stream's schema; asks the upstream where the manifest does not have it.
pub(crate) async fn schema(session: &Arc<Session>, plan: &StreamPlan) -> Result<Arc<Value>, ReadError> {
    let mut schemas = Vec::new();
    for part in &plan.schema_parts {
        schemas.push(match part {
            SchemaPart::Fixed(schema) => schema.clone(),
            SchemaPart::Dynamic(dynamic) => told(session, dynamic).await?,
        });
    }
    Ok(match schemas.len() {
        0 => Arc::clone(&plan.schema),
        1 => Arc::new(Value::Object(schemas.swap_remove(0))),
        _ => Arc::new(laid_over(schemas.into_iter())),
    })
}

async fn told(session: &Arc<Session>, schema: &DynamicSchema) -> Result<Map<String, Value>, ReadError> {
    let mut first = None;
    lookup::records(session, &schema.source, &mut |_, record| {
        first = Some(record);
        Ok(false)
    })
    .await?;
    let mut properties = Map::new();
    if let Some(record) = first {
        let descriptions = match at(session, &record, &schema.schema_pointer)? {
            Some(Value::Array(items)) => items.clone(),
            _ => {
                return Err(ReadError::config(
                    "What the schema_pointer names in the upstream's answer is no list of fields.",
                ));
            }
        };
        for description in &descriptions {
            let Some(Value::String(key)) = at(session, description, &schema.key_pointer)? else {
                return Err(ReadError::config(
                    "What the key_pointer names in the upstream's description of a field is no text.",
                ));
            };
            properties.insert(key.clone(), kind(session, schema, description)?);
        }
    }
    let mut properties = Value::Object(filtered(session, schema, properties)?);
    let reader = StreamReader::new(session, &schema.source, session.context.clock.now())?;
    for transformation in &schema.transformations {
        reader.apply(&PageRequest::of_nothing(), transformation, &mut properties)?;
    }
    Ok(Map::from_iter([
        (
            "$schema".to_owned(),
            json!("https://json-schema.org/draft-07/schema#"),
        ),
        ("type".to_owned(), json!("object")),
        ("additionalProperties".to_owned(), json!(true)),
        ("properties".to_owned(), properties),
    ]))
}

fn filtered(
    session: &Session,
    schema: &DynamicSchema,
    properties: Map<String, Value>,
) -> Result<Map<String, Value>, ReadError> {
    let Some(filter) = &schema.filter else {
        return Ok(properties);
    };
    let mut kept = Map::new();
    for (name, property) in properties {
        let shown = json!({ name.as_str(): property });
        if session.condition(filter, &[("record", Variable::Json(&shown))])? {
            kept.insert(name, property);
        }
    }
    Ok(kept)
}

fn kind(session: &Session, schema: &DynamicSchema, description: &Value) -> Result<Value, ReadError> {
    let text = json!("string");
    let word = match &schema.type_pointer {
        None => &text,
        Some(pointer) => at(session, description, pointer)?.unwrap_or(&text),
    };
    let word = translated(session, &schema.types, word, description)?.unwrap_or(word);
    match word {
        Value::Array(both) if both.len() == 2 && both.iter().all(Value::is_string) => Ok(json!({
            "oneOf": [data_type(&both[0])?, data_type(&both[1])?],
        })),
        other => data_type(other),
    }
}

fn translated<'a>(
    session: &Session,
    types: &'a [TypeMapping],
    word: &Value,
    description: &Value,
) -> Result<Option<&'a Value>, ReadError> {
    for mapping in types {
        if mapping.current != *word {
            continue;
        }
        let applies = match &mapping.condition {
            None => true,
            Some(condition) => {
                session.condition(condition, &[("raw_schema", Variable::Json(description))])?
            }
        };
        if applies {
            return Ok(Some(&mapping.target));
        }
    }
    Ok(None)
}

fn data_type(word: &Value) -> Result<Value, ReadError> {
    if let Value::Object(complex) = word
        && let Some(outer) = complex.get("field_type")
    {
        let mut kind = data_type(outer)?;
        if let Some(items) = complex.get("items").filter(|items| !items.is_null()) {
            kind["items"] = data_type(items)?;
        }
        return Ok(kind);
    }
    let unknown = || {
        ReadError::config(format!(
            "The upstream calls a field's type {word}, which no types_mapping translates; ours are {}.",
            crate::manifest::DATA_TYPES.join(", ")
        ))
    };
    let with_format = |format: &str| json!({ "type": ["null", "string"], "format": format });
    let mut kind = match word.as_str().ok_or_else(unknown)? {
        plain @ ("string" | "boolean" | "integer" | "number" | "array" | "object") => {
            json!({ "type": ["null", plain] })
        }
        "date" => with_format("date"),
        "timestamp_without_timezone" | "timestamp_with_timezone" => with_format("date-time"),
        "time_without_timezone" | "time_with_timezone" => with_format("time"),
        _ => return Err(unknown()),
    };
    if let Some(name) = word.as_str().filter(|name| name.ends_with("_without_timezone")) {
        kind["airbyte_type"] = json!(name);
    }
    Ok(kind)
}

/// The value in a place; `*` takes the first there is.
fn at<'a>(session: &Session, value: &'a Value, pointer: &[Text]) -> Result<Option<&'a Value>, ReadError> {
    let path = pointer
        .iter()
        .map(|part| session.text(part, &[]))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(find(value, &path))
}
