//! Where a schema marks secrets, and what is done to values there.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::MASK;

/// Nobody nests a configuration deeper; a schema that does gets everything below marked secret.
const MAX_DEPTH: usize = 32;

/// The schema, reduced to what is secret. Alternatives (`oneOf` …) are laid over each other: what is secret in one of
/// them is secret in all, because a configuration that fits none still must not be shown.
#[derive(Debug, Default)]
pub(super) struct SecretTree {
    secret: bool,
    fields: BTreeMap<String, SecretTree>,
    /// Every item of a list, and every field of a mapping that is not named.
    rest: Option<Box<SecretTree>>,
}

impl SecretTree {
    pub(super) fn of(schema: &Value) -> Self {
        let mut tree = Self::default();
        tree.add(schema, 0);
        tree
    }

    fn add(&mut self, schema: &Value, depth: usize) {
        let Value::Object(schema) = schema else { return };
        if depth > MAX_DEPTH || schema.get("airbyte_secret") == Some(&Value::Bool(true)) {
            self.secret = true;
        }
        if depth > MAX_DEPTH {
            return;
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (name, property) in properties {
                self.fields
                    .entry(name.clone())
                    .or_default()
                    .add(property, depth + 1);
            }
        }
        let mut rest = SecretTree::default();
        match schema.get("items") {
            Some(Value::Array(items)) => items.iter().for_each(|item| rest.add(item, depth + 1)),
            Some(item) => rest.add(item, depth + 1),
            None => {}
        }
        for name in ["additionalProperties", "additionalItems"] {
            schema
                .get(name)
                .into_iter()
                .for_each(|more| rest.add(more, depth + 1));
        }
        if let Some(Value::Object(patterns)) = schema.get("patternProperties") {
            patterns.values().for_each(|more| rest.add(more, depth + 1));
        }
        if rest.holds_any() {
            let there = self.rest.get_or_insert_default();
            there.absorb(rest);
        }
        for name in ["oneOf", "anyOf", "allOf"] {
            if let Some(Value::Array(branches)) = schema.get(name) {
                branches.iter().for_each(|branch| self.add(branch, depth + 1));
            }
        }
        for name in ["if", "then", "else"] {
            schema
                .get(name)
                .into_iter()
                .for_each(|branch| self.add(branch, depth + 1));
        }
    }

    fn absorb(&mut self, other: Self) {
        self.secret |= other.secret;
        for (name, field) in other.fields {
            self.fields.entry(name).or_default().absorb(field);
        }
        if let Some(rest) = other.rest {
            self.rest.get_or_insert_default().absorb(*rest);
        }
    }

    fn holds_any(&self) -> bool {
        self.secret
            || self.fields.values().any(Self::holds_any)
            || self.rest.as_ref().is_some_and(|rest| rest.holds_any())
    }

    fn field(&self, name: &str) -> Option<&Self> {
        self.fields.get(name).or(self.rest.as_deref())
    }

    pub(super) fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
        if self.secret {
            paths.push(path.clone());
            return;
        }
        let rest = self.rest.iter().map(|rest| ("*", &**rest));
        for (name, field) in self
            .fields
            .iter()
            .map(|(name, field)| (name.as_str(), field))
            .chain(rest)
        {
            path.push(name.to_owned());
            field.collect(path, paths);
            path.pop();
        }
    }

    pub(super) fn mask(&self, value: &Value) -> Value {
        if self.secret {
            // That nothing is there is no secret, and worth seeing.
            return if value.is_null() {
                Value::Null
            } else {
                Value::String(MASK.to_owned())
            };
        }
        match value {
            Value::Object(map) => {
                let masked = |(name, value): (&String, &Value)| {
                    let masked = self
                        .field(name)
                        .map_or_else(|| value.clone(), |field| field.mask(value));
                    (name.clone(), masked)
                };
                Value::Object(map.iter().map(masked).collect())
            }
            Value::Array(items) => match &self.rest {
                Some(rest) => items.iter().map(|item| rest.mask(item)).collect(),
                None => value.clone(),
            },
            _ => value.clone(),
        }
    }

    /// The public part and the secret part; `None`: nothing of that kind in here. A list that has both keeps its
    /// length in both, with null where the other one has the item.
    pub(super) fn split(&self, value: &Value) -> (Option<Value>, Option<Value>) {
        if self.secret {
            return (None, Some(value.clone()));
        }
        match value {
            Value::Object(map) => {
                let (mut public, mut secret) = (Map::new(), Map::new());
                for (name, value) in map {
                    let (open, hidden) = self
                        .field(name)
                        .map_or_else(|| (Some(value.clone()), None), |field| field.split(value));
                    open.into_iter()
                        .for_each(|open| drop(public.insert(name.clone(), open)));
                    hidden
                        .into_iter()
                        .for_each(|hidden| drop(secret.insert(name.clone(), hidden)));
                }
                (
                    Some(Value::Object(public)),
                    (!secret.is_empty()).then_some(Value::Object(secret)),
                )
            }
            Value::Array(items) => {
                let Some(rest) = &self.rest else {
                    return (Some(value.clone()), None);
                };
                let parts: Vec<_> = items.iter().map(|item| rest.split(item)).collect();
                let any_secret = parts.iter().any(|(_, secret)| secret.is_some());
                let (public, secret): (Vec<_>, Vec<_>) = parts
                    .into_iter()
                    .map(|(open, hidden)| (open.unwrap_or_default(), hidden.unwrap_or_default()))
                    .unzip();
                (
                    Some(Value::Array(public)),
                    any_secret.then_some(Value::Array(secret)),
                )
            }
            _ => (Some(value.clone()), None),
        }
    }

    pub(super) fn keep_masked(&self, old: Option<&Value>, new: &Value) -> Option<Value> {
        if self.secret && new.as_str() == Some(MASK) {
            return old.cloned();
        }
        Some(match new {
            Value::Object(map) => {
                let kept = map.iter().filter_map(|(name, value)| {
                    let old = old.and_then(|old| old.get(name));
                    let kept = match self.field(name) {
                        Some(field) => field.keep_masked(old, value)?,
                        None => value.clone(),
                    };
                    Some((name.clone(), kept))
                });
                Value::Object(kept.collect())
            }
            Value::Array(items) => match &self.rest {
                Some(rest) => {
                    let kept = items.iter().enumerate();
                    kept.filter_map(|(index, item)| {
                        rest.keep_masked(old.and_then(|old| old.get(index)), item)
                    })
                    .collect()
                }
                None => new.clone(),
            },
            _ => new.clone(),
        })
    }
}

pub(super) fn merge(public: Value, secret: Value) -> Value {
    match (public, secret) {
        (Value::Object(mut public), Value::Object(secret)) => {
            for (name, hidden) in secret {
                let merged = match public.shift_remove(&name) {
                    Some(open) => merge(open, hidden),
                    None => hidden,
                };
                public.insert(name, merged);
            }
            Value::Object(public)
        }
        (Value::Array(public), Value::Array(secret)) if public.len() == secret.len() => public
            .into_iter()
            .zip(secret)
            .map(|(open, hidden)| merge(open, hidden))
            .collect(),
        (open, Value::Null) => open,
        (_, hidden) => hidden,
    }
}

/// Every text and number in a value.
pub(super) fn leaves(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, texts)),
        Value::Object(map) => map.values().for_each(|item| leaves(item, texts)),
        Value::Null | Value::Bool(_) => {}
    }
}
