//! Protocols on top of HTTP whose requests have a form of their own, and whose answers say in the body what other
//! APIs say by the status.

use super::{JsonTemplate, Text};

/// What a `GraphqlRequester` asks.
#[derive(Debug, Clone)]
pub struct GraphqlOperation {
    /// The document.
    pub query: Text,
    /// Which of the document's operations.
    pub operation_name: Option<Text>,
    /// The variables; what the paginator, the cursor and the partition router inject is laid over them.
    pub variables: JsonTemplate,
    /// What an answer is worth that has data and errors.
    pub partial_data: PartialData,
}

/// What an answer is worth that has data and errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PartialData {
    /// Nothing: what is missing in it would be taken for deleted.
    #[default]
    Fail,
    /// Its data; the errors become a note.
    Accept,
}
