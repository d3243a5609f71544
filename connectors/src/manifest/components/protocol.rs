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

/// What a `SoapRequester` asks.
#[derive(Debug, Clone)]
pub struct SoapOperation {
    /// The envelope's version.
    pub version: SoapVersion,
    /// What the operation is called to the transport.
    pub action: Option<Text>,
    /// Prefixes and what they stand for.
    pub namespaces: Vec<(String, Text)>,
    /// The element in the body, with its prefix.
    pub operation: Text,
    /// What is in that element: `@name` is an attribute, `#text` the text, a list repeats its element. What others
    /// inject into a JSON body is laid over it.
    pub body: JsonTemplate,
    /// What is in the envelope's header.
    pub header: JsonTemplate,
    /// WS-Security's user.
    pub security: Option<UsernameToken>,
    /// Paths below the envelope that are lists however many members they have.
    pub lists: Vec<Vec<String>>,
}

/// The versions of SOAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SoapVersion {
    /// 1.1: `text/xml`, and a header for the action
    #[default]
    V11,
    /// 1.2: `application/soap+xml`
    V12,
}

/// `UsernameToken`.
#[derive(Debug, Clone)]
pub struct UsernameToken {
    /// The user.
    pub username: Text,
    /// The password.
    pub password: Text,
    /// Whether a digest is sent in its place.
    pub digest: bool,
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
