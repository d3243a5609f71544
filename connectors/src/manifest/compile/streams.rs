//! Streams and their retrievers.

use std::sync::Arc;

use super::super::component::Component;
use super::super::components::{
    Decoder, Delegation, Extractor, IncrementalSync, RequestBody, Retriever, SimpleRetriever, StateMigration,
    StreamPlan, Transformation,
};
use super::super::document::Kind;
use super::super::slot::Slot;
use super::decoding::{decoder, refuse_combining, refuse_paging};
use super::extraction::refuse_counting;
use super::files::file_uploader;
use super::jobs::async_retriever;
use super::lazy;
use super::native;
use super::paging::paginator;
use super::protocol::{find_connection, relay_by_default};
use super::records::{selector, transformation};
use super::recovery::{self, recoveries};
use super::requests::requester_of_pages;
use super::schema::{self, Schema};
use super::slicing::{check_constant_duration, incremental_sync, partition_routers};
use crate::decode;

/// A `DeclarativeStream`, one that is code, or a `StateDelegatingStream`: then it is the incremental one, which knows the other.
pub(in super::super) fn stream(slot: &Slot<'_>) -> Option<StreamPlan> {
    let component = slot.component(&[
        "DeclarativeStream",
        "StateDelegatingStream",
        "PostgresStream",
        "ObjectStorageStream",
    ])?;
    component.check_fields();
    match &*component.kind {
        "DeclarativeStream" => {}
        "StateDelegatingStream" => return delegating(&component),
        _ => return native::stream(&component),
    }
    let name = component.or("name", String::new(), Slot::literal);
    let primary_key = component.or("primary_key", Vec::new(), primary_key);
    let schema = component.or("schema_loader", Schema::default(), schema::schema);
    let incremental = component.optional("incremental_sync", incremental_sync);
    let transformations = component.or("transformations", Vec::new(), |slot| slot.each(transformation));
    let state_migrations = component.or("state_migrations", Vec::new(), |slot| slot.each(state_migration));
    let transform_first = matches!(
        &incremental,
        Some(Some(IncrementalSync::Datetime(cursor))) if cursor.is_client_side_incremental
    );
    let file_uploader = component.optional("file_uploader", file_uploader);
    let faulty = transformations.is_none();
    let retriever = component
        .required("retriever")
        .and_then(|slot| retriever(&slot, transformations.unwrap_or_default(), transform_first));
    if faulty {
        return None;
    }
    let (name, schema, mut retriever, incremental) = (name?, schema?, retriever?, incremental?);
    lazy::check(&component, &mut retriever, incremental.as_ref())?;
    if let Retriever::Simple(simple) = &retriever {
        recovery::check_cursor(&component, simple, incremental.as_ref())?;
    }
    let split = retriever
        .records()
        .is_some_and(|requests| !requests.partition_routers.is_empty());
    if split && matches!(incremental, Some(IncrementalSync::Count(_))) {
        component.fault(
            "an IncrementingCountCursor cannot count in partitions; leave the partition_router out, or use a DatetimeBasedCursor",
        );
        return None;
    }
    if schema.in_another_file && retriever.normalizes() {
        component.fault(
            "schema_normalization needs the schema, and that is in a file beside the manifest: write it out in an \
             InlineSchemaLoader",
        );
        return None;
    }
    if name.is_empty() {
        component.fault("DeclarativeStream needs the field name");
        return None;
    }
    Some(StreamPlan {
        name,
        primary_key: primary_key?,
        schema: Arc::new(schema.fixed()),
        schema_parts: schema.open_parts(),
        incremental_sync: incremental,
        state_migrations: state_migrations?,
        file_uploader: file_uploader?,
        ..StreamPlan::of(retriever)
    })
}

fn delegating(component: &Component<'_>) -> Option<StreamPlan> {
    let name = component.required("name").and_then(|slot| slot.literal());
    let part = |field: &str| {
        let slot = component.required(field)?;
        slot.component(&["DeclarativeStream"])?;
        stream(&slot)
    };
    let full_refresh = part("full_refresh_stream");
    let incremental = part("incremental_stream");
    let api_retention_period = component.optional_text("api_retention_period");
    check_constant_duration(component, "api_retention_period")?;
    let (name, full_refresh, incremental) = (name?, full_refresh?, incremental?);
    if let Some(other) = [&full_refresh, &incremental]
        .iter()
        .find(|part| part.name != name)
    {
        component.fault(format!(
            "full_refresh_stream and incremental_stream have to be named {name} like the StateDelegatingStream, not {}",
            other.name
        ));
        return None;
    }
    Some(StreamPlan {
        delegation: Some(Delegation {
            full_refresh: Arc::new(full_refresh),
            api_retention_period: api_retention_period?,
        }),
        ..incremental
    })
}

/// A field, a list of fields, or a list of paths. Empty texts mean no key.
pub(super) fn primary_key(slot: &Slot<'_>) -> Option<Vec<Vec<String>>> {
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

fn state_migration(slot: &Slot<'_>) -> Option<StateMigration> {
    slot.component(&["LegacyToPerPartitionStateMigration"])?;
    Some(StateMigration::LegacyToPerPartition)
}

pub(super) fn retriever(
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
    let requester = component
        .required("requester")
        .and_then(|slot| requester_of_pages(&slot));
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
    let recoveries = recoveries(component);
    let (requester, query_properties) = requester?;
    let decoder = decoder?;
    if query_properties.is_some() && decode::has_rows(&decoder) {
        component.fault(
            "query properties put records together from several answers, which have to be documents; use JsonDecoder or \
             XmlDecoder",
        );
        return None;
    }
    let paging = paginator.as_ref().and_then(Option::as_ref);
    refuse_paging(component, "paginator", &decoder, paging)?;
    if decoder != Decoder::Json && matches!(requester.body, RequestBody::Soap(_)) {
        component.fault("a SoapRequester's answer is JSON before a decoder sees it; leave the decoder out");
        return None;
    }
    let (record_selector, mut paginator) = (record_selector?, paginator?);
    if component.field("paginator").is_none() {
        paginator = relay_by_default(component, &requester.body);
    }
    refuse_combining(component, &record_selector.extractor, &decoder)?;
    if let Some(paginator) = &mut paginator {
        let field_path = match &record_selector.extractor {
            Extractor::Dpath { field_path, .. } => field_path,
            Extractor::Combined { .. } => &Vec::new(),
        };
        find_connection(component, paginator, field_path)?;
        refuse_counting(component, &paginator.strategy, &record_selector.extractor)?;
    }
    let (pagination_reset, page_size_reduction, request_window_splitting) = recoveries?;
    let simple = SimpleRetriever {
        requester,
        decoder,
        record_selector,
        paginator,
        partition_routers: partition_routers?,
        ignore_stream_slicer_parameters_on_paginated_requests: ignore?,
        query_properties,
        pagination_reset,
        page_size_reduction,
        request_window_splitting,
    };
    recovery::check(component, &simple)?;
    Some(simple)
}
