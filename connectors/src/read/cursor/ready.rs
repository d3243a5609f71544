//! A datetime cursor's settings, from its component: everything is evaluated once, and the end is frozen for the run.

use chrono::{DateTime, Utc};

use super::{Clamping, CursorSettings, Moment};
use crate::datetime::{self, duration::Duration};
use crate::http::session::{Session, display, is_truthy};
use crate::manifest::components::{DatetimeBasedCursor, MinMaxDatetime, Text};
use crate::read::ReadError;

pub(crate) fn settings(
    session: &Session,
    cursor: &DatetimeBasedCursor,
    field: Option<&str>,
    now: DateTime<Utc>,
) -> Result<CursorSettings, ReadError> {
    let mut formats = cursor.cursor_datetime_formats.clone();
    formats.push(cursor.datetime_format.clone());
    let granularity = cursor.cursor_granularity.as_deref().map(duration).transpose()?;
    let start = min_max(session, &cursor.start_datetime, &cursor.datetime_format)?;
    let mut end = match &cursor.end_datetime {
        Some(end) => min_max(session, end, &cursor.datetime_format)?,
        None => now.fixed_offset(),
    };
    let clamping = match &cursor.clamping {
        None => None,
        Some(clamping) => Some(match session.text(&clamping.target, &[])?.as_str() {
            "DAY" => Clamping::Day,
            "WEEK" => {
                let weekday = clamping.weekday.ok_or_else(|| {
                    ReadError::config("Clamping to weeks needs the weekday on which they begin.")
                })?;
                Clamping::Week(weekday)
            }
            "MONTH" => Clamping::Month,
            _ => return Err(ReadError::config("Clamping is to DAY, WEEK or MONTH.")),
        }),
    };
    if let Some(clamping) = clamping {
        let unit = granularity.unwrap_or(match clamping {
            Clamping::Day => Duration {
                micros: 1_000_000,
                ..Duration::default()
            },
            Clamping::Week(_) | Clamping::Month => Duration {
                micros: 86_400_000_000,
                ..Duration::default()
            },
        });
        let floor = clamping.floor(end);
        end = unit.subtract_from(&floor).unwrap_or(floor);
    }
    Ok(CursorSettings {
        field: match field {
            Some(field) => field.to_owned(),
            None => session.text(&cursor.cursor_field, &[])?,
        },
        formats,
        start,
        end,
        step: computed_duration(session, cursor.step.as_ref())?,
        granularity,
        lookback: computed_duration(session, cursor.lookback_window.as_ref())?,
        start_field: session.text(&cursor.partition_field_start, &[])?,
        end_field: session.text(&cursor.partition_field_end, &[])?,
        compare_strictly: cursor.is_compare_strictly,
        clamping,
    })
}

fn duration(text: &str) -> Result<Duration, ReadError> {
    datetime::duration::parse(text)
        .map_err(|_| ReadError::config(format!("{text:?} is not an ISO 8601 duration such as P1D.")))
}

fn computed_duration(session: &Session, text: Option<&Text>) -> Result<Option<Duration>, ReadError> {
    let Some(text) = text else { return Ok(None) };
    let value = session.value(text, &[])?;
    if is_truthy(&value) {
        duration(&display(&value)).map(Some)
    } else {
        Ok(None)
    }
}

fn min_max(session: &Session, bounds: &MinMaxDatetime, default_format: &str) -> Result<Moment, ReadError> {
    let format = bounds.datetime_format.as_deref().unwrap_or(default_format);
    let moment = |text: &Text| -> Result<Option<Moment>, ReadError> {
        let written = session.text(text, &[])?;
        if written.is_empty() {
            return Ok(None);
        }
        datetime::parse(&written, format).map(Some).map_err(|_| {
            ReadError::config(format!(
                "The date that {:?} gives does not have the format {format:?}.",
                text.source()
            ))
        })
    };
    let mut value = moment(&bounds.datetime)?.ok_or_else(|| {
        ReadError::config(format!(
            "The date that {:?} gives is empty.",
            bounds.datetime.source()
        ))
    })?;
    if let Some(least) = bounds.min_datetime.as_ref().map(&moment).transpose()?.flatten() {
        value = value.max(least);
    }
    if let Some(most) = bounds.max_datetime.as_ref().map(&moment).transpose()?.flatten() {
        value = value.min(most);
    }
    Ok(value)
}
