//! Where a value comes from. The first that has one wins: the flag, the environment, the file.
//!
//! A layering crate (config, figment) merges everything into one tree first, and then cannot say *where* a
//! wrong value was set. That is the half of the message that mends it, so the layers stay apart here and
//! are asked in order.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::keys::{self, Key};

/// A key whose value cannot be used, and what to do: "must be …", "is not …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, as in `syncline.toml`.
    pub key: &'static str,
    /// What is wrong with it and what would be right.
    pub problem: String,
}

impl Fault {
    pub(super) fn new(key: &'static str, problem: impl Into<String>) -> Self {
        Self {
            key,
            problem: problem.into(),
        }
    }
}

/// The layers above the defaults.
pub(super) struct Sources<'a> {
    pub(super) flags: &'a BTreeMap<&'static str, String>,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) file: BTreeMap<String, Vec<String>>,
    pub(super) file_name: String,
}

struct Given {
    values: Vec<String>,
    place: String,
}

impl Sources<'_> {
    fn given(&self, path: &'static str) -> Option<Given> {
        let key = keys::find(path).expect("every section asks for listed keys only");
        if let Some(value) = self.flags.get(path) {
            return Some(Given {
                values: vec![value.clone()],
                place: key.flag(),
            });
        }
        // An empty variable is one that is not set: that is what compose files pass for an absent value.
        let variable = key
            .variable
            .and_then(|name| Some((name, (self.environment)(name)?)));
        if let Some((name, value)) = variable.filter(|(_, value)| !value.is_empty()) {
            return Some(Given {
                values: vec![value],
                place: name.to_owned(),
            });
        }
        let values = self.file.get(path)?.clone();
        Some(Given {
            values,
            place: format!("{path} in {}", self.file_name),
        })
    }

    /// The value as text.
    pub(super) fn text(&self, path: &'static str) -> Result<Option<String>, Fault> {
        match self.given(path) {
            None => Ok(None),
            Some(given) => match <[String; 1]>::try_from(given.values) {
                Ok([value]) => Ok(Some(value)),
                Err(_) => Err(Fault::new(path, "is a list: it takes one value")),
            },
        }
    }

    /// The value, understood.
    pub(super) fn parse<T: FromStr>(&self, path: &'static str, expected: &str) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(path)? else {
            return Ok(None);
        };
        let key = keys::find(path).filter(|key| !key.secret);
        text.trim().parse().map(Some).map_err(|_| {
            let shown = if key.is_some() {
                format!("is {text:?}, ")
            } else {
                String::new()
            };
            Fault::new(path, format!("{shown}must be {expected}"))
        })
    }

    /// The value as a number in this range.
    pub(super) fn number<T>(&self, path: &'static str, range: RangeInclusive<T>) -> Result<Option<T>, Fault>
    where
        T: FromStr + PartialOrd + Display,
    {
        let value = self.parse(
            path,
            &format!("a whole number from {} to {}", range.start(), range.end()),
        )?;
        value.map(|value| within(path, value, &range)).transpose()
    }

    /// The values of a list: an array in the file, separated by commas elsewhere.
    pub(super) fn list(&self, path: &'static str) -> Option<Vec<String>> {
        let values = self.given(path)?.values;
        let parts = values.iter().flat_map(|value| value.split(','));
        Some(
            parts
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// The fault with the place where the value was set, or where it could be.
    pub(super) fn locate(&self, fault: &Fault) -> String {
        let place = self.given(fault.key).map(|given| given.place).unwrap_or_else(|| {
            keys::find(fault.key)
                .map_or(fault.key, |key| key.variable.unwrap_or(key.path))
                .to_owned()
        });
        format!("{place} {}", fault.problem)
    }
}

/// The value, when it lies in the range.
pub(super) fn within<T: PartialOrd + Display>(
    key: &'static str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<T, Fault> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (start, end) = (range.start(), range.end());
    Err(Fault::new(
        key,
        format!("is {value}, must be a whole number from {start} to {end}"),
    ))
}

/// Reads `syncline.toml` into `section.key` → values. Gives every fault, not only the first.
pub(super) fn read_file(text: &str, name: &str) -> Result<BTreeMap<String, Vec<String>>, Vec<String>> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        vec![format!("{name} is not TOML: line {line}: {}", error.message())]
    })?;
    let mut values = BTreeMap::new();
    let mut faults = Vec::new();
    for (section, content) in table {
        let toml::Value::Table(content) = content else {
            faults.push(unknown(name, &section));
            continue;
        };
        if !keys::KEYS
            .iter()
            .any(|key| key.path.split('.').next() == Some(&section))
            && content.is_empty()
        {
            faults.push(unknown(name, &section));
        }
        for (key, value) in content {
            let path = format!("{section}.{key}");
            match (keys::find(&path), texts(&value)) {
                (None, _) => faults.push(unknown(name, &path)),
                (Some(_), Some(texts)) => drop(values.insert(path, texts)),
                (Some(Key { about, .. }), None) => {
                    faults.push(format!("{path} in {name} is a table, must be a value: {about}"));
                }
            }
        }
    }
    if faults.is_empty() {
        Ok(values)
    } else {
        Err(faults)
    }
}

fn unknown(file: &str, path: &str) -> String {
    match keys::closest(path) {
        Some(meant) => format!("{path} in {file} is no setting: did you mean {meant}?"),
        None => {
            format!("{path} in {file} is no setting: remove it, or see `syncline --help` for those there are")
        }
    }
}

fn texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Array(items) => items.iter().map(text).collect(),
        single => text(single).map(|text| vec![text]),
    }
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(time) => Some(time.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}
