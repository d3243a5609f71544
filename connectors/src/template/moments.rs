//! The methods of Python's `datetime`.

use chrono::{Datelike, FixedOffset, NaiveTime, Timelike};

use super::arguments::{Args, text, text_or, whole_or};
use super::fail::{Fail, Run};
use super::print;
use super::value::{Moment, Val};
use crate::datetime::{Duration, strftime, to_seconds};

pub(crate) fn call<'a>(moment: &Moment, name: &str, args: Args<'a>) -> Run<Val<'a>> {
    let Moment { local, offset } = *moment;
    Ok(match name {
        "strftime" => {
            let [format] = args.bind(name, ["format"], 1)?;
            let format = format.unwrap_or(Val::None);
            Val::str(strftime::format(local, offset, text(&format)?))
        }
        "isoformat" => {
            let [separator, timespec] = args.bind(name, ["sep", "timespec"], 0)?;
            let mut out = String::new();
            print::isoformat(
                &mut out,
                moment,
                text_or(&separator, "T")?,
                text_or(&timespec, "auto")?,
            );
            Val::str(out)
        }
        "replace" => replace(moment, args)?,
        "astimezone" => {
            // Time zones cannot be named in a template, but for what a macro gave: UTC stays UTC.
            Val::DateTime(Moment {
                local: moment.utc(),
                offset: Some(crate::datetime::UTC),
            })
        }
        _ => {
            args.bind(name, [], 0)?;
            match name {
                "timestamp" => Val::Float(to_seconds(&crate::datetime::attach(
                    moment.utc(),
                    crate::datetime::UTC,
                )?)),
                "date" => Val::Date(local.date()),
                "time" | "timetz" => Val::str(strftime::format(local, offset, "%H:%M:%S")),
                "weekday" => Val::Int(i128::from(local.weekday().num_days_from_monday())),
                "isoweekday" => Val::Int(i128::from(local.weekday().number_from_monday())),
                "isocalendar" => {
                    let week = local.iso_week();
                    let parts = [i128::from(week.year()), i128::from(week.week())];
                    let day = i128::from(local.weekday().number_from_monday());
                    Val::tuple(parts.into_iter().chain([day]).map(Val::Int).collect())
                }
                "toordinal" => Val::Int(i128::from(local.num_days_from_ce())),
                "ctime" => Val::str(strftime::format(local, offset, "%a %b %e %H:%M:%S %Y")),
                "tzname" => match offset {
                    Some(_) => Val::str(strftime::format(local, offset, "%Z")),
                    None => Val::None,
                },
                "utcoffset" => match offset {
                    Some(offset) => Val::Duration(Duration::from_micros(
                        i64::from(offset.local_minus_utc()) * 1_000_000,
                    )),
                    None => Val::None,
                },
                "dst" => Val::None,
                _ => return Err(Fail::value(format_args!("{name} is not supported"))),
            }
        }
    })
}

fn replace<'a>(moment: &Moment, args: Args<'a>) -> Run<Val<'a>> {
    let parameters = [
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "microsecond",
        "tzinfo",
    ];
    let [year, month, day, hour, minute, second, micros, zone] = args.bind("replace", parameters, 0)?;
    let local = moment.local;
    let part = |value: &Option<Val<'a>>, own: u32| -> Run<u32> {
        u32::try_from(whole_or(value, i64::from(own))?).map_err(|_| Fail::value("value out of range"))
    };
    let year = i32::try_from(whole_or(&year, i64::from(local.year()))?)
        .map_err(|_| Fail::value("year is out of range"))?;
    let date = chrono::NaiveDate::from_ymd_opt(year, part(&month, local.month())?, part(&day, local.day())?);
    let time = NaiveTime::from_hms_micro_opt(
        part(&hour, local.hour())?,
        part(&minute, local.minute())?,
        part(&second, local.second())?,
        part(&micros, local.nanosecond() / 1000 % 1_000_000)?,
    );
    let offset: Option<FixedOffset> = match zone {
        None => moment.offset,
        Some(Val::None) => None,
        Some(_) => Some(crate::datetime::UTC),
    };
    match (date.filter(|_| (1..=9999).contains(&year)), time) {
        (Some(date), Some(time)) => Ok(Val::DateTime(Moment {
            local: date.and_time(time),
            offset,
        })),
        _ => Err(Fail::value("value out of range for a date or time")),
    }
}
