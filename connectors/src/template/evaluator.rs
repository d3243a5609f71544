//! Walks a template's tree over borrowed values.

use super::arguments::{Args, items, whole};
use super::ast::{Arguments, Call, Expr};
use super::fail::{Fail, Run};
use super::operators::{self, MAX_LENGTH};
use super::sequences;
use super::value::Val;
use super::{Scope, Variable, comparison, filters, macros, methods, names, predicates, print};

/// Expressions may nest this deep when they run.
const MAX_DEPTH: usize = 200;

pub(crate) struct Evaluator<'a> {
    scope: &'a Scope<'a>,
    fuel: u64,
    depth: usize,
    /// Assigned names, the innermost last; `frame` is where the innermost scope begins.
    pub(super) locals: Vec<(&'a str, Val<'a>)>,
    pub(super) frame: usize,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(scope: &'a Scope<'a>) -> Evaluator<'a> {
        Evaluator {
            scope,
            fuel: scope.fuel,
            depth: 0,
            locals: Vec::new(),
            frame: 0,
        }
    }

    pub(super) fn spend(&mut self, steps: usize) -> Run<()> {
        match self.fuel.checked_sub(steps as u64) {
            Some(rest) => {
                self.fuel = rest;
                Ok(())
            }
            None => Err(Fail::OutOfFuel),
        }
    }

    /// Pays for a value by its size.
    fn paid(&mut self, value: Val<'a>) -> Run<Val<'a>> {
        let size = match &value {
            Val::Str(text) => text.len() / 32,
            Val::List(items) => items.borrow().len(),
            Val::Tuple(items) | Val::View(_, items) | Val::Generator(items) => items.len(),
            Val::Dict(members) => members.borrow().len(),
            _ => 0,
        };
        self.spend(size)?;
        Ok(value)
    }

    pub(super) fn name(&self, name: &str) -> Val<'a> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(own, _)| *own == name) {
            return value.clone();
        }
        match self.scope.find(name) {
            Some(Variable::Json(value)) => Val::from_json(value),
            Some(Variable::Object(members)) => Val::JsonDict(members),
            Some(Variable::Int(number)) => Val::Int(i128::from(*number)),
            Some(Variable::Str(text)) => Val::Str((*text).into()),
            Some(Variable::Headers(members)) => Val::Headers(members),
            Some(Variable::Slice(slice)) => Val::Slice(slice),
            None => macros::find(name).map_or_else(|| Val::undefined(name), Val::Function),
        }
    }

    pub(crate) fn eval(&mut self, expr: &'a Expr) -> Run<Val<'a>> {
        self.spend(1)?;
        Ok(match expr {
            Expr::None => Val::None,
            Expr::Bool(truth) => Val::Bool(*truth),
            Expr::Int(number) => Val::Int(*number),
            Expr::Float(number) => Val::Float(*number),
            Expr::Str(text) => Val::Str(text.as_str().into()),
            Expr::Name(name) => self.name(name),
            _ => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(Fail::value("the expression is nested too deeply"));
                }
                let value = self.compound(expr)?;
                self.depth -= 1;
                value
            }
        })
    }

    fn all(&mut self, items: &'a [Expr]) -> Run<Vec<Val<'a>>> {
        items.iter().map(|item| self.eval(item)).collect()
    }

    fn compound(&mut self, expr: &'a Expr) -> Run<Val<'a>> {
        match expr {
            Expr::Attribute(inner, name) => self.attribute(inner, name),
            Expr::Item(inner, key) => {
                let value = self.eval(inner)?;
                let key = self.eval(key)?;
                sequences::item(&value, &key)
            }
            Expr::Call(function, arguments) => self.call(function, arguments),
            Expr::Filter(inner, call) => self.filter(inner, call),
            Expr::Test(inner, call) => {
                let value = self.eval(inner)?;
                let args = self.arguments(&call.arguments)?;
                predicates::apply(&call.name, &value, args).map(Val::Bool)
            }
            Expr::Not(inner) => Ok(Val::Bool(!self.eval(inner)?.truth())),
            Expr::And(left, right) => {
                let left = self.eval(left)?;
                if left.truth() { self.eval(right) } else { Ok(left) }
            }
            Expr::Or(left, right) => {
                let left = self.eval(left)?;
                if left.truth() { Ok(left) } else { self.eval(right) }
            }
            Expr::Conditional {
                test,
                then,
                otherwise,
            } => match (self.eval(test)?.truth(), otherwise) {
                (true, _) => self.eval(then),
                (false, Some(otherwise)) => self.eval(otherwise),
                (false, None) => Ok(Val::undefined("the inline if-expression without else")),
            },
            Expr::Compare(left, operands) => {
                let mut left = self.eval(left)?;
                for (comparison, right) in operands {
                    let right = self.eval(right)?;
                    if !comparison::compare(*comparison, &left, &right)? {
                        return Ok(Val::Bool(false));
                    }
                    left = right;
                }
                Ok(Val::Bool(true))
            }
            _ => self.made(expr),
        }
    }

    fn made(&mut self, expr: &'a Expr) -> Run<Val<'a>> {
        match expr {
            Expr::List(items) => self.all(items).map(Val::list),
            Expr::Tuple(items) => self.all(items).map(Val::tuple),
            Expr::Dict(members) => {
                let mut made: Vec<(Val<'a>, Val<'a>)> = Vec::with_capacity(members.len());
                for (key, value) in members {
                    let key = self.eval(key)?;
                    comparison::hashable(&key)?;
                    let value = self.eval(value)?;
                    match made.iter_mut().find(|(own, _)| comparison::equal(own, &key)) {
                        Some(member) => member.1 = value,
                        None => made.push((key, value)),
                    }
                }
                Ok(Val::dict(made))
            }
            Expr::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    let part = self.eval(part)?;
                    print::display(&mut text, &part);
                    if text.len() > MAX_LENGTH {
                        return Err(Fail::value("a text grew too long"));
                    }
                }
                self.paid(Val::str(text))
            }
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                let value = operators::binary(*operator, &left, &right)?;
                self.paid(value)
            }
            Expr::Negative(inner) => operators::negative(&self.eval(inner)?),
            Expr::Positive(inner) => operators::positive(&self.eval(inner)?),
            Expr::Slice(inner, bounds) => {
                let value = self.eval(inner)?;
                let mut places = [None; 3];
                for (place, bound) in places.iter_mut().zip(bounds.iter()) {
                    *place = match bound {
                        None => None,
                        Some(bound) => match self.eval(bound)? {
                            Val::None => None,
                            bound => Some(whole(&bound)?),
                        },
                    };
                }
                let value = sequences::slice(&value, places)?;
                self.paid(value)
            }
            other => self.eval(other),
        }
    }

    fn attribute(&mut self, inner: &'a Expr, name: &'a str) -> Run<Val<'a>> {
        let value = self.eval(inner)?;
        if let Val::Undefined(own) = &value {
            return Err(Fail::undefined(own));
        }
        // Python looks for an attribute first, and Jinja2 for a member then.
        if let Some(found) = methods::attribute(&value, name) {
            return Ok(found);
        }
        Ok(value
            .member_named(name)
            .unwrap_or_else(|| Val::undefined(&format!("'{}' of a {}", name, value.type_name()))))
    }

    pub(super) fn arguments(&mut self, arguments: &'a Arguments) -> Run<Args<'a>> {
        let mut args = Args {
            positional: self.all(&arguments.positional)?,
            named: Vec::new(),
        };
        for (name, value) in &arguments.named {
            args.named.push((name.clone(), self.eval(value)?));
        }
        if let Some(rest) = &arguments.rest {
            args.positional.extend(items(&self.eval(rest)?)?);
        }
        if let Some(rest) = &arguments.named_rest {
            let rest = self.eval(rest)?;
            let members = rest
                .members()
                .ok_or_else(|| Fail::Type("argument after ** must be a mapping".to_owned()))?;
            args.named.extend(
                members
                    .into_iter()
                    .map(|(name, value)| (print::text(&name), value)),
            );
        }
        Ok(args)
    }

    fn call(&mut self, function: &'a Expr, arguments: &'a Arguments) -> Run<Val<'a>> {
        if let Expr::Attribute(inner, name) = function {
            let value = self.eval(inner)?;
            let args = self.arguments(arguments)?;
            if let (Expr::Name(own), "cycle") = (&**inner, name.as_str())
                && own == "loop"
            {
                return cycled(&value, &args);
            }
            let result = methods::call(&value, name, args)?;
            return self.paid(result);
        }
        let function = self.eval(function)?;
        let args = self.arguments(arguments)?;
        let result = match &function {
            Val::Function(name) => macros::call(name, args, self.scope.clock, self.scope.random)?,
            Val::Method(method) => methods::call(&method.0, &method.1, args)?,
            Val::Undefined(name) => return Err(Fail::undefined(name)),
            other => {
                return Err(Fail::Type(format!(
                    "'{}' object is not callable",
                    other.type_name()
                )));
            }
        };
        self.paid(result)
    }

    fn filter(&mut self, inner: &'a Expr, call: &'a Call) -> Run<Val<'a>> {
        let value = self.eval(inner)?;
        let args = self.arguments(&call.arguments)?;
        if let Val::JsonList(items) = &value {
            self.spend(items.len())?;
        }
        let result = filters::apply(&call.name, value, args)?;
        self.paid(result)
    }
}

fn cycled<'a>(state: &Val<'a>, args: &Args<'a>) -> Run<Val<'a>> {
    let index = match state.member_named("index0") {
        Some(Val::Int(index)) => usize::try_from(index).unwrap_or(0),
        _ => 0,
    };
    match args.positional.len() {
        0 => Err(Fail::Type("no items for cycling given".to_owned())),
        count => Ok(args.positional.get(index % count).cloned().unwrap_or(Val::None)),
    }
}

impl<'a> Scope<'a> {
    fn find(&self, name: &str) -> Option<&Variable<'a>> {
        let name = names::resolved(name);
        self.names
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, variable)| variable)
    }

    /// Every name that a template needs must be offered, looked at or not.
    pub(crate) fn offers(&self, needed: &[String]) -> Run<()> {
        match needed.iter().find(|name| self.find(name).is_none()) {
            None => Ok(()),
            Some(name) => {
                let offered: Vec<&str> = self.names.iter().map(|(name, _)| *name).collect();
                Err(Fail::UnknownVariable {
                    name: name.clone(),
                    offered: offered.join(", "),
                })
            }
        }
    }
}
