//! Values that a manifest may compute: text, numbers, conditions, maps and JSON trees of templates.
//!
//! Each carries the `$parameters` that are in force where it stands, because a template may read them and the same
//! template text means something else under another component. The parameters are shared, so that is one pointer.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::template::Template;

/// The `$parameters` in force at a component; always a JSON object.
pub type Parameters = Arc<Value>;

/// A text that may hold templates.
#[derive(Clone)]
pub struct Text {
    /// The compiled text.
    pub template: Template,
    /// What `parameters` is in it.
    pub parameters: Parameters,
}

impl Text {
    /// As written in the manifest.
    pub fn source(&self) -> &str {
        self.template.source()
    }

    /// The text itself when it holds no template. (The reference still reads such a text as a literal where it
    /// interpolates values: "123" is a number. Whether that applies is the reader's business.)
    pub fn constant(&self) -> Option<&str> {
        self.template.is_literal().then(|| self.source())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.source())
    }
}

/// An integer, written out or computed.
#[derive(Debug, Clone)]
pub enum Integer {
    /// Written out.
    Fixed(i64),
    /// A text that evaluates to an integer.
    Computed(Text),
}

/// A number, written out or computed.
#[derive(Debug, Clone)]
pub enum Number {
    /// Written out.
    Fixed(f64),
    /// A text that evaluates to a number.
    Computed(Text),
}

/// A condition (the format's interpolated boolean, with its own list of false values).
#[derive(Debug, Clone)]
pub enum Condition {
    /// Written out.
    Fixed(bool),
    /// A text whose value decides.
    Computed(Text),
}

/// Pairs for query, headers or form: a mapping of templates, or one template that evaluates to a mapping
/// (or, in a body, to text).
#[derive(Debug, Clone)]
pub enum TextMap {
    /// One template for the whole.
    Whole(Text),
    /// A template for each key and value, in the manifest's order.
    Entries(Vec<(Text, Text)>),
}

impl TextMap {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Whole(text) => text.source().is_empty(),
            Self::Entries(entries) => entries.is_empty(),
        }
    }
}

impl Default for TextMap {
    fn default() -> Self {
        Self::Entries(Vec::new())
    }
}

/// A JSON document whose texts, keys included, are templates.
#[derive(Debug, Clone)]
pub enum JsonTemplate {
    /// A text; its value may be of any type.
    Text(Text),
    /// Pairs; one whose value evaluates to null is left out.
    Object(Vec<(Text, JsonTemplate)>),
    /// Items.
    Array(Vec<JsonTemplate>),
    /// A number, a boolean or null.
    Literal(Value),
}
