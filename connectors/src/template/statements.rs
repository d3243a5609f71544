//! Runs a template's statements.

use super::arguments::items;
use super::ast::{Call, For, Node, Target};
use super::evaluator::Evaluator;
use super::fail::{Fail, Run};
use super::operators::MAX_LENGTH;
use super::value::Val;
use super::{filters, print};

impl<'a> Evaluator<'a> {
    pub(crate) fn render(&mut self, nodes: &'a [Node], out: &mut String) -> Run<()> {
        for node in nodes {
            self.spend(1)?;
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Output(expr) => {
                    let value = self.eval(expr)?;
                    let before = out.len();
                    print::display(out, &value);
                    self.spend((out.len() - before) / 32)?;
                }
                other => self.statement(other, out)?,
            }
            if out.len() > MAX_LENGTH {
                return Err(Fail::value("the text grew too long"));
            }
        }
        Ok(())
    }

    fn statement(&mut self, node: &'a Node, out: &mut String) -> Run<()> {
        match node {
            Node::Text(_) | Node::Output(_) => Ok(()),
            Node::If { branches, otherwise } => {
                for (test, body) in branches {
                    if self.eval(test)?.truth() {
                        return self.render(body, out);
                    }
                }
                self.render(otherwise, out)
            }
            Node::For(each) => self.for_loop(each, out),
            Node::Set { target, value } => {
                let value = self.eval(value)?;
                self.assign(target, value)
            }
            Node::SetBlock {
                target,
                filters,
                body,
            } => {
                let value = self.filtered(filters, body)?;
                self.assign(target, value)
            }
            Node::With { bindings, body } => {
                let values: Run<Vec<_>> = bindings
                    .iter()
                    .map(|(target, value)| Ok((target, self.eval(value)?)))
                    .collect();
                self.scoped(|own| {
                    for (target, value) in values? {
                        own.assign(target, value)?;
                    }
                    own.render(body, out)
                })
            }
            Node::Filter { filters, body } => {
                let value = self.filtered(filters, body)?;
                print::display(out, &value);
                Ok(())
            }
        }
    }

    fn scoped<T>(&mut self, act: impl FnOnce(&mut Self) -> Run<T>) -> Run<T> {
        let (frame, length) = (self.frame, self.locals.len());
        self.frame = length;
        let result = act(self);
        self.locals.truncate(length);
        self.frame = frame;
        result
    }

    fn filtered(&mut self, filters: &'a [Call], body: &'a [Node]) -> Run<Val<'a>> {
        let mut text = String::new();
        self.scoped(|own| own.render(body, &mut text))?;
        let mut value = Val::str(text);
        for call in filters {
            let args = self.arguments(&call.arguments)?;
            value = filters::apply(&call.name, value, args)?;
        }
        Ok(value)
    }

    fn assign(&mut self, target: &'a Target, value: Val<'a>) -> Run<()> {
        match target {
            Target::Name(name) => {
                let frame = self.locals.get_mut(self.frame..).unwrap_or_default();
                match frame.iter_mut().find(|(own, _)| own == name) {
                    Some(local) => local.1 = value,
                    None => self.locals.push((name, value)),
                }
                Ok(())
            }
            Target::Attribute(name, attribute) => match self.name(name) {
                Val::Dict(members) => {
                    let value = value.frozen();
                    let mut members = members.borrow_mut();
                    match members
                        .iter_mut()
                        .find(|(own, _)| matches!(own, Val::Str(own) if own == attribute))
                    {
                        Some(member) => member.1 = value,
                        None => members.push((Val::str(attribute.as_str()), value)),
                    }
                    Ok(())
                }
                _ => Err(Fail::value("cannot assign attribute on non-namespace object")),
            },
            Target::Tuple(targets) => {
                let values = items(&value)?;
                if values.len() != targets.len() {
                    let (given, wanted) = (values.len(), targets.len());
                    return Err(Fail::value(format_args!(
                        "{given} values where {wanted} are assigned"
                    )));
                }
                targets
                    .iter()
                    .zip(values)
                    .try_for_each(|(target, value)| self.assign(target, value))
            }
        }
    }

    fn for_loop(&mut self, each: &'a For, out: &mut String) -> Run<()> {
        let source = self.eval(&each.source)?;
        let mut all = items(&source)?;
        self.spend(all.len())?;
        if let Some(filter) = &each.filter {
            let mut kept = Vec::new();
            for item in all {
                let keep = self.scoped(|own| {
                    own.assign(&each.target, item.clone())?;
                    own.eval(filter)
                })?;
                if keep.truth() {
                    kept.push(item);
                }
            }
            all = kept;
        }
        if all.is_empty() {
            return self.render(&each.otherwise, out);
        }
        for (index, item) in all.iter().enumerate() {
            self.spend(1)?;
            self.scoped(|own| {
                own.locals.push(("loop", loop_state(&all, index)));
                own.assign(&each.target, item.clone())?;
                own.render(&each.body, out)
            })?;
        }
        Ok(())
    }
}

/// `loop`, as a mapping.
fn loop_state<'a>(all: &[Val<'a>], index: usize) -> Val<'a> {
    let length = all.len();
    let beside = |at: Option<usize>| {
        at.and_then(|at| all.get(at))
            .cloned()
            .unwrap_or_else(|| Val::undefined("the item beyond the loop's"))
    };
    let member = |name: &'static str, value: Val<'a>| (Val::Str(name.into()), value);
    Val::dict(vec![
        member("index", Val::int(index + 1)),
        member("index0", Val::int(index)),
        member("revindex", Val::int(length - index)),
        member("revindex0", Val::int(length - index - 1)),
        member("first", Val::Bool(index == 0)),
        member("last", Val::Bool(index + 1 == length)),
        member("length", Val::int(length)),
        member("depth", Val::Int(1)),
        member("depth0", Val::Int(0)),
        member("previtem", beside(index.checked_sub(1))),
        member("nextitem", beside(Some(index + 1))),
    ])
}
