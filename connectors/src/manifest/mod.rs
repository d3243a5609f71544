//! The connector manifest: from text to a plan, in four steps.
//!
//! 1. [`document`]: YAML becomes a tree that remembers lines and columns.
//! 2. [`reference`]: `$ref` is replaced by what it points to.
//! 3. [`propagate`]: `$parameters` flow downwards, and mappings without a type get theirs.
//! 4. [`compile`]: components become the typed plan in [`components`], every fault is reported.
//!
//! The order is the reference implementation's and cannot be changed: a reference may bring parameters, and a
//! parameter may bring a type. Validating against the published JSON Schema instead of by hand was tried in
//! thought and rejected: "is not valid under any of the given schemas" at the document's root is what its users
//! complain about, and its permissive objects let misspelt fields pass in silence.

mod compile;
mod component;
pub mod components;
mod document;
pub(crate) mod expand;
mod load;
mod nearest;
mod propagate;
mod reference;
mod slot;
mod vocabulary;

pub(crate) use compile::{DATA_TYPES, laid_over};
pub(crate) use nearest::nearest;

use std::rc::Rc;

use crate::error::ManifestError;
use components::Plan;
use document::{Field, Kind, Node, Position};
use load::{Load, in_order};
use slot::Slot;

/// Room for a document of the allowed depth in an unoptimised build, whatever thread the load happens on. It is
/// address space; what is not used is never touched.
const STACK: usize = 64 * 1024 * 1024;

/// Reads a manifest. Every fault in it is reported, in the file's order.
pub fn load(yaml: &str) -> Result<Plan, Vec<ManifestError>> {
    stacker::grow(STACK, || load_here(yaml))
}

/// The format as a JSON Schema, for editors.
pub fn editor_schema() -> serde_json::Value {
    vocabulary::schema()
}

fn load_here(yaml: &str) -> Result<Plan, Vec<ManifestError>> {
    let propagated = prepared(yaml)?;
    let load = Load::new(yaml);
    let plan = compile::source(&Slot::root(&load, propagated));
    let (faults, warnings) = load.finish();
    match plan {
        Some(plan) if faults.is_empty() => {
            let text = (!plan.dynamic.is_empty()).then(|| yaml.into());
            Ok(Plan {
                warnings,
                text,
                ..plan
            })
        }
        _ => Err(faults),
    }
}

/// The tree whose components can be read: the first three steps.
fn prepared(yaml: &str) -> Result<Rc<Node>, Vec<ManifestError>> {
    let document = document::parse(yaml).map_err(|fault| vec![fault])?;
    let Kind::Map(_) = &document.kind else {
        return Err(vec![whole(
            &document,
            format!("a manifest is a mapping, not {}", document.describe()),
        )]);
    };
    let resolved = reference::resolve(&with_type(&document)).map_err(in_order)?;
    propagate::propagate(&without_definitions(&resolved)).map_err(|found| vec![too_large(found.at)])
}

fn too_large(at: Position) -> ManifestError {
    ManifestError {
        message: "references and parameters expand the manifest to more than can be loaded".to_owned(),
        component: "manifest".to_owned(),
        path: String::new(),
        line: at.line,
        column: at.column,
    }
}

fn whole(document: &Node, message: String) -> ManifestError {
    let at = document.at;
    ManifestError {
        message,
        component: "manifest".to_owned(),
        path: String::new(),
        line: at.line,
        column: at.column,
    }
}

/// The manifest's own type may be left out.
fn with_type(document: &Rc<Node>) -> Rc<Node> {
    match &document.kind {
        Kind::Map(fields) if !fields.contains_key("type") => {
            let mut fields = fields.clone();
            let value = Node::text(document.at, "DeclarativeSource");
            fields.insert(
                "type".into(),
                Field {
                    key_at: document.at,
                    value,
                    inherited: true,
                },
            );
            Rc::new(Node {
                at: document.at,
                kind: Kind::Map(fields),
            })
        }
        _ => Rc::clone(document),
    }
}

/// Once references are resolved, what they pointed to is not part of the connector.
fn without_definitions(document: &Rc<Node>) -> Rc<Node> {
    let Kind::Map(fields) = &document.kind else {
        return Rc::clone(document);
    };
    let mut fields = fields.clone();
    fields.shift_remove("definitions");
    fields.shift_remove("schemas");
    Rc::new(Node {
        at: document.at,
        kind: Kind::Map(fields),
    })
}

#[cfg(test)]
mod tests;
