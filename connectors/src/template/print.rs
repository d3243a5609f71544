//! `str()`, `repr()` and `json.dumps()`.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::value::{Moment, Val};
use crate::datetime::{Duration, strftime};

/// Deeper than this a container prints as dots.
const MAX_DEPTH: usize = 150;

/// `str(value)`.
pub(crate) fn display(out: &mut String, value: &Val<'_>) {
    match value {
        Val::Undefined(_) => {}
        Val::Str(text) => out.push_str(text),
        Val::DateTime(moment) => isoformat(out, moment, " ", "auto"),
        Val::Date(date) => out.push_str(&date.format("%Y-%m-%d").to_string()),
        Val::Duration(duration) => length(out, duration),
        other => representation(out, other, 0),
    }
}

pub(crate) fn text(value: &Val<'_>) -> String {
    let mut out = String::new();
    display(&mut out, value);
    out
}

pub(crate) fn repr(value: &Val<'_>) -> String {
    let mut out = String::new();
    representation(&mut out, value, 0);
    out
}

fn representation(out: &mut String, value: &Val<'_>, depth: usize) {
    if depth > MAX_DEPTH {
        return out.push_str("...");
    }
    let mut sequence = |open: &str, close: &str, items: &[Val<'_>]| {
        out.push_str(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            representation(out, item, depth + 1);
        }
        out.push_str(close);
    };
    match value {
        Val::Undefined(_) => out.push_str("Undefined"),
        Val::None => out.push_str("None"),
        Val::Bool(true) => out.push_str("True"),
        Val::Bool(false) => out.push_str("False"),
        Val::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Val::Float(number) => out.push_str(&float(*number)),
        Val::Str(text) => quoted(out, text),
        Val::JsonList(_) | Val::List(_) => sequence("[", "]", &value.items().unwrap_or_default()),
        Val::Tuple(items) if items.len() == 1 => sequence("(", ",)", items),
        Val::Tuple(items) => sequence("(", ")", items),
        Val::View(name, items) => {
            let open = format!("{name}([");
            sequence(&open, "])", items);
        }
        Val::JsonDict(_) | Val::Dict(_) | Val::Headers(_) | Val::Slice(_) => {
            out.push('{');
            for (index, (key, value)) in value.members().unwrap_or_default().iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                representation(out, key, depth + 1);
                out.push_str(": ");
                representation(out, value, depth + 1);
            }
            out.push('}');
        }
        Val::Generator(_) => out.push_str("<generator object>"),
        Val::DateTime(moment) => datetime(out, moment),
        Val::Date(date) => {
            let _ = write!(
                out,
                "datetime.date({}, {}, {})",
                date.year(),
                date.month(),
                date.day()
            );
        }
        Val::Duration(duration) => timedelta(out, duration),
        Val::Method(method) => {
            let _ = write!(
                out,
                "<built-in method {} of {} object>",
                method.1,
                method.0.type_name()
            );
        }
        Val::Function(name) => {
            let _ = write!(out, "<function {name}>");
        }
    }
}

/// `repr(float)`: the shortest digits, with an exponent beyond sixteen places or four zeros.
pub(crate) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = number.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// `repr(str)`.
fn quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if char == quote => {
                out.push('\\');
                out.push(char);
            }
            '\0'..='\x1f' | '\x7f'..='\u{a0}' | '\u{ad}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(char));
            }
            // Format characters, separators and the private areas are not printable for Python.
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{feff}'
            | '\u{2000}'..='\u{200a}'
            | '\u{3000}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1680}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            '\u{f0000}'.. => {
                let _ = write!(out, "\\U{:08x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push(quote);
}

/// `datetime.isoformat(sep, timespec)`.
pub(crate) fn isoformat(out: &mut String, moment: &Moment, separator: &str, timespec: &str) {
    let local = moment.local;
    let micros = local.nanosecond() / 1000 % 1_000_000;
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}{separator}{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour()
    );
    if timespec != "hours" {
        let _ = write!(out, ":{:02}", local.minute());
    }
    if !matches!(timespec, "hours" | "minutes") {
        let _ = write!(out, ":{:02}", local.second());
    }
    match timespec {
        "milliseconds" => {
            let _ = write!(out, ".{:03}", micros / 1000);
        }
        "microseconds" => {
            let _ = write!(out, ".{micros:06}");
        }
        "auto" if micros > 0 => {
            let _ = write!(out, ".{micros:06}");
        }
        _ => {}
    }
    if let Some(offset) = moment.offset {
        strftime::zone(out, offset, ":");
    }
}

fn datetime(out: &mut String, moment: &Moment) {
    let local: NaiveDateTime = moment.local;
    let _ = write!(
        out,
        "datetime.datetime({}, {}, {}",
        local.year(),
        local.month(),
        local.day()
    );
    let _ = write!(out, ", {}, {}", local.hour(), local.minute());
    let micros = local.nanosecond() / 1000 % 1_000_000;
    if local.second() > 0 || micros > 0 {
        let _ = write!(out, ", {}", local.second());
    }
    if micros > 0 {
        let _ = write!(out, ", {micros}");
    }
    match moment.offset {
        Some(offset) if offset.local_minus_utc() == 0 => out.push_str(", tzinfo=datetime.timezone.utc)"),
        Some(offset) => {
            let seconds = offset.local_minus_utc();
            let _ = write!(
                out,
                ", tzinfo=datetime.timezone(datetime.timedelta(seconds={seconds})))"
            );
        }
        None => out.push(')'),
    }
}

const DAY: i64 = 86_400_000_000;

/// `str(timedelta)`, with years and months before it as isodate has them.
fn length(out: &mut String, duration: &Duration) {
    if duration.years != 0 {
        let _ = write!(out, "{} years, ", duration.years);
    }
    if duration.months != 0 {
        let _ = write!(
            out,
            "{} month{}, ",
            duration.months,
            if duration.months <= 1 { "" } else { "s" }
        );
    }
    let days = duration.micros.div_euclid(DAY);
    let rest = duration.micros.rem_euclid(DAY);
    if days != 0 {
        let _ = write!(out, "{days} day{}, ", if days.abs() == 1 { "" } else { "s" });
    }
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let _ = write!(
        out,
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if micros > 0 {
        let _ = write!(out, ".{micros:06}");
    }
}

fn timedelta(out: &mut String, duration: &Duration) {
    let days = duration.micros.div_euclid(DAY);
    let rest = duration.micros.rem_euclid(DAY);
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    if !duration.is_exact() {
        let (years, months) = (duration.years, duration.months);
        let _ = write!(
            out,
            "isodate.duration.Duration({days}, {seconds}, {micros}, years={years}, months={months})"
        );
        return;
    }
    let parts: Vec<String> = [("days", days), ("seconds", seconds), ("microseconds", micros)]
        .into_iter()
        .filter(|(_, value)| *value != 0)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let _ = write!(
        out,
        "datetime.timedelta({})",
        if parts.is_empty() {
            "0".to_owned()
        } else {
            parts.join(", ")
        }
    );
}

/// `json.dumps(value)`; `None` for what it cannot write.
pub(crate) fn dumps(value: &Val<'_>, ascii: bool, indent: Option<usize>) -> Option<String> {
    let mut out = String::new();
    dump(&mut out, value, ascii, indent, 0)?;
    Some(out)
}

fn dump(out: &mut String, value: &Val<'_>, ascii: bool, indent: Option<usize>, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    let line = |out: &mut String, depth: usize| {
        if let Some(width) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', width * depth));
        }
    };
    let comma = |out: &mut String, index: usize| {
        if index > 0 {
            out.push_str(if indent.is_some() { "," } else { ", " });
        }
    };
    match value {
        Val::None => out.push_str("null"),
        Val::Bool(truth) => {
            let _ = write!(out, "{truth}");
        }
        Val::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Val::Float(number) if number.is_nan() => out.push_str("NaN"),
        Val::Float(number) if number.is_infinite() => {
            out.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" });
        }
        Val::Float(number) => out.push_str(&float(*number)),
        Val::Str(text) => json_string(out, text, ascii),
        Val::JsonList(_) | Val::List(_) | Val::Tuple(_) => {
            let items = value.items()?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                comma(out, index);
                line(out, depth + 1);
                dump(out, item, ascii, indent, depth + 1)?;
            }
            if !items.is_empty() {
                line(out, depth);
            }
            out.push(']');
        }
        Val::JsonDict(_) | Val::Dict(_) => {
            let members = value.members()?;
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                comma(out, index);
                line(out, depth + 1);
                let key = match key {
                    Val::Str(key) => key.to_string(),
                    Val::None | Val::Bool(_) | Val::Int(_) | Val::Float(_) => dumps(key, ascii, None)?,
                    _ => return None,
                };
                json_string(out, &key, ascii);
                out.push_str(": ");
                dump(out, value, ascii, indent, depth + 1)?;
            }
            if !members.is_empty() {
                line(out, depth);
            }
            out.push('}');
        }
        _ => return None,
    }
    Some(())
}

fn json_string(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            char if ascii && !char.is_ascii() => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            char => out.push(char),
        }
    }
    out.push('"');
}
