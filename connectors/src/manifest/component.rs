//! Reading one component: its fields, and everything that can be wrong with them.

use std::rc::Rc;
use std::sync::Arc;

use super::components::{Parameters, Text};
use super::document::{Kind, Node, Position};
use super::load::{Load, Path};
use super::slot::Slot;
use super::vocabulary::{self, Stranger};
use crate::error::ManifestError;

/// A component that is open for reading.
pub(super) struct Component<'a> {
    pub(super) load: &'a Load<'a>,
    pub(super) kind: Rc<str>,
    pub(super) node: Rc<Node>,
    pub(super) path: Path,
    pub(super) parameters: Parameters,
}

impl<'a> Component<'a> {
    /// Reports fields that the component does not have.
    pub(super) fn check_fields(&self) {
        self.check_fields_of(&self.kind);
    }

    /// The same, for a component whose fields are listed under another name.
    pub(super) fn check_fields_of(&self, listed_as: &str) {
        let (Some(fields), Some(known)) = (self.node.fields(), vocabulary::fields(listed_as)) else {
            return;
        };
        for (name, field) in fields {
            if field.inherited || matches!(&**name, "type" | "$parameters") {
                continue;
            }
            if known.contains(&&**name) {
                continue;
            }
            let list = || {
                if known.is_empty() {
                    "no fields".to_owned()
                } else {
                    known.join(", ")
                }
            };
            match vocabulary::stranger(name, known) {
                Stranger::Slip(meant) => self.fault_at(
                    field.key_at,
                    name,
                    format!("unknown field {name}; did you mean {meant}?"),
                ),
                Stranger::Unknown => self.fault_at(
                    field.key_at,
                    name,
                    format!("unknown field {name}; {listed_as} has {}", list()),
                ),
                Stranger::WithoutEffect => {
                    let message = format!("{name} has no effect here; {listed_as} has {}", list());
                    let warning = self.error(field.key_at, self.path.field(name), message);
                    self.load.warn(warning);
                }
            }
        }
    }

    fn error(&self, at: Position, path: Path, message: String) -> ManifestError {
        ManifestError {
            message,
            component: self.kind.to_string(),
            path: path.to_string(),
            line: at.line,
            column: at.column,
        }
    }

    fn fault_at(&self, at: Position, field: &str, message: String) {
        let error = self.error(at, self.path.field(field), message);
        self.load.fault(error);
    }

    /// A fault of the component as a whole.
    pub(super) fn fault(&self, message: impl Into<String>) {
        let error = self.error(self.node.at, self.path.clone(), message.into());
        self.load.fault(error);
    }

    /// The field, unless it is absent or null.
    pub(super) fn field(&self, name: &str) -> Option<Slot<'a>> {
        let field = self.node.fields()?.get(name)?;
        if matches!(field.value.kind, Kind::Null) {
            return None;
        }
        Some(self.slot(name, Rc::clone(&field.value)))
    }

    fn slot(&self, name: &str, node: Rc<Node>) -> Slot<'a> {
        Slot {
            load: self.load,
            node,
            owner: Rc::clone(&self.kind),
            name: name.into(),
            path: self.path.field(name),
            parameters: Arc::clone(&self.parameters),
        }
    }

    pub(super) fn required(&self, name: &str) -> Option<Slot<'a>> {
        let field = self.field(name);
        if field.is_none() {
            self.fault(format!("{} needs the field {name}", self.kind));
        }
        field
    }

    /// Absent is fine (`Some(None)`); wrong is not (`None`).
    pub(super) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Slot<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.field(name) {
            None => Some(None),
            Some(slot) => read(&slot).map(Some),
        }
    }

    /// Absent is the default; wrong is not.
    pub(super) fn or<T>(
        &self,
        name: &str,
        default: T,
        read: impl FnOnce(&Slot<'a>) -> Option<T>,
    ) -> Option<T> {
        self.field(name).map_or(Some(default), |slot| read(&slot))
    }

    /// The text in a field, or this one.
    pub(super) fn text_or(&self, name: &str, default: &str) -> Option<Text> {
        match self.field(name) {
            Some(slot) => slot.text(),
            None => self.slot(name, Node::text(self.node.at, default)).text(),
        }
    }

    /// A text that is not written in the manifest.
    pub(super) fn text_or_default(&self, default: &str) -> Option<Text> {
        self.slot("", Node::text(self.node.at, default)).text()
    }

    /// A text where empty means absent, as the reference has it for most optional texts.
    pub(super) fn optional_text(&self, name: &str) -> Option<Option<Text>> {
        match self.field(name) {
            Some(slot) if slot.node.as_text() != Some("") => slot.text().map(Some),
            _ => Some(None),
        }
    }
}
