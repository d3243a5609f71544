//! What a template reads: the names it expects from its scope, and of each the members it looks at.
//!
//! A stop condition mentions three fields of a response of a thousand records. Knowing which, the reader can
//! give it those, and never build the rest.

use std::collections::BTreeMap;

use super::ast::{Arguments, Expr, Node, Target};
use super::macros;

/// What a template looks at in one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The variable is not mentioned.
    Nothing,
    /// Only what is at these paths.
    Paths(Vec<Vec<String>>),
    /// All of it.
    Whole,
}

/// The name under which an alias is bound.
pub(crate) fn resolved(name: &str) -> &str {
    match name {
        "stream_interval" | "stream_partition" => "stream_slice",
        other => other,
    }
}

#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Names that the scope must offer, as they are written.
    pub(crate) free: Vec<String>,
    reads: BTreeMap<String, Reads>,
}

impl Names {
    pub(crate) fn of(nodes: &[Node]) -> Names {
        let mut walk = Walk::default();
        walk.nodes(nodes);
        while let Some(expr) = walk.pending.pop() {
            walk.expr(expr);
        }
        let Walk { assigned, found, .. } = walk;
        let mut names = Names::default();
        for (name, path) in found {
            if assigned.contains(&name) {
                continue;
            }
            if !names.free.iter().any(|own| own == name) && macros::find(name).is_none() {
                names.free.push(name.to_owned());
            }
            let reads = names
                .reads
                .entry(resolved(name).to_owned())
                .or_insert(Reads::Paths(Vec::new()));
            match reads {
                Reads::Paths(_) if path.is_empty() => *reads = Reads::Whole,
                Reads::Paths(paths) => {
                    let path = path.into_iter().map(str::to_owned).collect();
                    if !paths.contains(&path) {
                        paths.push(path);
                    }
                }
                _ => {}
            }
        }
        names
    }

    pub(crate) fn reads(&self, name: &str) -> Reads {
        self.reads.get(resolved(name)).cloned().unwrap_or(Reads::Nothing)
    }
}

/// The walk does not recurse into expressions: a chain of operators nests as deep as it is long.
#[derive(Default)]
struct Walk<'t> {
    pending: Vec<&'t Expr>,
    assigned: Vec<&'t str>,
    found: Vec<(&'t str, Vec<&'t str>)>,
}

impl<'t> Walk<'t> {
    fn target(&mut self, target: &'t Target) {
        match target {
            Target::Name(name) => self.assigned.push(name),
            Target::Attribute(name, _) => self.found.push((name, Vec::new())),
            Target::Tuple(targets) => targets.iter().for_each(|target| self.target(target)),
        }
    }

    fn nodes(&mut self, nodes: &'t [Node]) {
        for node in nodes {
            match node {
                Node::Text(_) => {}
                Node::Output(expr) => self.pending.push(expr),
                Node::If { branches, otherwise } => {
                    for (test, body) in branches {
                        self.pending.push(test);
                        self.nodes(body);
                    }
                    self.nodes(otherwise);
                }
                Node::For(each) => {
                    self.assigned.push("loop");
                    self.target(&each.target);
                    self.pending.push(&each.source);
                    self.pending.extend(&each.filter);
                    self.nodes(&each.body);
                    self.nodes(&each.otherwise);
                }
                Node::Set { target, value } => {
                    self.target(target);
                    self.pending.push(value);
                }
                Node::SetBlock {
                    target,
                    filters,
                    body,
                } => {
                    self.target(target);
                    filters.iter().for_each(|call| self.arguments(&call.arguments));
                    self.nodes(body);
                }
                Node::With { bindings, body } => {
                    for (target, value) in bindings {
                        self.target(target);
                        self.pending.push(value);
                    }
                    self.nodes(body);
                }
                Node::Filter { filters, body } => {
                    filters.iter().for_each(|call| self.arguments(&call.arguments));
                    self.nodes(body);
                }
            }
        }
    }

    fn arguments(&mut self, arguments: &'t Arguments) {
        self.pending.extend(&arguments.positional);
        self.pending
            .extend(arguments.named.iter().map(|(_, value)| value));
        self.pending.extend(arguments.rest.as_deref());
        self.pending.extend(arguments.named_rest.as_deref());
    }

    /// `name.a['b'].get('c', …)`: the name, the path, and what else is evaluated on the way.
    fn chain(&mut self, expr: &'t Expr) -> bool {
        let mut path = Vec::new();
        let mut aside = Vec::new();
        let mut at = expr;
        loop {
            at = match at {
                Expr::Name(name) => {
                    path.reverse();
                    self.found.push((name, path));
                    self.pending.extend(aside);
                    return true;
                }
                Expr::Attribute(inner, name) if !is_method(name) => {
                    path.push(name.as_str());
                    inner
                }
                Expr::Item(inner, key) => match &**key {
                    Expr::Str(key) => {
                        path.push(key.as_str());
                        inner
                    }
                    _ => return false,
                },
                Expr::Call(function, arguments) => match (&**function, arguments.positional.split_first()) {
                    (Expr::Attribute(inner, name), Some((Expr::Str(key), rest)))
                        if name == "get" && arguments.rest.is_none() && arguments.named_rest.is_none() =>
                    {
                        path.push(key.as_str());
                        aside.extend(rest);
                        aside.extend(arguments.named.iter().map(|(_, value)| value));
                        inner
                    }
                    _ => return false,
                },
                _ => return false,
            };
        }
    }

    fn expr(&mut self, expr: &'t Expr) {
        if self.chain(expr) {
            return;
        }
        match expr {
            Expr::None | Expr::Bool(_) | Expr::Int(_) | Expr::Float(_) | Expr::Str(_) | Expr::Name(_) => {}
            Expr::List(items) | Expr::Tuple(items) | Expr::Concat(items) => self.pending.extend(items),
            Expr::Dict(members) => {
                for (key, value) in members {
                    self.pending.extend([key, value]);
                }
            }
            Expr::Attribute(inner, _) | Expr::Not(inner) | Expr::Negative(inner) | Expr::Positive(inner) => {
                self.pending.push(inner);
            }
            Expr::Item(inner, key) => self.pending.extend([&**inner, &**key]),
            Expr::Slice(inner, bounds) => {
                self.pending.push(inner);
                self.pending.extend(bounds.iter().flatten());
            }
            Expr::Call(function, arguments) => {
                self.pending.push(function);
                self.arguments(arguments);
            }
            Expr::Filter(inner, call) | Expr::Test(inner, call) => {
                self.pending.push(inner);
                self.arguments(&call.arguments);
            }
            Expr::And(left, right) | Expr::Or(left, right) | Expr::Binary(_, left, right) => {
                self.pending.extend([&**left, &**right]);
            }
            Expr::Compare(left, operands) => {
                self.pending.push(left);
                self.pending.extend(operands.iter().map(|(_, operand)| operand));
            }
            Expr::Conditional {
                test,
                then,
                otherwise,
            } => {
                self.pending.extend([&**test, &**then]);
                self.pending.extend(otherwise.as_deref());
            }
        }
    }
}

/// A name that a mapping answers with a method.
fn is_method(name: &str) -> bool {
    matches!(
        name,
        "get"
            | "items"
            | "keys"
            | "values"
            | "copy"
            | "pop"
            | "update"
            | "setdefault"
            | "clear"
            | "popitem"
            | "fromkeys"
    )
}
