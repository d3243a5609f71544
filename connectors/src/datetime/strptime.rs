//! `strptime` as CPython has it: each directive stands for a regular expression, and the whole must match, so a
//! directive that took too many digits gives some back.

use chrono::{Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

use super::DateError;
use super::strftime::{DAYS, MONTHS};

#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    year: Option<i32>,
    iso_year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    ordinal: Option<u32>,
    hour: Option<u32>,
    half: Option<bool>,
    twelve: Option<u32>,
    minute: u32,
    second: u32,
    micros: u32,
    /// Days since Monday.
    weekday: Option<u32>,
    week: Option<(char, u32)>,
    offset: Option<FixedOffset>,
}

pub(crate) fn parse(text: &str, format: &str) -> Result<(NaiveDateTime, Option<FixedOffset>), DateError> {
    if let Some(twice) = repeated(format) {
        return Err(DateError::new(format!(
            "the format {format:?} has %{twice} twice"
        )));
    }
    let mut steps = 0;
    let fields = matched(text.as_bytes(), format.as_bytes(), Fields::default(), &mut steps)
        .ok_or_else(|| DateError::new(format!("time data {text:?} does not match format {format:?}")))?;
    let local =
        resolve(&fields).ok_or_else(|| DateError::new(format!("{text:?} is not a date that exists")))?;
    Ok((local, fields.offset))
}

/// What whole formats of the locale stand for.
fn whole(directive: u8) -> Option<&'static str> {
    match directive {
        b'c' => Some("%a %b %d %H:%M:%S %Y"),
        b'x' => Some("%m/%d/%y"),
        b'X' => Some("%H:%M:%S"),
        _ => None,
    }
}

/// The directive that a format has twice. To Python each is a group of a name of its own, and a name is there once.
fn repeated(format: &str) -> Option<char> {
    let mut seen = 0_u128;
    let mut bytes = format.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            continue;
        }
        let directive = bytes.next()?;
        let one = [directive];
        let own = whole(directive).map_or(&one[..], str::as_bytes);
        for letter in own.iter().filter(|byte| byte.is_ascii_alphabetic()) {
            if seen & (1 << letter) != 0 {
                return Some(char::from(*letter));
            }
            seen |= 1 << letter;
        }
    }
    None
}

/// Matches the format against the text. Python's directives overlap (`%d` is one digit or two), so each tries
/// its readings in Python's order until the rest fits.
fn matched(mut text: &[u8], mut format: &[u8], fields: Fields, steps: &mut u32) -> Option<Fields> {
    *steps += 1;
    if *steps > 10_000 {
        return None;
    }
    while let Some((first, rest)) = format.split_first()
        && *first != b'%'
        && !first.is_ascii_whitespace()
    {
        let (own, after) = text.split_first()?;
        if !own.eq_ignore_ascii_case(first) {
            return None;
        }
        (text, format) = (after, rest);
    }
    let Some((&first, rest)) = format.split_first() else {
        return text.is_empty().then_some(fields);
    };
    if first.is_ascii_whitespace() {
        let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let taken = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        return (1..=taken)
            .rev()
            .find_map(|taken| matched(text.get(taken..)?, rest.get(spaces..)?, fields, steps));
    }
    let (&directive, rest) = rest.split_first()?;
    if directive == b'%' {
        return matched(text.strip_prefix(b"%")?, rest, fields, steps);
    }
    if let Some(whole) = whole(directive) {
        return matched(text, &[whole.as_bytes(), rest].concat(), fields, steps);
    }
    let mut each = |length: usize, fields: Fields| matched(text.get(length..)?, rest, fields, steps);
    if let Some((most, range)) = numeric(directive) {
        let digits = text
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let least = if directive == b'Y' || directive == b'G' {
            4
        } else if directive == b'y' {
            2
        } else {
            1
        };
        let padded =
            directive == b'd' && text.first() == Some(&b' ') && text.get(1).is_some_and(u8::is_ascii_digit);
        let mut candidates = (least..=digits).rev().chain(padded.then_some(2));
        return candidates.find_map(|length| {
            let taken = text.get(..length)?.trim_ascii_start();
            let value = taken
                .iter()
                .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
            if !range.contains(&value) {
                return None;
            }
            let mut fields = fields;
            fields.set(directive, value, taken.len());
            each(length, fields)
        });
    }
    match directive {
        b'a' | b'A' | b'b' | b'B' | b'p' => {
            let names: &[&str] = match directive {
                b'a' | b'A' => &DAYS,
                b'b' | b'B' => &MONTHS,
                _ => &["am", "pm"],
            };
            let short = matches!(directive, b'a' | b'b');
            // Longer names first, as Python tries them.
            let mut order: Vec<(u32, &str)> = (0..).zip(names.iter().copied()).collect();
            order.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
            order.into_iter().find_map(|(index, name)| {
                let name = if short { name.get(..3)? } else { name };
                if !text.get(..name.len())?.eq_ignore_ascii_case(name.as_bytes()) {
                    return None;
                }
                let mut fields = fields;
                match directive {
                    b'a' | b'A' => fields.weekday = Some(index),
                    b'b' | b'B' => fields.month = Some(index + 1),
                    _ => fields.half = Some(index == 1),
                }
                each(name.len(), fields)
            })
        }
        b'Z' => ["utc", "gmt"].into_iter().find_map(|name| {
            let own = text.get(..name.len())?.eq_ignore_ascii_case(name.as_bytes());
            own.then(|| each(name.len(), fields)).flatten()
        }),
        b'z' => zones(text).into_iter().find_map(|(length, seconds)| {
            let mut fields = fields;
            fields.offset = Some(FixedOffset::east_opt(seconds)?);
            each(length, fields)
        }),
        _ => None,
    }
}

/// How many digits a directive takes at most, and which values.
fn numeric(directive: u8) -> Option<(usize, std::ops::RangeInclusive<u32>)> {
    Some(match directive {
        b'Y' | b'G' => (4, 0..=9999),
        b'y' => (2, 0..=99),
        b'm' => (2, 1..=12),
        b'd' => (2, 1..=31),
        b'j' => (3, 1..=366),
        b'H' => (2, 0..=23),
        b'I' => (2, 1..=12),
        b'M' => (2, 0..=59),
        b'S' => (2, 0..=61),
        b'f' => (6, 0..=999_999),
        b'U' | b'W' => (2, 0..=53),
        b'V' => (2, 0..=53),
        b'w' => (1, 0..=6),
        b'u' => (1, 1..=7),
        _ => return None,
    })
}

impl Fields {
    fn set(&mut self, directive: u8, value: u32, digits: usize) {
        match directive {
            b'Y' => self.year = i32::try_from(value).ok(),
            b'G' => self.iso_year = i32::try_from(value).ok(),
            b'y' => self.year = i32::try_from(if value <= 68 { 2000 + value } else { 1900 + value }).ok(),
            b'm' => self.month = Some(value),
            b'd' => self.day = Some(value),
            b'j' => self.ordinal = Some(value),
            // Of the two, the one that comes last counts.
            b'H' => (self.hour, self.twelve) = (Some(value), None),
            b'I' => self.twelve = Some(value),
            b'M' => self.minute = value,
            b'S' => self.second = value,
            b'f' => self.micros = value * 10_u32.pow(6 - u32::try_from(digits.min(6)).unwrap_or(6)),
            b'w' => self.weekday = Some((value + 6) % 7),
            b'u' => self.weekday = Some(value - 1),
            _ => self.week = Some((char::from(directive), value)),
        }
    }
}

/// The readings of an offset: `Z`, `+02`… is none, `+0200`, `+02:00`, `+02:00:30`.
fn zones(text: &[u8]) -> Vec<(usize, i32)> {
    let two = |at: usize| -> Option<i32> {
        let digits = text.get(at..at + 2)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| std::str::from_utf8(digits).ok()?.parse().ok())
            .flatten()
    };
    let mut readings = Vec::new();
    match text.first() {
        Some(b'Z') => readings.push((1, 0)),
        Some(sign @ (b'+' | b'-')) => {
            let sign = if *sign == b'-' { -1 } else { 1 };
            let colon = usize::from(text.get(3) == Some(&b':'));
            if let (Some(hours), Some(minutes @ 0..=59)) = (two(1), two(3 + colon)) {
                let base = hours * 3600 + minutes * 60;
                let at = 5 + colon;
                let second_colon = usize::from(text.get(at) == Some(&b':'));
                // Either both parts are set apart by a colon or neither.
                if second_colon == colon
                    && let Some(seconds @ 0..=59) = two(at + second_colon)
                {
                    readings.push((at + second_colon + 2, sign * (base + seconds)));
                }
                readings.push((at, sign * base));
            }
        }
        _ => {}
    }
    readings
}

fn resolve(fields: &Fields) -> Option<NaiveDateTime> {
    let date = date(fields)?;
    let hour = match (fields.hour, fields.twelve, fields.half) {
        (_, Some(twelve), half) => twelve % 12 + if half == Some(true) { 12 } else { 0 },
        (hour, None, _) => hour.unwrap_or(0),
    };
    // Python reads 60 and 61 and then refuses them.
    let time = NaiveTime::from_hms_micro_opt(hour, fields.minute, fields.second, fields.micros)?;
    Some(date.and_time(time))
}

fn date(fields: &Fields) -> Option<NaiveDate> {
    if let Some(iso_year) = fields.iso_year {
        let (('V', week), Some(weekday)) = (fields.week?, fields.weekday) else {
            return None;
        };
        let weekday = Weekday::try_from(u8::try_from(weekday).ok()?).ok()?;
        return NaiveDate::from_isoywd_opt(iso_year, week, weekday);
    }
    let year = fields.year.unwrap_or(1900);
    if year < 1 {
        return None;
    }
    if let Some(ordinal) = fields.ordinal {
        return NaiveDate::from_ymd_opt(year, 1, 1)?.checked_add_days(Days::new(u64::from(ordinal - 1)));
    }
    if let (Some((kind @ ('U' | 'W'), week)), Some(weekday), Some(_)) =
        (fields.week, fields.weekday, fields.year)
    {
        let first = NaiveDate::from_ymd_opt(year, 1, 1)?;
        let (begins, weekday) = if kind == 'U' {
            (first.weekday().num_days_from_sunday(), (weekday + 1) % 7)
        } else {
            (first.weekday().num_days_from_monday(), weekday)
        };
        // Week 1 begins on the year's first Sunday (or Monday).
        let offset = i64::from((7 - begins) % 7) + (i64::from(week) - 1) * 7 + i64::from(weekday);
        return first
            .checked_add_signed(chrono::TimeDelta::days(offset))
            .filter(|date| date.year() >= 1);
    }
    NaiveDate::from_ymd_opt(year, fields.month.unwrap_or(1), fields.day.unwrap_or(1))
}
