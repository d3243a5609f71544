//! Attributes and methods: what stands behind a dot, by Python's type.

use chrono::{Datelike, NaiveTime, Timelike};

use super::arguments::{Args, items, whole_or};
use super::comparison::equal;
use super::fail::{Fail, Run};
use super::print;
use super::value::{Moment, Val};
use super::{moments, strings};
use crate::datetime::strftime;

const STR: [&str; 40] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
];
const STR_TOO: [&str; 4] = ["swapcase", "zfill", "rindex", "translate"];
const DICT: [&str; 11] = [
    "get",
    "items",
    "keys",
    "values",
    "copy",
    "pop",
    "update",
    "setdefault",
    "clear",
    "popitem",
    "fromkeys",
];
const MAPPING: [&str; 4] = ["get", "items", "keys", "values"];
const LIST: [&str; 11] = [
    "append", "extend", "insert", "pop", "remove", "index", "count", "reverse", "sort", "copy", "clear",
];
const DATETIME: [&str; 18] = [
    "strftime",
    "isoformat",
    "timestamp",
    "date",
    "time",
    "replace",
    "astimezone",
    "weekday",
    "isoweekday",
    "isocalendar",
    "utctimetuple",
    "timetuple",
    "toordinal",
    "ctime",
    "tzname",
    "utcoffset",
    "dst",
    "timetz",
];
const DATE: [&str; 9] = [
    "strftime",
    "isoformat",
    "replace",
    "weekday",
    "isoweekday",
    "toordinal",
    "ctime",
    "isocalendar",
    "timetuple",
];

fn has_method(value: &Val<'_>, name: &str) -> bool {
    match value {
        Val::Str(_) => STR.contains(&name) || STR_TOO.contains(&name),
        Val::JsonDict(_) | Val::Dict(_) => DICT.contains(&name),
        Val::Headers(_) | Val::Slice(_) => MAPPING.contains(&name),
        Val::JsonList(_) | Val::List(_) => LIST.contains(&name),
        Val::Tuple(_) => matches!(name, "index" | "count"),
        Val::DateTime(_) => DATETIME.contains(&name),
        Val::Date(_) => DATE.contains(&name),
        Val::Duration(_) => name == "total_seconds",
        Val::Int(_) | Val::Bool(_) => matches!(name, "bit_length" | "conjugate"),
        Val::Float(_) => matches!(name, "is_integer" | "conjugate"),
        _ => false,
    }
}

/// `getattr(value, name)`, without looking at a mapping's members.
pub(crate) fn attribute<'a>(value: &Val<'a>, name: &str) -> Option<Val<'a>> {
    if has_method(value, name) {
        return Some(Val::Method((value.clone(), name.to_owned()).into()));
    }
    let number = |number: u32| Some(Val::Int(i128::from(number)));
    match value {
        Val::Slice(slice) => match name {
            "partition" | "_partition" => Some(Val::JsonDict(slice.partition)),
            "cursor_slice" => Some(Val::JsonDict(slice.cursor_slice)),
            "extra_fields" => Some(Val::JsonDict(slice.extra_fields)),
            _ => None,
        },
        Val::DateTime(Moment { local, offset }) => match name {
            "year" => Some(Val::Int(i128::from(local.year()))),
            "month" => number(local.month()),
            "day" => number(local.day()),
            "hour" => number(local.hour()),
            "minute" => number(local.minute()),
            "second" => number(local.second()),
            "microsecond" => number(local.nanosecond() / 1000 % 1_000_000),
            "tzinfo" => Some(match offset {
                Some(offset) => Val::str(strftime::format(*local, Some(*offset), "%Z")),
                None => Val::None,
            }),
            _ => None,
        },
        Val::Date(date) => match name {
            "year" => Some(Val::Int(i128::from(date.year()))),
            "month" => number(date.month()),
            "day" => number(date.day()),
            _ => None,
        },
        Val::Duration(duration) => {
            let rest = duration.micros.rem_euclid(86_400_000_000);
            let part = |part: i64| Some(Val::Int(i128::from(part)));
            match name {
                "days" => part(duration.micros.div_euclid(86_400_000_000)),
                "seconds" => part(rest / 1_000_000),
                "microseconds" => part(rest % 1_000_000),
                "years" if !duration.is_exact() => part(duration.years),
                "months" if !duration.is_exact() => part(duration.months),
                _ => None,
            }
        }
        Val::Int(_) | Val::Bool(_) | Val::Float(_) => (name == "real").then(|| value.clone()),
        _ => None,
    }
}

fn missing<'a>(value: &Val<'a>, name: &str) -> Fail {
    Fail::Undefined(format!(
        "'{} object' has no attribute '{name}'",
        value.type_name()
    ))
}

/// Calls a method.
pub(crate) fn call<'a>(value: &Val<'a>, name: &str, args: Args<'a>) -> Run<Val<'a>> {
    if !has_method(value, name) {
        // An attribute or a member that is not a function, or nothing at all.
        return Err(
            match (value, attribute(value, name).or_else(|| value.member_named(name))) {
                (Val::Undefined(name), _) => Fail::undefined(name),
                (_, Some(other)) => Fail::Type(format!("'{}' object is not callable", other.type_name())),
                (_, None) => missing(value, name),
            },
        );
    }
    match value {
        Val::Str(own) => strings::call(own, name, args),
        Val::JsonDict(_) | Val::Dict(_) | Val::Headers(_) | Val::Slice(_) => mapping(value, name, args),
        Val::JsonList(_) | Val::List(_) | Val::Tuple(_) => list(value, name, args),
        Val::DateTime(moment) => moments::call(moment, name, args),
        Val::Date(date) => match name {
            "isoformat" => {
                args.bind(name, [], 0)?;
                Ok(Val::str(print::text(value)))
            }
            "replace" | "strftime" | "weekday" | "isoweekday" | "toordinal" | "ctime" | "isocalendar" => {
                let moment = Moment {
                    local: date.and_time(NaiveTime::MIN),
                    offset: None,
                };
                match moments::call(&moment, name, args)? {
                    Val::DateTime(moment) => Ok(Val::Date(moment.local.date())),
                    other => Ok(other),
                }
            }
            _ => Err(missing(value, name)),
        },
        Val::Duration(duration) => {
            args.bind(name, [], 0)?;
            Ok(Val::Float(duration.micros as f64 / 1e6))
        }
        Val::Float(number) if name == "is_integer" => Ok(Val::Bool(number.fract() == 0.0)),
        Val::Int(number) if name == "bit_length" => {
            Ok(Val::Int(i128::from(128 - number.unsigned_abs().leading_zeros())))
        }
        other => Ok(other.clone()),
    }
}

fn mapping<'a>(value: &Val<'a>, name: &str, args: Args<'a>) -> Run<Val<'a>> {
    let members = || value.members().unwrap_or_default();
    let key_error = |key: &Val<'a>| Fail::Value(format!("KeyError: {}", print::repr(key)));
    let immutable = || Fail::value(format_args!("{name}: the template's inputs cannot be changed"));
    match name {
        "get" => {
            let [key, default] = args.bind("get", ["key", "default"], 1)?;
            let key = key.unwrap_or(Val::None);
            super::comparison::hashable(&key)?;
            Ok(value.member(&key).or(default).unwrap_or(Val::None))
        }
        "keys" | "values" | "items" => {
            args.bind(name, [], 0)?;
            Ok(match name {
                "keys" => Val::View(
                    "dict_keys",
                    members()
                        .into_iter()
                        .map(|(key, _)| key)
                        .collect::<Vec<_>>()
                        .into(),
                ),
                "values" => Val::View(
                    "dict_values",
                    members()
                        .into_iter()
                        .map(|(_, value)| value)
                        .collect::<Vec<_>>()
                        .into(),
                ),
                _ => {
                    let pairs = members()
                        .into_iter()
                        .map(|(key, value)| Val::tuple(vec![key, value]));
                    Val::View("dict_items", pairs.collect::<Vec<_>>().into())
                }
            })
        }
        "copy" => Ok(Val::dict(members())),
        "fromkeys" => Err(Fail::value("fromkeys is not supported")),
        _ => {
            let Val::Dict(own) = value else {
                return Err(immutable());
            };
            match name {
                "clear" => own.borrow_mut().clear(),
                "update" => {
                    for given in &args.positional {
                        let given = given
                            .members()
                            .ok_or_else(|| Fail::Type("update() wants a dict".to_owned()))?;
                        for (key, value) in given {
                            put(value, own, key);
                        }
                    }
                    for (key, value) in args.named {
                        put(value, own, Val::str(key));
                    }
                }
                "setdefault" => {
                    let [key, default] = args.bind(name, ["key", "default"], 1)?;
                    let key = key.unwrap_or(Val::None);
                    if let Some(present) = value.member(&key) {
                        return Ok(present);
                    }
                    let default = default.unwrap_or(Val::None);
                    put(default.clone(), own, key);
                    return Ok(default);
                }
                "pop" => {
                    let [key, default] = args.bind(name, ["key", "default"], 1)?;
                    let key = key.unwrap_or(Val::None);
                    let at = own.borrow().iter().position(|(own, _)| equal(own, &key));
                    return match at {
                        Some(at) => Ok(own.borrow_mut().remove(at).1),
                        None => default.ok_or_else(|| key_error(&key)),
                    };
                }
                _ => {
                    let last = own.borrow_mut().pop();
                    return last
                        .map(|(key, value)| Val::tuple(vec![key, value]))
                        .ok_or_else(|| Fail::value("popitem(): dictionary is empty"));
                }
            }
            Ok(Val::None)
        }
    }
}

fn put<'a>(value: Val<'a>, members: &std::cell::RefCell<super::value::Members<'a>>, key: Val<'a>) {
    let value = value.frozen();
    let mut members = members.borrow_mut();
    match members.iter_mut().find(|(own, _)| equal(own, &key)) {
        Some(member) => member.1 = value,
        None => members.push((key, value)),
    }
}

fn list<'a>(value: &Val<'a>, name: &str, args: Args<'a>) -> Run<Val<'a>> {
    let own = items(value)?;
    match name {
        "index" | "count" => {
            let [wanted, ..] = args.bind(name, ["value", "start", "stop"], 1)?;
            let wanted = wanted.unwrap_or(Val::None);
            if name == "count" {
                return Ok(Val::int(own.iter().filter(|item| equal(item, &wanted)).count()));
            }
            let at = own.iter().position(|item| equal(item, &wanted));
            return at
                .map(Val::int)
                .ok_or_else(|| Fail::value(format_args!("{} is not in list", print::repr(&wanted))));
        }
        "copy" => return Ok(Val::list(own)),
        _ => {}
    }
    let Val::List(own) = value else {
        return Err(Fail::value(format_args!(
            "{name}: the template's inputs cannot be changed"
        )));
    };
    let place = |index: i64, length: usize| -> usize {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        usize::try_from(if index < 0 {
            (index + length).max(0)
        } else {
            index.min(length)
        })
        .unwrap_or(0)
    };
    match name {
        "append" => {
            let [item] = args.bind(name, ["object"], 1)?;
            let item = item.unwrap_or(Val::None).frozen();
            own.borrow_mut().push(item);
        }
        "extend" => {
            let [more] = args.bind(name, ["iterable"], 1)?;
            let more: Vec<Val<'a>> = items(&more.unwrap_or(Val::None))?
                .iter()
                .map(Val::frozen)
                .collect();
            own.borrow_mut().extend(more);
        }
        "insert" => {
            let [index, item] = args.bind(name, ["index", "object"], 2)?;
            let item = item.unwrap_or(Val::None).frozen();
            let at = place(whole_or(&index, 0)?, own.borrow().len());
            own.borrow_mut().insert(at, item);
        }
        "pop" => {
            let [index] = args.bind(name, ["index"], 0)?;
            let index = whole_or(&index, -1)?;
            let length = own.borrow().len();
            let at = if index < 0 {
                length.checked_sub(index.unsigned_abs() as usize)
            } else {
                Some(index as usize)
            };
            return match at.filter(|at| *at < length) {
                Some(at) => Ok(own.borrow_mut().remove(at)),
                None => Err(Fail::value("pop index out of range")),
            };
        }
        "remove" => {
            let [item] = args.bind(name, ["value"], 1)?;
            let item = item.unwrap_or(Val::None);
            let at = own.borrow().iter().position(|own| equal(own, &item));
            match at {
                Some(at) => drop(own.borrow_mut().remove(at)),
                None => return Err(Fail::value("list.remove(x): x not in list")),
            }
        }
        "reverse" => own.borrow_mut().reverse(),
        "clear" => own.borrow_mut().clear(),
        _ => {
            let [key, reverse] = args.bind(name, ["key", "reverse"], 0)?;
            if key.is_some_and(|key| !matches!(key, Val::None)) {
                return Err(Fail::value("sort: a key is not supported"));
            }
            let unsorted = own.borrow().clone();
            let mut sorted = super::sequences::sorted(unsorted, |item| Ok(item.clone()))?;
            if reverse.is_some_and(|reverse| reverse.truth()) {
                sorted.reverse();
            }
            *own.borrow_mut() = sorted;
        }
    }
    Ok(Val::None)
}
