//! What is done to a configuration before anything else reads it.

use super::{AddedField, Condition, JsonTemplate, Text};
use crate::spec::Spec;

/// `ConfigNormalizationRules`.
#[derive(Debug, Default)]
pub struct ConfigRules {
    /// `config_migrations`, then `transformations`: in order, each sees what the ones before it did.
    pub transformations: Vec<ConfigTransformation>,
    /// What has to hold afterwards.
    pub validations: Vec<ConfigValidation>,
}

/// A change to a configuration.
#[derive(Debug)]
pub enum ConfigTransformation {
    /// `ConfigAddFields`
    Add {
        /// In order.
        fields: Vec<AddedField>,
        /// Each field is written only where this is true; reads `value` and `path` besides.
        condition: Option<Condition>,
    },
    /// `ConfigRemoveFields`
    Remove {
        /// Paths; `*` and `**` as in dpath.
        field_pointers: Vec<Vec<String>>,
        /// Nothing is removed where this is false.
        condition: Option<Condition>,
    },
    /// `ConfigRemapField`
    Remap {
        /// Old values and what they become: a mapping, or a template that gives one.
        map: JsonTemplate,
        /// The field.
        field_path: Vec<Text>,
    },
}

/// Something that has to hold of a configuration.
#[derive(Debug)]
pub struct ConfigValidation {
    /// What is looked at.
    pub subject: Subject,
    /// `ValidateAdheresToSchema`
    pub schema: BaseSchema,
}

/// What is looked at.
#[derive(Debug)]
pub enum Subject {
    /// `DpathValidator`: the values at a path; where there are none nothing is wrong.
    Path(Vec<Text>),
    /// `PredicateValidator`: a value, computed or written out.
    Value(JsonTemplate),
}

/// A JSON Schema.
#[derive(Debug)]
pub enum BaseSchema {
    /// Written out.
    Fixed(Spec),
    /// A text that evaluates to one.
    Computed(Text),
}
