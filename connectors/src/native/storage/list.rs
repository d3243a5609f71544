//! Which objects come next, without keeping the whole listing.

use std::collections::{BinaryHeap, VecDeque};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use regex::Regex;
use serde_json::{Value, json};

use crate::read::ReadError;

/// Objects that are remembered of a listing.
const REMEMBERED: usize = 5_000;

/// What was written this recently may still be written, or get brothers with the same time.
const SETTLING: TimeDelta = TimeDelta::seconds(2);

/// An object's place in the order of reading.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) modified: DateTime<Utc>,
    pub(super) key: String,
}

impl Place {
    pub(super) fn to_state(&self) -> Value {
        json!({
            "last_modified": self.modified.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            "key": self.key,
        })
    }

    pub(super) fn from_state(state: &Value) -> Option<Self> {
        let modified = DateTime::parse_from_rfc3339(state.get("last_modified")?.as_str()?).ok()?;
        Some(Self {
            modified: modified.to_utc(),
            key: state.get("key")?.as_str()?.to_owned(),
        })
    }
}

/// An object that a listing has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) size: u64,
    /// What its content is told apart by, where the storage has that.
    pub(super) tag: Option<String>,
}

/// The objects nearest after a place, of all that are shown to it.
pub(super) struct Nearest<'a> {
    after: Option<Place>,
    settled: DateTime<Utc>,
    glob: Option<&'a Regex>,
    heap: BinaryHeap<Found>,
    whole: bool,
    /// Objects whose names cannot be used.
    pub(super) skipped: u64,
}

impl<'a> Nearest<'a> {
    pub(super) fn new(after: Option<Place>, now: DateTime<Utc>, glob: Option<&'a Regex>) -> Self {
        Self {
            after,
            settled: now - SETTLING,
            glob,
            heap: BinaryHeap::new(),
            whole: true,
            skipped: 0,
        }
    }

    pub(super) fn see(&mut self, found: Found) {
        let place = &found.place;
        let wanted = self.after.as_ref().is_none_or(|after| after < place)
            && place.modified <= self.settled
            && found.size > 0
            && self.glob.is_none_or(|glob| glob.is_match(&place.key));
        if !wanted {
            return;
        }
        if place.key.split('/').any(|part| matches!(part, "." | "..")) {
            self.skipped += 1;
            return;
        }
        self.heap.push(found);
        if self.heap.len() > REMEMBERED {
            // The farthest goes.
            self.heap.pop();
            self.whole = false;
        }
    }

    /// The objects in their order, and whether there are no others.
    pub(super) fn finish(self) -> (VecDeque<Found>, bool) {
        (self.heap.into_sorted_vec().into(), self.whole)
    }
}

/// A shell pattern for keys: `*` and `?` stay inside a folder, `**` does not, `{a,b}` is one or the other.
pub(super) fn glob(pattern: &str) -> Result<Regex, ReadError> {
    let mut regex = String::from("^");
    let mut rest = pattern.chars().peekable();
    let mut braces = 0_u32;
    while let Some(character) = rest.next() {
        match character {
            '*' if rest.peek() == Some(&'*') => {
                rest.next();
                if rest.peek() == Some(&'/') {
                    rest.next();
                    regex.push_str("(?:.*/)?");
                } else {
                    regex.push_str(".*");
                }
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '{' => {
                braces += 1;
                regex.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                regex.push(')');
            }
            ',' if braces > 0 => regex.push('|'),
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    Regex::new(&regex).map_err(|_| ReadError::config(format!("{pattern:?} is not a pattern for keys.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(second: i64, key: &str) -> Found {
        Found {
            place: Place {
                modified: DateTime::from_timestamp(second, 0).unwrap(),
                key: key.to_owned(),
            },
            size: 1,
            tag: None,
        }
    }

    #[test]
    fn patterns_know_folders() {
        for (pattern, key, fits) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "x/a.csv", false),
            ("**/*.csv", "a.csv", true),
            ("**/*.csv", "x/y/a.csv", true),
            ("x/**", "x/y/a.csv", true),
            ("x/?.{csv,jsonl}", "x/a.jsonl", true),
            ("x/?.{csv,jsonl}", "x/ab.jsonl", false),
            ("a+b.csv", "a+b.csv", true),
            ("a+b.csv", "aab.csv", false),
        ] {
            assert_eq!(glob(pattern).unwrap().is_match(key), fits, "{pattern} {key}");
        }
        assert!(glob("{a").is_err());
    }

    #[test]
    fn the_nearest_come_in_order_and_the_rest_later() {
        let now = DateTime::from_timestamp(1_000_000, 0).unwrap();
        let all: Vec<Found> = (0..12_000)
            .map(|number| found(number % 7_000, &number.to_string()))
            .collect();
        let mut expected = all.clone();
        expected.sort();
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let mut nearest = Nearest::new(after.clone(), now, None);
            all.iter().rev().for_each(|found| nearest.see(found.clone()));
            let (some, whole) = nearest.finish();
            assert!(some.len() <= REMEMBERED);
            after = some.back().map(|found| found.place.clone());
            got.extend(some);
            if whole {
                break;
            }
        }
        assert_eq!(got, expected);
    }

    #[test]
    fn what_is_being_written_waits() {
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let mut nearest = Nearest::new(None, now, None);
        nearest.see(found(999, "new"));
        nearest.see(found(998, "settled"));
        nearest.see(found(990, "a/../b"));
        assert_eq!(nearest.skipped, 1);
        assert_eq!(nearest.finish(), (VecDeque::from([found(998, "settled")]), true));
    }
}
