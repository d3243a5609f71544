//! From a body to records: decoding, extraction, filtering, transformation.

use super::{Condition, Extractor, Text};
use crate::template::ValidTypes;

/// `RecordSelector`.
#[derive(Debug, Clone)]
pub struct RecordSelector {
    /// Where a document holds its records.
    pub extractor: Extractor,
    /// `RecordFilter`: which of them are kept; reads `record`.
    pub record_filter: Option<Condition>,
    /// The stream's transformations, in order.
    pub transformations: Vec<Transformation>,
    /// Whether values are cast to what the schema says.
    pub schema_normalization: SchemaNormalization,
    /// Whether transformations come before the filter.
    pub transform_before_filtering: bool,
}

/// Whether values are cast to what the schema says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SchemaNormalization {
    /// As they come.
    #[default]
    None,
    /// `Default`: text to number, number to text and so on, by the schema.
    Default,
}

/// What is done to a record.
#[derive(Debug, Clone)]
pub enum Transformation {
    /// `AddFields`
    AddFields {
        /// In order; a later one sees what an earlier one wrote.
        fields: Vec<AddedField>,
        /// Each field is written only where this is true; reads `value` and `path` besides.
        condition: Option<Condition>,
    },
    /// `RemoveFields`
    RemoveFields {
        /// Paths; `*` and `**` as in dpath.
        field_pointers: Vec<Vec<String>>,
        /// A field goes only where this is true; reads `property`, its value.
        condition: Option<Condition>,
    },
    /// `KeysToLower`
    KeysToLower,
    /// `KeysToSnakeCase`
    KeysToSnakeCase,
    /// `FlattenFields`
    FlattenFields {
        /// Whether lists are flattened too.
        flatten_lists: bool,
    },
    /// `DpathFlattenFields`
    DpathFlattenFields {
        /// The object whose fields move up.
        field_path: Vec<Text>,
        /// Whether the object itself goes.
        delete_origin_value: bool,
        /// Whether the object's fields are all that is left.
        replace_record: bool,
        /// Put before each key.
        key_prefix: Option<Text>,
        /// Put after each key.
        key_suffix: Option<Text>,
    },
    /// `KeysReplace`
    KeysReplace {
        /// Looked for in keys.
        old: Text,
        /// Put in its place.
        new: Text,
    },
}

/// `AddedFieldDefinition`.
#[derive(Debug, Clone)]
pub struct AddedField {
    /// Where, from the outside in.
    pub path: Vec<Text>,
    /// What.
    pub value: Text,
    /// What type it has to be; without one, whatever the text reads as.
    pub value_type: Option<ValueType>,
}

/// The types a computed value may be held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Text.
    String,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
}

impl ValueType {
    /// What a computed value is held to.
    pub(crate) fn valid(self) -> ValidTypes {
        match self {
            Self::String => ValidTypes::STR,
            Self::Number => ValidTypes::FLOAT,
            Self::Integer => ValidTypes::INT,
            Self::Boolean => ValidTypes::BOOL,
        }
    }
}
