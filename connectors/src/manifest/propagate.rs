//! `$parameters` and default types: the second step, done exactly as the reference does it.
//!
//! A component's parameters are its parents' overlaid with its own. Each becomes a field of the component where the
//! component has none (or an empty one), and stays visible to its templates as `parameters`. While a field is
//! descended into, the parameter of that field's name is left out. A mapping without a type that nothing gives a
//! type to is no component: propagation stops there, except that its typed values are looked at. JSON Schemas
//! (`type: object`, or a type that is not a text) are left alone.
//!
//! These rules are odd in places (a field that holds "" or 0 counts as missing). They are kept, because manifests
//! were written against them.

use std::rc::Rc;

use super::document::{Expansion, Field, Fields, Kind, Node, Position};
use super::vocabulary;

/// What could not be propagated: the manifest expands to more than anybody writes.
#[derive(Debug)]
pub(super) struct TooLarge {
    pub(super) at: Position,
}

pub(super) fn propagate(root: &Rc<Node>) -> Result<Rc<Node>, TooLarge> {
    let Some(fields) = root.fields() else {
        return Ok(Rc::clone(root));
    };
    Propagation {
        expansion: Expansion::new(),
        outer_wins: false,
    }
    .component("", root.at, fields, Fields::default())
}

/// For a component that was propagated before and changed since; here outer parameters may win over inner ones.
pub(super) fn again(root: &Rc<Node>, outer_wins: bool) -> Result<Rc<Node>, TooLarge> {
    let Some(fields) = root.fields() else {
        return Ok(Rc::clone(root));
    };
    Propagation {
        expansion: Expansion::new(),
        outer_wins,
    }
    .component("", root.at, fields, Fields::default())
}

struct Propagation {
    expansion: Expansion,
    outer_wins: bool,
}

impl Propagation {
    fn component(
        &mut self,
        parent_field: &str,
        at: Position,
        fields: &Fields,
        inherited: Fields,
    ) -> Result<Rc<Node>, TooLarge> {
        self.spend(at)?;
        let mut fields = fields.clone();
        if !fields.contains_key("type") {
            let found = if fields.contains_key("class_name") {
                vocabulary::custom_type(parent_field)
            } else {
                vocabulary::default_type(parent_field)
            };
            if let Some(name) = found {
                fields.insert(
                    "type".into(),
                    Field {
                        key_at: at,
                        value: Node::text(at, name),
                        inherited: true,
                    },
                );
            }
        }
        let mut parameters = inherited;
        if let Some(own) = fields.shift_remove("$parameters")
            && let Kind::Map(own) = &own.value.kind
        {
            for (key, field) in own {
                if !(self.outer_wins && parameters.contains_key(key)) {
                    parameters.insert(Rc::clone(key), field.clone());
                }
            }
        }

        match fields.get("type").map(|field| &field.value.kind) {
            None => return self.untyped(parent_field, at, fields, &parameters),
            Some(Kind::List(_) | Kind::Map(_)) => {
                return Ok(Rc::new(Node {
                    at,
                    kind: Kind::Map(fields),
                }));
            }
            Some(Kind::Text(name)) if &**name == "object" => {
                return Ok(Rc::new(Node {
                    at,
                    kind: Kind::Map(fields),
                }));
            }
            Some(_) => {}
        }

        for (name, parameter) in &parameters {
            if fields.get(name).is_none_or(|field| !field.value.is_truthy()) {
                self.spend(at)?;
                fields.insert(
                    Rc::clone(name),
                    Field {
                        inherited: true,
                        ..parameter.clone()
                    },
                );
            }
        }
        let type_name = fields
            .get("type")
            .and_then(|field| field.value.as_text())
            .unwrap_or_default()
            .to_owned();
        for (name, field) in &mut fields {
            if !matches!(field.value.kind, Kind::Map(_) | Kind::List(_)) {
                continue;
            }
            let excluded = parameters.shift_remove(name);
            field.value = self.value(&format!("{type_name}.{name}"), &field.value, &parameters)?;
            // A parameter that is empty does not come back for the fields that follow.
            if let Some(excluded) = excluded.filter(|parameter| parameter.value.is_truthy()) {
                parameters.insert(Rc::clone(name), excluded);
            }
        }
        if !parameters.is_empty() {
            let value = Rc::new(Node {
                at,
                kind: Kind::Map(parameters),
            });
            fields.insert(
                "$parameters".into(),
                Field {
                    key_at: at,
                    value,
                    inherited: true,
                },
            );
        }
        Ok(Rc::new(Node {
            at,
            kind: Kind::Map(fields),
        }))
    }

    fn value(
        &mut self,
        parent_field: &str,
        value: &Rc<Node>,
        parameters: &Fields,
    ) -> Result<Rc<Node>, TooLarge> {
        match &value.kind {
            Kind::Map(fields) => self.component(parent_field, value.at, fields, parameters.clone()),
            Kind::List(items) => {
                let mut expanded = Vec::with_capacity(items.len());
                for item in items {
                    self.spend(item.at)?;
                    expanded.push(match &item.kind {
                        Kind::Map(fields) => {
                            self.component(parent_field, item.at, fields, parameters.clone())?
                        }
                        _ => Rc::clone(item),
                    });
                }
                Ok(Rc::new(Node {
                    at: value.at,
                    kind: Kind::List(expanded),
                }))
            }
            _ => Ok(Rc::clone(value)),
        }
    }

    /// A mapping that is no component may still hold components.
    fn untyped(
        &mut self,
        parent_field: &str,
        at: Position,
        mut fields: Fields,
        parameters: &Fields,
    ) -> Result<Rc<Node>, TooLarge> {
        for field in fields.values_mut() {
            if let Kind::Map(inner) = &field.value.kind
                && inner.get("type").is_some_and(|kind| kind.value.is_truthy())
            {
                field.value = self.component(parent_field, field.value.at, inner, parameters.clone())?;
            }
        }
        Ok(Rc::new(Node {
            at,
            kind: Kind::Map(fields),
        }))
    }

    fn spend(&mut self, at: Position) -> Result<(), TooLarge> {
        if self.expansion.take() {
            Ok(())
        } else {
            Err(TooLarge { at })
        }
    }
}
