//! Jinja with Python's semantics: what the braces in a manifest mean.
//!
//! A manifest's strings were written for Jinja2 running inside CPython, and their authors rely on CPython: the
//! rendered text goes through `ast.literal_eval`, so `"{{ 123 }}"` is a number and `"{{ none }}"` is null; `~`
//! prints `True` and `None`; dates subtract durations; `'%s' % x`, slices and `str` methods are Python's; a
//! `TypeError` while rendering means "this was not a template after all" and gives the source back.
//!
//! We tried to bend an existing engine first. minijinja parses nearly every public template, but its values
//! cannot take part in operators (`now_utc() - duration('P1D')` is an error before any of our code runs), `~`,
//! `join` and `string` print Rust's idea of a value, and every document has to be wrapped in reference-counted
//! objects before a template may look at it. What was left of it after working around that was a parser. So
//! this is a small evaluator of its own: a template is parsed once, and evaluation walks the tree over *borrowed*
//! JSON, so that `{{ record.id }}` copies an id and not a record.

use std::sync::Arc;

use platform::clock::Clock;
use platform::random::Random;
use serde_json::{Map, Value};

mod arguments;
mod ast;
mod braces;
mod comparison;
mod containers;
mod digests;
mod escapes;
mod evaluator;
mod expressions;
mod fail;
mod filters;
mod lexer;
mod literal;
mod macros;
mod methods;
mod moments;
mod names;
mod operators;
mod parser;
mod percent;
mod predicates;
mod print;
mod result;
mod selections;
mod sequences;
mod statements;
mod strings;
#[cfg(test)]
pub(crate) mod tests;
mod value;
mod wording;

pub use names::Reads;
pub(crate) use print::float as float_repr;
pub use result::Condition;

/// How many evaluation steps a template may take before it is stopped, unless the scope says otherwise.
pub const DEFAULT_FUEL: u64 = 1_000_000;

/// A parsed template; cheap to clone.
#[derive(Clone, Debug)]
pub struct Template(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    source: String,
    nodes: Vec<ast::Node>,
    names: names::Names,
    plain: Option<Plain>,
    /// Mentions `stream_state`, which the format has withdrawn.
    withdrawn: bool,
}

/// A template without braces.
#[derive(Debug)]
struct Plain {
    text: String,
    /// Whether the text is a Python literal.
    literal: bool,
}

/// Why a template does not parse.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message} (at byte {offset} of the template)")]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes from the template's beginning.
    pub offset: usize,
}

/// Why a template does not evaluate.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// An attribute of an undefined value was used, or an undefined value took part in arithmetic.
    #[error("{0}")]
    Undefined(String),
    /// A name that this place does not offer at all.
    #[error("unknown variable {name}: {offered} can be used here")]
    UnknownVariable {
        /// The name.
        name: String,
        /// The names that there are.
        offered: String,
    },
    /// A value was of the wrong kind or out of range.
    #[error("{0}")]
    Value(String),
    /// The template took more steps than it may.
    #[error("the template took too many steps")]
    OutOfFuel,
}

/// What a scope binds to a name.
#[derive(Clone, Copy, Debug)]
pub enum Variable<'a> {
    /// A JSON value.
    Json(&'a Value),
    /// A JSON object.
    Object(&'a Map<String, Value>),
    /// A number, `last_page_size` for one.
    Int(i64),
    /// A text.
    Str(&'a str),
    /// Response headers whose names ignore case (error handlers; the paginators' `headers` are plain JSON).
    Headers(&'a Map<String, Value>),
    /// A stream slice: a mapping that has the attributes `partition`, `cursor_slice` and `extra_fields` too.
    Slice(SliceView<'a>),
}

/// A stream slice as templates see it.
#[derive(Clone, Copy, Debug)]
pub struct SliceView<'a> {
    /// Partition and cursor fields together.
    pub fields: &'a Map<String, Value>,
    /// The partition router's part.
    pub partition: &'a Map<String, Value>,
    /// The incremental part.
    pub cursor_slice: &'a Map<String, Value>,
    /// Fields of the parent record that are carried along.
    pub extra_fields: &'a Map<String, Value>,
}

/// The names a template may use, and the clock, chance and fuel it runs on.
///
/// Binding `stream_slice` binds its aliases `stream_interval` and `stream_partition` too.
#[derive(Clone)]
pub struct Scope<'a> {
    clock: &'a dyn Clock,
    random: &'a dyn Random,
    fuel: u64,
    names: Vec<(&'static str, Variable<'a>)>,
}

impl<'a> Scope<'a> {
    /// A scope with `config` and `parameters`, which every place in a manifest offers.
    pub fn new(
        clock: &'a dyn Clock,
        random: &'a dyn Random,
        config: &'a Value,
        parameters: &'a Value,
    ) -> Self {
        let names = vec![
            ("config", Variable::Json(config)),
            ("parameters", Variable::Json(parameters)),
        ];
        Scope {
            clock,
            random,
            fuel: DEFAULT_FUEL,
            names,
        }
    }

    /// Limits the steps of one evaluation.
    #[must_use]
    pub fn fuel(mut self, steps: u64) -> Self {
        self.fuel = steps;
        self
    }

    /// Binds a name (again: the later binding rules).
    #[must_use]
    pub fn with(mut self, name: &'static str, variable: Variable<'a>) -> Self {
        self.bind(name, variable);
        self
    }

    /// Binds a JSON value.
    #[must_use]
    pub fn with_json(self, name: &'static str, value: &'a Value) -> Self {
        self.with(name, Variable::Json(value))
    }

    /// Binds a name in place.
    pub fn bind(&mut self, name: &'static str, variable: Variable<'a>) {
        match self.names.iter_mut().find(|(bound, _)| *bound == name) {
            Some(entry) => entry.1 = variable,
            None => self.names.push((name, variable)),
        }
    }
}

/// Python types that a result is filtered by (`valid_types`): a literal of another type stays text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidTypes(u16);

impl ValidTypes {
    /// Every type.
    pub const ANY: ValidTypes = ValidTypes(0);
    /// `str`
    pub const STR: ValidTypes = ValidTypes(1);
    /// `int` (and so `bool`, which is one in Python)
    pub const INT: ValidTypes = ValidTypes(2 | 4);
    /// `bool`
    pub const BOOL: ValidTypes = ValidTypes(4);
    /// `float`
    pub const FLOAT: ValidTypes = ValidTypes(8);
    /// `list`
    pub const LIST: ValidTypes = ValidTypes(16);
    /// `dict`
    pub const DICT: ValidTypes = ValidTypes(32);
    /// What request parameters and form bodies keep: `str` and `list`.
    pub const REQUEST: ValidTypes = ValidTypes(1 | 16);

    /// Either.
    #[must_use]
    pub const fn or(self, other: ValidTypes) -> ValidTypes {
        ValidTypes(self.0 | other.0)
    }
}

impl Template {
    /// Parses a template. Text without braces is a template too, and the fastest one.
    pub fn parse(source: &str) -> Result<Template, ParseError> {
        let nodes = parser::parse(&lexer::normalised(source))?;
        let plain = match nodes.as_slice() {
            [] => Some(String::new()),
            [ast::Node::Text(text)] => Some(text.clone()),
            _ => None,
        };
        let plain = plain.map(|text| {
            let literal = literal::evaluate(&text).is_some();
            Plain { text, literal }
        });
        let names = names::Names::of(&nodes);
        let withdrawn = source.contains("stream_state");
        Ok(Template(Arc::new(Parsed {
            source: source.to_owned(),
            nodes,
            names,
            plain,
            withdrawn,
        })))
    }

    /// The text it was parsed from.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Whether it has no expressions or statements: evaluating gives the literal value of the source.
    pub fn is_literal(&self) -> bool {
        self.0.plain.is_some()
    }

    /// Names that it expects from its scope, as they are written in it.
    pub fn free(&self) -> &[String] {
        &self.0.names.free
    }

    /// Whether it names this variable (`stream_interval` and `stream_partition` are `stream_slice`).
    pub fn mentions(&self, name: &str) -> bool {
        self.reads(name) != Reads::Nothing
    }

    /// What it looks at in this variable.
    pub fn reads(&self, name: &str) -> Reads {
        self.0.names.reads(name)
    }
}
