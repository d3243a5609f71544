//! Schema loaders.

use serde_json::{Map, Value, json};

use super::super::components::SchemaPart;
use super::super::document::Kind;
use super::super::slot::Slot;
use super::dynamic::dynamic_schema;

/// What a stream's loaders say.
#[derive(Default)]
pub(super) struct Schema {
    parts: Vec<SchemaPart>,
    /// Whether they are a list, whose schemas are laid over each other.
    composite: bool,
    /// Whether a part of it cannot be known here.
    pub(super) in_another_file: bool,
}

/// One loader, or a list of them.
pub(super) fn schema(slot: &Slot<'_>) -> Option<Schema> {
    let composite = matches!(slot.node.kind, Kind::List(_));
    let loaders = if composite {
        slot.each(loader)?
    } else {
        vec![loader(slot)?]
    };
    let in_another_file = loaders.iter().any(Option::is_none);
    Some(Schema {
        parts: loaders.into_iter().flatten().collect(),
        composite,
        in_another_file,
    })
}

/// `Some(None)`: the schema is in a file beside the manifest.
fn loader(slot: &Slot<'_>) -> Option<Option<SchemaPart>> {
    let component = slot.component(&[
        "InlineSchemaLoader",
        "DynamicSchemaLoader",
        "JsonFileSchemaLoader",
    ])?;
    match &*component.kind {
        "DynamicSchemaLoader" => {
            dynamic_schema(&component).map(|schema| Some(SchemaPart::Dynamic(Box::new(schema))))
        }
        "JsonFileSchemaLoader" => {
            component.check_fields();
            slot.warn(
                "the schema is in a file beside the manifest, and a connector is one file here: records are read \
                 without it; write it out in an InlineSchemaLoader",
            );
            Some(None)
        }
        _ => {
            component.check_fields();
            let schema = component.or("schema", Value::Object(Map::new()), |slot| slot.json())?;
            let Value::Object(schema) = schema else {
                component.fault("schema has to be a JSON Schema (a mapping)");
                return None;
            };
            Some(Some(SchemaPart::Fixed(schema)))
        }
    }
}

impl Schema {
    /// The schema as far as the manifest tells.
    pub(super) fn fixed(&self) -> Value {
        let mut fixed = self.parts.iter().filter_map(|part| match part {
            SchemaPart::Fixed(schema) => Some(schema),
            SchemaPart::Dynamic(_) => None,
        });
        if self.composite {
            return laid_over(fixed.cloned());
        }
        Value::Object(fixed.next().cloned().unwrap_or_default())
    }

    /// The parts, where an answer tells one of them.
    pub(super) fn open_parts(self) -> Vec<SchemaPart> {
        if self
            .parts
            .iter()
            .any(|part| matches!(part, SchemaPart::Dynamic(_)))
        {
            self.parts
        } else {
            Vec::new()
        }
    }
}

/// The fields of all; the first schema that has a field says what it is.
pub(crate) fn laid_over(schemas: impl Iterator<Item = Map<String, Value>>) -> Value {
    let mut properties = Map::new();
    for mut schema in schemas {
        if let Some(Value::Object(more)) = schema.remove("properties") {
            for (name, property) in more {
                properties.entry(name).or_insert(property);
            }
        }
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": ["null", "object"],
        "properties": properties,
    })
}
