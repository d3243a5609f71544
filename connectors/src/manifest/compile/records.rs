//! Selectors and transformations.

use super::super::component::Component;
use super::super::components::{
    AddedField, Condition, RecordSelector, SchemaNormalization, Text, Transformation, ValueType,
};
use super::super::slot::Slot;
use super::extraction::extractor;
use super::values::condition;

/// The selector; what the stream does to records goes in here too, because it happens here.
pub(super) fn selector(
    slot: &Slot<'_>,
    transformations: Vec<Transformation>,
    transform_first_by_default: bool,
) -> Option<RecordSelector> {
    let component = slot.component(&["RecordSelector"])?;
    component.check_fields();
    let extractor = component.required("extractor").and_then(|slot| extractor(&slot));
    let record_filter = component.optional("record_filter", record_filter);
    let schema_normalization = component.or("schema_normalization", SchemaNormalization::None, normalization);
    let transform_before_filtering = component.or(
        "transform_before_filtering",
        transform_first_by_default,
        Slot::boolean,
    );
    Some(RecordSelector {
        extractor: extractor?,
        record_filter: record_filter?.flatten(),
        transformations,
        schema_normalization: schema_normalization?,
        transform_before_filtering: transform_before_filtering?,
    })
}

pub(super) fn record_filter(slot: &Slot<'_>) -> Option<Option<Condition>> {
    let component = slot.component(&["RecordFilter"])?;
    component.check_fields();
    condition(&component, "condition")
}

fn normalization(slot: &Slot<'_>) -> Option<SchemaNormalization> {
    if slot.type_name().is_some() {
        // Only a Python class has a type here.
        slot.component(&[])?;
    }
    slot.word(&[
        ("None", SchemaNormalization::None),
        ("Default", SchemaNormalization::Default),
    ])
}

pub(super) fn transformation(slot: &Slot<'_>) -> Option<Transformation> {
    let component = slot.component(&[
        "AddFields",
        "RemoveFields",
        "KeysToLower",
        "KeysToSnakeCase",
        "KeysReplace",
        "FlattenFields",
        "DpathFlattenFields",
    ])?;
    component.check_fields();
    match &*component.kind {
        "AddFields" => {
            let fields = component
                .required("fields")
                .and_then(|slot| slot.each(added_field));
            let condition = condition(&component, "condition");
            Some(Transformation::AddFields {
                fields: fields?,
                condition: condition?,
            })
        }
        "RemoveFields" => {
            let field_pointers = component
                .required("field_pointers")
                .and_then(|slot| slot.each(Slot::literals));
            let condition = condition(&component, "condition");
            Some(Transformation::RemoveFields {
                field_pointers: field_pointers?,
                condition: condition?,
            })
        }
        "KeysToLower" => Some(Transformation::KeysToLower),
        "KeysToSnakeCase" => Some(Transformation::KeysToSnakeCase),
        "KeysReplace" => {
            let old = component.required("old").and_then(|slot| slot.text());
            let new = component.required("new").and_then(|slot| slot.text());
            Some(Transformation::KeysReplace { old: old?, new: new? })
        }
        "FlattenFields" => {
            let flatten_lists = component.or("flatten_lists", true, Slot::boolean);
            Some(Transformation::FlattenFields {
                flatten_lists: flatten_lists?,
            })
        }
        _ => dpath_flatten(&component),
    }
}

pub(super) fn added_field(slot: &Slot<'_>) -> Option<AddedField> {
    let component = slot.component(&["AddedFieldDefinition"])?;
    component.check_fields();
    let path = component.required("path").and_then(|slot| slot.texts());
    let value = component.required("value").and_then(|slot| slot.text());
    let value_type = component.optional("value_type", value_type);
    let path = path?;
    if path.is_empty() {
        component.fault("path is empty; it has to name the field to write");
        return None;
    }
    Some(AddedField {
        path,
        value: value?,
        value_type: value_type?,
    })
}

pub(super) fn value_type(slot: &Slot<'_>) -> Option<ValueType> {
    slot.word(&[
        ("string", ValueType::String),
        ("number", ValueType::Number),
        ("integer", ValueType::Integer),
        ("boolean", ValueType::Boolean),
    ])
}

fn dpath_flatten(component: &Component<'_>) -> Option<Transformation> {
    let field_path = component.required("field_path").and_then(|slot| slot.texts());
    let delete_origin_value = component.or("delete_origin_value", false, Slot::boolean);
    let replace_record = component.or("replace_record", false, Slot::boolean);
    let keys: Option<(Option<Text>, Option<Text>)> =
        component.or("key_transformation", (None, None), |slot| {
            let component = slot.component(&["KeyTransformation"])?;
            component.check_fields();
            let prefix = component.optional_text("prefix");
            let suffix = component.optional_text("suffix");
            Some((prefix?, suffix?))
        });
    let (key_prefix, key_suffix) = keys?;
    Some(Transformation::DpathFlattenFields {
        field_path: field_path?,
        delete_origin_value: delete_origin_value?,
        replace_record: replace_record?,
        key_prefix,
        key_suffix,
    })
}
