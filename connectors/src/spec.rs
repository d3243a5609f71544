//! What a connector's configuration looks like, and which parts of it are secret.
//!
//! The manifest's `connection_specification` is a JSON Schema (draft 7, formats not enforced, defaults not applied:
//! as the reference does it, so that a configuration means the same here and there). It marks secrets with
//! `airbyte_secret`, and that mark is all that redaction goes by: secrets are found by where they are, never by what
//! they look like. Replacing secret *texts* wherever they appear was rejected; it destroys configurations with short
//! secrets and misses every secret that is quoted, encoded or cut.

mod faults;
mod secrets;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use secrets::SecretTree;

/// What stands in for a secret wherever a configuration is shown.
pub const MASK: &str = "******";

/// A fault in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", if path.is_empty() { "configuration".to_owned() } else { path.join(".") })]
pub struct ConfigFault {
    /// The field, from the outside in; empty: the configuration as a whole.
    pub path: Vec<String>,
    /// What was expected, and what to do. Never holds a value of the configuration.
    pub message: String,
}

/// The manifest's `spec`.
#[derive(Debug, Clone)]
pub struct Spec {
    schema: Arc<Value>,
    validator: Arc<jsonschema::Validator>,
    secrets: Arc<SecretTree>,
    documentation_url: Option<String>,
    advanced_auth: Option<Arc<Value>>,
}

impl Default for Spec {
    fn default() -> Self {
        Self::new(json!({ "type": "object" }), None).expect("a schema that allows every object is valid")
    }
}

impl Spec {
    /// A specification from its JSON Schema; the error says what is wrong with the schema.
    pub fn new(schema: Value, documentation_url: Option<String>) -> Result<Self, String> {
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft7)
            .should_validate_formats(false)
            .build(&schema)
            .map_err(|error| {
                let place = error.instance_path().to_string();
                if place.is_empty() {
                    error.to_string()
                } else {
                    format!("{error} (at {place})")
                }
            })?;
        Ok(Self {
            secrets: Arc::new(SecretTree::of(&schema)),
            validator: Arc::new(validator),
            schema: Arc::new(schema),
            documentation_url,
            advanced_auth: None,
        })
    }

    /// The same, with how a person consents instead of typing credentials, for whoever draws forms.
    pub(crate) fn with_advanced_auth(self, advanced_auth: Option<Value>) -> Self {
        Self {
            advanced_auth: advanced_auth.map(Arc::new),
            ..self
        }
    }

    /// The JSON Schema of a configuration.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// The schema's title, without the word that most of them end with.
    pub fn title(&self) -> Option<&str> {
        let title = self.schema.get("title")?.as_str()?.trim();
        let title = title.strip_suffix("Spec").unwrap_or(title).trim_end();
        (!title.is_empty()).then_some(title)
    }

    /// Whether the schema, or one of its alternatives, has a field of this name.
    pub fn describes(&self, name: &str) -> bool {
        fn has(schema: &Value, name: &str, depth: usize) -> bool {
            let branches = ["oneOf", "anyOf", "allOf"]
                .iter()
                .filter_map(|keyword| schema.get(*keyword)?.as_array())
                .flatten();
            let conditions = ["then", "else"].iter().filter_map(|keyword| schema.get(*keyword));
            schema
                .get("properties")
                .is_some_and(|properties| properties.get(name).is_some())
                || depth > 0
                    && branches
                        .chain(conditions)
                        .any(|branch| has(branch, name, depth - 1))
        }
        has(&self.schema, name, 8)
    }

    /// Where to read about the connector.
    pub fn documentation_url(&self) -> Option<&str> {
        self.documentation_url.as_deref()
    }

    /// How a person consents instead of typing credentials, as the manifest has it.
    pub fn advanced_auth(&self) -> Option<&Value> {
        self.advanced_auth.as_deref()
    }

    /// Everything that is wrong with a configuration; empty: nothing.
    pub fn validate(&self, config: &Value) -> Vec<ConfigFault> {
        faults::faults(&self.schema, self.validator.iter_errors(config))
    }

    /// Where secrets are, from the outside in; `*` stands for every item of a list or every field of a mapping.
    pub fn secret_paths(&self) -> Vec<Vec<String>> {
        self.secrets.paths()
    }

    /// The configuration with [`MASK`] for every secret.
    pub fn mask(&self, config: &Value) -> Value {
        self.secrets.mask(config)
    }

    /// The configuration without its secrets, and the secrets alone, each where it was. [`Spec::merge`] undoes it.
    pub fn split(&self, config: &Value) -> (Value, Value) {
        let (public, secret) = self.secrets.split(config);
        (
            public.unwrap_or_else(|| Value::Object(Map::new())),
            secret.unwrap_or_else(|| Value::Object(Map::new())),
        )
    }

    /// The texts (and numbers, as text) that a configuration holds in its secrets' places.
    pub fn secret_texts(&self, config: &Value) -> Vec<String> {
        let mut texts = Vec::new();
        if let (_, Some(secret)) = self.secrets.split(config) {
            secrets::leaves(&secret, &mut texts);
        }
        texts
    }

    /// A configuration from what [`Spec::split`] made of it.
    pub fn merge(public: Value, secret: Value) -> Value {
        secrets::merge(public, secret)
    }

    /// The new configuration; where it holds [`MASK`] in a secret's place, the old one's secret stays. A mask that
    /// stands for nothing is left out.
    pub fn keep_masked(&self, old_full: &Value, new: &Value) -> Value {
        self.secrets
            .keep_masked(Some(old_full), new)
            .unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests;
