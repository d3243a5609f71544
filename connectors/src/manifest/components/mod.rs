//! The plan: what is left of a manifest once it is understood.
//!
//! Everything that reads a connector reads these types and nothing else. They hold no unresolved `$ref`, no default
//! that still has to be looked up, no string that still has to be parsed: templates are compiled, patterns are
//! compiled, enumerations are enumerations. What the reader cannot run is not in here, because the loader refused
//! it with its line and column; so the reader has no "unsupported" branch and no way to be silently wrong.
//!
//! Names follow the format's own component and field names, so that a person who knows the format finds their way.
//! Enumerations are open on purpose (`match` them exhaustively: a new variant should stop the build where it is not
//! handled).

mod auth;
mod budget;
mod configuration;
mod decoding;
mod dynamic;
mod errors;
mod extraction;
mod files;
mod jobs;
mod native;
mod paging;
mod properties;
mod protocol;
mod records;
mod recovery;
mod request;
mod rotation;
mod slicing;
mod text;

use std::sync::Arc;

use serde_json::Value;

pub use auth::*;
pub use budget::*;
pub use configuration::*;
pub use decoding::*;
pub use dynamic::*;
pub use errors::*;
pub use extraction::*;
pub use files::*;
pub use jobs::*;
pub use native::*;
pub use paging::*;
pub use properties::*;
pub use protocol::*;
pub use records::*;
pub use recovery::*;
pub use request::*;
pub use rotation::*;
pub use slicing::*;
pub use text::*;

use crate::error::ManifestError;
use crate::spec::Spec;

/// One connector, ready to be read from.
#[derive(Debug)]
pub struct Plan {
    /// `name` of the manifest, or of its metadata.
    pub name: Option<String>,
    /// `title` of the manifest's spec or metadata.
    pub title: Option<String>,
    /// Free text on the connector.
    pub description: Option<String>,
    /// The component schema's version that the manifest was written for.
    pub version: Option<String>,
    /// What can be read, in the manifest's order. Names are unique among those that are there under every condition.
    pub streams: Vec<Arc<StreamPlan>>,
    /// Streams that only a configuration tells.
    pub dynamic: Vec<DynamicStreams>,
    /// The manifest itself, where streams are still to be made from it.
    pub text: Option<Arc<str>>,
    /// How a configuration is tried out.
    pub check: CheckPlan,
    /// What a configuration looks like.
    pub spec: Spec,
    /// What is done to a configuration before anything else reads it.
    pub config_rules: Arc<ConfigRules>,
    /// How many partitions may be read side by side, where the manifest says so.
    pub concurrency: Option<ConcurrencyLevel>,
    /// How many jobs may run at once; one where the manifest does not say.
    pub max_concurrent_async_job_count: Option<Integer>,
    /// How many requests the upstream allows, where the manifest says so.
    pub api_budget: Option<Arc<ApiBudget>>,
    /// What stands in the manifest without effect.
    pub warnings: Vec<ManifestError>,
}

impl Plan {
    /// The streams of that name; several only where conditions choose between them.
    pub fn streams_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<StreamPlan>> {
        self.streams.iter().filter(move |stream| stream.name == name)
    }
}

/// `CheckStream` or `CheckDynamicStream`: a configuration works when these streams can be read.
#[derive(Debug, Clone, Default)]
pub struct CheckPlan {
    /// Streams to try; every one exists.
    pub stream_names: Vec<String>,
    /// The first so many of all streams.
    pub first: Option<usize>,
    /// The first so many (or all) of those that a dynamic stream makes.
    pub dynamic: Vec<(String, Option<usize>)>,
    /// Values laid over the configuration while checking.
    pub config_overrides: Option<Value>,
}

/// `ConcurrencyLevel`.
#[derive(Debug, Clone)]
pub struct ConcurrencyLevel {
    /// How many unless told otherwise.
    pub default_concurrency: Integer,
    /// Never more than that.
    pub max_concurrency: Option<i64>,
}

/// `DeclarativeStream`.
#[derive(Debug)]
pub struct StreamPlan {
    /// Its name, unique in the connector.
    pub name: String,
    /// The fields that identify a record; each is a path. Empty: the stream has no key.
    pub primary_key: Vec<Vec<String>>,
    /// The records' JSON Schema (an empty object where the manifest has none, or only an answer tells).
    pub schema: Arc<Value>,
    /// What the schema is put together from, the first one first, where an answer tells a part of it.
    pub schema_parts: Vec<SchemaPart>,
    /// `ConditionalStreams`: whether a configuration has the stream.
    pub available: Option<Condition>,
    /// `StateDelegatingStream`: what is read instead where there is no state.
    pub delegation: Option<Delegation>,
    /// The dynamic stream that made it.
    pub made_by: Option<String>,
    /// How records are fetched. The stream's transformations are in its record selector.
    pub retriever: Retriever,
    /// The cursor, where the stream can be read incrementally.
    pub incremental_sync: Option<IncrementalSync>,
    /// How states of older versions become today's.
    pub state_migrations: Vec<StateMigration>,
    /// The files that belong to the records.
    pub file_uploader: Option<FileUploader>,
}

impl StreamPlan {
    /// Nothing but requests.
    pub(crate) fn of(retriever: Retriever) -> Self {
        Self {
            name: String::new(),
            primary_key: Vec::new(),
            schema: Arc::new(Value::Object(serde_json::Map::new())),
            schema_parts: Vec::new(),
            available: None,
            delegation: None,
            made_by: None,
            retriever,
            incremental_sync: None,
            state_migrations: Vec::new(),
            file_uploader: None,
        }
    }

    /// How the records' files are fetched, whether there is a state or not.
    pub(crate) fn files(&self) -> Option<&FileUploader> {
        let without_state = || self.delegation.as_ref()?.full_refresh.file_uploader.as_ref();
        self.file_uploader.as_ref().or_else(without_state)
    }
}

/// `StateDelegatingStream`.
#[derive(Debug)]
pub struct Delegation {
    /// The stream without a state.
    pub full_refresh: Arc<StreamPlan>,
    /// A state that is older than this counts as none: a text that evaluates to an ISO 8601 duration.
    pub api_retention_period: Option<Text>,
}

/// How states of older versions become today's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateMigration {
    /// `LegacyToPerPartitionStateMigration`: `{partition: {cursor: value}}` becomes a list of partitions.
    LegacyToPerPartition,
}

/// How a stream's records are fetched.
#[derive(Debug)]
pub enum Retriever {
    /// Request by request.
    Simple(Box<SimpleRetriever>),
    /// By jobs.
    Async(Box<AsyncRetriever>),
    /// By code of ours.
    Native(Box<NativeRetriever>),
}

impl Retriever {
    /// Whether records are cast by the schema.
    pub(crate) fn normalizes(&self) -> bool {
        self.record_selector().schema_normalization == SchemaNormalization::Default
    }

    /// Leaves out what splits the requests.
    pub(crate) fn drop_partitions(&mut self) {
        let records = match self {
            Self::Simple(simple) => simple,
            Self::Async(jobs) => &mut jobs.download,
            Self::Native(_) => return,
        };
        records.partition_routers.clear();
    }

    /// The first request, where there are any.
    pub fn requester(&self) -> Option<&HttpRequester> {
        match self {
            Self::Simple(simple) => Some(&simple.requester),
            Self::Async(jobs) => Some(&jobs.creation_requester),
            Self::Native(_) => None,
        }
    }

    /// The requests that give records, where there are any.
    pub fn records(&self) -> Option<&SimpleRetriever> {
        match self {
            Self::Simple(simple) => Some(simple),
            Self::Async(jobs) => Some(&jobs.download),
            Self::Native(_) => None,
        }
    }

    /// What is done to records, whatever the kind.
    pub fn record_selector(&self) -> &RecordSelector {
        match self {
            Self::Simple(simple) => &simple.record_selector,
            Self::Async(jobs) => &jobs.download.record_selector,
            Self::Native(native) => &native.record_selector,
        }
    }

    /// The code that fetches, where it is not requests.
    pub fn native(&self) -> Option<&NativeRetriever> {
        match self {
            Self::Simple(_) | Self::Async(_) => None,
            Self::Native(native) => Some(native),
        }
    }

    /// What is told of jobs, where there are any.
    pub fn jobs(&self) -> Option<&AsyncRetriever> {
        match self {
            Self::Simple(_) | Self::Native(_) => None,
            Self::Async(jobs) => Some(jobs),
        }
    }
}

/// `SimpleRetriever`.
#[derive(Debug)]
pub struct SimpleRetriever {
    /// What is asked.
    pub requester: HttpRequester,
    /// How a body becomes documents.
    pub decoder: Decoder,
    /// How documents become records.
    pub record_selector: RecordSelector,
    /// How the next page is found; without one, a slice is one request.
    pub paginator: Option<DefaultPaginator>,
    /// What a stream is split by; several multiply (every combination of their partitions, the last one fastest).
    pub partition_routers: Vec<PartitionRouter>,
    /// Whether the second page and later ones leave out what the partition router and the cursor inject.
    pub ignore_stream_slicer_parameters_on_paginated_requests: bool,
    /// Fields that are asked for, where the manifest does not write them into the request itself.
    pub query_properties: Option<QueryProperties>,
    /// How the pages are begun anew.
    pub pagination_reset: Option<PaginationReset>,
    /// How the page size is reduced where the upstream refuses it.
    pub page_size_reduction: Option<PageSizeReduction>,
    /// How a window of time is cut where the upstream refuses it.
    pub request_window_splitting: Option<RequestWindowSplitting>,
}
