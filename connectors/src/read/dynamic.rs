//! Dynamic streams: from a template and what a resolver finds to streams that can be read.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::lookup;
use super::slice::Slice;
use super::{ErrorKind, ReadError};
use crate::http::session::Session;
use crate::manifest::components::{
    ComponentMapping, ComponentsResolver, DynamicStreams, StreamConfig, StreamPlan,
};
use crate::manifest::expand::{Change, expand};
use crate::template::{ValidTypes, Variable};

/// A connector with more streams than that is a mistake, or somebody's attack.
const MOST: usize = 5_000;

/// The streams of all dynamic ones, in the manifest's order.
pub(crate) async fn streams(
    session: &Arc<Session>,
    text: &str,
    dynamic: &[DynamicStreams],
) -> Result<Vec<Arc<StreamPlan>>, ReadError> {
    let mut made: Vec<Arc<StreamPlan>> = Vec::new();
    let mut names = HashSet::new();
    for definition in dynamic {
        let changes = changes(session, definition, MOST - made.len()).await?;
        let streams = expand(text, definition, &changes).map_err(|faults| {
            let fault = faults.first().map_or_else(String::new, ToString::to_string);
            let message = format!(
                "A stream that the dynamic stream {} makes cannot be read: {fault}.",
                definition.name
            );
            ReadError::config(session.scrub(&message))
        })?;
        for stream in streams {
            if !names.insert(stream.name.clone()) {
                let whose = match definition.resolver {
                    ComponentsResolver::Config(_) => "in the configuration",
                    ComponentsResolver::Http(_) => "in the upstream's answer",
                    ComponentsResolver::Parameters(_) => "in the manifest",
                };
                return Err(ReadError::config(format!(
                    "The dynamic stream {} makes two streams named {}; names have to differ {whose}.",
                    definition.name, stream.name
                )));
            }
            made.push(stream);
        }
    }
    Ok(made)
}

/// What each component changes in the template.
async fn changes(
    session: &Arc<Session>,
    definition: &DynamicStreams,
    room: usize,
) -> Result<Vec<Vec<Change>>, ReadError> {
    let mut all = Vec::new();
    let mut take = |component: &Value, slice: Option<&Slice>| -> Result<(), ReadError> {
        if all.len() >= room {
            let message = format!("The dynamic streams make more than {MOST} streams.");
            return Err(ReadError::new(ErrorKind::Config, "TOO_MANY_STREAMS", message));
        }
        all.push(of_component(session, definition, component, slice)?);
        Ok(())
    };
    match &definition.resolver {
        ComponentsResolver::Http(plan) => {
            lookup::records(session, plan, &mut |slice, component| {
                take(&component, Some(slice)).map(|()| true)
            })
            .await?;
        }
        ComponentsResolver::Parameters(list) => {
            list.iter().try_for_each(|component| take(component, None))?;
        }
        ComponentsResolver::Config(configs) => {
            let lists = configs
                .iter()
                .map(|config| values(session, config))
                .collect::<Result<Vec<_>, _>>()?;
            combinations(&lists, &mut |component| take(&component, None))?;
        }
    }
    Ok(all)
}

fn of_component(
    session: &Session,
    definition: &DynamicStreams,
    component: &Value,
    slice: Option<&Slice>,
) -> Result<Vec<Change>, ReadError> {
    let mut names = vec![
        ("components_values", Variable::Json(component)),
        ("stream_template_config", Variable::Json(&definition.template)),
    ];
    if let Some(slice) = slice {
        names.push(("stream_slice", slice.variable()));
    }
    let from_http = matches!(definition.resolver, ComponentsResolver::Http(_));
    let mut changes = Vec::new();
    for mapping in &definition.mappings {
        if let Some(condition) = &mapping.condition
            && !session.condition(condition, &names)?
        {
            continue;
        }
        changes.push(change(session, mapping, &names, from_http)?);
    }
    Ok(changes)
}

fn change(
    session: &Session,
    mapping: &ComponentMapping,
    names: &crate::http::session::Names<'_>,
    from_http: bool,
) -> Result<Change, ReadError> {
    let valid = mapping.value_type.map_or(ValidTypes::ANY, |kind| kind.valid());
    let value = session.typed(&mapping.value, names, valid)?;
    let path = mapping
        .field_path
        .iter()
        .map(|part| session.text(part, names))
        .collect::<Result<_, _>>()?;
    let meant_as_text =
        mapping.value_type == Some(crate::manifest::components::ValueType::String) && value.is_string();
    Ok(Change {
        path,
        value,
        reads_yaml: !from_http && !meant_as_text,
        creates: !from_http && mapping.create_or_update,
    })
}

/// What the configuration holds in a place, as a list.
fn values(session: &Session, config: &StreamConfig) -> Result<Vec<Value>, ReadError> {
    let mut found = Some(&session.config);
    for part in &config.configs_pointer {
        let part = session.text(part, &[])?;
        found = found.and_then(|value| match value {
            Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            other => other.get(&part),
        });
    }
    let mut values = match found {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    values.extend(config.default_values.iter().cloned());
    Ok(values)
}

/// Every combination of the lists' items, laid over each other; the last list runs fastest.
fn combinations(
    lists: &[Vec<Value>],
    take: &mut dyn FnMut(Value) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    if lists.iter().any(Vec::is_empty) {
        return Ok(());
    }
    let mut at = vec![0; lists.len()];
    loop {
        let mut combined = Map::new();
        for (list, (items, &index)) in lists.iter().zip(&at).enumerate() {
            match &items[index] {
                Value::Object(fields) => combined.extend(fields.clone()),
                other => {
                    combined
                        .entry(format!("source_config_{list}"))
                        .or_insert_with(|| json!([index, other]));
                }
            }
        }
        take(Value::Object(combined))?;
        let Some(next) = (0..at.len()).rev().find(|&list| at[list] + 1 < lists[list].len()) else {
            return Ok(());
        };
        at[next] += 1;
        at[next + 1..].fill(0);
    }
}
