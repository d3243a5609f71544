//! ISO 8601 as python-dateutil's `isoparse` reads it: every shape of date (calendar, week, ordinal), with or
//! without separators, any one character before the time, fractions cut to microseconds.

use chrono::{Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

use super::{DateError, in_range};

pub(crate) fn parse(text: &str) -> Result<(NaiveDateTime, Option<FixedOffset>), DateError> {
    let fail = || DateError::new(format!("{text:?} is not an ISO 8601 date"));
    if !text.is_ascii() {
        return Err(fail());
    }
    let (date, used) = common(text).or_else(|| uncommon(text)).ok_or_else(fail)?;
    let (time, next_day, offset) = match text.get(used..) {
        None | Some("") => (NaiveTime::MIN, false, None),
        Some(rest) => clock(rest.get(1..).unwrap_or_default()).ok_or_else(fail)?,
    };
    let date = if next_day {
        date.checked_add_days(Days::new(1)).ok_or_else(fail)?
    } else {
        date
    };
    Ok((in_range(date.and_time(time))?, offset))
}

fn number<T: std::str::FromStr>(text: Option<&str>) -> Option<T> {
    text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}

fn common(text: &str) -> Option<(NaiveDate, usize)> {
    let year = number(text.get(..4))?;
    let mut at = 4;
    if at >= text.len() {
        return Some((NaiveDate::from_ymd_opt(year, 1, 1)?, at));
    }
    let separated = text.get(at..=at) == Some("-");
    at += usize::from(separated);
    let month = number(text.get(at..at + 2))?;
    at += 2;
    if at >= text.len() {
        return if separated {
            Some((NaiveDate::from_ymd_opt(year, month, 1)?, at))
        } else {
            None
        };
    }
    if separated {
        if text.get(at..=at) != Some("-") {
            return None;
        }
        at += 1;
    }
    let day = number(text.get(at..at + 2))?;
    Some((NaiveDate::from_ymd_opt(year, month, day)?, at + 2))
}

fn uncommon(text: &str) -> Option<(NaiveDate, usize)> {
    let year: i32 = number(text.get(..4))?;
    let separated = text.get(4..5) == Some("-");
    let mut at = 4 + usize::from(separated);
    if text.get(at..=at) == Some("W") {
        let week: u32 = number(text.get(at + 1..at + 3))?;
        at += 3;
        let mut day = 1;
        if text.len() > at {
            if (text.get(at..=at) == Some("-")) != separated {
                return None;
            }
            at += usize::from(separated);
            day = number(text.get(at..=at))?;
            at += 1;
        }
        if !(1..54).contains(&week) || !(1..8).contains(&day) {
            return None;
        }
        let first = NaiveDate::from_isoywd_opt(year, 1, Weekday::Mon)?;
        return Some((
            first.checked_add_days(Days::new(u64::from((week - 1) * 7 + day - 1)))?,
            at,
        ));
    }
    let day: u32 = number(text.get(at..at + 3))?;
    let date = NaiveDate::from_yo_opt(year, day)?;
    (date.year() == year).then_some((date, at + 3))
}

fn clock(text: &str) -> Option<(NaiveTime, bool, Option<FixedOffset>)> {
    if text.len() < 2 {
        return None;
    }
    let mut parts = [0_u32; 3];
    let mut micros = 0;
    let mut offset = None;
    let mut separated = false;
    let mut at = 0;
    for component in 0..5 {
        if at >= text.len() {
            break;
        }
        let rest = text.get(at..)?;
        if rest.starts_with(['-', '+', 'Z', 'z']) {
            offset = Some(zone(rest)?);
            at = text.len();
            break;
        }
        if component == 1 && rest.starts_with(':') {
            separated = true;
            at += 1;
        } else if component == 2 && separated {
            if !rest.starts_with(':') {
                return None;
            }
            at += 1;
        }
        if let Some(part) = parts.get_mut(component) {
            *part = number(text.get(at..at + 2).or_else(|| text.get(at..)))?;
            at = text.len().min(at + 2);
        } else if component == 3 && rest.starts_with(['.', ',']) {
            let digits = rest.get(1..)?;
            let length = digits
                .find(|char: char| !char.is_ascii_digit())
                .unwrap_or(digits.len());
            if length == 0 {
                continue;
            }
            let kept = digits.get(..length.min(6))?;
            micros = number::<u32>(Some(kept))? * 10_u32.pow(6 - u32::try_from(kept.len()).ok()?);
            at += 1 + length;
        }
    }
    if at < text.len() {
        return None;
    }
    let [hour, minute, second] = parts;
    if hour == 24 {
        return (minute == 0 && second == 0 && micros == 0).then_some((NaiveTime::MIN, true, offset));
    }
    Some((
        NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?,
        false,
        offset,
    ))
}

fn zone(text: &str) -> Option<FixedOffset> {
    if text == "Z" || text == "z" {
        return FixedOffset::east_opt(0);
    }
    if !matches!(text.len(), 3 | 5 | 6) {
        return None;
    }
    let hours: i32 = number(text.get(1..3))?;
    let minutes: i32 = match text.get(3..) {
        Some("") | None => 0,
        Some(rest) => number(Some(rest.strip_prefix(':').unwrap_or(rest)))?,
    };
    if minutes > 59 || hours > 23 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60;
    FixedOffset::east_opt(if text.starts_with('-') { -seconds } else { seconds })
}
