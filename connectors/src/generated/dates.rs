//! Dates in formats of Python's directives: written, read back, and read where they do not fit.

use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};

use super::{Chooser, cases, compare, python};
use crate::datetime::{format, parse};

const SCRIPT: &str = r#"
import json, sys
from datetime import datetime
from airbyte_cdk.sources.declarative.datetime.datetime_parser import DatetimeParser
parser = DatetimeParser()
for line in sys.stdin:
    case = json.loads(line)
    try:
        if case["k"] == "format":
            answer = parser.format(datetime.fromisoformat(case["s"]), case["f"])
        else:
            moment = parser.parse(case["s"], case["f"])
            answer = [moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S.%f"), moment.utcoffset().total_seconds()]
    except Exception:
        answer = None
    print(json.dumps(answer))
"#;

const DIRECTIVES: [&str; 18] = [
    "%Y", "%m", "%d", "%H", "%M", "%S", "%f", "%z", "%y", "%j", "%b", "%B", "%a", "%A", "%p", "%I", "%%",
    "%_ms",
];
const BETWEEN: [&str; 8] = ["-", "T", ":", " ", "", "/", ".", "Z"];

fn pattern(choose: &Chooser) -> String {
    match choose.below(6) {
        0 => (*choose.one(&["%s", "%ms", "%s_as_float", "%epoch_microseconds"])).to_owned(),
        1 => (*choose.one(&[
            "%Y-%m-%dT%H:%M:%SZ",
            "%Y-%m-%dT%H:%M:%S.%f%z",
            "%Y-%m-%d %H:%M:%S%z",
            "%Y%m%d",
        ]))
        .to_owned(),
        _ => {
            let parts = 1 + choose.below(6);
            (0..parts)
                .map(|_| format!("{}{}", choose.one(&DIRECTIVES), choose.one(&BETWEEN)))
                .collect()
        }
    }
}

fn moment(choose: &Chooser) -> DateTime<FixedOffset> {
    let seconds = i64::try_from(choose.below(7_000_000_000)).unwrap() - 2_000_000_000;
    let micros = if choose.once_in(2) {
        0
    } else {
        choose.below(1_000_000)
    };
    let utc = DateTime::from_timestamp(seconds, u32::try_from(micros * 1_000).unwrap()).unwrap();
    let minutes = i32::try_from(choose.below(28 * 60)).unwrap() - 14 * 60;
    let offset = if choose.once_in(2) { 0 } else { minutes };
    utc.with_timezone(&FixedOffset::east_opt(offset * 60).unwrap())
}

/// A date as somebody might write it: of this pattern, nearly so, or of another one.
fn written(choose: &Chooser, pattern: &str) -> String {
    let own = if choose.once_in(6) {
        self::pattern(choose)
    } else {
        pattern.to_owned()
    };
    let mut text: Vec<char> = format(&moment(choose), &own).chars().collect();
    if choose.once_in(3) && !text.is_empty() {
        let place = choose.below(text.len());
        match choose.below(3) {
            0 => text[place] = *choose.one(&['0', '9', ' ', 'Z', '+', ':']),
            1 => drop(text.remove(place)),
            _ => text.insert(place, *choose.one(&['0', '1', ' ', '-', 'x'])),
        }
    }
    text.into_iter().collect()
}

#[test]
fn generated_dates_are_read_and_written_as_python_does() {
    let choose = Chooser::new();
    let asked: Vec<Value> = (0..cases(6_000))
        .map(|_| {
            let pattern = pattern(&choose);
            if choose.once_in(3) {
                return json!({ "k": "format", "s": moment(&choose).to_rfc3339(), "f": pattern });
            }
            json!({ "k": "parse", "s": written(&choose, &pattern), "f": pattern })
        })
        .collect();
    let Some(answers) = python(SCRIPT, &asked) else {
        return;
    };
    compare(
        choose.seed,
        asked.iter().zip(answers).map(|(case, theirs)| {
            let (text, pattern) = (case["s"].as_str().unwrap(), case["f"].as_str().unwrap());
            let ours = if case["k"] == "format" {
                format(&DateTime::parse_from_rfc3339(text).unwrap(), pattern).into()
            } else {
                let read = parse(text, pattern).ok();
                read.map_or(Value::Null, |moment| {
                    let local = format!("{}", moment.naive_local().format("%Y-%m-%dT%H:%M:%S%.6f"));
                    json!([local, f64::from(moment.offset().local_minus_utc())])
                })
            };
            (case.to_string(), ours, theirs)
        }),
    );
}
