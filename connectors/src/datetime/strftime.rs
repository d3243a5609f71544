//! `strftime` as CPython has it on Linux: glibc's directives and flags in the C locale, with Python's own `%f`
//! and `%z`.

use std::fmt::Write as _;

use chrono::{Datelike, FixedOffset, NaiveDateTime, Timelike};

pub(crate) const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(crate) fn format(local: NaiveDateTime, offset: Option<FixedOffset>, format: &str) -> String {
    let mut out = String::with_capacity(format.len() + 16);
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (plain, directive) = rest.split_at(at);
        out.push_str(plain);
        let flags = directive
            .bytes()
            .skip(1)
            .take_while(|byte| b"_-0^#".contains(byte))
            .count();
        let Some(kind) = directive.get(1 + flags..).and_then(|rest| rest.chars().next()) else {
            out.push_str(directive);
            return out;
        };
        let length = 1 + flags + kind.len_utf8();
        let (whole, after) = directive.split_at(length);
        let flag = whole.chars().nth(1).filter(|_| flags > 0);
        if !write(&mut out, local, offset, kind, flag) {
            out.push_str(whole);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn number(out: &mut String, value: u32, width: usize, fill: char, flag: Option<char>) {
    let fill = match flag {
        Some('-') => {
            let _ = write!(out, "{value}");
            return;
        }
        Some('_') => ' ',
        Some('0') => '0',
        _ => fill,
    };
    let digits = value.to_string();
    for _ in digits.len()..width {
        out.push(fill);
    }
    out.push_str(&digits);
}

fn word(out: &mut String, word: &str, flag: Option<char>) {
    match flag {
        Some('^' | '#') => out.push_str(&word.to_uppercase()),
        _ => out.push_str(word),
    }
}

/// `+HHMM`, seconds and a colon where asked.
pub(crate) fn zone(out: &mut String, offset: FixedOffset, colon: &str) {
    let seconds = offset.local_minus_utc();
    let magnitude = seconds.unsigned_abs();
    let sign = if seconds < 0 { '-' } else { '+' };
    let _ = write!(
        out,
        "{sign}{:02}{colon}{:02}",
        magnitude / 3600,
        magnitude / 60 % 60
    );
    if !magnitude.is_multiple_of(60) {
        let _ = write!(out, "{colon}{:02}", magnitude % 60);
    }
}

fn write(
    out: &mut String,
    local: NaiveDateTime,
    offset: Option<FixedOffset>,
    kind: char,
    flag: Option<char>,
) -> bool {
    let year = local.year();
    let day_name = DAYS
        .get(local.weekday().num_days_from_monday() as usize)
        .copied()
        .unwrap_or_default();
    let month_name = MONTHS.get(local.month0() as usize).copied().unwrap_or_default();
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let hour12 = (local.hour() + 11) % 12 + 1;
    let sunday = local.weekday().num_days_from_sunday();
    let monday = local.weekday().num_days_from_monday();
    let mut nested = |format: &str| out.push_str(&self::format(local, offset, format));
    match kind {
        'D' | 'x' => nested("%m/%d/%y"),
        'F' => nested("%Y-%m-%d"),
        'T' | 'X' => nested("%H:%M:%S"),
        'R' => nested("%H:%M"),
        'r' => nested("%I:%M:%S %p"),
        'c' => nested("%a %b %e %H:%M:%S %Y"),
        'Y' => {
            let _ = write!(out, "{year}");
        }
        'G' => {
            let _ = write!(out, "{}", local.iso_week().year());
        }
        'C' => number(out, year.unsigned_abs() / 100, 2, '0', flag),
        'y' => number(out, year.unsigned_abs() % 100, 2, '0', flag),
        'g' => number(out, local.iso_week().year().unsigned_abs() % 100, 2, '0', flag),
        'm' => number(out, local.month(), 2, '0', flag),
        'd' => number(out, local.day(), 2, '0', flag),
        'e' => number(out, local.day(), 2, ' ', flag),
        'j' => number(out, local.ordinal(), 3, '0', flag),
        'H' => number(out, local.hour(), 2, '0', flag),
        'k' => number(out, local.hour(), 2, ' ', flag),
        'I' => number(out, hour12, 2, '0', flag),
        'l' => number(out, hour12, 2, ' ', flag),
        'M' => number(out, local.minute(), 2, '0', flag),
        'S' => number(out, local.second(), 2, '0', flag),
        'U' => number(out, (local.ordinal() + 6 - sunday) / 7, 2, '0', flag),
        'W' => number(out, (local.ordinal() + 6 - monday) / 7, 2, '0', flag),
        'V' => number(out, local.iso_week().week(), 2, '0', flag),
        'u' => number(out, monday + 1, 1, '0', flag),
        'w' => number(out, sunday, 1, '0', flag),
        'f' => {
            let _ = write!(out, "{:06}", local.nanosecond() / 1000 % 1_000_000);
        }
        'p' => match flag {
            Some('#') => out.push_str(if local.hour() < 12 { "am" } else { "pm" }),
            _ => out.push_str(if local.hour() < 12 { "AM" } else { "PM" }),
        },
        'P' => out.push_str(if local.hour() < 12 { "am" } else { "pm" }),
        'a' => word(out, short(day_name), flag),
        'A' => word(out, day_name, flag),
        'b' | 'h' => word(out, short(month_name), flag),
        'B' => word(out, month_name, flag),
        'n' => out.push('\n'),
        't' => out.push('\t'),
        '%' => out.push('%'),
        // The C library knows no time zone but the machine's, which is taken to be UTC.
        's' => {
            let _ = write!(out, "{}", local.and_utc().timestamp());
        }
        'z' => {
            if let Some(offset) = offset {
                zone(out, offset, "");
            }
        }
        'Z' => match offset {
            Some(offset) if offset.local_minus_utc() == 0 => out.push_str("UTC"),
            Some(offset) => {
                out.push_str("UTC");
                zone(out, offset, ":");
            }
            None => {}
        },
        _ => return false,
    }
    true
}
