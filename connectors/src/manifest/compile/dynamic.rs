//! `DynamicDeclarativeStream` and `DynamicSchemaLoader`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::component::Component;
use super::super::components::{
    ComponentMapping, ComponentsResolver, DynamicSchema, DynamicStreams, StreamConfig, StreamPlan,
    TypeMapping, ValueType,
};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::records::{record_filter, transformation, value_type};
use super::streams::{retriever, stream};
use super::values::condition;

pub(super) fn dynamic_streams(slot: &Slot<'_>) -> Option<Vec<DynamicStreams>> {
    let items = slot.items()?;
    let read: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(index, slot)| dynamic_stream(slot, index))
        .collect();
    read.into_iter().collect()
}

fn dynamic_stream(slot: &Slot<'_>, index: usize) -> Option<DynamicStreams> {
    let component = slot.component(&["DynamicDeclarativeStream"])?;
    component.check_fields();
    let name = component.or("name", format!("dynamic_stream_{index}"), Slot::literal);
    let template = component.required("stream_template").and_then(|slot| {
        // Read as a stream only for its faults: what is wrong with the template is wrong with all of its streams.
        stream(&slot.with_placeholder("name"))?;
        slot.json()
    });
    let resolver = component.required("components_resolver").and_then(|slot| {
        let component = slot.component(&[
            "HttpComponentsResolver",
            "ConfigComponentsResolver",
            "ParametrizedComponentsResolver",
        ])?;
        component.check_fields();
        let from_config = &*component.kind == "ConfigComponentsResolver";
        let resolver = resolver(&component);
        let mappings = component
            .required("components_mapping")
            .and_then(|slot| slot.each(|slot| mapping(slot, from_config)));
        Some((resolver?, mappings?))
    });
    let use_parent_parameters = component.or("use_parent_parameters", true, Slot::boolean);
    let (resolver, mappings) = resolver?;
    Some(DynamicStreams {
        name: name?,
        index,
        template: Arc::new(template?),
        resolver,
        mappings,
        use_parent_parameters: use_parent_parameters?,
    })
}

fn resolver(component: &Component<'_>) -> Option<ComponentsResolver> {
    match &*component.kind {
        "HttpComponentsResolver" => component
            .required("retriever")
            .and_then(|slot| lookup(&slot, true))
            .map(ComponentsResolver::Http),
        "ConfigComponentsResolver" => {
            let slot = component.required("stream_config")?;
            let configs = if matches!(slot.node.kind, Kind::List(_)) {
                slot.each(stream_config)?
            } else {
                vec![stream_config(&slot)?]
            };
            Some(ComponentsResolver::Config(configs))
        }
        _ => {
            let slot = component.required("stream_parameters")?;
            let component = slot.component(&["StreamParametersDefinition"])?;
            component.check_fields();
            let list = component.required("list_of_parameters_for_stream")?;
            list.each(Slot::json).map(ComponentsResolver::Parameters)
        }
    }
}

fn stream_config(slot: &Slot<'_>) -> Option<StreamConfig> {
    let component = slot.component(&["StreamConfig"])?;
    component.check_fields();
    let configs_pointer = component
        .required("configs_pointer")
        .and_then(|slot| slot.texts());
    let default_values = component.or("default_values", Vec::new(), |slot| slot.each(Slot::json));
    Some(StreamConfig {
        configs_pointer: configs_pointer?,
        default_values: default_values?,
    })
}

fn mapping(slot: &Slot<'_>, may_have_condition: bool) -> Option<ComponentMapping> {
    let component = slot.component(&["ComponentMappingDefinition"])?;
    component.check_fields();
    let field_path = component.required("field_path").and_then(|slot| slot.texts());
    let value = component.required("value").and_then(|slot| slot.text());
    let value_type: Option<Option<ValueType>> = component.optional("value_type", value_type);
    let create_or_update = component.or("create_or_update", false, Slot::boolean);
    let condition = condition(&component, "condition")?;
    if condition.is_some() && !may_have_condition {
        component.fault("condition works in a ConfigComponentsResolver only; leave it out here");
        return None;
    }
    let field_path = field_path?;
    if field_path.is_empty() {
        component.fault("field_path is empty; it has to name what is changed in the template");
        return None;
    }
    Some(ComponentMapping {
        field_path,
        value: value?,
        value_type: value_type?,
        create_or_update: create_or_update?,
        condition,
    })
}

/// Requests whose records are looked at and not passed on: a stream without a name or a cursor.
pub(super) fn lookup(slot: &Slot<'_>, in_partitions: bool) -> Option<Arc<StreamPlan>> {
    let mut retriever = retriever(slot, Vec::new(), false)?;
    if !in_partitions {
        retriever.drop_partitions();
    }
    Some(Arc::new(StreamPlan::of(retriever)))
}

pub(super) fn dynamic_schema(component: &Component<'_>) -> Option<DynamicSchema> {
    component.check_fields();
    let source = component
        .required("retriever")
        .and_then(|slot| lookup(&slot, false));
    let filter = component.optional("schema_filter", record_filter);
    let transformations = component.or("schema_transformations", Vec::new(), |slot| {
        slot.each(transformation)
    });
    let identifier = component.required("schema_type_identifier").and_then(|slot| {
        let component = slot.component(&["SchemaTypeIdentifier"])?;
        component.check_fields();
        let schema_pointer = component.or("schema_pointer", Vec::new(), |slot| slot.texts());
        let key_pointer = component.required("key_pointer").and_then(|slot| slot.texts());
        let type_pointer = component.optional("type_pointer", |slot| slot.texts());
        let types = component.or("types_mapping", Vec::new(), |slot| slot.each(type_mapping));
        let type_pointer = type_pointer?.filter(|pointer| !pointer.is_empty());
        Some((schema_pointer?, key_pointer?, type_pointer, types?))
    });
    let (schema_pointer, key_pointer, type_pointer, types) = identifier?;
    Some(DynamicSchema {
        source: source?,
        schema_pointer,
        key_pointer,
        type_pointer,
        types,
        filter: filter?.flatten(),
        transformations: transformations?,
    })
}

/// A mapping without a type of its own, as the schema has it.
fn type_mapping(slot: &Slot<'_>) -> Option<TypeMapping> {
    let (mut current, mut target, mut only) = (None, None, None);
    for (key, _, value) in slot.entries()? {
        match &*key {
            "type" => {}
            "current_type" => current = Some(value.json()?),
            "target_type" => target = Some(self::target(&value)?),
            "condition" => {
                only = match &value.node.kind {
                    Kind::Null => None,
                    Kind::Boolean(flag) => Some(super::super::components::Condition::Fixed(*flag)),
                    _ => Some(super::super::components::Condition::Computed(value.text()?)),
                };
            }
            other => value.strange_field(other, &["target_type", "current_type", "condition"]),
        }
    }
    let (Some(current), Some(target)) = (current, target) else {
        slot.fault("a types_mapping needs the fields current_type and target_type");
        return None;
    };
    Some(TypeMapping {
        current,
        target,
        condition: only,
    })
}

fn target(slot: &Slot<'_>) -> Option<Value> {
    let value = slot.json()?;
    if is_target(&value) {
        return Some(value);
    }
    slot.fault(format!(
        "target_type has to be one of {}; two of them in a list; or field_type with items",
        DATA_TYPES.join(", ")
    ));
    None
}

fn is_target(value: &Value) -> bool {
    match value {
        Value::String(name) => DATA_TYPES.contains(&name.as_str()),
        Value::Array(both) => both.len() == 2 && both.iter().all(|one| one.is_string() && is_target(one)),
        Value::Object(fields) => is_complex(fields),
        _ => false,
    }
}

fn is_complex(fields: &Map<String, Value>) -> bool {
    let word = fields
        .get("field_type")
        .filter(|word| word.is_string() && is_target(word));
    let items = fields.get("items").filter(|items| !items.is_null());
    word.is_some_and(|word| match items {
        None => true,
        // Only a list has items.
        Some(items) => word == "array" && !items.is_array() && is_target(items),
    })
}

/// The format's words for types.
pub(crate) const DATA_TYPES: &[&str] = &[
    "string",
    "boolean",
    "date",
    "timestamp_without_timezone",
    "timestamp_with_timezone",
    "time_without_timezone",
    "time_with_timezone",
    "integer",
    "number",
    "array",
    "object",
];
