//! What single fields mean: the key, and the moment of the last change.

use std::collections::HashSet;

use serde_json::Value;

use crate::datetime;

/// Names of keys, the likeliest first.
const KEYS: [&str; 9] = ["id", "_id", "uuid", "guid", "key", "sid", "gid", "code", "slug"];
/// Names of the moment of the last change, in one spelling: small letters alone.
const CHANGED: [&str; 15] = [
    "updatedat",
    "updated",
    "updatedon",
    "updateddate",
    "updatedtime",
    "lastupdated",
    "lastupdatedat",
    "modifiedat",
    "modified",
    "modifiedon",
    "lastmodified",
    "lastmodifieddate",
    "modificationdate",
    "datemodified",
    "changedat",
];
/// The same for the moment at which a record was made, which does not move when it changes.
const CREATED: [&str; 6] = [
    "createdat",
    "created",
    "createdon",
    "createddate",
    "createdtime",
    "timestamp",
];
/// Formats of dates, the exact ones first.
const FORMATS: [&str; 14] = [
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%_msZ",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%dT%H:%M:%S%:z",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%_ms%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%d",
    "%s",
    "%ms",
];
/// Seconds since the epoch that are a moment between 2001 and 2096, and no identifier or amount.
const SECONDS: std::ops::Range<i64> = 1_000_000_000..4_000_000_000;

/// A field that says when a record changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The field.
    pub field: String,
    /// Its format, as `DatetimeBasedCursor` takes it; further ones where records differ.
    pub formats: Vec<String>,
    /// Whether it is said to move with every change.
    pub moves: bool,
}

/// The fields that tell the records apart; empty: none do.
pub(super) fn key(records: &[&Value], subject: &str) -> Vec<String> {
    let names = shared_fields(records);
    let singular = subject.trim_end_matches('s').to_ascii_lowercase();
    let rank = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let own = lower == format!("{singular}_id") || lower == format!("{singular}id");
        if let Some(place) = KEYS.iter().position(|key| *key == lower) {
            // `code` and `slug` are keys when nothing better is there.
            return Some(if place < 7 { place } else { place + 10 });
        }
        if own {
            return Some(8);
        }
        (lower.ends_with("_id") || name.ends_with("Id") || name.ends_with("ID")).then_some(12)
    };
    let mut ranked: Vec<(usize, &String)> = names
        .iter()
        .filter_map(|name| Some((rank(name)?, name)))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    if let Some((_, name)) = ranked.iter().find(|(_, name)| is_unique(records, &[name])) {
        return vec![(*name).clone()];
    }
    for (at, (_, first)) in ranked.iter().enumerate() {
        for (_, second) in ranked.iter().skip(at + 1) {
            if is_unique(records, &[first, second]) {
                return vec![(*first).clone(), (*second).clone()];
            }
        }
    }
    Vec::new()
}

/// The fields that all records have, in the first one's order.
fn shared_fields(records: &[&Value]) -> Vec<String> {
    let fields = records.first().and_then(|record| record.as_object());
    fields
        .into_iter()
        .flat_map(|fields| fields.keys())
        .filter(|name| records.iter().all(|record| record.get(name.as_str()).is_some()))
        .cloned()
        .collect()
}

/// Whether these fields, all texts or whole numbers, are different in every record.
pub(super) fn is_unique(records: &[&Value], names: &[&str]) -> bool {
    let mut seen = HashSet::with_capacity(records.len());
    records.iter().all(|record| {
        let parts: Option<Vec<String>> = names
            .iter()
            .map(|name| match record.get(*name)? {
                Value::String(text) if !text.is_empty() => Some(format!("{text:?}")),
                Value::Number(number) if !number.is_f64() => Some(number.to_string()),
                _ => None,
            })
            .collect();
        parts.is_some_and(|parts| seen.insert(parts))
    })
}

/// The fields that may tell when a record changed, the likeliest first.
pub(super) fn moments(records: &[&Value]) -> Vec<Moment> {
    let mut found: Vec<(usize, Moment)> = shared_fields(records)
        .into_iter()
        .filter_map(|field| {
            let plain: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
            let plain = plain.to_ascii_lowercase();
            let place = |names: &[&str]| names.iter().position(|name| *name == plain);
            let (rank, moves) = match place(&CHANGED) {
                Some(place) => (place, true),
                None => (100 + place(&CREATED)?, false),
            };
            let values: Vec<&Value> = records.iter().filter_map(|record| record.get(&field)).collect();
            let formats = formats(&values)?;
            Some((
                rank,
                Moment {
                    field,
                    formats,
                    moves,
                },
            ))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, moment)| moment).collect()
}

/// One format for all of the values, or as few as do; none when one of them is no date.
pub(super) fn formats(values: &[&Value]) -> Option<Vec<String>> {
    let texts: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => {
                let number = number.as_i64()?;
                let is_moment = SECONDS.contains(&number) || SECONDS.contains(&(number / 1_000));
                is_moment.then(|| number.to_string())
            }
            _ => None,
        })
        .collect::<Option<_>>()?;
    let mut left: Vec<&String> = texts.iter().collect();
    let mut formats = Vec::new();
    while let Some(first) = left.first() {
        let numeric = first.bytes().all(|byte| byte.is_ascii_digit());
        let format = FORMATS.iter().find(|format| {
            let epoch = matches!(**format, "%s" | "%ms");
            epoch == numeric && gives_back(first, format)
        })?;
        formats.push((*format).to_owned());
        left.retain(|text| !gives_back(text, format));
        if formats.len() > 4 {
            return None;
        }
    }
    (!formats.is_empty()).then_some(formats)
}

/// Whether the text is exactly what the format makes of the moment that it reads there.
fn gives_back(text: &str, format: &str) -> bool {
    if matches!(format, "%s" | "%ms") {
        let number = text.parse::<i64>().unwrap_or_default();
        return SECONDS.contains(&if format == "%s" { number } else { number / 1_000 });
    }
    datetime::parse(text, format).is_ok_and(|moment| datetime::format(&moment, format) == text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_key_is_what_every_record_has_of_its_own() {
        let of = |records: Value| {
            let records: Vec<&Value> = records
                .as_array()
                .map(|list| list.iter().collect())
                .unwrap_or_default();
            key(&records, "orders").join("+")
        };
        assert_eq!(of(json!([{"name": "a", "id": 1}, {"name": "a", "id": 2}])), "id");
        assert_eq!(
            of(json!([{"customer_id": 1, "order_id": 1}, {"customer_id": 1, "order_id": 2}])),
            "order_id"
        );
        assert_eq!(
            of(json!([{"id": 1, "uuid": "a"}, {"id": 1, "uuid": "b"}])),
            "uuid"
        );
        assert_eq!(
            of(json!([{"a_id": 1, "b_id": 1}, {"a_id": 1, "b_id": 2}, {"a_id": 2, "b_id": 1}])),
            "a_id+b_id"
        );
        assert_eq!(of(json!([{"id": null}, {"id": 2}])), "");
        assert_eq!(of(json!([{"total": 1.5}, {"total": 2.5}])), "");
    }

    #[test]
    fn the_moment_of_the_last_change_is_found_with_its_format() {
        let of = |value: Value| {
            let moments = moments(&[&value]);
            moments
                .first()
                .map(|moment| (moment.field.clone(), moment.formats.join("|")))
        };
        let found = |field: &str, format: &str| Some((field.to_owned(), format.to_owned()));
        assert_eq!(
            of(json!({"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})),
            found("updated_at", "%Y-%m-%dT%H:%M:%SZ")
        );
        assert_eq!(
            of(json!({"lastModified": 1_767_225_600_123_i64})),
            found("lastModified", "%ms")
        );
        assert_eq!(of(json!({"updated": 1_767_225_600})), found("updated", "%s"));
        assert_eq!(
            of(json!({"modified": "2026-01-01"})),
            found("modified", "%Y-%m-%d")
        );
        assert_eq!(
            of(json!({"updatedAt": "2026-01-01T00:00:00.123Z"})),
            found("updatedAt", "%Y-%m-%dT%H:%M:%S.%_msZ")
        );
        assert_eq!(of(json!({"updated_by": "2026-01-01", "updated": 17})), None);
    }
}
