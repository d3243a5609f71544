//! The reference's macros, and the few functions that Jinja2 itself offers.

use chrono::{TimeDelta, TimeZone, Utc};
use platform::clock::Clock;
use platform::random::Random;

use super::arguments::{Args, items, text, whole};
use super::ast::Comparison;
use super::comparison::compare;
use super::fail::{Fail, Run};
use super::operators::Num;
use super::value::{Moment, Val};
use crate::datetime::{self, duration, strftime, strptime};

const NAMES: [&str; 15] = [
    "camel_case_to_snake_case",
    "day_delta",
    "dict",
    "duration",
    "format_datetime",
    "generate_uuid",
    "max",
    "min",
    "namespace",
    "now_utc",
    "sanitize_url",
    "str_to_datetime",
    "timestamp",
    "today_utc",
    "today_with_timezone",
];

/// The function of that name.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|own| *own == name)
}

pub(crate) fn call<'a>(name: &str, args: Args<'a>, clock: &dyn Clock, random: &dyn Random) -> Run<Val<'a>> {
    match name {
        "now_utc" => {
            args.bind(name, [], 0)?;
            Ok(Val::DateTime(now(clock)))
        }
        "today_utc" => {
            args.bind(name, [], 0)?;
            Ok(Val::Date(now(clock).local.date()))
        }
        "today_with_timezone" => {
            let [zone] = args.bind(name, ["timezone"], 1)?;
            let zone = zone.unwrap_or(Val::None);
            let Val::Str(zone) = &zone else {
                return Err(Fail::value("a time zone is a text"));
            };
            let found: chrono_tz::Tz = zone
                .parse()
                .map_err(|_| Fail::value(format_args!("there is no time zone '{zone}'")))?;
            Ok(Val::Date(
                found.from_utc_datetime(&clock.now().naive_utc()).date_naive(),
            ))
        }
        "timestamp" => {
            let [moment] = args.bind(name, ["dt"], 1)?;
            let moment = moment.unwrap_or(Val::None);
            match Num::of(&moment) {
                Some(Num::Int(number)) => Ok(Val::Int(number)),
                Some(Num::Float(number)) if number.is_finite() => Ok(Val::Int(number.trunc() as i128)),
                Some(Num::Float(_)) => Err(Fail::value("cannot convert float NaN or infinity to integer")),
                None => {
                    let moment = iso(&moment)?;
                    Ok(Val::Float(datetime::to_seconds(&datetime::attach(
                        moment.utc(),
                        datetime::UTC,
                    )?)))
                }
            }
        }
        "str_to_datetime" => {
            let [moment] = args.bind(name, ["s"], 1)?;
            iso(&moment.unwrap_or(Val::None)).map(Val::DateTime)
        }
        "max" | "min" => extreme(name, args),
        "day_delta" => {
            let [days, format] = args.bind(name, ["num_days", "format"], 1)?;
            let days = days.unwrap_or(Val::None);
            let micros = match Num::of(&days) {
                Some(days) => days.float() * 86_400e6,
                None => {
                    return Err(Fail::Type(format!(
                        "unsupported type for timedelta days component: {}",
                        days.type_name()
                    )));
                }
            };
            if micros.is_nan() || micros.abs() > 8e18 {
                return Err(Fail::value("date value out of range"));
            }
            let local = datetime::plus_micros(now(clock).local, micros.round_ties_even() as i64)?;
            let format = format.unwrap_or(Val::str("%Y-%m-%dT%H:%M:%S.%f%z"));
            Ok(Val::str(strftime::format(
                local,
                Some(datetime::UTC),
                text(&format)?,
            )))
        }
        "duration" => {
            let [text] = args.bind(name, ["datestring"], 1)?;
            let own = text.unwrap_or(Val::None);
            Ok(Val::Duration(duration::parse(self::text(&own)?)?))
        }
        "format_datetime" => format_datetime(args),
        "sanitize_url" => {
            let [own] = args.bind(name, ["value"], 1)?;
            let own = own.unwrap_or(Val::None);
            Ok(Val::str(super::wording::quote(text(&own)?, "", true)))
        }
        "camel_case_to_snake_case" => {
            let [own] = args.bind(name, ["value"], 1)?;
            let own = own.unwrap_or(Val::None);
            let mut out = String::new();
            for (index, char) in text(&own)?.chars().enumerate() {
                if index > 0 && char.is_ascii_uppercase() {
                    out.push('_');
                }
                out.extend(char.to_lowercase());
            }
            Ok(Val::str(out))
        }
        "generate_uuid" => {
            args.bind(name, [], 0)?;
            let mut bytes = [0; 16];
            random.fill(&mut bytes);
            Ok(Val::str(uuid_v4(bytes)))
        }
        "dict" | "namespace" => {
            let mut members = Vec::new();
            for given in &args.positional {
                match given.members() {
                    Some(given) => members.extend(given),
                    None => {
                        for pair in items(given)? {
                            match items(&pair)?.as_slice() {
                                [key, value] => members.push((key.clone(), value.clone())),
                                _ => return Err(Fail::value("dict wants pairs")),
                            }
                        }
                    }
                }
            }
            members.extend(args.named.into_iter().map(|(key, value)| (Val::str(key), value)));
            Ok(Val::dict(members))
        }
        other => Err(Fail::value(format_args!("there is no function '{other}'"))),
    }
}

fn now(clock: &dyn Clock) -> Moment {
    // Python's clock has microseconds.
    let now = clock.now();
    let cut = now.timestamp_subsec_nanos() % 1000;
    Moment {
        local: (now - TimeDelta::nanoseconds(i64::from(cut))).naive_utc(),
        offset: Some(datetime::UTC),
    }
}

/// `str_to_datetime`: ISO 8601, in UTC.
fn iso(value: &Val<'_>) -> Run<Moment> {
    let moment = match value {
        Val::Str(text) => datetime::parse_iso(text)?.with_timezone(&Utc),
        Val::Undefined(name) => return Err(Fail::undefined(name)),
        other => {
            return Err(Fail::Type(format!(
                "Parser must be a string or character stream, not {}",
                other.type_name()
            )));
        }
    };
    Ok(Moment {
        local: moment.naive_utc(),
        offset: Some(datetime::UTC),
    })
}

fn extreme<'a>(name: &str, args: Args<'a>) -> Run<Val<'a>> {
    if !args.named.is_empty() {
        return Err(Fail::Type(format!("{name}() got an unexpected argument")));
    }
    let candidates = match args.positional.as_slice() {
        [] => return Err(Fail::Type(format!("{name} expected at least 1 argument, got 0"))),
        [only] => {
            let candidates = items(only)?;
            if candidates.is_empty() {
                return Err(Fail::value(format_args!("{name}() arg is an empty sequence")));
            }
            candidates
        }
        _ => args.positional,
    };
    let comparison = if name == "max" {
        Comparison::Greater
    } else {
        Comparison::Less
    };
    let mut candidates = candidates.into_iter();
    let mut best = candidates.next().unwrap_or(Val::None);
    for candidate in candidates {
        if compare(comparison, &candidate, &best)? {
            best = candidate;
        }
    }
    Ok(best)
}

fn format_datetime<'a>(args: Args<'a>) -> Run<Val<'a>> {
    let [moment, format, input] = args.bind("format_datetime", ["dt", "format", "input_format"], 2)?;
    let (moment, format) = (moment.unwrap_or(Val::None), format.unwrap_or(Val::None));
    let format = text(&format)?;
    let input = input.filter(Val::truth);
    let input = input.as_ref().map(text).transpose()?;
    let moment = match &moment {
        Val::DateTime(moment) => return Ok(Val::str(strftime::format(moment.local, moment.offset, format))),
        Val::Int(_) | Val::Bool(_) => {
            let number = if let Val::Bool(truth) = moment {
                i64::from(truth)
            } else {
                whole(&moment)?
            };
            datetime::parse(&number.to_string(), input.unwrap_or("%s"))?
        }
        other => match input {
            Some(input) => {
                let (local, offset) = match other {
                    Val::Str(text) => strptime::parse(text, input)?,
                    other => {
                        let kind = other.type_name();
                        return Err(Fail::Type(format!(
                            "strptime() argument 1 must be str, not {kind}"
                        )));
                    }
                };
                datetime::attach(local, offset.unwrap_or(datetime::UTC))?
            }
            None => {
                let moment = iso(other)?;
                datetime::attach(moment.local, datetime::UTC)?
            }
        },
    };
    Ok(Val::str(datetime::format(&moment, format)))
}

fn uuid_v4(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut out = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}
