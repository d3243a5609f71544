//! Dates as manifests write them: Python's `strptime` and `strftime`, four whole formats of the reference's own,
//! and ISO 8601 durations.
//!
//! `chrono` formats dates too, but not these: its `%f` is nanoseconds and Python's microseconds, its `%z` wants
//! two digits where Python takes a `Z`, and a strict reader of numbers is what Python's regular expressions are
//! not (`%d` reads `1`, `%Y%m%d` gives back digits when the rest does not fit). So formats are read here, one
//! directive at a time, and `chrono` does the calendar.

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Timelike, Utc};

pub mod duration;
pub(crate) mod isoparse;
pub(crate) mod strftime;
pub(crate) mod strptime;
#[cfg(test)]
mod tests;

pub use duration::Duration;

/// Why a date or a duration cannot be read or computed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct DateError(pub String);

impl DateError {
    pub(crate) fn new(message: impl Into<String>) -> DateError {
        DateError(message.into())
    }
}

pub(crate) const UTC: FixedOffset = match FixedOffset::east_opt(0) {
    Some(offset) => offset,
    None => panic!("zero is an offset"),
};

/// A moment in Python's range, years 1 to 9999.
pub(crate) fn in_range(local: NaiveDateTime) -> Result<NaiveDateTime, DateError> {
    use chrono::Datelike as _;
    if (1..=9999).contains(&local.year()) {
        Ok(local)
    } else {
        Err(DateError::new("date value out of range"))
    }
}

pub(crate) fn plus_micros(local: NaiveDateTime, micros: i64) -> Result<NaiveDateTime, DateError> {
    local
        .checked_add_signed(TimeDelta::microseconds(micros))
        .ok_or_else(|| DateError::new("date value out of range"))
        .and_then(in_range)
}

fn at_epoch(micros: i64) -> Result<DateTime<FixedOffset>, DateError> {
    let moment = DateTime::<Utc>::from_timestamp_micros(micros)
        .ok_or_else(|| DateError::new(format!("timestamp {micros} µs is out of range")))?;
    in_range(moment.naive_utc())?;
    Ok(moment.with_timezone(&UTC))
}

fn integer(text: &str) -> Result<i64, DateError> {
    let digits = text.trim().replace('_', "");
    digits
        .parse()
        .map_err(|_| DateError::new(format!("{text:?} is not a whole number")))
}

fn scaled(text: &str, micros: i64) -> Result<DateTime<FixedOffset>, DateError> {
    let out_of_range = || DateError::new(format!("timestamp {text} is out of range"));
    at_epoch(integer(text)?.checked_mul(micros).ok_or_else(out_of_range)?)
}

/// Reads `text` by a manifest's datetime format; without an offset it is UTC.
pub fn parse(text: &str, format: &str) -> Result<DateTime<FixedOffset>, DateError> {
    match format {
        "%s" => scaled(text, 1_000_000),
        "%s_as_float" => {
            let seconds: f64 = text
                .trim()
                .parse()
                .map_err(|_| DateError::new(format!("{text:?} is not a number")))?;
            from_seconds(seconds)
        }
        "%epoch_microseconds" => scaled(text, 1),
        "%ms" => scaled(text, 1_000),
        _ => {
            let (local, offset) = if format.contains("%_ms") {
                strptime::parse(text, &format.replace("%_ms", "%f"))?
            } else {
                strptime::parse(text, format)?
            };
            attach(local, offset.unwrap_or(UTC))
        }
    }
}

pub(crate) fn attach(local: NaiveDateTime, offset: FixedOffset) -> Result<DateTime<FixedOffset>, DateError> {
    local
        .and_local_timezone(offset)
        .single()
        .ok_or_else(|| DateError::new("date value out of range"))
}

/// A moment from seconds since the epoch, rounded to microseconds, half to even.
pub(crate) fn from_seconds(seconds: f64) -> Result<DateTime<FixedOffset>, DateError> {
    let out_of_range = || DateError::new(format!("timestamp {seconds} is out of range"));
    if !seconds.is_finite() || seconds.abs() > 1e12 {
        return Err(out_of_range());
    }
    let whole = seconds.trunc();
    let fraction = ((seconds - whole) * 1e6).round_ties_even();
    at_epoch(whole as i64 * 1_000_000 + fraction as i64)
}

/// Seconds since the epoch as Python's `timestamp()` gives them.
pub(crate) fn to_seconds(moment: &DateTime<FixedOffset>) -> f64 {
    moment.timestamp_micros() as f64 / 1e6
}

/// Writes a moment by a manifest's datetime format.
pub fn format(moment: &DateTime<FixedOffset>, format: &str) -> String {
    match format {
        "%s" => (to_seconds(moment) as i64).to_string(),
        "%s_as_float" => crate::template::float_repr(to_seconds(moment)),
        "%epoch_microseconds" => ((to_seconds(moment) * 1_000_000.0) as i64).to_string(),
        "%ms" => ((to_seconds(moment) * 1000.0) as i64).to_string(),
        _ if format.contains("%_ms") => {
            // The reference writes microseconds first, and then looks for their digits to shorten them.
            let written = written(moment, &format.replace("%_ms", "%f"));
            let micros = moment.nanosecond() / 1000 % 1_000_000;
            written.replace(&format!("{micros:06}"), &format!("{:03}", micros / 1000))
        }
        _ => written(moment, format),
    }
}

fn written(moment: &DateTime<FixedOffset>, format: &str) -> String {
    strftime::format(moment.naive_local(), Some(*moment.offset()), format)
}

/// Reads an ISO 8601 date or date-time of any common shape; without an offset it is UTC.
pub fn parse_iso(text: &str) -> Result<DateTime<FixedOffset>, DateError> {
    let (local, offset) = isoparse::parse(text)?;
    attach(local, offset.unwrap_or(UTC))
}
