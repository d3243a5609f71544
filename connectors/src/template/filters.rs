//! Jinja2's filters on single values, and the reference's own; [`super::selections`] has those on sequences.

use super::arguments::{Args, items, parse_float, parse_int, string, text, text_or, whole, whole_or};
use super::digests;
use super::fail::{Fail, Run};
use super::operators::Num;
use super::selections;
use super::strings;
use super::value::Val;
use super::{percent, print, wording};

const NAMES: [&str; 31] = [
    "abs",
    "attr",
    "base64binascii_decode",
    "base64decode",
    "base64encode",
    "capitalize",
    "center",
    "d",
    "default",
    "e",
    "escape",
    "float",
    "forceescape",
    "format",
    "hash",
    "hmac",
    "indent",
    "int",
    "lower",
    "regex_replace",
    "regex_search",
    "replace",
    "round",
    "safe",
    "string",
    "striptags",
    "title",
    "tojson",
    "trim",
    "truncate",
    "upper",
];
const MORE: [&str; 2] = ["urlencode", "wordcount"];

/// Whether there is such a filter.
pub(crate) fn exists(name: &str) -> bool {
    NAMES.contains(&name) || MORE.contains(&name) || selections::NAMES.contains(&name)
}

/// `value|name(args)`.
pub(crate) fn apply<'a>(name: &str, value: Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    match name {
        "hash" => digests::hash(value, args),
        "hmac" => digests::hmac(value, args),
        "regex_search" => digests::regex_search(value, args),
        "regex_replace" => digests::regex_replace(value, args),
        "base64encode" | "base64binascii_decode" => {
            args.bind(name, [], 0)?;
            digests::base64_encode(&value)
        }
        "base64decode" => {
            args.bind(name, [], 0)?;
            digests::base64_decode(&value)
        }
        "string" => {
            args.bind(name, [], 0)?;
            match value {
                Val::Str(_) => Ok(value),
                Val::Undefined(_) => Err(Fail::Type(
                    "Object of type Undefined is not JSON serializable".to_owned(),
                )),
                other => match print::dumps(&other, true, None) {
                    Some(json) => Ok(Val::str(format!("\"\"\"{json}\"\"\""))),
                    None => Err(Fail::Type(format!(
                        "Object of type {} is not JSON serializable",
                        other.type_name()
                    ))),
                },
            }
        }
        "default" | "d" => {
            let [default, falsy] = args.bind(name, ["default_value", "boolean"], 0)?;
            let falsy = falsy.is_some_and(|falsy| falsy.truth());
            let absent = matches!(value, Val::Undefined(_)) || falsy && !value.truth();
            Ok(if absent {
                default.unwrap_or(Val::str(""))
            } else {
                value
            })
        }
        "abs" => {
            args.bind(name, [], 0)?;
            match (Num::of(&value), &value) {
                (Some(Num::Int(number)), _) => Ok(Val::Int(number.abs())),
                (Some(Num::Float(number)), _) => Ok(Val::Float(number.abs())),
                (None, Val::Duration(duration)) if duration.micros < 0 => {
                    Ok(Val::Duration(duration.negated()))
                }
                (None, Val::Duration(_)) => Ok(value),
                _ => Err(Fail::Type(format!(
                    "bad operand type for abs(): '{}'",
                    value.type_name()
                ))),
            }
        }
        "attr" => {
            let [attribute] = args.bind(name, ["name"], 1)?;
            let attribute = attribute.unwrap_or(Val::None);
            let attribute = text(&attribute)?;
            Ok(super::methods::attribute(&value, attribute).unwrap_or_else(|| Val::undefined(attribute)))
        }
        "int" => int(&value, args),
        "float" => {
            let [default] = args.bind(name, ["default"], 0)?;
            if let Val::Undefined(name) = &value {
                return Err(Fail::undefined(name));
            }
            let number = match (&value, Num::of(&value)) {
                (_, Some(number)) => Some(number.float()),
                (Val::Str(text), _) => parse_float(text),
                _ => None,
            };
            Ok(number.map(Val::Float).or(default).unwrap_or(Val::Float(0.0)))
        }
        "round" => round(&value, args),
        "lower" => plain(name, args, || Val::str(string(&value).to_lowercase())),
        "upper" => plain(name, args, || Val::str(string(&value).to_uppercase())),
        "capitalize" => plain(name, args, || Val::str(strings::capitalize(&string(&value)))),
        "title" => plain(name, args, || Val::str(wording::title(&string(&value)))),
        "escape" | "e" | "forceescape" => plain(name, args, || Val::str(wording::escape(&string(&value)))),
        "safe" => plain(name, args, || Val::str(string(&value))),
        "striptags" => plain(name, args, || Val::str(wording::strip_tags(&string(&value)))),
        "wordcount" => plain(name, args, || {
            let is_word = |char: char| char.is_alphanumeric() || char == '_';
            Val::int(
                string(&value)
                    .split(|char| !is_word(char))
                    .filter(|word| !word.is_empty())
                    .count(),
            )
        }),
        "trim" => {
            let [chars] = args.bind(name, ["chars"], 0)?;
            let args = Args {
                positional: chars.into_iter().collect(),
                named: Vec::new(),
            };
            strings::call(&string(&value), "strip", args)
        }
        "center" => {
            let [width] = args.bind(name, ["width"], 0)?;
            let args = Args {
                positional: vec![width.unwrap_or(Val::Int(80))],
                named: Vec::new(),
            };
            strings::call(&string(&value), "center", args)
        }
        "replace" => {
            let [old, new, count] = args.bind(name, ["old", "new", "count"], 2)?;
            let (old, new) = (
                string(&old.unwrap_or(Val::None)),
                string(&new.unwrap_or(Val::None)),
            );
            let count = usize::try_from(whole_or(&count, -1)?).unwrap_or(usize::MAX);
            strings::replaced(&string(&value), &old, &new, count).map(Val::str)
        }
        "format" => {
            let format = string(&value);
            if args.named.is_empty() {
                return percent::format(&format, &Val::tuple(args.positional)).map(Val::str);
            }
            let members = args
                .named
                .into_iter()
                .map(|(name, value)| (Val::str(name), value))
                .collect();
            percent::format(&format, &Val::dict(members)).map(Val::str)
        }
        "truncate" => match (&value, value.length()) {
            (Val::Str(text), _) => wording::truncate(text, args),
            (_, None) => Err(Fail::Type(format!(
                "object of type '{}' has no len()",
                value.type_name()
            ))),
            (_, Some(0..=255)) => Ok(value),
            _ => Err(Fail::value("truncate wants a text")),
        },
        "indent" => match &value {
            Val::Str(text) => wording::indent(text, args),
            Val::Undefined(name) => Err(Fail::undefined(name)),
            Val::List(_) | Val::JsonList(_) => Err(Fail::value("indent wants a text")),
            other => Err(Fail::Type(format!(
                "unsupported operand types for +=: '{}' and 'str'",
                other.type_name()
            ))),
        },
        "tojson" => {
            let [width] = args.bind(name, ["indent"], 0)?;
            let width = match width {
                None | Some(Val::None) => None,
                Some(width) => usize::try_from(whole(&width)?.min(16)).ok(),
            };
            let json = print::dumps(&value, true, width).ok_or_else(|| {
                Fail::Type(format!(
                    "Object of type {} is not JSON serializable",
                    value.type_name()
                ))
            })?;
            let safe = json
                .replace('<', "\\u003c")
                .replace('>', "\\u003e")
                .replace('&', "\\u0026");
            Ok(Val::str(safe.replace('\'', "\\u0027")))
        }
        "urlencode" => {
            args.bind(name, [], 0)?;
            if value.is_mapping() || !matches!(value, Val::Str(_)) && value.items().is_some() {
                let pairs = match value.members() {
                    Some(members) => members,
                    None => items(&value)?.iter().map(pair).collect::<Run<_>>()?,
                };
                let pairs = pairs.iter().map(|(key, value)| {
                    format!(
                        "{}={}",
                        wording::quote(&string(key), "", true),
                        wording::quote(&string(value), "", true)
                    )
                });
                return Ok(Val::str(pairs.collect::<Vec<_>>().join("&")));
            }
            Ok(Val::str(wording::quote(&string(&value), "/", false)))
        }
        _ => selections::apply(name, value, args),
    }
}

fn plain<'a>(name: &str, args: Args<'a>, make: impl FnOnce() -> Val<'a>) -> Run<Val<'a>> {
    args.bind(name, [], 0)?;
    Ok(make())
}

fn pair<'a>(value: &Val<'a>) -> Run<(Val<'a>, Val<'a>)> {
    let parts = items(value)?;
    match parts.as_slice() {
        [key, value] => Ok((key.clone(), value.clone())),
        _ => Err(Fail::value("expected pairs")),
    }
}

fn int<'a>(value: &Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    let [default, base] = args.bind("int", ["default", "base"], 0)?;
    let base = u32::try_from(whole_or(&base, 10)?)
        .ok()
        .filter(|base| (2..=36).contains(base))
        .unwrap_or(10);
    let of_float = |number: f64| (number.is_finite() && number.abs() < 1e38).then(|| number.trunc() as i128);
    let number = match (value, Num::of(value)) {
        (Val::Undefined(name), _) => return Err(Fail::undefined(name)),
        (_, Some(Num::Int(number))) => Some(number),
        (_, Some(Num::Float(number))) => of_float(number),
        (Val::Str(text), _) => parse_int(text, base).or_else(|| of_float(parse_float(text)?)),
        _ => None,
    };
    Ok(number.map(Val::Int).or(default).unwrap_or(Val::Int(0)))
}

fn round<'a>(value: &Val<'a>, args: Args<'a>) -> Run<Val<'a>> {
    let [precision, method] = args.bind("round", ["precision", "method"], 0)?;
    let precision = i32::try_from(whole_or(&precision, 0)?.clamp(-300, 300)).unwrap_or(0);
    let number = match (value, Num::of(value)) {
        (_, Some(number)) => number,
        (Val::Undefined(name), _) if method.is_some() => return Err(Fail::undefined(name)),
        _ => {
            return Err(Fail::Type(format!(
                "type {} doesn't define __round__ method",
                value.type_name()
            )));
        }
    };
    let scale = 10_f64.powi(precision);
    Ok(match (text_or(&method, "common")?, number) {
        ("ceil", number) => Val::Float((number.float() * scale).ceil() / scale),
        ("floor", number) => Val::Float((number.float() * scale).floor() / scale),
        ("common", Num::Int(number)) if precision >= 0 => Val::Int(number),
        ("common", Num::Int(number)) => {
            let unit = 10_i128.checked_pow(precision.unsigned_abs()).unwrap_or(i128::MAX);
            let (below, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
            let up = rest > unit - rest || rest == unit - rest && below % 2 != 0;
            Val::Int((below + i128::from(up)).saturating_mul(unit))
        }
        ("common", Num::Float(number)) if precision >= 0 => {
            // Formatting rounds the exact binary value, as Python does.
            let places = usize::try_from(precision).unwrap_or(0);
            Val::Float(format!("{number:.places$}").parse().unwrap_or(number))
        }
        ("common", Num::Float(number)) => Val::Float((number * scale).round_ties_even() / scale),
        _ => return Err(Fail::value("round: method must be common, ceil or floor")),
    })
}
