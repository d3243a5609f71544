//! Attributes and methods: what stands behind a dot, by Python's type.

use chrono::{Datelike, NaiveTime, Timelike};

use super::arguments::Args;
use super::fail::{Fail, Run};
use super::print;
use super::value::{Moment, Val};
use super::{containers, moments, strings};
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
        Val::JsonDict(_) | Val::Dict(_) | Val::Headers(_) | Val::Slice(_) => {
            containers::mapping(value, name, args)
        }
        Val::JsonList(_) | Val::List(_) | Val::Tuple(_) => containers::list(value, name, args),
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
