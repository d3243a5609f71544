//! Python's comparisons.

use std::cmp::Ordering;

use super::ast::Comparison;
use super::fail::{Fail, Run};
use super::operators::Num;
use super::value::Val;

/// `left == right`.
pub(crate) fn equal<'a>(left: &Val<'a>, right: &Val<'a>) -> bool {
    if let (Some(left), Some(right)) = (Num::of(left), Num::of(right)) {
        return numbers(left, right) == Some(Ordering::Equal);
    }
    match (left, right) {
        (Val::Undefined(_), Val::Undefined(_)) | (Val::None, Val::None) => true,
        (Val::Str(a), Val::Str(b)) => a == b,
        (Val::JsonList(_) | Val::List(_), Val::JsonList(_) | Val::List(_))
        | (Val::Tuple(_), Val::Tuple(_)) => {
            let (a, b) = (
                left.items().unwrap_or_default(),
                right.items().unwrap_or_default(),
            );
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| equal(a, b))
        }
        (Val::View(..), Val::View(..)) => {
            let (a, b) = (
                left.items().unwrap_or_default(),
                right.items().unwrap_or_default(),
            );
            a.len() == b.len() && a.iter().all(|a| b.iter().any(|b| equal(a, b)))
        }
        (Val::DateTime(a), Val::DateTime(b)) => {
            a.offset.is_some() == b.offset.is_some() && a.utc() == b.utc()
        }
        (Val::Date(a), Val::Date(b)) => a == b,
        (Val::Duration(a), Val::Duration(b)) => {
            a.micros == b.micros && a.years * 12 + a.months == b.years * 12 + b.months
        }
        (Val::Function(a), Val::Function(b)) => a == b,
        _ if left.is_mapping() && right.is_mapping() => {
            let a = left.members().unwrap_or_default();
            Some(a.len()) == right.length()
                && a.iter()
                    .all(|(key, value)| right.member(key).is_some_and(|other| equal(value, &other)))
        }
        _ => false,
    }
}

fn numbers(left: Num, right: Num) -> Option<Ordering> {
    match (left, right) {
        (Num::Int(a), Num::Int(b)) => Some(a.cmp(&b)),
        _ => left.float().partial_cmp(&right.float()),
    }
}

/// `<` and its kin: `Ok(None)` for what is neither (a NaN).
pub(crate) fn order<'a>(symbol: &str, left: &Val<'a>, right: &Val<'a>) -> Run<Option<Ordering>> {
    if let (Some(left), Some(right)) = (Num::of(left), Num::of(right)) {
        return Ok(numbers(left, right));
    }
    Ok(Some(match (left, right) {
        (Val::Str(a), Val::Str(b)) => a.cmp(b),
        (Val::JsonList(_) | Val::List(_), Val::JsonList(_) | Val::List(_))
        | (Val::Tuple(_), Val::Tuple(_)) => {
            let (a, b) = (
                left.items().unwrap_or_default(),
                right.items().unwrap_or_default(),
            );
            for (a, b) in a.iter().zip(&b) {
                if !equal(a, b) {
                    return order(symbol, a, b);
                }
            }
            a.len().cmp(&b.len())
        }
        (Val::DateTime(a), Val::DateTime(b)) if a.offset.is_some() == b.offset.is_some() => {
            a.utc().cmp(&b.utc())
        }
        (Val::DateTime(_), Val::DateTime(_)) => {
            return Err(Fail::Type(
                "can't compare offset-naive and offset-aware datetimes".to_owned(),
            ));
        }
        (Val::Date(a), Val::Date(b)) => a.cmp(b),
        (Val::Duration(a), Val::Duration(b)) if a.is_exact() && b.is_exact() => a.micros.cmp(&b.micros),
        _ => {
            for side in [left, right] {
                if let Val::Undefined(name) = side {
                    return Err(Fail::undefined(name));
                }
            }
            let (left, right) = (left.type_name(), right.type_name());
            return Err(Fail::Type(format!(
                "'{symbol}' not supported between instances of '{left}' and '{right}'"
            )));
        }
    }))
}

/// Only what has a hash can be a key.
pub(crate) fn hashable(key: &Val<'_>) -> Run<()> {
    if matches!(
        key,
        Val::List(_) | Val::JsonList(_) | Val::JsonDict(_) | Val::Dict(_) | Val::Headers(_)
    ) {
        return Err(Fail::Type(format!("unhashable type: '{}'", key.type_name())));
    }
    Ok(())
}

/// `item in container`.
pub(crate) fn contains<'a>(container: &Val<'a>, item: &Val<'a>) -> Run<bool> {
    match (container, item) {
        (Val::Str(text), Val::Str(part)) => Ok(text.contains(part.as_ref())),
        (Val::Str(_), other) => Err(Fail::Type(format!(
            "'in <string>' requires string as left operand, not {}",
            other.type_name()
        ))),
        _ if container.is_mapping() => {
            hashable(item)?;
            Ok(container.member(item).is_some())
        }
        _ => match container.items() {
            Some(items) => Ok(items.iter().any(|own| equal(own, item))),
            None => Err(Fail::Type(format!(
                "argument of type '{}' is not iterable",
                container.type_name()
            ))),
        },
    }
}

pub(crate) fn compare<'a>(comparison: Comparison, left: &Val<'a>, right: &Val<'a>) -> Run<bool> {
    let ordered =
        |symbol: &str, accept: fn(Ordering) -> bool| Ok(order(symbol, left, right)?.is_some_and(accept));
    match comparison {
        Comparison::Equal => Ok(equal(left, right)),
        Comparison::NotEqual => Ok(!equal(left, right)),
        Comparison::Less => ordered("<", Ordering::is_lt),
        Comparison::LessOrEqual => ordered("<=", Ordering::is_le),
        Comparison::Greater => ordered(">", Ordering::is_gt),
        Comparison::GreaterOrEqual => ordered(">=", Ordering::is_ge),
        Comparison::In => contains(right, left),
        Comparison::NotIn => contains(right, left).map(|found| !found),
    }
}
