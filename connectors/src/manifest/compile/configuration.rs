//! `ConfigNormalizationRules`: migrations, transformations and validations of a configuration.

use serde_json::Value;

use super::super::component::Component;
use super::super::components::{BaseSchema, ConfigRules, ConfigTransformation, ConfigValidation, Subject};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::records::added_field;
use super::values::{condition, json_template};
use crate::spec::Spec;

pub(super) fn rules(slot: &Slot<'_>) -> Option<ConfigRules> {
    let component = slot.component(&["ConfigNormalizationRules"])?;
    component.check_fields();
    let migrations = component.or("config_migrations", Vec::new(), |slot| slot.each(migration));
    let transformations = component.or("transformations", Vec::new(), |slot| slot.each(transformation));
    let validations = component.or("validations", Vec::new(), |slot| slot.each(validation));
    let mut all: Vec<_> = migrations?.into_iter().flatten().collect();
    all.extend(transformations?);
    Some(ConfigRules {
        transformations: all,
        validations: validations?,
    })
}

fn migration(slot: &Slot<'_>) -> Option<Vec<ConfigTransformation>> {
    let component = slot.component(&["ConfigMigration"])?;
    component.check_fields();
    component.required("transformations")?.each(transformation)
}

fn transformation(slot: &Slot<'_>) -> Option<ConfigTransformation> {
    let component = slot.component(&["ConfigAddFields", "ConfigRemoveFields", "ConfigRemapField"])?;
    component.check_fields();
    match &*component.kind {
        "ConfigAddFields" => {
            let fields = component
                .required("fields")
                .and_then(|slot| slot.each(added_field));
            let condition = condition(&component, "condition");
            Some(ConfigTransformation::Add {
                fields: fields?,
                condition: condition?,
            })
        }
        "ConfigRemoveFields" => {
            let field_pointers = component
                .required("field_pointers")
                .and_then(|slot| slot.each(Slot::literals));
            let condition = condition(&component, "condition");
            Some(ConfigTransformation::Remove {
                field_pointers: field_pointers?,
                condition: condition?,
            })
        }
        _ => remap(&component),
    }
}

fn remap(component: &Component<'_>) -> Option<ConfigTransformation> {
    let map = component.required("map").and_then(|slot| match slot.node.kind {
        Kind::Map(_) | Kind::Text(_) => json_template(&slot),
        _ => {
            slot.fault(format!(
                "map has to be a mapping of old values to new ones, not {}",
                slot.node.describe()
            ));
            None
        }
    });
    let field_path = component.required("field_path").and_then(|slot| slot.texts());
    let field_path = field_path?;
    if field_path.is_empty() {
        component.fault("field_path is empty; it has to name the field whose value is mapped");
        return None;
    }
    Some(ConfigTransformation::Remap {
        map: map?,
        field_path,
    })
}

fn validation(slot: &Slot<'_>) -> Option<ConfigValidation> {
    let component = slot.component(&["DpathValidator", "PredicateValidator"])?;
    component.check_fields();
    let subject = if &*component.kind == "DpathValidator" {
        let path = component.required("field_path").and_then(|slot| slot.texts());
        path.and_then(|path| {
            if path.is_empty() {
                component.fault("field_path is empty; it has to name what is validated");
                return None;
            }
            Some(Subject::Path(path))
        })
    } else {
        component
            .required("value")
            .and_then(|slot| json_template(&slot))
            .map(Subject::Value)
    };
    let schema = component.required("validation_strategy").and_then(|slot| {
        let component = slot.component(&["ValidateAdheresToSchema"])?;
        component.check_fields();
        component
            .required("base_schema")
            .and_then(|slot| base_schema(&slot))
    });
    Some(ConfigValidation {
        subject: subject?,
        schema: schema?,
    })
}

fn base_schema(slot: &Slot<'_>) -> Option<BaseSchema> {
    let schema = match &slot.node.kind {
        Kind::Text(source) => {
            let text = slot.text()?;
            if text.constant().is_none() {
                return Some(BaseSchema::Computed(text));
            }
            match serde_json::from_str::<Value>(source) {
                Ok(schema) => schema,
                Err(error) => {
                    slot.fault(format!("base_schema is not JSON: {error}"));
                    return None;
                }
            }
        }
        _ => slot.json()?,
    };
    match Spec::new(schema, None) {
        Ok(schema) => Some(BaseSchema::Fixed(schema)),
        Err(message) => {
            slot.fault(format!("base_schema is not a usable JSON Schema: {message}"));
            None
        }
    }
}
