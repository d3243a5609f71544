//! From what a template rendered to what the manifest's author meant by it.

use serde_json::{Map, Number, Value};

use super::ast::Node;
use super::evaluator::Evaluator;
use super::fail::{Fail, Run};
use super::literal::{self, Literal};
use super::value::Val;
use super::{Scope, Template, TemplateError, ValidTypes, print};

/// What a condition came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whether it holds.
    pub holds: bool,
    /// What was undefined in it, which made it false: worth a warning.
    pub undefined: Option<String>,
}

/// A rendered template.
enum Rendered {
    /// Text that may be a literal.
    Text(String),
    /// The value of the only expression, where printing and reading it again would give the same.
    Value(Value),
}

impl Template {
    /// Evaluates as a manifest's plain interpolated string: rendered, then read as a Python literal where it is
    /// one. An undefined value's attribute is an error; a rendered empty text is an empty text.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, TemplateError> {
        self.evaluate_typed(scope, ValidTypes::ANY)
    }

    /// Like [`Template::evaluate`]; a literal that is not of these types stays text.
    pub fn evaluate_typed(&self, scope: &Scope<'_>, valid: ValidTypes) -> Result<Value, TemplateError> {
        Ok(self.read(self.rendered(scope)?, valid))
    }

    /// Evaluates as an entry of a mapping (request parameters, headers, body data and JSON): empty and undefined
    /// are null, which callers leave out.
    pub fn evaluate_entry(&self, scope: &Scope<'_>, valid: ValidTypes) -> Result<Value, TemplateError> {
        match self.rendered(scope) {
            Err(Fail::Undefined(_)) => Ok(Value::Null),
            Err(fail) => Err(fail.into()),
            Ok(Rendered::Text(text)) if text.is_empty() => Ok(Value::Null),
            Ok(rendered) => Ok(self.read(rendered, valid)),
        }
    }

    /// Like [`Template::evaluate`], then `str()`: paths, URLs, header values, dates.
    pub fn evaluate_str(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        Ok(match self.rendered(scope)? {
            Rendered::Value(value) => print::text(&Val::from_json(&value)),
            Rendered::Text(text) => match self.literal(&text) {
                Some(Literal::Value(value)) => print::text(&value),
                Some(Literal::Set(_) | Literal::Foreign) | None => text,
            },
        })
    }

    /// Evaluates as a condition: false for the format's fixed list of false values, true for anything else.
    /// An undefined value's attribute makes it false.
    pub fn evaluate_bool(&self, scope: &Scope<'_>) -> Result<bool, TemplateError> {
        self.evaluate_condition(scope).map(|condition| condition.holds)
    }

    /// Like [`Template::evaluate_bool`], and says what was undefined.
    pub fn evaluate_condition(&self, scope: &Scope<'_>) -> Result<Condition, TemplateError> {
        let holds = match self.rendered(scope) {
            Err(Fail::Undefined(what)) => {
                return Ok(Condition {
                    holds: false,
                    undefined: Some(what),
                });
            }
            Err(fail) => return Err(fail.into()),
            Ok(Rendered::Value(value)) => !is_false(&value),
            Ok(Rendered::Text(text)) => match self.literal(&text) {
                Some(Literal::Value(Val::Str(text))) => !is_false_text(&text),
                Some(Literal::Value(value)) => value.truth(),
                Some(Literal::Set(items)) => !items.is_empty(),
                Some(Literal::Foreign) => true,
                None => !is_false_text(&text),
            },
        };
        Ok(Condition {
            holds,
            undefined: None,
        })
    }

    /// The rendered text, not read as a literal.
    pub fn render(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        Ok(match self.rendered(scope)? {
            Rendered::Text(text) => text,
            Rendered::Value(value) => print::text(&Val::from_json(&value)),
        })
    }

    fn literal(&self, text: &str) -> Option<Literal> {
        match &self.0.plain {
            Some(plain) if !plain.literal => None,
            _ => literal::evaluate(text),
        }
    }

    fn read(&self, rendered: Rendered, valid: ValidTypes) -> Value {
        match rendered {
            Rendered::Value(value) => {
                if valid.accept(&Val::from_json(&value)) {
                    value
                } else {
                    Value::String(print::text(&Val::from_json(&value)))
                }
            }
            Rendered::Text(text) => match self.literal(&text) {
                Some(Literal::Value(value)) if valid.accept(&value) => plain_json(&value),
                Some(Literal::Set(items)) if valid == ValidTypes::ANY => {
                    items.iter().map(plain_json).collect()
                }
                _ => Value::String(text),
            },
        }
    }

    fn rendered(&self, scope: &Scope<'_>) -> Run<Rendered> {
        if self.0.withdrawn {
            return Err(Fail::value(
                "stream_state cannot be used in templates; use stream_interval",
            ));
        }
        if let Some(plain) = &self.0.plain {
            return Ok(Rendered::Text(plain.text.clone()));
        }
        scope.offers(&self.0.names.free)?;
        let mut evaluator = Evaluator::new(scope);
        let rendered = match self.0.nodes.as_slice() {
            [Node::Output(expr)] => evaluator.eval(expr).map(|value| match json(&value, 0) {
                Some(value) => Rendered::Value(value),
                None => Rendered::Text(print::text(&value)),
            }),
            nodes => {
                let mut text = String::new();
                evaluator.render(nodes, &mut text).map(|()| Rendered::Text(text))
            }
        };
        match rendered {
            // For the reference a TypeError says that this was no template.
            Err(Fail::Type(_)) => Ok(Rendered::Text(self.0.source.clone())),
            other => other,
        }
    }
}

/// A value as JSON, if that is what its text would be read as: texts may be literals, and so are not values yet.
fn json(value: &Val<'_>, depth: usize) -> Option<Value> {
    if depth > 100 {
        return None;
    }
    Some(match value {
        Val::None => Value::Null,
        Val::Bool(truth) => Value::Bool(*truth),
        Val::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => return None,
        },
        Val::Float(number) => Value::Number(Number::from_f64(*number)?),
        Val::Str(text) if depth > 0 => Value::String(text.to_string()),
        Val::JsonList(items) => Value::Array(items.to_vec()),
        Val::JsonDict(members) => Value::Object((*members).clone()),
        Val::Slice(slice) => Value::Object(slice.fields.clone()),
        Val::List(items) => Value::Array(
            items
                .borrow()
                .iter()
                .map(|item| json(item, depth + 1))
                .collect::<Option<_>>()?,
        ),
        Val::Dict(members) => {
            let mut object = Map::new();
            for (key, value) in members.borrow().iter() {
                let Val::Str(key) = key else { return None };
                object.insert(key.to_string(), json(value, depth + 1)?);
            }
            Value::Object(object)
        }
        _ => return None,
    })
}

impl ValidTypes {
    fn accept(self, value: &Val<'_>) -> bool {
        let bit = match value {
            Val::Str(_) => 1,
            Val::Int(_) => 2,
            Val::Bool(_) => 4,
            Val::Float(_) => 8,
            Val::List(_) | Val::JsonList(_) => 16,
            Val::Dict(_) | Val::JsonDict(_) => 32,
            _ => 0,
        };
        self == ValidTypes::ANY || self.0 & bit != 0
    }
}

/// A literal as JSON: tuples are arrays, keys are texts as `json.dumps` writes them, whole numbers beyond 64 bits
/// keep their digits as text.
fn plain_json(value: &Val<'_>) -> Value {
    match value {
        Val::List(items) => items.borrow().iter().map(plain_json).collect(),
        Val::Tuple(items) => items.iter().map(plain_json).collect(),
        Val::Dict(members) => {
            let members = members.borrow();
            let named = members.iter().map(|(key, value)| {
                let key = match key {
                    Val::Str(key) => key.to_string(),
                    other => print::dumps(other, true, None).unwrap_or_else(|| print::text(other)),
                };
                (key, plain_json(value))
            });
            Value::Object(named.collect())
        }
        other => json(other, 1).unwrap_or_else(|| Value::String(print::text(other))),
    }
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => is_false_text(text),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

fn is_false_text(text: &str) -> bool {
    matches!(text, "False" | "false" | "{}" | "[]" | "()" | "" | "0" | "0.0")
}
