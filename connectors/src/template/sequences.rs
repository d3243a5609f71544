//! Sorting, slicing, attributes by path: what filters and methods do to sequences alike.

use std::cmp::Ordering;

use super::comparison::order;
use super::fail::{Fail, Run};
use super::value::Val;

/// Sorts by a key, stably; a comparison that Python refuses is the result.
pub(crate) fn sorted<'a>(items: Vec<Val<'a>>, key: impl Fn(&Val<'a>) -> Run<Val<'a>>) -> Run<Vec<Val<'a>>> {
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        keyed.push((key(&item)?, item));
    }
    let mut failed = None;
    keyed.sort_by(|(a, _), (b, _)| {
        order("<", a, b)
            .unwrap_or_else(|fail| {
                failed.get_or_insert(fail);
                None
            })
            .unwrap_or(Ordering::Equal)
    });
    match failed {
        Some(fail) => Err(fail),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}

/// `value[start:stop:step]`.
pub(crate) fn slice<'a>(value: &Val<'a>, bounds: [Option<i64>; 3]) -> Run<Val<'a>> {
    let [start, stop, step] = bounds;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Fail::value("slice step cannot be zero"));
    }
    let subscriptable = matches!(
        value,
        Val::Str(_) | Val::List(_) | Val::JsonList(_) | Val::Tuple(_)
    );
    let items = value
        .items()
        .filter(|_| subscriptable)
        .ok_or_else(|| match value {
            Val::Undefined(name) => Fail::undefined(name),
            other => Fail::Type(format!("'{}' object is not subscriptable", other.type_name())),
        })?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let place = |bound: Option<i64>, default: i64| match bound {
        None => default,
        Some(bound) if bound < 0 => bound.saturating_add(length).clamp(low, high),
        Some(bound) => bound.clamp(low, high),
    };
    let (start, stop) = if step > 0 {
        (place(start, 0), place(stop, length))
    } else {
        (place(start, length - 1), place(stop, -1))
    };
    let mut chosen = Vec::new();
    let mut at = start;
    while if step > 0 { at < stop } else { at > stop } {
        chosen.extend(usize::try_from(at).ok().and_then(|at| items.get(at)).cloned());
        at = at.saturating_add(step);
    }
    Ok(match value {
        Val::Str(_) => {
            let text: String = chosen.iter().map(super::arguments::string).collect();
            Val::str(text)
        }
        Val::Tuple(_) => Val::tuple(chosen),
        _ => Val::list(chosen),
    })
}

/// What Jinja2's filters do with an attribute's name: `a.b.0`, where a default stands in at every step.
pub(crate) fn by_path<'a>(value: &Val<'a>, path: &Val<'a>, default: Option<&Val<'a>>) -> Run<Val<'a>> {
    let step = |value: &Val<'a>, key: &Val<'a>| {
        Ok(match (item(value, key)?, default) {
            (Val::Undefined(_), Some(default)) => default.clone(),
            (found, _) => found,
        })
    };
    match path {
        Val::Str(path) => {
            let mut value = value.clone();
            for part in path.split('.') {
                let key = match part.parse::<i128>() {
                    Ok(index) if !part.starts_with(['-', '+']) => Val::Int(index),
                    _ => Val::str(part),
                };
                value = step(&value, &key)?;
            }
            Ok(value)
        }
        other => step(value, other),
    }
}

/// Jinja2's `environment.getitem`.
pub(crate) fn item<'a>(value: &Val<'a>, key: &Val<'a>) -> Run<Val<'a>> {
    if let Val::Undefined(name) = value {
        return Err(Fail::undefined(name));
    }
    let found = match (value, key) {
        (Val::JsonList(items), Val::Int(index)) => at(items.len(), *index)
            .and_then(|at| items.get(at))
            .map(Val::from_json),
        (Val::List(items), Val::Int(index)) => {
            let items = items.borrow();
            at(items.len(), *index).and_then(|at| items.get(at)).cloned()
        }
        (Val::Tuple(items), Val::Int(index)) => at(items.len(), *index).and_then(|at| items.get(at)).cloned(),
        (Val::Str(text), Val::Int(index)) => {
            let length = if *index < 0 {
                text.chars().count()
            } else {
                usize::MAX / 2
            };
            at(length, *index)
                .and_then(|at| text.chars().nth(at))
                .map(Val::str)
        }
        (Val::List(_) | Val::JsonList(_) | Val::Tuple(_) | Val::Str(_), Val::Bool(truth)) => {
            return item(value, &Val::Int(i128::from(*truth)));
        }
        _ => value.member(key),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    // A text that is no key may still be an attribute.
    if let Val::Str(name) = key
        && let Some(found) = super::methods::attribute(value, name)
    {
        return Ok(found);
    }
    Ok(Val::undefined(&match key {
        Val::Str(name) => format!("'{}' of a {}", name, value.type_name()),
        other => format!("{} of a {}", super::print::repr(other), value.type_name()),
    }))
}

fn at(length: usize, index: i128) -> Option<usize> {
    let length = i128::try_from(length).ok()?;
    usize::try_from(if index < 0 { index + length } else { index }).ok()
}
