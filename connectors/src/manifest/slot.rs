//! Reading one value: every method reports its own fault and answers `None`, so that the code that builds the plan
//! reads everything first and gives up afterwards. One load reports every fault in the file, not the first.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::component::Component;
use super::components::{Parameters, Text};
use super::document::{Field, Fields, Kind, Node, Position};
use super::load::{Load, Path};
use super::nearest::nearest;
use super::vocabulary::{self, Stranger};
use crate::error::ManifestError;

/// A value in a component: what it is, where it is, and under which parameters.
#[derive(Clone)]
pub(super) struct Slot<'a> {
    pub(super) load: &'a Load<'a>,
    pub(super) node: Rc<Node>,
    pub(super) owner: Rc<str>,
    pub(super) name: Rc<str>,
    pub(super) path: Path,
    pub(super) parameters: Parameters,
}

impl<'a> Slot<'a> {
    /// The whole document as a value.
    pub(super) fn root(load: &'a Load<'a>, node: Rc<Node>) -> Self {
        Self {
            load,
            node,
            owner: "manifest".into(),
            name: "manifest".into(),
            path: Path::root(),
            parameters: Arc::new(Value::Object(Map::new())),
        }
    }

    fn error(&self, at: Position, message: String) -> ManifestError {
        ManifestError {
            message,
            component: self.owner.to_string(),
            path: self.path.to_string(),
            line: at.line,
            column: at.column,
        }
    }

    /// The field that holds it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn fault(&self, message: impl Into<String>) {
        self.load.fault(self.error(self.node.at, message.into()));
    }

    pub(super) fn warn(&self, message: impl Into<String>) {
        self.load.warn(self.error(self.node.at, message.into()));
    }

    /// The same component with a text in a field that is filled in later.
    pub(super) fn with_placeholder(&self, name: &str) -> Slot<'a> {
        let mut slot = self.clone();
        if let Kind::Map(fields) = &self.node.kind
            && self
                .node
                .get(name)
                .is_none_or(|value| value.as_text().is_none_or(str::is_empty))
        {
            let mut fields = fields.clone();
            let at = self.node.at;
            let field = Field {
                key_at: at,
                value: Node::text(at, "placeholder"),
                inherited: true,
            };
            fields.insert(name.into(), field);
            slot.node = Rc::new(Node {
                at,
                kind: Kind::Map(fields),
            });
        }
        slot
    }

    fn expected(&self, what: &str) {
        self.fault(format!(
            "{} has to be {what}, not {}",
            self.name,
            self.node.describe()
        ));
    }

    /// A text, taken literally.
    pub(super) fn literal(&self) -> Option<String> {
        match &self.node.kind {
            Kind::Text(text) => return Some(text.to_string()),
            Kind::Boolean(_) | Kind::Integer(_) | Kind::Float(_) => {
                self.expected("a text (write it in quotes)")
            }
            _ => self.expected("a text"),
        }
        None
    }

    /// A text that may hold templates.
    pub(super) fn text(&self) -> Option<Text> {
        self.literal()?;
        match &self.node.kind {
            Kind::Text(text) => self.compile(text),
            _ => None,
        }
    }

    /// A template whose source may not be written at this place (a default, a number).
    pub(super) fn compile(&self, text: &Rc<str>) -> Option<Text> {
        match self.load.template(text) {
            Ok(template) => Some(Text {
                template,
                parameters: Arc::clone(&self.parameters),
            }),
            Err(error) => {
                let at = self.load.source.locate(self.node.at, text, error.offset);
                let message = format!("{} is not a valid template: {}", self.name, error.message);
                let error = self.error(at, message);
                self.load.fault(error);
                None
            }
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.node.kind {
            Kind::Boolean(value) => Some(value),
            _ => {
                self.expected("true or false");
                None
            }
        }
    }

    pub(super) fn whole_number(&self) -> Option<i64> {
        match self.node.kind {
            Kind::Integer(value) => Some(value),
            _ => {
                self.expected("a whole number");
                None
            }
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds and factors; nobody writes 2^53 of them"
    )]
    pub(super) fn number(&self) -> Option<f64> {
        match self.node.kind {
            Kind::Integer(value) => Some(value as f64),
            Kind::Float(value) => Some(value),
            _ => {
                self.expected("a number");
                None
            }
        }
    }

    /// Reports a field of a mapping without a type, which has these fields.
    pub(super) fn strange_field(&self, name: &str, known: &'static [&'static str]) {
        let owner = &self.name;
        match vocabulary::stranger(name, known) {
            Stranger::Slip(meant) => {
                self.fault(format!("unknown field {name} in {owner}; did you mean {meant}?"))
            }
            Stranger::Unknown => {
                self.fault(format!("unknown field {name}; {owner} has {}", known.join(", ")))
            }
            Stranger::WithoutEffect => {
                let message = format!("{name} has no effect here; {owner} has {}", known.join(", "));
                self.load.warn(self.error(self.node.at, message));
            }
        }
    }

    /// A list's items.
    pub(super) fn items(&self) -> Option<Vec<Slot<'a>>> {
        let Kind::List(items) = &self.node.kind else {
            self.expected("a list");
            return None;
        };
        Some(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| self.inner(Rc::clone(item), self.path.index(index)))
                .collect(),
        )
    }

    /// A mapping's entries (without `$parameters`): key, where the key is written, value.
    pub(super) fn entries(&self) -> Option<Vec<(Rc<str>, Slot<'a>, Slot<'a>)>> {
        let Kind::Map(fields) = &self.node.kind else {
            self.expected("a mapping");
            return None;
        };
        let mut entries = Vec::with_capacity(fields.len());
        for (key, field) in fields.iter().filter(|(key, _)| &***key != "$parameters") {
            if !self.load.spend() {
                self.fault("the manifest expands to more than can be loaded");
                return None;
            }
            let path = self.path.field(key);
            let key_node = Rc::new(Node {
                at: field.key_at,
                kind: Kind::Text(Rc::clone(key)),
            });
            entries.push((
                Rc::clone(key),
                self.inner(key_node, path.clone()),
                self.inner(Rc::clone(&field.value), path),
            ));
        }
        Some(entries)
    }

    fn inner(&self, node: Rc<Node>, path: Path) -> Slot<'a> {
        Slot {
            node,
            path,
            load: self.load,
            owner: Rc::clone(&self.owner),
            name: Rc::clone(&self.name),
            parameters: Arc::clone(&self.parameters),
        }
    }

    /// Every item through `read`; a faulty one makes the whole faulty, after all were looked at.
    pub(super) fn each<T>(&self, read: impl Fn(&Slot<'a>) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = self.items()?.iter().map(read).collect();
        read.into_iter().collect()
    }

    pub(super) fn literals(&self) -> Option<Vec<String>> {
        self.each(Slot::literal)
    }

    pub(super) fn texts(&self) -> Option<Vec<Text>> {
        self.each(Slot::text)
    }

    /// One of the words, as what it stands for.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.literal()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = nearest(&text, list.iter().copied())
            .map(|word| format!("; did you mean {word}?"))
            .unwrap_or_default();
        self.fault(format!(
            "{} is {text:?}; it has to be one of {}{hint}",
            self.name,
            list.join(", ")
        ));
        None
    }

    /// The value as plain JSON.
    pub(super) fn json(&self) -> Option<Value> {
        let value = self.plain(&self.node);
        if value.is_none() {
            self.fault("the manifest expands to more than can be loaded");
        }
        value
    }

    fn plain(&self, node: &Node) -> Option<Value> {
        if !self.load.spend() {
            return None;
        }
        match &node.kind {
            Kind::List(items) => items
                .iter()
                .map(|item| self.plain(item))
                .collect::<Option<Vec<_>>>()
                .map(Value::Array),
            Kind::Map(fields) => {
                let mut map = Map::with_capacity(fields.len());
                for (key, field) in fields {
                    map.insert(key.to_string(), self.plain(&field.value)?);
                }
                Some(Value::Object(map))
            }
            _ => Some(node.to_json()),
        }
    }

    /// The value's type, for choosing among components without complaint.
    pub(super) fn type_name(&self) -> Option<&str> {
        self.node.get("type")?.as_text()
    }

    /// Opens the component in here; it has to be of one of these types.
    pub(super) fn component(&self, allowed: &[&str]) -> Option<Component<'a>> {
        let Kind::Map(fields) = &self.node.kind else {
            self.expected(&format!("a component ({})", allowed.join(", ")));
            return None;
        };
        let Some(kind) = fields.get("type") else {
            let hint = if allowed.len() == 1 {
                format!("type: {}", allowed[0])
            } else {
                format!("type: one of {}", allowed.join(", "))
            };
            self.fault(format!("{} has no type; write {hint}", self.name));
            return None;
        };
        let at = if kind.inherited {
            self.node.at
        } else {
            kind.value.at
        };
        let Some(name) = kind.value.as_text() else {
            self.expected(&format!("a component ({})", allowed.join(", ")));
            return None;
        };
        if let Some(refusal) = self.refusal(name, fields, allowed) {
            let error = ManifestError {
                component: name.to_owned(),
                ..self.error(at, refusal)
            };
            self.load.fault(error);
            return None;
        }
        Some(Component {
            load: self.load,
            kind: name.into(),
            node: Rc::clone(&self.node),
            path: self.path.clone(),
            parameters: fields.get("$parameters").map_or_else(
                || Arc::new(Value::Object(Map::new())),
                |parameters| Arc::new(self.plain(&parameters.value).unwrap_or_default()),
            ),
        })
    }

    fn refusal(&self, name: &str, fields: &Fields, allowed: &[&str]) -> Option<String> {
        if allowed.contains(&name) {
            return None;
        }
        if let Some(instead) = vocabulary::instead_of(name) {
            let class = fields
                .get("class_name")
                .and_then(|field| field.value.as_text())
                .unwrap_or("a Python class");
            return Some(format!(
                "{class} is Python code, which is not run here; {instead}"
            ));
        }
        if let Some(meant) = nearest(name, allowed.iter().copied()) {
            return Some(format!("unknown component {name}; did you mean {meant}?"));
        }
        if vocabulary::fields(name).is_some() {
            return Some(format!(
                "{name} does not belong in {}, which takes {}",
                self.name,
                allowed.join(", ")
            ));
        }
        let hint = vocabulary::nearest_type(name)
            .map(|meant| format!(" (there is {meant})"))
            .unwrap_or_default();
        Some(format!(
            "unknown component {name}{hint}; {} takes {}",
            self.name,
            allowed.join(", ")
        ))
    }
}
