//! The format as a JSON Schema, for editors: completion, and a red line under a slip while it is typed.
//!
//! It is made from the vocabulary that the loader itself goes by, so it knows what the loader knows, our own components
//! included, and cannot fall behind. It says less than the loader: whether a stream exists, a
//! template can be read, or two fields go together is not a schema's matter. What it refuses, the loader refuses too;
//! fields that the loader merely warns about it lets through.
//!
//! The published schema of the format was not taken: it does not know what runs here, and its objects let slips pass.

use serde_json::{Map, Value, json};

use super::{COMPONENTS, DEFAULT_TYPES, INSTEAD, Stranger, WITHOUT_EFFECT, stranger};

/// Fields whose content is the manifest's own: JSON Schemas, parameters, bodies, and mappings without a type.
const FREE: &[&str] = &[
    "$parameters",
    "additional_jwt_headers",
    "additional_jwt_payload",
    "advanced_auth",
    "base_schema",
    "config_overrides",
    "connection_specification",
    "default_values",
    "jwt_headers",
    "jwt_payload",
    "list_of_parameters_for_stream",
    "matchers",
    "metadata",
    "operation",
    "rates",
    "refresh_request_body",
    "refresh_request_headers",
    "refresh_token_updater",
    "request_authentication",
    "request_body_data",
    "request_body_json",
    "request_headers",
    "request_parameters",
    "schema",
    "schemas",
    "stream_groups",
    "types_mapping",
    "value",
    "variables",
];

/// The JSON Schema of a manifest.
pub(in super::super) fn schema() -> Value {
    let supported: Vec<&str> = components().map(|(name, _)| name).collect();
    let mut definitions = Map::new();
    let has_type =
        json!({ "type": "object", "required": ["type"], "properties": { "type": { "type": "string" } } });
    let free: Map<String, Value> = FREE
        .iter()
        .map(|name| ((*name).to_owned(), Value::Bool(true)))
        .collect();
    definitions.insert(
        "value".to_owned(),
        json!({
            "items": { "$ref": "#/definitions/value" },
            "if": has_type,
            "then": { "$ref": "#/definitions/component" },
            "else": { "properties": free, "additionalProperties": { "$ref": "#/definitions/value" } },
        }),
    );
    // What is only referred to may be anything; what says that it is a component has to be one.
    definitions.insert(
        "definition".to_owned(),
        json!({
            "items": { "$ref": "#/definitions/definition" },
            "if": { "type": "object", "required": ["type"], "properties": { "type": { "enum": supported } } },
            "then": { "$ref": "#/definitions/component" },
            "else": { "properties": free, "additionalProperties": { "$ref": "#/definitions/definition" } },
        }),
    );
    let cases: Vec<Value> = components()
        .map(|(name, _)| {
            json!({
                "if": { "properties": { "type": { "const": name } } },
                "then": { "$ref": format!("#/definitions/{name}") },
            })
        })
        .collect();
    definitions.insert(
        "component".to_owned(),
        json!({ "properties": { "type": { "enum": supported, "description": refused() } }, "allOf": cases }),
    );
    definitions.insert("field".to_owned(), json!({ "enum": words() }));
    for (name, fields) in components() {
        definitions.insert(name.to_owned(), component(name, fields));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Syncline connector manifest",
        "description": "A connector in the declarative format: how to authenticate, page, slice, extract and map one API.",
        "type": "object",
        "required": ["version", "check"],
        "anyOf": [{ "required": ["streams"] }, { "required": ["dynamic_streams"] }],
        "allOf": [{ "$ref": "#/definitions/DeclarativeSource" }],
        "definitions": definitions,
    })
}

fn components() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    COMPONENTS.iter().copied()
}

/// What an editor shows beside a type that is refused.
fn refused() -> String {
    let mut text = "A component. Custom Python components do not run here:".to_owned();
    for (kind, instead) in INSTEAD {
        text.push_str(&format!(" instead of a Custom{kind}, {instead}."));
    }
    text
}

/// Every name that a field may have anywhere.
fn words() -> Vec<&'static str> {
    let mut words: Vec<&str> = COMPONENTS
        .iter()
        .flat_map(|(_, fields)| fields.iter().copied())
        .collect();
    words.extend(WITHOUT_EFFECT);
    words.extend(["$parameters", "$ref", "type"]);
    words.sort_unstable();
    words.dedup();
    words
}

fn component(name: &str, fields: &'static [&'static str]) -> Value {
    let mut properties = Map::new();
    properties.insert("type".to_owned(), json!({ "const": name }));
    properties.insert("$ref".to_owned(), json!({ "type": "string" }));
    properties.insert("$parameters".to_owned(), json!({ "type": "object" }));
    for field in fields {
        properties.insert((*field).to_owned(), value(name, field));
    }
    for word in words() {
        let slip = !fields.contains(&word)
            && !matches!(word, "type" | "$ref" | "$parameters")
            && matches!(stranger(word, fields), Stranger::Slip(_));
        if slip {
            properties.insert(word.to_owned(), Value::Bool(false));
        }
    }
    let description = if fields.is_empty() {
        format!("{name} has no fields.")
    } else {
        format!("{name} has {}.", fields.join(", "))
    };
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "propertyNames": { "$ref": "#/definitions/field" },
    })
}

fn value(component: &str, field: &str) -> Value {
    if field == "definitions" {
        return json!({ "$ref": "#/definitions/definition" });
    }
    if FREE.contains(&field) {
        return Value::Bool(true);
    }
    let holder = format!("{component}.{field}");
    let default = DEFAULT_TYPES
        .iter()
        .find(|(place, kind)| *place == holder && components().any(|(name, _)| name == *kind));
    let Some((_, kind)) = default else {
        return json!({ "$ref": "#/definitions/value" });
    };
    // A mapping without a type is taken for this one.
    let untyped = json!({
        "if": {
            "type": "object",
            "not": { "anyOf": [{ "required": ["type"] }, { "required": ["$ref"] }] },
        },
        "then": { "$ref": format!("#/definitions/{kind}") },
    });
    json!({
        "description": format!("{kind} when it has no type."),
        "allOf": [{ "$ref": "#/definitions/value" }, untyped],
        "items": untyped,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn validator() -> jsonschema::Validator {
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft7)
            .build(&schema())
            .expect("a usable schema")
    }

    fn parsed(yaml: &str) -> Value {
        serde_saphyr::from_str(yaml).expect("YAML")
    }

    fn refusals(validator: &jsonschema::Validator, manifest: &Value) -> Vec<String> {
        validator
            .iter_errors(manifest)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    }

    #[test]
    fn what_we_ship_is_valid() {
        let validator = validator();
        for shipped in crate::catalog::shipped() {
            let refusals = refusals(&validator, &parsed(shipped.yaml));
            assert!(refusals.is_empty(), "{}: {refusals:#?}", shipped.slug);
        }
    }

    /// The sample with one slip in it, which the loader refuses, too.
    #[test]
    fn usual_mistakes_are_not() {
        let validator = validator();
        let sample = crate::catalog::shipped()
            .iter()
            .find(|shipped| shipped.slug == "sample")
            .expect("shipped");
        for (right, wrong) in [
            ("primary_key: id", "primarykey: id"),
            ("field_path: []", "field_pth: []"),
            ("start_from_page: 1", "start_page: 1"),
            ("type: PageIncrement", "type: PageIncrment"),
            ("type: OffsetIncrement", "type: CustomPaginationStrategy"),
            (
                "type: MinMaxDatetime",
                "type: MinMaxDatetime\n          max_date: x",
            ),
            (
                "type: SimpleRetriever",
                "type: SimpleRetriever\n        wholly_unknown: 1",
            ),
            ("version: 7.0.0", "versoin: 7.0.0"),
            ("check:\n", "chek:\n"),
            ("streams:\n  - $ref", "stream:\n  - $ref"),
        ] {
            assert!(sample.yaml.contains(right), "{right}");
            let manifest = sample.yaml.replacen(right, wrong, 1);
            assert!(
                !refusals(&validator, &parsed(&manifest)).is_empty(),
                "{wrong} is let through"
            );
            assert!(
                crate::Connector::parse(&manifest).is_err(),
                "the loader takes {wrong}"
            );
        }
    }

    /// `SYNCLINE_CONFORMANCE_DIR`: a folder with `cases/<name>/manifest.yaml`. What loads is valid.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's own switch, not a setting of the product"
    )]
    fn what_loads_is_valid() {
        let Some(folder) = std::env::var_os("SYNCLINE_CONFORMANCE_DIR").map(PathBuf::from) else {
            return;
        };
        let validator = validator();
        let mut loaded = 0;
        for case in std::fs::read_dir(folder.join("cases")).expect("the folder holds cases") {
            let case = case.expect("the folder can be listed").path();
            let Ok(yaml) = std::fs::read_to_string(case.join("manifest.yaml")) else {
                continue;
            };
            if crate::Connector::parse(&yaml).is_err() {
                continue;
            }
            // A key that is there twice is the loader's to forgive, and not this parser's.
            let Ok(manifest) = serde_saphyr::from_str(&yaml) else {
                continue;
            };
            loaded += 1;
            let refusals = refusals(&validator, &manifest);
            assert!(refusals.is_empty(), "{}: {refusals:#?}", case.display());
        }
        assert!(loaded > 0);
    }
}
