//! The served schema, as its introspection tells it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::GraphQl;

const INTROSPECTION: &str = "{ __schema { queryType { name } mutationType { name } subscriptionType { name } types { \
    kind name possibleTypes { name } enumValues { name } \
    fields { name type { ...T } args { name type { ...T } } } inputFields { name type { ...T } } } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The types by name.
pub(super) struct Schema {
    types: BTreeMap<String, Value>,
    roots: Value,
}

/// What a field or an argument is of.
#[derive(Clone, Debug)]
pub(super) struct Of {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_list: bool,
    pub(super) is_required: bool,
}

/// A field, or an argument, or a field of an input.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) of: Of,
    pub(super) arguments: Vec<Field>,
}

impl Schema {
    pub(super) async fn of(api: &GraphQl) -> Self {
        let mut answer = api.query(INTROSPECTION, json!({})).await["__schema"].take();
        let types = answer["types"].as_array().expect("types").iter();
        let types = types
            .map(|each| (each["name"].as_str().expect("a name").to_owned(), each.clone()))
            .collect();
        Self {
            types,
            roots: answer.take(),
        }
    }

    /// The fields of `queryType`, `mutationType` or `subscriptionType`.
    pub(super) fn root(&self, kind: &str) -> Vec<Field> {
        self.fields(self.roots[kind]["name"].as_str().expect("a root"))
    }

    pub(super) fn fields(&self, name: &str) -> Vec<Field> {
        listed(&self.types[name]["fields"]).iter().map(field).collect()
    }

    pub(super) fn inputs(&self, name: &str) -> Vec<Field> {
        listed(&self.types[name]["inputFields"])
            .iter()
            .map(field)
            .collect()
    }

    pub(super) fn first_word(&self, name: &str) -> String {
        let word = &self.types[name]["enumValues"][0]["name"];
        word.as_str().expect("an enum has a value").to_owned()
    }

    /// The types that an interface can be.
    pub(super) fn possible(&self, name: &str) -> Vec<String> {
        let types = listed(&self.types[name]["possibleTypes"]);
        types
            .iter()
            .map(|each| each["name"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// Every `Type.field` that a query can select.
    pub(super) fn selectable(&self) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut ahead: Vec<String> = self
            .root("queryType")
            .into_iter()
            .map(|field| field.of.name)
            .collect();
        let mut found = BTreeSet::new();
        while let Some(name) = ahead.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if self.types[&name]["kind"] == "INTERFACE" {
                ahead.extend(self.possible(&name));
                continue;
            }
            for field in self.fields(&name) {
                found.insert(format!("{name}.{}", field.name));
                ahead.push(field.of.name);
            }
        }
        found
    }
}

fn listed(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn field(value: &Value) -> Field {
    Field {
        name: value["name"].as_str().expect("a name").to_owned(),
        of: of(&value["type"]),
        arguments: listed(&value["args"]).iter().map(field).collect(),
    }
}

fn of(value: &Value) -> Of {
    let (mut inner, mut is_list) = (value, false);
    while !inner["ofType"].is_null() {
        is_list |= inner["kind"] == "LIST";
        inner = &inner["ofType"];
    }
    Of {
        name: inner["name"].as_str().expect("a type").to_owned(),
        kind: inner["kind"].as_str().expect("a kind").to_owned(),
        is_list,
        is_required: value["kind"] == "NON_NULL",
    }
}
