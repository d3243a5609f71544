//! `reference.json` holds what CPython 3.11, python-dateutil and isodate, as airbyte-cdk 7.39.1 calls them, made of
//! dates, formats and durations, whole and broken.

use chrono::{DateTime, FixedOffset, Timelike};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{duration, format, parse, parse_iso};

/// Python's `isoformat()`.
fn iso(moment: &DateTime<FixedOffset>) -> String {
    let micros = if moment.nanosecond() == 0 { "" } else { ".%f" };
    let written = format(moment, &format!("%Y-%m-%dT%H:%M:%S{micros}%z"));
    let (local, offset) = written.split_at(written.rfind(['+', '-']).unwrap());
    let (year, rest) = local.split_once('-').unwrap();
    let seconds = offset
        .get(5..)
        .filter(|seconds| !seconds.is_empty())
        .map(|seconds| format!(":{seconds}"));
    format!(
        "{year:0>4}-{rest}{}:{}{}",
        &offset[..3],
        &offset[3..5],
        seconds.unwrap_or_default()
    )
}

#[test]
fn dates_are_the_references() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("reference.json")).unwrap();
    for case in &cases {
        let text = |name: &str| case[name].as_str().unwrap_or_default();
        let ours = match text("k") {
            "parse" => parse(text("s"), text("f")).map_or(Value::Null, |moment| iso(&moment).into()),
            "iso" => parse_iso(text("s")).map_or(Value::Null, |moment| iso(&moment).into()),
            "format" => {
                let moment = parse(text("dt"), "%Y-%m-%dT%H:%M:%S.%f%z")
                    .or_else(|_| parse(text("dt"), "%Y-%m-%dT%H:%M:%S%z"));
                format(&moment.unwrap(), text("f")).into()
            }
            _ => {
                let base = parse_iso("2024-03-31T12:00:00.000005Z").unwrap();
                duration::parse(text("s")).map_or(Value::Null, |duration| {
                    match (duration.add_to(&base), duration.subtract_from(&base)) {
                        (Ok(after), Ok(before)) => json!([iso(&after), iso(&before)]),
                        _ => "range".into(),
                    }
                })
            }
        };
        assert_eq!(ours, case["r"], "{case}");
    }
}

#[test]
fn whole_formats() {
    let moment = parse_iso("2022-01-14T10:11:12.345678Z").unwrap();
    for (pattern, text) in [
        ("%s", "1642155072"),
        ("%s_as_float", "1642155072.345678"),
        ("%ms", "1642155072345"),
        ("%epoch_microseconds", "1642155072345678"),
        ("%Y-%m-%dT%H:%M:%S.%_msZ", "2022-01-14T10:11:12.345Z"),
    ] {
        assert_eq!(format(&moment, pattern), text);
        let read = parse(text, pattern).unwrap();
        assert_eq!(read.timestamp(), moment.timestamp(), "{pattern}");
    }
    assert!(parse("1.5", "%s").is_err());
    assert!(parse("99999999999999999999", "%ms").is_err());
    assert!(parse("1e300", "%s_as_float").is_err());
}

#[test]
fn months_are_clipped() {
    let month = duration::parse("P1M").unwrap();
    let end = parse_iso("2024-01-31T23:00:00+02:00").unwrap();
    assert_eq!(iso(&month.add_to(&end).unwrap()), "2024-02-29T23:00:00+02:00");
    assert!(duration::parse("P9999Y").unwrap().add_to(&end).is_err());
    assert!(duration::parse("P9999999D").unwrap().add_to(&end).is_err());
}

proptest! {
    #[test]
    fn never_panics(text in "[0-9A-Za-z:.+\\- %/,é]{0,24}", pattern in "([%][a-zA-Z%_\\-]|[:\\-T ./]){0,10}") {
        let _ = parse(&text, &pattern);
        let _ = parse_iso(&text);
        let _ = duration::parse(&text);
        let moment = parse_iso("2024-02-29T23:59:59.999999-11:30").unwrap();
        let written = format(&moment, &pattern);
        let _ = parse(&written, &pattern);
        if let Ok(duration) = duration::parse(&text) {
            let _ = (duration.add_to(&moment), duration.subtract_from(&moment));
        }
    }

    #[test]
    fn reads_what_it_writes(micros in -62_000_000_000_000_000_i64..250_000_000_000_000_000) {
        let moment = DateTime::from_timestamp_micros(micros).unwrap().fixed_offset();
        let written = format(&moment, "%Y-%m-%dT%H:%M:%S.%f%z");
        if written.len() == 31 {
            prop_assert_eq!(parse(&written, "%Y-%m-%dT%H:%M:%S.%f%z").unwrap(), moment);
            prop_assert_eq!(parse_iso(&written.replace("+0000", "Z")).unwrap(), moment);
        }
        prop_assert_eq!(parse(&micros.to_string(), "%epoch_microseconds").unwrap(), moment);
    }
}
