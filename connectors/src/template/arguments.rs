//! Arguments of a call, and how they meet a function's parameters.

use super::fail::{Fail, Run};
use super::operators::Num;
use super::print;
use super::value::Val;

#[derive(Clone, Default)]
pub(crate) struct Args<'a> {
    pub(crate) positional: Vec<Val<'a>>,
    pub(crate) named: Vec<(String, Val<'a>)>,
}

impl<'a> Args<'a> {
    /// The arguments by the order of the parameters; the first `required` must be there.
    pub(crate) fn bind<const N: usize>(
        self,
        function: &str,
        parameters: [&str; N],
        required: usize,
    ) -> Run<[Option<Val<'a>>; N]> {
        let mut bound = [const { None }; N];
        if self.positional.len() > N {
            let given = self.positional.len();
            return Err(Fail::Type(format!(
                "{function}() takes {N} arguments but {given} were given"
            )));
        }
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.named {
            match parameters
                .iter()
                .position(|own| *own == name)
                .and_then(|index| bound.get_mut(index))
            {
                Some(slot @ None) => *slot = Some(value),
                Some(_) => {
                    return Err(Fail::Type(format!(
                        "{function}() got several values for '{name}'"
                    )));
                }
                None => {
                    return Err(Fail::Type(format!(
                        "{function}() got an unexpected argument '{name}'"
                    )));
                }
            }
        }
        match bound
            .iter()
            .zip(parameters)
            .take(required)
            .find(|(value, _)| value.is_none())
        {
            Some((_, name)) => Err(Fail::Type(format!("{function}() misses its argument '{name}'"))),
            None => Ok(bound),
        }
    }
}

/// An argument that must be a text: of anything else, undefined too, Python's own functions make a `TypeError`.
pub(crate) fn text<'v>(value: &'v Val<'_>) -> Run<&'v str> {
    match value {
        Val::Str(text) => Ok(text),
        other => Err(Fail::Type(format!(
            "expected a string, not {}",
            other.type_name()
        ))),
    }
}

pub(crate) fn text_or<'v>(value: &'v Option<Val<'_>>, default: &'v str) -> Run<&'v str> {
    match value {
        None | Some(Val::None) => Ok(default),
        Some(value) => text(value),
    }
}

/// An argument that must be a whole number.
pub(crate) fn whole(value: &Val<'_>) -> Run<i64> {
    match Num::of(value) {
        Some(Num::Int(number)) => i64::try_from(number).map_err(|_| Fail::value("the number is too large")),
        _ => Err(Fail::Type(format!(
            "expected an integer, not {}",
            value.type_name()
        ))),
    }
}

pub(crate) fn whole_or(value: &Option<Val<'_>>, default: i64) -> Run<i64> {
    match value {
        None | Some(Val::None) => Ok(default),
        Some(value) => whole(value),
    }
}

/// The items of an iterable argument.
pub(crate) fn items<'a>(value: &Val<'a>) -> Run<Vec<Val<'a>>> {
    value
        .items()
        .ok_or_else(|| Fail::Type(format!("'{}' object is not iterable", value.type_name())))
}

/// Python's `float(text)`.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    match lower.trim_start_matches(['+', '-']) {
        "inf" | "infinity" | "nan" => {}
        digits if digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') => {}
        _ => return None,
    }
    without_underscores(&lower)?.parse().ok()
}

/// Python's `int(text, base)`.
pub(crate) fn parse_int(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = match base {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    let head = digits
        .get(..2)
        .filter(|head| !prefix.is_empty() && head.eq_ignore_ascii_case(prefix));
    let digits = if head.is_some() { digits.get(2..)? } else { digits };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i128::from_str_radix(&format!("{sign}{}", without_underscores(digits)?), base).ok()
}

/// Single underscores may stand between digits.
fn without_underscores(text: &str) -> Option<String> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    Some(text.replace('_', ""))
}

/// `str(value)` of an argument.
pub(crate) fn string(value: &Val<'_>) -> String {
    print::text(value)
}
