//! A configuration as the manifest wants it: migrated, completed, and validated.
//!
//! The manifest's rules run on every use of a configuration. Storing their result was rejected (the reference rewrites
//! the user's file): what a person entered would change under their hands, and a connector that is downgraded could not
//! read it any more. The engine stores it all the same where only the result fits the specification, which says what is
//! a secret. So rules have to be able to run again on what they ran on
//! before, which is what manifests are written for anyway.

use serde_json::Value;

use super::session::{Session, display};
use crate::manifest::components::{
    AddedField, BaseSchema, Condition, ConfigRules, ConfigTransformation, ConfigValidation, JsonTemplate,
    Subject, Text, ValueType,
};
use crate::read::operations::{self, matches};
use crate::read::{ReadContext, ReadError};
use crate::spec::Spec;
use crate::template::{ValidTypes, Variable};

/// The configuration after every transformation.
pub(crate) fn transformed(
    context: &ReadContext,
    spec: &Spec,
    rules: &ConfigRules,
    config: Value,
) -> Result<Value, ReadError> {
    let mut config = config;
    for transformation in &rules.transformations {
        config = transform(&before(context, spec, config), transformation)?;
    }
    Ok(config)
}

/// Looks whether everything holds that has to.
pub(crate) fn validated(
    context: &ReadContext,
    spec: &Spec,
    rules: &ConfigRules,
    config: &Value,
) -> Result<(), ReadError> {
    if rules.validations.is_empty() {
        return Ok(());
    }
    let session = before(context, spec, config.clone());
    rules
        .validations
        .iter()
        .try_for_each(|validation| validate(&session, validation))
}

fn before(context: &ReadContext, spec: &Spec, config: Value) -> Session {
    let secrets = spec.secret_texts(&config);
    Session::new(context.clone(), config, secrets, None)
}

fn transform(session: &Session, transformation: &ConfigTransformation) -> Result<Value, ReadError> {
    let mut config = session.config.clone();
    match transformation {
        ConfigTransformation::Add { fields, condition } => {
            for field in fields {
                add(session, field, condition.as_ref(), &mut config)?;
            }
        }
        ConfigTransformation::Remove {
            field_pointers,
            condition,
        } => {
            let removes = match condition {
                None => true,
                Some(condition) => session.condition(condition, &[])?,
            };
            if removes {
                for pointer in field_pointers {
                    operations::remove(&mut config, pointer);
                }
            }
        }
        ConfigTransformation::Remap { map, field_path } => {
            let path = texts(session, field_path)?;
            if let Some(value) = at(&mut config, &path)
                && let Some(new) = mapped(session, map, value)?
            {
                *value = new;
            }
        }
    }
    Ok(config)
}

fn add(
    session: &Session,
    field: &AddedField,
    condition: Option<&Condition>,
    config: &mut Value,
) -> Result<(), ReadError> {
    let valid = field.value_type.map_or(ValidTypes::ANY, ValueType::valid);
    // A later field of one transformation sees what an earlier one wrote.
    let so_far = session.with_config(config.clone());
    let value = so_far.typed(&field.value, &[], valid)?;
    let path: Vec<String> = field.path.iter().map(|part| part.source().to_owned()).collect();
    if let Some(condition) = condition {
        let shown = Value::from(path.clone());
        let names = [
            ("value", Variable::Json(&value)),
            ("path", Variable::Json(&shown)),
        ];
        if !so_far.condition(condition, &names)? {
            return Ok(());
        }
    }
    operations::write(config, &path, value);
    Ok(())
}

/// What a value becomes; `None`: it stays.
fn mapped(session: &Session, map: &JsonTemplate, value: &Value) -> Result<Option<Value>, ReadError> {
    match map {
        JsonTemplate::Object(entries) => {
            for (key, new) in entries {
                let key = session.value(key, &[])?;
                if key == *value || matches!(&key, Value::String(key) if value.as_str() == Some(key)) {
                    return session.json(new, &[]).map(Some);
                }
            }
            Ok(None)
        }
        other => {
            let map = session.json(other, &[])?;
            Ok(map.get(display(value)).cloned())
        }
    }
}

fn at<'a>(config: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter()
        .try_fold(config, |value, part| value.as_object_mut()?.get_mut(part))
}

fn texts(session: &Session, texts: &[Text]) -> Result<Vec<String>, ReadError> {
    texts.iter().map(|text| session.text(text, &[])).collect()
}

fn validate(session: &Session, validation: &ConfigValidation) -> Result<(), ReadError> {
    let computed;
    let schema = match &validation.schema {
        BaseSchema::Fixed(schema) => schema,
        BaseSchema::Computed(text) => {
            let schema = match session.value(text, &[])? {
                Value::String(json) => serde_json::from_str(&json).unwrap_or(Value::Null),
                other => other,
            };
            computed = Spec::new(schema, None).map_err(|message| {
                let source = text.source();
                ReadError::config(format!(
                    "What {source:?} gives is no usable JSON Schema: {message}."
                ))
            })?;
            &computed
        }
    };
    match &validation.subject {
        Subject::Value(template) => {
            let value = session.json(template, &[])?;
            adheres(session, schema, &value, "A value that the manifest computes")
        }
        Subject::Path(path) => {
            let path = texts(session, path)?;
            let mut found = Vec::new();
            values(&session.config, &path, &mut found);
            let named = format!("The configuration's {}", path.join("."));
            found
                .into_iter()
                .try_for_each(|value| adheres(session, schema, value, &named))
        }
    }
}

/// Texts hold JSON, as the reference has it.
fn adheres(session: &Session, schema: &Spec, value: &Value, named: &str) -> Result<(), ReadError> {
    let parsed;
    let value = match value {
        Value::String(text) => {
            parsed = serde_json::from_str::<Value>(text)
                .map_err(|_| ReadError::config(format!("{named} has to hold JSON.")))?;
            &parsed
        }
        other => other,
    };
    match schema.validate(value).first() {
        None => Ok(()),
        Some(fault) => Err(ReadError::config(
            session.scrub(&format!("{named} is not as the connector wants it: {fault}.")),
        )),
    }
}

fn values<'a>(value: &'a Value, path: &[String], found: &mut Vec<&'a Value>) {
    let Some((part, rest)) = path.split_first() else {
        found.push(value);
        return;
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| matches(part, name))
            .for_each(|(_, inner)| values(inner, rest, found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .filter(|(index, _)| matches(part, &index.to_string()))
            .for_each(|(_, inner)| values(inner, rest, found)),
        _ => {}
    }
}
