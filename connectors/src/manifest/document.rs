//! A YAML document whose every node remembers where it was written.
//!
//! Deserialising straight into typed structs was rejected: serde loses positions inside flattened and untagged
//! types, stops at the first fault, and a manifest cannot be typed before its references are resolved and its
//! parameters propagated. So the text becomes a tree of positioned nodes once, and everything else works on that.
//!
//! Subtrees are shared (`Rc`): a definition that twenty streams refer to exists once until propagation gives each
//! mention its own parameters.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use crate::error::ManifestError;

/// A manifest of this many bytes or more is refused unread.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The largest of 501 public manifests has 86,000 nodes, keys included.
const MAX_NODES: usize = 200_000;
/// Nesting in the text; what references nest on top is bounded where they are resolved.
const MAX_DEPTH: usize = 100;

/// A place in the file, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: Kind,
}

/// The value of a node.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Rc<str>),
    List(Vec<Rc<Node>>),
    Map(Fields),
}

/// A mapping's entries, in the file's order.
pub(super) type Fields = IndexMap<Rc<str>, Field>;

/// One entry of a mapping.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Where the key was written.
    pub(super) key_at: Position,
    /// The value.
    pub(super) value: Rc<Node>,
    /// Put here by `$parameters`, so that a component that does not know it may pass it over.
    pub(super) inherited: bool,
}

impl Node {
    pub(super) fn text(at: Position, text: &str) -> Rc<Self> {
        Rc::new(Self {
            at,
            kind: Kind::Text(text.into()),
        })
    }

    pub(super) fn fields(&self) -> Option<&Fields> {
        match &self.kind {
            Kind::Map(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Rc<Self>> {
        self.fields()?.get(name).map(|field| &field.value)
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What Python takes for true.
    pub(super) fn is_truthy(&self) -> bool {
        match &self.kind {
            Kind::Null => false,
            Kind::Boolean(value) => *value,
            Kind::Integer(value) => *value != 0,
            Kind::Float(value) => *value != 0.0,
            Kind::Text(text) => !text.is_empty(),
            Kind::List(items) => !items.is_empty(),
            Kind::Map(fields) => !fields.is_empty(),
        }
    }

    /// What it is, for a person.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Boolean(value) => format!("the boolean {value}"),
            Kind::Integer(value) => format!("the number {value}"),
            Kind::Float(value) => format!("the number {value}"),
            Kind::Text(text) if text.chars().count() > 40 => "a text".to_owned(),
            Kind::Text(text) => format!("the text {text:?}"),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The value without its places. A number that JSON cannot hold becomes null.
    pub(super) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Boolean(value) => Value::Bool(*value),
            Kind::Integer(value) => Value::from(*value),
            Kind::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Kind::Text(text) => Value::String(text.to_string()),
            Kind::List(items) => items.iter().map(|item| item.to_json()).collect(),
            Kind::Map(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, field)| (key.to_string(), field.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Parses a manifest's text.
pub(super) fn parse(yaml: &str) -> Result<Rc<Node>, ManifestError> {
    if yaml.len() >= MAX_BYTES {
        return Err(syntax(
            format!(
                "the manifest has {} bytes; at most {MAX_BYTES} are read",
                yaml.len()
            ),
            Position { line: 1, column: 1 },
        ));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
            max_depth: MAX_DEPTH,
            max_documents: 1,
            max_aliases: 5_000,
            max_anchors: 5_000,
            max_recorded_anchor_events: MAX_NODES,
            max_recorded_anchor_bytes: MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
        },
        // The reference's YAML reader lets a later key win, and so must we for its manifests.
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Node>(yaml, options)
        .map(Rc::new)
        .map_err(|error| {
            let at = error.location().map_or(Position { line: 1, column: 1 }, position);
            syntax(format!("this is not readable as YAML: {error}"), at)
        })
}

fn syntax(message: String, at: Position) -> ManifestError {
    ManifestError {
        message,
        component: "YAML".to_owned(),
        path: String::new(),
        line: at.line,
        column: at.column,
    }
}

fn position(location: serde_saphyr::Location) -> Position {
    Position {
        line: u32::try_from(location.line()).unwrap_or(u32::MAX),
        column: u32::try_from(location.column()).unwrap_or(u32::MAX),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self {
            at: position(spanned.defined),
            kind: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Integer(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "an integer beyond 64 bits has no better JSON number"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(i64::try_from(value).map_or(Kind::Float(value as f64), Kind::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Node>()? {
            items.push(Rc::new(item));
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let value = Rc::new(access.next_value::<Node>()?);
            let key_at = position(key.defined);
            fields.insert(
                key.value.into(),
                Field {
                    key_at,
                    value,
                    inherited: false,
                },
            );
        }
        Ok(Kind::Map(fields))
    }
}

/// Counts what a manifest expands to, so that a few lines of references cannot grow without bound.
#[derive(Debug)]
pub(super) struct Expansion {
    left: usize,
}

impl Expansion {
    /// Enough for thousands of streams.
    pub(super) fn new() -> Self {
        Self { left: 400_000 }
    }

    /// Takes one node from the allowance; false: there is none left.
    pub(super) fn take(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }
}

/// Memory of what texts became, keyed by the text.
pub(super) type ByText<T> = HashMap<Rc<str>, T>;
