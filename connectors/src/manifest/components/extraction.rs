//! Where an answer holds its records.

use std::sync::Arc;

use super::{StreamPlan, Text};

/// Where a document holds its records.
#[derive(Debug, Clone)]
pub enum Extractor {
    /// `DpathExtractor`
    Dpath {
        /// Segments from the outside in; `*` is every child; empty: the document itself (its items where it is a list).
        field_path: Vec<Text>,
        /// What each record is taken apart into.
        record_expander: Option<Box<RecordExpander>>,
    },
    /// `CombinedExtractor`
    Combined {
        /// At least one.
        extractors: Vec<Extractor>,
        /// Which of them count.
        mode: CombineMode,
        /// Whether records that are null or empty are left out. They count as records of their page.
        skip_empty_records: bool,
    },
}

impl Extractor {
    /// The document itself.
    pub(crate) fn whole() -> Self {
        Self::Dpath {
            field_path: Vec::new(),
            record_expander: None,
        }
    }
}

/// Which of several extractors count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CombineMode {
    /// All of them, one after the other.
    #[default]
    Union,
    /// The first that finds a record.
    FirstMatch,
}

/// `RecordExpander`: the items of a list in a record, each a record of its own.
#[derive(Debug, Clone)]
pub struct RecordExpander {
    /// The list; `*` is every child.
    pub expand_records_from_field: Vec<Text>,
    /// Whether each item holds the record as `original_record`.
    pub remain_original_record: bool,
    /// Values of the record (the first path) that are written into each item (at the second).
    pub parent_fields: Vec<(Vec<Text>, Vec<Text>)>,
    /// Whether each item has the record's other fields beneath its own.
    pub merge_parent: bool,
    /// Whether a record without items stays as it is.
    pub emits_parent: bool,
    /// A field that is true where the list is not whole; empty: nobody says.
    pub truncation_indicator_path: Vec<Text>,
    /// The requests for a list that is not whole; they read `stream_slice['parent_record']`.
    pub truncated_list: Option<Arc<StreamPlan>>,
}
