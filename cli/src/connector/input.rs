//! The files a connector command is given: manifest, configuration, catalog, state.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use connectors::Connector;
use connectors::read::Selection;
use serde_json::Value;

use super::protocol::NO_CURSOR;
use crate::arguments::{ManifestArgument, SourceArguments};
use crate::exit::{Exit, Failure};

/// Loads the manifest. A name without a file behind it may be a connector that we ship.
pub(super) fn connector(arguments: &ManifestArgument) -> Result<Connector, Failure> {
    let path = &arguments.manifest;
    let shipped = || {
        let slug = path.to_str()?;
        connectors::catalog::shipped()
            .iter()
            .find(|shipped| shipped.slug == slug)
            .map(|shipped| shipped.yaml.to_owned())
    };
    let yaml = match text(path, "--manifest") {
        Ok(yaml) => yaml,
        Err(failure) => shipped().ok_or_else(|| unknown(path, failure))?,
    };
    Connector::parse(&yaml).map_err(|faults| {
        let mut paragraph = format!("The manifest {} does not load:", path.display());
        for fault in faults {
            paragraph.push_str(&format!("\n  {fault}"));
        }
        Failure::new(Exit::Manifest, paragraph)
    })
}

/// A plain name may have been meant for a shipped one.
fn unknown(path: &Path, failure: Failure) -> Failure {
    if path.components().count() > 1 || path.extension().is_some() || path.as_os_str() == "-" {
        return failure;
    }
    Failure::usage(format!(
        "{failure} No shipped connector has that name either; `syncline connector list` names them."
    ))
}

/// Reads the configuration; without one it is empty.
pub(super) fn config(arguments: &SourceArguments) -> Result<Value, Failure> {
    let Some(path) = &arguments.config else {
        return Ok(Value::Object(Default::default()));
    };
    let config = json(&text(path, "--config")?, path, "--config")?;
    if config.is_object() {
        Ok(config)
    } else {
        Err(Failure::usage("--config must hold one JSON object."))
    }
}

/// What to read of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    pub(super) stream: String,
    pub(super) full_refresh: bool,
    pub(super) selection: Selection,
    /// Whether the files that belong to its records are wanted, where the catalog says.
    pub(super) include_files: Option<bool>,
}

/// What the catalog asks for: an Airbyte configured catalog, or what `discover` printed.
pub(super) fn catalog(path: &Path) -> Result<Vec<Wanted>, Failure> {
    let text = text(path, "--catalog")?;
    let wanted = documents(&text)
        .and_then(|documents| documents.iter().find_map(wanted_of))
        .ok_or_else(|| {
            Failure::usage(format!(
                "{} is no catalog: expected {{\"streams\":[{{\"stream\":{{\"name\":…}},\"sync_mode\":…}}]}}, or what `syncline connector discover` printed.",
                path.display()
            ))
        })?;
    Ok(wanted)
}

fn wanted_of(document: &Value) -> Option<Vec<Wanted>> {
    let streams = document
        .get("streams")
        .or_else(|| document.pointer("/catalog/streams"))?
        .as_array()?;
    streams
        .iter()
        .map(|entry| {
            let name = entry
                .pointer("/stream/name")
                .or_else(|| entry.get("name"))?
                .as_str()?;
            let full_refresh = entry.get("sync_mode").and_then(Value::as_str) == Some("full_refresh");
            let stream = entry.get("stream").unwrap_or(entry);
            let properties = stream
                .get("json_schema")
                .map(|schema| schema.get("properties").and_then(Value::as_object).cloned());
            let cursor_field = entry.get("cursor_field").and_then(Value::as_array);
            let cursor_field = cursor_field.into_iter().flatten().filter_map(Value::as_str);
            Some(Wanted {
                stream: name.to_owned(),
                full_refresh,
                selection: Selection {
                    cursor_field: cursor_field.map(ToOwned::to_owned).collect(),
                    // A schema without properties selects none.
                    properties: properties.map(Option::unwrap_or_default),
                },
                include_files: entry.get("include_files").and_then(Value::as_bool),
            })
        })
        .collect()
}

/// The state of each stream, from STATE messages or their insides; the last of a stream counts. That a stream without a
/// cursor was read is worth knowing only for one that delegates by it.
pub(super) fn state(
    path: &Path,
    delegates: &dyn Fn(&str) -> bool,
) -> Result<HashMap<String, Value>, Failure> {
    let text = text(path, "--state")?;
    let unfit = || {
        Failure::usage(format!(
            "{} holds no state: expected STATE messages as JSON lines, or a JSON array of {{\"type\":\"STREAM\",\"stream\":{{\"stream_descriptor\":{{\"name\":…}},\"stream_state\":{{…}}}}}}.",
            path.display()
        ))
    };
    let mut states = HashMap::new();
    for message in documents(&text).ok_or_else(unfit)? {
        let message = message.get("state").unwrap_or(&message);
        let stream = message.get("stream").ok_or_else(unfit)?;
        let name = stream
            .pointer("/stream_descriptor/name")
            .and_then(Value::as_str)
            .ok_or_else(unfit)?;
        match stream.get("stream_state") {
            Some(state) if !state.is_null() && (state.get(NO_CURSOR).is_none() || delegates(name)) => {
                states.insert(name.to_owned(), state.clone());
            }
            _ => {
                states.remove(name);
            }
        }
    }
    Ok(states)
}

/// One JSON document, the elements of one array, or JSON lines.
fn documents(text: &str) -> Option<Vec<Value>> {
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    match documents.ok()?.as_mut_slice() {
        [Value::Array(elements)] => Some(std::mem::take(elements)),
        documents => Some(documents.iter_mut().map(Value::take).collect()),
    }
}

fn json(text: &str, path: &Path, flag: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::usage(format!("{flag} {} is not JSON: {error}.", path.display())))
}

fn text(path: &Path, flag: &str) -> Result<String, Failure> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        return match std::io::stdin().read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(Failure::usage(format!(
                "Cannot read {flag} from standard input: {error}."
            ))),
        };
    }
    std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("Cannot read {flag} {}: {error}.", path.display())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        file
    }

    #[test]
    fn state_is_understood_as_an_array_and_as_messages() {
        let array = file(
            r#"[{"stream":{"stream_descriptor":{"name":"a"},"stream_state":{"at":1}},"type":"STREAM"},
                {"stream":{"stream_descriptor":{"name":"b"},"stream_state":{"__ab_no_cursor_state_message":true}},"type":"STREAM"}]"#,
        );
        let lines = file(
            r#"{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"at":0}}}}
{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"at":1}}}}
"#,
        );
        let delegated = state(array.path(), &|stream| stream == "b").expect("understood");
        assert_eq!(delegated.len(), 2, "one that delegates does not");
        for file in [array, lines] {
            let states = state(file.path(), &|_| false).expect("understood");
            assert_eq!(states.get("a"), Some(&json!({ "at": 1 })));
            assert_eq!(states.len(), 1, "a stream without a cursor starts afresh");
        }
    }

    #[test]
    fn what_is_no_state_is_refused() {
        for text in ["{\"cursor\":1}", "nonsense", "[1]"] {
            assert_eq!(
                state(file(text).path(), &|_| false).expect_err("refused").exit(),
                Exit::Usage
            );
        }
    }

    #[test]
    fn a_catalog_is_configured_or_discovered() {
        let configured =
            file(r#"{"streams":[{"stream":{"name":"a"},"sync_mode":"full_refresh","include_files":true}]}"#);
        let discovered = file(
            "{\"type\":\"LOG\",\"log\":{}}\n{\"type\":\"CATALOG\",\"catalog\":{\"streams\":[{\"name\":\"a\"}]}}",
        );
        let wanted = |full_refresh| {
            vec![Wanted {
                stream: "a".to_owned(),
                full_refresh,
                selection: Selection::default(),
                include_files: full_refresh.then_some(true),
            }]
        };
        assert_eq!(catalog(configured.path()).expect("understood"), wanted(true));
        assert_eq!(catalog(discovered.path()).expect("understood"), wanted(false));
        assert!(catalog(file("{}").path()).is_err());
    }
}
