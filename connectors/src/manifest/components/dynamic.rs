//! What is known only with a configuration: streams made from a template, and schemas made from an answer.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Condition, StreamPlan, Text, Transformation, ValueType};

/// `DynamicDeclarativeStream`: a stream for each component that a resolver finds.
#[derive(Debug)]
pub struct DynamicStreams {
    /// Its name, for the check.
    pub name: String,
    /// Its place in the manifest.
    pub index: usize,
    /// The template, for templates that read `stream_template_config`.
    pub template: Arc<Value>,
    /// Where components come from.
    pub resolver: ComponentsResolver,
    /// What each component changes in the template.
    pub mappings: Vec<ComponentMapping>,
    /// Whether outer `$parameters` win over inner ones in the streams that are made.
    pub use_parent_parameters: bool,
}

/// Where the components of dynamic streams come from.
#[derive(Debug)]
pub enum ComponentsResolver {
    /// `HttpComponentsResolver`: the records of requests; read `components_values` and `stream_slice`
    Http(Arc<StreamPlan>),
    /// `ConfigComponentsResolver`: every combination of what the configuration holds in these places
    Config(Vec<StreamConfig>),
    /// `ParametrizedComponentsResolver`: written out
    Parameters(Vec<Value>),
}

/// `StreamConfig`.
#[derive(Debug)]
pub struct StreamConfig {
    /// The place in the configuration.
    pub configs_pointer: Vec<Text>,
    /// Further values.
    pub default_values: Vec<Value>,
}

/// `ComponentMappingDefinition`.
#[derive(Debug)]
pub struct ComponentMapping {
    /// The place in the template; `*` and `**` as in dpath.
    pub field_path: Vec<Text>,
    /// What is put there.
    pub value: Text,
    /// What type it has to be.
    pub value_type: Option<ValueType>,
    /// Whether the place is made where the template does not have it.
    pub create_or_update: bool,
    /// Only where this is true.
    pub condition: Option<Condition>,
}

/// One of the loaders that a schema comes from.
#[derive(Debug)]
pub enum SchemaPart {
    /// Written out.
    Fixed(Map<String, Value>),
    /// `DynamicSchemaLoader`
    Dynamic(Box<DynamicSchema>),
}

/// `DynamicSchemaLoader`.
#[derive(Debug)]
pub struct DynamicSchema {
    /// Whose first record describes the fields.
    pub source: Arc<StreamPlan>,
    /// Where the record holds the descriptions.
    pub schema_pointer: Vec<Text>,
    /// Where a description holds the field's name.
    pub key_pointer: Vec<Text>,
    /// Where it holds the field's type; without one all are texts.
    pub type_pointer: Option<Vec<Text>>,
    /// What the upstream's types are here.
    pub types: Vec<TypeMapping>,
    /// Which fields are kept; reads `record`, an object of the one field.
    pub filter: Option<Condition>,
    /// What is done to the fields.
    pub transformations: Vec<Transformation>,
}

/// `TypesMap`.
#[derive(Debug)]
pub struct TypeMapping {
    /// The upstream's word, or words.
    pub current: Value,
    /// Ours: a word, two words, or `{field_type, items}`.
    pub target: Value,
    /// Only where this is true; reads `raw_schema`.
    pub condition: Option<Condition>,
}
