//! What is wrong with a configuration, in words that say what to do.
//!
//! The validator's own messages quote the value that was found. They are not used: the value may be a secret, and
//! "'5' is not of type 'integer'" does not say what the field is for. What is said here is made from the schema.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::ConfigFault;
use crate::manifest::nearest;

pub(super) fn faults<'a>(
    schema: &Value,
    errors: impl IntoIterator<Item = ValidationError<'a>>,
) -> Vec<ConfigFault> {
    let mut faults = Vec::new();
    for error in errors {
        add(schema, &error, &mut faults);
    }
    faults.dedup();
    faults
}

fn add(root: &Value, error: &ValidationError<'_>, faults: &mut Vec<ConfigFault>) {
    let path = segments(&error.instance_path().to_string());
    let schema = enclosing(root, &error.schema_path().to_string());
    let mut push = |path: Vec<String>, message: String| faults.push(ConfigFault { path, message });
    let purpose = || {
        schema
            .and_then(purpose)
            .map(|purpose| format!(" ({purpose})"))
            .unwrap_or_default()
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default().to_owned();
            let field = schema.and_then(|schema| schema.get("properties")?.get(&name));
            let purpose = field
                .and_then(self::purpose)
                .map(|purpose| format!(" ({purpose})"))
                .unwrap_or_default();
            let message = format!("is required{purpose}: give {}", wanted(field));
            push(path.into_iter().chain([name]).collect(), message);
        }
        ValidationErrorKind::Type { kind } => {
            let found = kind_of(error.instance());
            push(
                path,
                format!("has to be {}, not {found}{}", types(kind), purpose()),
            );
        }
        ValidationErrorKind::Enum { options } => {
            push(path, format!("has to be one of {}{}", list(options), purpose()))
        }
        ValidationErrorKind::Constant { expected_value } => {
            push(path, format!("has to be {expected_value}{}", purpose()))
        }
        ValidationErrorKind::Pattern { pattern } => {
            let described = schema.and_then(|schema| schema.get("pattern_descriptor")?.as_str());
            let example = schema
                .and_then(example)
                .map(|example| format!(", such as {example}"))
                .unwrap_or_default();
            let form = described.map_or_else(
                || format!("match the pattern {pattern}"),
                |form| format!("look like {form}"),
            );
            push(path, format!("has to {form}{example}{}", purpose()));
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = schema.and_then(|schema| schema.get("properties")?.as_object());
            let names: Vec<&str> = known
                .into_iter()
                .flat_map(|known| known.keys().map(String::as_str))
                .collect();
            for name in unexpected {
                let hint = match nearest(name, names.iter().copied()) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!(
                        "there is {}",
                        if names.is_empty() {
                            "nothing to configure".to_owned()
                        } else {
                            names.join(", ")
                        }
                    ),
                };
                push(
                    path.iter().cloned().chain([name.clone()]).collect(),
                    format!("is not a field of this connector; {hint}"),
                );
            }
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            alternatives(root, error, context, schema, faults);
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            push(
                path,
                "fits several of the alternatives at once; leave out the fields of the others".to_owned(),
            );
        }
        ValidationErrorKind::Minimum { limit } => {
            push(path, format!("has to be at least {limit}{}", purpose()))
        }
        ValidationErrorKind::Maximum { limit } => {
            push(path, format!("has to be at most {limit}{}", purpose()))
        }
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            push(path, format!("has to be more than {limit}{}", purpose()))
        }
        ValidationErrorKind::ExclusiveMaximum { limit } => {
            push(path, format!("has to be less than {limit}{}", purpose()))
        }
        ValidationErrorKind::MinLength { limit } => {
            push(path, format!("needs at least {limit} characters{}", purpose()))
        }
        ValidationErrorKind::MaxLength { limit } => {
            push(path, format!("may have at most {limit} characters{}", purpose()))
        }
        ValidationErrorKind::MinItems { limit } => {
            push(path, format!("needs at least {limit} items{}", purpose()))
        }
        ValidationErrorKind::MaxItems { limit } => {
            push(path, format!("may have at most {limit} items{}", purpose()))
        }
        ValidationErrorKind::UniqueItems => {
            push(path, "holds the same item twice; leave out the second".to_owned())
        }
        other => push(
            path,
            format!(
                "does not fit the connector's specification ({}){}",
                other.keyword(),
                purpose()
            ),
        ),
    }
}

/// Of several alternatives, the one that was meant: whose fixed values (the discriminator) all fit.
fn alternatives(
    root: &Value,
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'static>>],
    schema: Option<&Value>,
    faults: &mut Vec<ConfigFault>,
) {
    let is_fixed = |error: &ValidationError<'_>| {
        matches!(
            error.kind(),
            ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. }
        )
    };
    let is_missing_fixed = |error: &ValidationError<'_>| match error.kind() {
        ValidationErrorKind::Required { property } => {
            let schema = enclosing(root, &error.schema_path().to_string());
            let field = property
                .as_str()
                .and_then(|name| schema?.get("properties")?.get(name));
            field.is_some_and(|field| field.get("const").is_some())
        }
        _ => false,
    };
    let mut meant = context.iter().filter(|errors| {
        !errors
            .iter()
            .any(|error| is_fixed(error) || is_missing_fixed(error))
    });
    if let (Some(only), None) = (meant.next(), meant.next()) {
        only.iter().for_each(|error| add(root, error, faults));
        return;
    }
    let path = segments(&error.instance_path().to_string());
    let branches = schema.and_then(|schema| schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array());
    let names: Vec<String> = branches.into_iter().flatten().filter_map(alternative).collect();
    let message = if names.is_empty() {
        "fits none of the alternatives that the connector's specification allows".to_owned()
    } else {
        format!(
            "fits none of the alternatives; write one of: {}",
            names.join(", or ")
        )
    };
    faults.push(ConfigFault { path, message });
}

/// An alternative by its title and its discriminator.
fn alternative(branch: &Value) -> Option<String> {
    let fixed = branch
        .get("properties")
        .and_then(Value::as_object)
        .and_then(|properties| {
            properties
                .iter()
                .find_map(|(name, field)| Some(format!("{name}: {}", field.get("const")?)))
        });
    match (branch.get("title").and_then(Value::as_str), fixed) {
        (Some(title), Some(fixed)) => Some(format!("{title} ({fixed})")),
        (Some(title), None) => Some(title.to_owned()),
        (None, fixed) => fixed.or_else(|| branch.get("type").map(|_| wanted(Some(branch)))),
    }
}

/// The fields of a JSON pointer.
fn segments(pointer: &str) -> Vec<String> {
    pointer
        .split('/')
        .skip(1)
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// The schema that holds the keyword that failed.
fn enclosing<'a>(root: &'a Value, keyword: &str) -> Option<&'a Value> {
    let (parent, _) = keyword.rsplit_once('/')?;
    root.pointer(parent)
}

/// What a field is for: its title, or the first sentence about it.
fn purpose(schema: &Value) -> Option<String> {
    let text = |name: &str| {
        schema
            .get(name)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    if let Some(title) = text("title") {
        return Some(title.to_owned());
    }
    let sentence = text("description")?.split(". ").next()?.trim_end_matches('.');
    (sentence.chars().count() <= 160).then(|| sentence.to_owned())
}

fn example(schema: &Value) -> Option<String> {
    let examples = schema.get("examples")?;
    let first = examples
        .as_array()
        .map_or(Some(examples), |examples| examples.first())?;
    Some(first.as_str().map_or_else(|| first.to_string(), str::to_owned))
}

fn wanted(schema: Option<&Value>) -> String {
    let Some(schema) = schema else {
        return "a value".to_owned();
    };
    if let Some(options) = schema.get("enum") {
        return format!("one of {}", list(options));
    }
    if let Some(fixed) = schema.get("const") {
        return fixed.to_string();
    }
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null")
            .unwrap_or_default(),
        _ => "",
    };
    let example = example(schema)
        .map(|example| format!(", such as {example}"))
        .unwrap_or_default();
    format!("{}{example}", type_in_words(name))
}

fn list(options: &Value) -> String {
    match options.as_array() {
        Some(options) if options.len() > 20 => {
            let shown: Vec<_> = options.iter().take(20).map(Value::to_string).collect();
            format!("{} and {} more", shown.join(", "), options.len() - 20)
        }
        Some(options) => options
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        None => options.to_string(),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => type_in_words(kind.as_str()).to_owned(),
        TypeKind::Multiple(kinds) => kinds
            .iter()
            .map(|kind| type_in_words(kind.as_str()))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

fn type_in_words(name: &str) -> &'static str {
    match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        "null" => "null",
        _ => "a value",
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
