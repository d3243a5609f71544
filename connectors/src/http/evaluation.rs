//! What the manifest's templates give in this session: values, texts, conditions, numbers, pairs and documents.
//!
//! A failure names the template, with the secrets taken out: what it was given may stand in its error.

use serde_json::{Map, Value};

use super::merge::Part;
use super::session::{Names, Session, display};
use crate::manifest::components::{Condition, Integer, JsonTemplate, Number, Text, TextMap};
use crate::read::ReadError;
use crate::template::{Scope, TemplateError, ValidTypes};

impl Session {
    fn scope<'a>(&'a self, text: &'a Text, names: &Names<'a>) -> Scope<'a> {
        let context = &self.context;
        let mut scope = Scope::new(&self.ambient, &self.ambient, &self.config, &text.parameters)
            .fuel(context.limits.template_fuel);
        for (name, variable) in names {
            scope.bind(name, *variable);
        }
        scope
    }

    fn failed(&self, text: &Text, error: &TemplateError) -> ReadError {
        let message = format!("The template {:?} failed: {error}.", text.source());
        ReadError::template(self.scrub(&message))
    }

    /// A plain interpolated text: rendered, then read as a literal.
    pub(crate) fn value(&self, text: &Text, names: &Names<'_>) -> Result<Value, ReadError> {
        self.typed(text, names, ValidTypes::ANY)
    }

    /// As [`Self::value`]; a literal of another type stays text.
    pub(crate) fn typed(
        &self,
        text: &Text,
        names: &Names<'_>,
        valid: ValidTypes,
    ) -> Result<Value, ReadError> {
        text.template
            .evaluate_typed(&self.scope(text, names), valid)
            .map_err(|error| self.failed(text, &error))
    }

    /// A text where a text is needed: addresses, header values, dates, names.
    pub(crate) fn text(&self, text: &Text, names: &Names<'_>) -> Result<String, ReadError> {
        text.template
            .evaluate_str(&self.scope(text, names))
            .map_err(|error| self.failed(text, &error))
    }

    fn entry(&self, text: &Text, names: &Names<'_>, valid: ValidTypes) -> Result<Value, ReadError> {
        text.template
            .evaluate_entry(&self.scope(text, names), valid)
            .map_err(|error| self.failed(text, &error))
    }

    /// A condition.
    pub(crate) fn condition(&self, condition: &Condition, names: &Names<'_>) -> Result<bool, ReadError> {
        match condition {
            Condition::Fixed(flag) => Ok(*flag),
            Condition::Computed(text) => text
                .template
                .evaluate_bool(&self.scope(text, names))
                .map_err(|error| self.failed(text, &error)),
        }
    }

    /// An integer that the manifest writes out or computes.
    pub(crate) fn integer(&self, integer: &Integer, names: &Names<'_>) -> Result<i64, ReadError> {
        match integer {
            Integer::Fixed(number) => Ok(*number),
            Integer::Computed(text) => {
                let value = self.value(text, names)?;
                value.as_i64().ok_or_else(|| {
                    ReadError::config(format!("The template {:?} must give an integer.", text.source()))
                })
            }
        }
    }

    /// A number that the manifest writes out or computes.
    pub(crate) fn number(&self, number: &Number, names: &Names<'_>) -> Result<f64, ReadError> {
        match number {
            Number::Fixed(number) => Ok(*number),
            Number::Computed(text) => {
                let value = self.value(text, names)?;
                let number = match &value {
                    Value::String(text) => text.trim().parse().ok(),
                    other => other.as_f64(),
                };
                number.ok_or_else(|| {
                    ReadError::config(format!("The template {:?} must give a number.", text.source()))
                })
            }
        }
    }

    /// Pairs for a query, headers or a form; null values are left out.
    pub(crate) fn pairs(
        &self,
        map: &TextMap,
        names: &Names<'_>,
        valid: ValidTypes,
    ) -> Result<Part, ReadError> {
        match map {
            TextMap::Whole(text) => Ok(match self.entry(text, names, ValidTypes::ANY)? {
                Value::Object(mut fields) => {
                    fields.retain(|_, value| !value.is_null());
                    Part::Mapping(fields)
                }
                Value::Null => Part::Mapping(Map::new()),
                other => Part::Text(display(&other)),
            }),
            TextMap::Entries(entries) => {
                let mut fields = Map::new();
                for (name, text) in entries {
                    let value = self.entry(text, names, valid)?;
                    if !value.is_null() {
                        fields.insert(self.text(name, names)?, value);
                    }
                }
                Ok(Part::Mapping(fields))
            }
        }
    }

    /// A JSON document of templates; pairs whose value is null are left out.
    pub(crate) fn json(&self, template: &JsonTemplate, names: &Names<'_>) -> Result<Value, ReadError> {
        Ok(match template {
            JsonTemplate::Text(text) => self.entry(text, names, ValidTypes::ANY)?,
            JsonTemplate::Object(entries) => {
                let mut fields = Map::new();
                for (name, value) in entries {
                    let value = self.json(value, names)?;
                    if !value.is_null() {
                        fields.insert(json_key(&self.entry(name, names, ValidTypes::ANY)?), value);
                    }
                }
                Value::Object(fields)
            }
            JsonTemplate::Array(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.json(item, names))
                    .collect::<Result<_, _>>()?,
            ),
            JsonTemplate::Literal(value) => value.clone(),
        })
    }
}

/// A key as Python's JSON encoder writes it: a key that evaluates to nothing is `null`.
fn json_key(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
