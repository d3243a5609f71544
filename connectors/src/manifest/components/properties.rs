//! Fields that an upstream has to be asked for by name.

use std::sync::Arc;

use super::{StreamPlan, Text, Transformation};

/// `QueryProperties`. Templates read a request's own as `stream_slice.extra_fields['query_properties']`.
#[derive(Debug, Clone)]
pub struct QueryProperties {
    /// Which.
    pub list: PropertyList,
    /// These in every request.
    pub always: Vec<String>,
    /// How they are spread over several requests.
    pub chunking: Option<PropertyChunking>,
    /// `JsonSchemaPropertySelector`: only those that a catalog selects, after these transformations of its schema.
    pub selector: Option<Vec<Transformation>>,
    /// The query parameter that holds them, with commas between; without one only templates do.
    pub parameter: Option<String>,
}

/// Which fields.
#[derive(Debug, Clone)]
pub enum PropertyList {
    /// These.
    Fixed(Vec<String>),
    /// `PropertiesFromEndpoint`
    Endpoint {
        /// Requests whose records name them, one each.
        plan: Arc<StreamPlan>,
        /// Where in such a record.
        field_path: Vec<Text>,
    },
}

/// `PropertyChunking`, and with it the key that tells whether two answers are about the same record.
#[derive(Debug, Clone)]
pub struct PropertyChunking {
    /// How a chunk is measured.
    pub measured_by: PropertyLimit,
    /// How large a chunk may be; without a limit there is one.
    pub limit: Option<usize>,
    /// `GroupByKeyMergeStrategy`; `id` where the manifest does not say.
    pub key: Vec<String>,
}

/// How a chunk of fields is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyLimit {
    /// By the characters of the names.
    Characters,
    /// By how many there are.
    Count,
}
