//! Jinja2's tests: what stands behind `is`.

use super::arguments::Args;
use super::ast::Comparison;
use super::comparison::compare;
use super::fail::{Fail, Run};
use super::operators::{Num, binary};
use super::value::Val;

const NAMES: [&str; 39] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Whether there is such a test.
pub(crate) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// `value is name(args)`.
pub(crate) fn apply<'a>(name: &str, value: &Val<'a>, args: Args<'a>) -> Run<bool> {
    let comparison = match name {
        "==" | "eq" | "equalto" => Some(Comparison::Equal),
        "!=" | "ne" => Some(Comparison::NotEqual),
        "<" | "lt" | "lessthan" => Some(Comparison::Less),
        "<=" | "le" => Some(Comparison::LessOrEqual),
        ">" | "gt" | "greaterthan" => Some(Comparison::Greater),
        ">=" | "ge" => Some(Comparison::GreaterOrEqual),
        "in" => Some(Comparison::In),
        _ => None,
    };
    if comparison.is_some() || matches!(name, "sameas" | "divisibleby") {
        let [other] = args.bind(name, ["other"], 1)?;
        let other = other.unwrap_or(Val::None);
        return match comparison {
            Some(comparison) => compare(comparison, value, &other),
            None if name == "sameas" => {
                Ok(value.type_name() == other.type_name() && super::comparison::equal(value, &other))
            }
            None => remainder(value, &other).map(|rest| rest == Some(0.0)),
        };
    }
    args.bind(name, [], 0)?;
    Ok(match name {
        "defined" => !matches!(value, Val::Undefined(_)),
        "undefined" => matches!(value, Val::Undefined(_)),
        "none" => matches!(value, Val::None),
        "boolean" => matches!(value, Val::Bool(_)),
        "true" => matches!(value, Val::Bool(true)),
        "false" => matches!(value, Val::Bool(false)),
        "integer" => matches!(value, Val::Int(_)),
        "float" => matches!(value, Val::Float(_)),
        "number" => Num::of(value).is_some(),
        "string" => matches!(value, Val::Str(_)),
        "mapping" => value.is_mapping(),
        "iterable" => value.items().is_some(),
        "sequence" => value.length().is_some() && !matches!(value, Val::View(..)),
        "callable" => matches!(value, Val::Function(_) | Val::Method(_) | Val::Undefined(_)),
        "escaped" => false,
        "odd" => remainder(value, &Val::Int(2))? == Some(1.0),
        "even" => remainder(value, &Val::Int(2))? == Some(0.0),
        "lower" | "upper" => {
            let text = super::arguments::string(value);
            let args = Args::default();
            super::strings::call(&text, if name == "lower" { "islower" } else { "isupper" }, args)?.truth()
        }
        "filter" => matches!(value, Val::Str(name) if super::filters::exists(name)),
        "test" => matches!(value, Val::Str(name) if exists(name)),
        other => return Err(Fail::value(format_args!("No test named '{other}'."))),
    })
}

fn remainder<'a>(value: &Val<'a>, divisor: &Val<'a>) -> Run<Option<f64>> {
    let rest = binary(super::ast::Operator::Remainder, value, divisor)?;
    Ok(Num::of(&rest).map(Num::float))
}
