//! ISO 8601 durations: a number of months, which only a calendar can resolve, and an exact length.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime};

use super::{DateError, attach, plus_micros};

/// `P1Y2M3DT4H`: calendar months and an exact number of microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duration {
    /// Years.
    pub years: i64,
    /// Months.
    pub months: i64,
    /// Everything from weeks down, in microseconds.
    pub micros: i64,
}

const SECOND: f64 = 1e6;

/// Reads `P1D`, `PT1S`, `P1Y2M`, `-P1W` …; parts may have fractions, except years and months.
pub fn parse(text: &str) -> Result<Duration, DateError> {
    read(text).ok_or_else(|| DateError::new(format!("{text:?} is not an ISO 8601 duration")))
}

fn read(text: &str) -> Option<Duration> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut rest = rest.strip_prefix('P')?;
    if rest.is_empty() || !rest.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let mut duration = Duration::default();
    let mut micros = 0.0_f64;
    let mut time = false;
    // Units come in this order, each at most once.
    let mut stage = 0;
    while !rest.is_empty() {
        if !time && rest.starts_with('T') {
            time = true;
            stage = 4;
            rest = rest.get(1..)?;
            continue;
        }
        let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.' && char != ',')?;
        let number = rest.get(..end)?;
        if number.is_empty() || number.starts_with(['.', ',']) || number.ends_with(['.', ',']) {
            return None;
        }
        let value: f64 = number.replace(',', ".").parse().ok()?;
        let unit = rest.get(end..=end)?;
        let (order, length) = match (time, unit) {
            (false, "Y") => (1, 0.0),
            (false, "M") => (2, 0.0),
            (false, "W") => (3, 7.0 * 86_400.0 * SECOND),
            (false, "D") => (4, 86_400.0 * SECOND),
            (true, "H") => (5, 3_600.0 * SECOND),
            (true, "M") => (6, 60.0 * SECOND),
            (true, "S") => (7, SECOND),
            _ => return None,
        };
        if order <= stage && !(time && stage == 4 && order > 4) {
            return None;
        }
        stage = order;
        if order <= 2 {
            // Fractions of a year or month have no length.
            if value.fract() != 0.0 || value > 1e6 {
                return None;
            }
            let count = value as i64;
            if order == 1 {
                duration.years = count;
            } else {
                duration.months = count;
            }
        } else {
            micros += value * length;
        }
        rest = rest.get(end + 1..)?;
    }
    if micros.abs() > 8.0e18 {
        return None;
    }
    duration.micros = micros.round_ties_even() as i64;
    Some(if negative { duration.negated() } else { duration })
}

impl Duration {
    /// An exact length.
    pub fn from_micros(micros: i64) -> Duration {
        Duration {
            micros,
            ..Duration::default()
        }
    }

    /// Whether it is an exact length, without years or months.
    pub fn is_exact(&self) -> bool {
        self.years == 0 && self.months == 0
    }

    /// The same backwards.
    #[must_use]
    pub fn negated(&self) -> Duration {
        Duration {
            years: -self.years,
            months: -self.months,
            micros: -self.micros,
        }
    }

    /// `moment + self`: months first, the day clipped to the month's length, then the exact part.
    pub fn add_to(&self, moment: &DateTime<FixedOffset>) -> Result<DateTime<FixedOffset>, DateError> {
        attach(self.add_to_local(moment.naive_local())?, *moment.offset())
    }

    /// `moment - self`.
    pub fn subtract_from(&self, moment: &DateTime<FixedOffset>) -> Result<DateTime<FixedOffset>, DateError> {
        self.negated().add_to(moment)
    }

    pub(crate) fn add_to_local(&self, local: NaiveDateTime) -> Result<NaiveDateTime, DateError> {
        let shifted = self.shift(local.date())?;
        plus_micros(shifted.and_time(local.time()), self.micros)
    }

    /// Moves a date by the years and months alone.
    pub(crate) fn shift(&self, date: NaiveDate) -> Result<NaiveDate, DateError> {
        if self.is_exact() {
            return Ok(date);
        }
        let months = i64::from(date.year()) * 12 + i64::from(date.month0()) + self.years * 12 + self.months;
        let year = i32::try_from(months.div_euclid(12)).ok();
        let month = u32::try_from(months.rem_euclid(12) + 1).ok();
        year.zip(month)
            .filter(|(year, _)| (1..=9999).contains(year))
            .and_then(|(year, month)| {
                (1..=date.day())
                    .rev()
                    .find_map(|day| NaiveDate::from_ymd_opt(year, month, day))
            })
            .ok_or_else(|| DateError::new("date value out of range"))
    }
}
