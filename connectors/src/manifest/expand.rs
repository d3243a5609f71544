//! Streams from a template: the manifest's text once more, with what a configuration changes in it.
//!
//! A template is changed before its components are read: by path, with globs, and with `$parameters` that then flow
//! through it again. So what is kept of it between a load and a read is the text itself; the tree is made anew, and a
//! fault in a stream that was made has the line of its template. Keeping the tree was rejected: it shares its nodes
//! (`Rc`) and belongs to one thread.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;

use super::components::{DynamicStreams, StreamPlan};
use super::document::{self, Field, Kind, Node, Position};
use super::load::Load;
use super::slot::Slot;
use super::{STACK, compile, prepared, propagate};
use crate::error::ManifestError;
use crate::read::operations::matches;

/// A change to a template.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) path: Vec<String>,
    pub(crate) value: Value,
    /// Whether a text is read as YAML first.
    pub(crate) reads_yaml: bool,
    /// Whether the place is made where it is missing.
    pub(crate) creates: bool,
}

/// One stream for each list of changes, from the template of a dynamic stream.
pub(crate) fn expand(
    yaml: &str,
    definition: &DynamicStreams,
    streams: &[Vec<Change>],
) -> Result<Vec<Arc<StreamPlan>>, Vec<ManifestError>> {
    stacker::grow(STACK, || {
        let document = prepared(yaml)?;
        let template = document
            .get("dynamic_streams")
            .and_then(|streams| match &streams.kind {
                Kind::List(items) => items.get(definition.index)?.get("stream_template").cloned(),
                _ => None,
            })
            .ok_or_else(Vec::new)?;
        streams
            .iter()
            .map(|changes| one(yaml, &template, definition, changes))
            .collect()
    })
}

fn one(
    yaml: &str,
    template: &Rc<Node>,
    definition: &DynamicStreams,
    changes: &[Change],
) -> Result<Arc<StreamPlan>, Vec<ManifestError>> {
    let mut node = Rc::clone(template);
    for change in changes {
        node = apply(&node, change);
    }
    let node = propagate::again(&node, definition.use_parent_parameters)
        .map_err(|too_large| vec![super::too_large(too_large.at)])?;
    let load = Load::new(yaml);
    let stream = compile::stream(&Slot::root(&load, node));
    let (faults, _) = load.finish();
    match stream {
        Some(stream) if faults.is_empty() => Ok(Arc::new(StreamPlan {
            made_by: Some(definition.name.clone()),
            ..stream
        })),
        _ => Err(faults),
    }
}

fn apply(node: &Rc<Node>, change: &Change) -> Rc<Node> {
    let value = match (&change.value, change.reads_yaml) {
        (Value::String(text), true) => from_yaml(text, node.at),
        (value, _) => from_json(value, node.at),
    };
    let mut changed = false;
    let updated = set(node, &change.path, &value, &mut changed);
    if !changed && change.creates && value.is_truthy() {
        return create(node, &change.path, &value);
    }
    updated
}

/// Text that is no YAML is text.
fn from_yaml(text: &str, at: Position) -> Rc<Node> {
    if text.trim().is_empty() {
        return from_json(&Value::Null, at);
    }
    match document::parse(text) {
        Ok(node) => from_json(&node.to_json(), at),
        Err(_) => Node::text(at, text),
    }
}

fn from_json(value: &Value, at: Position) -> Rc<Node> {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(flag) => Kind::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Kind::Integer(integer),
            None => Kind::Float(number.as_f64().unwrap_or(f64::MAX)),
        },
        Value::String(text) => Kind::Text(text.as_str().into()),
        Value::Array(items) => Kind::List(items.iter().map(|item| from_json(item, at)).collect()),
        Value::Object(fields) => Kind::Map(
            fields
                .iter()
                .map(|(key, value)| (Rc::from(key.as_str()), field(at, from_json(value, at))))
                .collect(),
        ),
    };
    Rc::new(Node { at, kind })
}

fn field(at: Position, value: Rc<Node>) -> Field {
    Field {
        key_at: at,
        value,
        inherited: false,
    }
}

/// Puts the value where the path leads; a `**` stands for any number of parts, none included.
fn set(node: &Rc<Node>, path: &[String], value: &Rc<Node>, changed: &mut bool) -> Rc<Node> {
    let Some((part, rest)) = path.split_first() else {
        *changed = true;
        return Rc::clone(value);
    };
    let any_depth = part == "**";
    if any_depth {
        let mut here = false;
        let updated = set(node, rest, value, &mut here);
        if here {
            *changed = true;
            return updated;
        }
    }
    let applies = |name: &str| any_depth || matches(part, name);
    let onward = if any_depth { path } else { rest };
    let kind = match &node.kind {
        Kind::Map(fields) => {
            let mut fields = fields.clone();
            for (name, field) in &mut fields {
                if applies(name) {
                    field.value = set(&field.value, onward, value, changed);
                }
            }
            Kind::Map(fields)
        }
        Kind::List(items) => {
            let updated = items.iter().enumerate().map(|(index, item)| {
                if applies(&index.to_string()) {
                    set(item, onward, value, changed)
                } else {
                    Rc::clone(item)
                }
            });
            Kind::List(updated.collect())
        }
        _ => return Rc::clone(node),
    };
    Rc::new(Node { at: node.at, kind })
}

fn create(node: &Rc<Node>, path: &[String], value: &Rc<Node>) -> Rc<Node> {
    let Some((part, rest)) = path.split_first() else {
        return Rc::clone(value);
    };
    if let Kind::List(items) = &node.kind
        && let Ok(index) = part.parse::<usize>()
        && index <= items.len()
    {
        let mut items = items.clone();
        let inner = items
            .get(index)
            .cloned()
            .unwrap_or_else(|| from_json(&Value::Null, node.at));
        let made = create(&inner, rest, value);
        if index == items.len() {
            items.push(made);
        } else {
            items[index] = made;
        }
        return Rc::new(Node {
            at: node.at,
            kind: Kind::List(items),
        });
    }
    let mut fields = node.fields().cloned().unwrap_or_default();
    let inner = match fields.get(part.as_str()) {
        Some(field) => Rc::clone(&field.value),
        None => from_json(&Value::Null, node.at),
    };
    fields.insert(part.as_str().into(), field(node.at, create(&inner, rest, value)));
    Rc::new(Node {
        at: node.at,
        kind: Kind::Map(fields),
    })
}
