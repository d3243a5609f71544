//! Streams and their retrievers.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::component::Component;
use super::super::components::{
    Decoder, IncrementalSync, Retriever, SimpleRetriever, StateMigration, StreamPlan, Transformation,
};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::decoding::{decoder, refuse_paging};
use super::jobs::async_retriever;
use super::paging::paginator;
use super::records::{selector, transformation};
use super::requests::requester;
use super::slicing::{incremental_sync, partition_routers};

pub(super) fn stream(slot: &Slot<'_>) -> Option<Arc<StreamPlan>> {
    let component = slot.component(&["DeclarativeStream"])?;
    component.check_fields();
    let name = component.or("name", String::new(), Slot::literal);
    let primary_key = component.or("primary_key", Vec::new(), primary_key);
    let schema = component.or("schema_loader", Value::Object(Map::new()), schema);
    let incremental = component.optional("incremental_sync", incremental_sync);
    let transformations = component.or("transformations", Vec::new(), |slot| slot.each(transformation));
    let state_migrations = component.or("state_migrations", Vec::new(), |slot| slot.each(state_migration));
    let transform_first = matches!(
        &incremental,
        Some(Some(IncrementalSync::Datetime(cursor))) if cursor.is_client_side_incremental
    );
    let faulty = transformations.is_none();
    let retriever = component
        .required("retriever")
        .and_then(|slot| retriever(&slot, transformations.unwrap_or_default(), transform_first));
    if faulty {
        return None;
    }
    let name = name?;
    if name.is_empty() {
        component.fault("DeclarativeStream needs the field name");
        return None;
    }
    Some(Arc::new(StreamPlan {
        name,
        primary_key: primary_key?,
        schema: Arc::new(schema?),
        retriever: retriever?,
        incremental_sync: incremental?,
        state_migrations: state_migrations?,
    }))
}

/// A field, a list of fields, or a list of paths. Empty texts mean no key.
fn primary_key(slot: &Slot<'_>) -> Option<Vec<Vec<String>>> {
    let parts = match &slot.node.kind {
        Kind::Text(name) => vec![vec![name.to_string()]],
        _ => slot.each(|part| match &part.node.kind {
            Kind::List(_) => part.literals(),
            _ => part.literal().map(|name| vec![name]),
        })?,
    };
    Some(
        parts
            .into_iter()
            .filter(|path| path.iter().any(|segment| !segment.is_empty()))
            .collect(),
    )
}

/// One loader, or a list whose schemas are laid over each other.
fn schema(slot: &Slot<'_>) -> Option<Value> {
    if matches!(slot.node.kind, Kind::List(_)) {
        let mut properties = Map::new();
        for schema in slot.each(schema)? {
            if let Value::Object(mut schema) = schema
                && let Some(Value::Object(more)) = schema.remove("properties")
            {
                properties.extend(more);
            }
        }
        return Some(serde_json::json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": ["null", "object"],
            "properties": properties,
        }));
    }
    let component = slot.component(&["InlineSchemaLoader"])?;
    component.check_fields();
    component.or("schema", Value::Object(Map::new()), |slot| {
        let schema = slot.json()?;
        if !schema.is_object() {
            slot.fault(format!(
                "schema has to be a JSON Schema (a mapping), not {}",
                slot.node.describe()
            ));
            return None;
        }
        Some(schema)
    })
}

fn state_migration(slot: &Slot<'_>) -> Option<StateMigration> {
    slot.component(&["LegacyToPerPartitionStateMigration"])?;
    Some(StateMigration::LegacyToPerPartition)
}

fn retriever(
    slot: &Slot<'_>,
    transformations: Vec<Transformation>,
    transform_first: bool,
) -> Option<Retriever> {
    let component = slot.component(&["SimpleRetriever", "AsyncRetriever"])?;
    component.check_fields();
    if &*component.kind == "AsyncRetriever" {
        return async_retriever(&component, transformations, transform_first)
            .map(|jobs| Retriever::Async(Box::new(jobs)));
    }
    simple(&component, transformations, transform_first).map(|simple| Retriever::Simple(Box::new(simple)))
}

fn simple(
    component: &Component<'_>,
    transformations: Vec<Transformation>,
    transform_first: bool,
) -> Option<SimpleRetriever> {
    let requester = component.required("requester").and_then(|slot| requester(&slot));
    let decoder = component.or("decoder", Decoder::default(), decoder);
    let record_selector = component
        .required("record_selector")
        .and_then(|slot| selector(&slot, transformations, transform_first));
    let paginator = component.or("paginator", None, paginator);
    let partition_routers = component.or("partition_router", Vec::new(), partition_routers);
    let ignore = component.or(
        "ignore_stream_slicer_parameters_on_paginated_requests",
        false,
        Slot::boolean,
    );
    let decoder = decoder?;
    refuse_paging(component, "paginator", &decoder)?;
    Some(SimpleRetriever {
        requester: requester?,
        decoder,
        record_selector: record_selector?,
        paginator: paginator?,
        partition_routers: partition_routers?,
        ignore_stream_slicer_parameters_on_paginated_requests: ignore?,
    })
}
