//! States of older versions, brought into today's form.

use serde_json::{Map, Value, json};

use super::ReadError;
use super::routers::Router;
use super::stream::StreamReader;
use crate::manifest::components::StateMigration;

/// Applies the stream's migrations, each where the state has its old form.
pub(super) fn migrate(reader: &StreamReader, state: Option<Value>) -> Result<Option<Value>, ReadError> {
    let Some(mut state) = state else { return Ok(None) };
    for migration in &reader.plan.state_migrations {
        match migration {
            StateMigration::LegacyToPerPartition => {
                if let Some(migrated) = to_partitions(reader, &state) {
                    state = migrated;
                }
            }
        }
    }
    Ok(Some(state))
}

/// `{partition: {cursor field: value}}` becomes a list of partitions.
fn to_partitions(reader: &StreamReader, state: &Value) -> Option<Value> {
    let cursor = reader.cursor.as_ref()?;
    let [router] = reader.routers.as_slice() else {
        return None;
    };
    let Router::Substream { parents } = &**router else {
        return None;
    };
    let [parent] = parents.as_slice() else { return None };
    let state = state.as_object().filter(|state| !state.is_empty())?;
    let states = state
        .iter()
        .map(|(key, value)| {
            let old = value
                .as_object()
                .filter(|old| old.len() == 1 && old.contains_key(&cursor.field))?;
            let partition = Map::from_iter([(parent.field.clone(), Value::String(key.clone()))]);
            Some(json!({ "partition": partition, "cursor": old }))
        })
        .collect::<Option<Vec<_>>>()?;
    Some(json!({ "states": states }))
}
