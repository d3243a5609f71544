//! `$ref` and `#/…`: the first of the two steps that turn what was written into what is meant.
//!
//! A text that begins with `#/` stands for what it points to, anywhere in the manifest; `$ref` in a mapping lays
//! the mapping's own keys over what it points to. What a reference resolves to does not depend on where it stands,
//! so each is resolved once and shared: nested references cost their number, not their product.

use std::collections::HashSet;
use std::rc::Rc;

use super::document::{ByText, Field, Fields, Kind, Node, Position};
use super::nearest::nearest;
use crate::error::ManifestError;

/// What references may nest a document to.
const MAX_DEPTH: usize = 200;

/// Fields that hold configuration values: a text in there that looks like a reference is not one.
const CONFIGURATION_FIELDS: &[&str] = &["config_overrides"];

pub(super) fn resolve(root: &Rc<Node>) -> Result<Rc<Node>, Vec<ManifestError>> {
    let mut resolver = Resolver {
        root,
        done: ByText::new(),
        under_way: HashSet::new(),
        faults: Vec::new(),
        path: Vec::new(),
    };
    let resolved = resolver.node(root);
    if resolver.faults.is_empty() {
        Ok(resolved)
    } else {
        Err(resolver.faults)
    }
}

struct Resolver<'a> {
    root: &'a Rc<Node>,
    done: ByText<Rc<Node>>,
    under_way: HashSet<Rc<str>>,
    faults: Vec<ManifestError>,
    path: Vec<String>,
}

impl Resolver<'_> {
    fn node(&mut self, node: &Rc<Node>) -> Rc<Node> {
        if self.path.len() + self.under_way.len() > MAX_DEPTH {
            self.fault(
                node.at,
                format!("references nest the manifest deeper than {MAX_DEPTH} levels"),
            );
            return Rc::new(Node {
                at: node.at,
                kind: Kind::Null,
            });
        }
        match &node.kind {
            Kind::Text(text) if text.starts_with("#/") => self.reference(text, node.at),
            Kind::List(items) => {
                let items = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.under(index.to_string(), |this| this.node(item)))
                    .collect();
                Rc::new(Node {
                    at: node.at,
                    kind: Kind::List(items),
                })
            }
            Kind::Map(fields) => self.mapping(node.at, fields),
            _ => Rc::clone(node),
        }
    }

    fn mapping(&mut self, at: Position, fields: &Fields) -> Rc<Node> {
        let mut own = Fields::with_capacity(fields.len());
        for (key, field) in fields.iter().filter(|(key, _)| &***key != "$ref") {
            let value = if CONFIGURATION_FIELDS.contains(&&**key) {
                Rc::clone(&field.value)
            } else {
                self.under(key.to_string(), |this| this.node(&field.value))
            };
            own.insert(
                Rc::clone(key),
                Field {
                    value,
                    ..field.clone()
                },
            );
        }
        let Some(pointer) = fields.get("$ref") else {
            return Rc::new(Node {
                at,
                kind: Kind::Map(own),
            });
        };
        let Some(text) = pointer.value.as_text().filter(|text| text.starts_with("#/")) else {
            self.fault(
                pointer.value.at,
                format!(
                    "$ref is {}; it has to be a text such as \"#/definitions/name\"",
                    pointer.value.describe()
                ),
            );
            return Rc::new(Node {
                at,
                kind: Kind::Map(own),
            });
        };
        let target = self.reference(&Rc::from(text), pointer.value.at);
        match &target.kind {
            Kind::Map(theirs) => {
                let mut merged = theirs.clone();
                merged.extend(own);
                Rc::new(Node {
                    at,
                    kind: Kind::Map(merged),
                })
            }
            // As in the reference: what is not a mapping replaces the mapping that mentions it.
            _ => target,
        }
    }

    fn reference(&mut self, text: &Rc<str>, at: Position) -> Rc<Node> {
        if let Some(done) = self.done.get(text) {
            return Rc::clone(done);
        }
        if !self.under_way.insert(Rc::clone(text)) {
            self.fault(
                at,
                format!("the reference {text} leads back to itself; a definition cannot contain itself"),
            );
            return Rc::new(Node { at, kind: Kind::Null });
        }
        let resolved = match look_up(self.root, &text[2..]) {
            Ok(target) => self.node(&target),
            Err(hint) => {
                self.fault(at, format!("the reference {text} leads nowhere: {hint}"));
                Rc::new(Node { at, kind: Kind::Null })
            }
        };
        self.under_way.remove(text);
        self.done.insert(Rc::clone(text), Rc::clone(&resolved));
        resolved
    }

    fn under<T>(&mut self, segment: String, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(segment);
        let result = work(self);
        self.path.pop();
        result
    }

    fn fault(&mut self, at: Position, message: String) {
        let path = self.path.join(".");
        self.faults.push(ManifestError {
            message,
            component: "$ref".to_owned(),
            path,
            line: at.line,
            column: at.column,
        });
    }
}

/// Follows a pointer. Keys may contain slashes, so the whole rest is tried as a key before its first segment.
fn look_up(root: &Rc<Node>, pointer: &str) -> Result<Rc<Node>, String> {
    let mut node = Rc::clone(root);
    let mut rest = pointer;
    while !rest.is_empty() {
        if let Some(found) = node.get(rest) {
            return Ok(Rc::clone(found));
        }
        let (head, tail) = rest.split_once('/').unwrap_or((rest, ""));
        let next = match &node.kind {
            Kind::Map(fields) => fields.get(head).map(|field| Rc::clone(&field.value)),
            Kind::List(items) => head
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index).cloned()),
            _ => None,
        };
        node = next.ok_or_else(|| match &node.kind {
            Kind::Map(fields) => match nearest(head, fields.keys().map(|key| &**key)) {
                Some(name) => format!("there is no {head}; did you mean {name}?"),
                None => format!("there is no {head}"),
            },
            Kind::List(items) => format!(
                "{head} is not one of the list's {} items, counted from 0",
                items.len()
            ),
            _ => format!("there is nothing inside {}", node.describe()),
        })?;
        rest = tail;
    }
    Ok(node)
}
