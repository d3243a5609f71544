//! The words of the format: its component types, their fields, what a mapping without a type is taken for, and
//! what does not run here.

mod editor;
mod types;

use super::nearest::nearest;
pub(super) use editor::schema;
use types::COMPONENTS;

/// Fields that public manifests carry and that never meant anything: builders wrote `$parameters` out into every
/// component, and older schemas had them.
const WITHOUT_EFFECT: &[&str] = &[
    "$comment",
    "$schema",
    "additionalProperties",
    "authSpecification",
    "changelog_url",
    "changelogUrl",
    "description",
    "descriptions",
    "documentationUrl",
    "extractorPath",
    "incremental_cursor",
    "name",
    "path",
    "primary_key",
    "request_options_provider",
    "request_params",
    "selector",
    "supportsDBT",
    "supportsIncremental",
    "supportsNormalization",
    "supports_dbt",
    "supports_incremental",
    "supports_normalization",
    "title",
];

/// What a mapping without a type is, by the component and field that hold it.
const DEFAULT_TYPES: &[(&str, &str)] = &[
    ("AddFields.fields", "AddedFieldDefinition"),
    ("CompositeErrorHandler.error_handlers", "DefaultErrorHandler"),
    (
        "ConfigComponentsResolver.components_mapping",
        "ComponentMappingDefinition",
    ),
    ("ConfigComponentsResolver.stream_config", "StreamConfig"),
    ("CursorPagination.decoder", "JsonDecoder"),
    (
        "CustomPartitionRouter.parent_stream_configs",
        "ParentStreamConfig",
    ),
    ("DatetimeBasedCursor.end_datetime", "MinMaxDatetime"),
    ("DatetimeBasedCursor.end_time_option", "RequestOption"),
    ("DatetimeBasedCursor.start_datetime", "MinMaxDatetime"),
    ("DatetimeBasedCursor.start_time_option", "RequestOption"),
    ("DeclarativeSource.check", "CheckStream"),
    ("DeclarativeSource.spec", "Spec"),
    ("DeclarativeSource.streams", "DeclarativeStream"),
    ("DeclarativeStream.retriever", "SimpleRetriever"),
    ("DeclarativeStream.schema_loader", "JsonFileSchemaLoader"),
    ("DefaultErrorHandler.response_filters", "HttpResponseFilter"),
    ("DefaultPaginator.decoder", "JsonDecoder"),
    ("DefaultPaginator.page_size_option", "RequestOption"),
    ("DpathExtractor.decoder", "JsonDecoder"),
    ("DpathExtractor.record_expander", "RecordExpander"),
    (
        "DynamicDeclarativeStream.components_resolver",
        "ConfigComponentResolver",
    ),
    ("DynamicDeclarativeStream.stream_template", "DeclarativeStream"),
    ("DynamicSchemaLoader.retriever", "SimpleRetriever"),
    (
        "HttpComponentsResolver.components_mapping",
        "ComponentMappingDefinition",
    ),
    ("GraphqlRequester.error_handler", "DefaultErrorHandler"),
    ("HttpComponentsResolver.retriever", "SimpleRetriever"),
    ("HttpRequester.error_handler", "DefaultErrorHandler"),
    ("ListPartitionRouter.request_option", "RequestOption"),
    ("ObjectStorageStream.schema_loader", "InlineSchemaLoader"),
    ("ParentStreamConfig.request_option", "RequestOption"),
    ("ParentStreamConfig.stream", "DeclarativeStream"),
    ("PostgresStream.connection", "PostgresConnection"),
    ("PostgresStream.schema_loader", "InlineSchemaLoader"),
    ("RecordExpander.parent_fields", "ParentFieldPath"),
    ("RecordSelector.extractor", "DpathExtractor"),
    ("RecordSelector.record_filter", "RecordFilter"),
    ("SchemaTypeIdentifier.types_map", "TypesMap"),
    ("SimpleRetriever.paginator", "NoPagination"),
    ("SimpleRetriever.record_selector", "RecordSelector"),
    ("SimpleRetriever.requester", "HttpRequester"),
    ("SoapRequester.error_handler", "DefaultErrorHandler"),
    ("SoapRequester.security", "UsernameToken"),
    (
        "SubstreamPartitionRouter.parent_stream_configs",
        "ParentStreamConfig",
    ),
];

/// What a mapping with a `class_name` and without a type is.
const CUSTOM_TYPES: &[(&str, &str)] = &[
    (
        "CompositeErrorHandler.backoff_strategies",
        "CustomBackoffStrategy",
    ),
    ("DeclarativeStream.retriever", "CustomRetriever"),
    ("DeclarativeStream.transformations", "CustomTransformation"),
    ("DefaultErrorHandler.backoff_strategies", "CustomBackoffStrategy"),
    ("DefaultPaginator.pagination_strategy", "CustomPaginationStrategy"),
    ("GraphqlRequester.authenticator", "CustomAuthenticator"),
    ("GraphqlRequester.error_handler", "CustomErrorHandler"),
    ("HttpRequester.authenticator", "CustomAuthenticator"),
    ("HttpRequester.error_handler", "CustomErrorHandler"),
    ("RecordSelector.extractor", "CustomRecordExtractor"),
    ("SimpleRetriever.partition_router", "CustomPartitionRouter"),
    ("SoapRequester.authenticator", "CustomAuthenticator"),
    ("SoapRequester.error_handler", "CustomErrorHandler"),
];

/// What can be done instead of each kind of Python class.
const INSTEAD: &[(&str, &str)] = &[
    (
        "Authenticator",
        "use OAuthAuthenticator, SessionTokenAuthenticator or SelectiveAuthenticator",
    ),
    (
        "BackoffStrategy",
        "use WaitTimeFromHeader, WaitUntilTimeFromHeader or ConstantBackoffStrategy",
    ),
    (
        "ConfigTransformation",
        "use ConfigAddFields, ConfigRemoveFields or ConfigRemapField",
    ),
    ("Decoder", "use one of the format's decoders"),
    (
        "ErrorHandler",
        "use DefaultErrorHandler with response_filters, or CompositeErrorHandler",
    ),
    ("IncrementalSync", "use DatetimeBasedCursor"),
    (
        "PaginationStrategy",
        "use CursorPagination with cursor_value and stop_condition",
    ),
    (
        "PartitionRouter",
        "use SubstreamPartitionRouter or ListPartitionRouter",
    ),
    (
        "RecordExtractor",
        "use DpathExtractor, with AddFields and RemoveFields for the rest",
    ),
    ("RecordFilter", "use RecordFilter with a condition"),
    (
        "Requester",
        "use HttpRequester with request_parameters, request_headers and request_body",
    ),
    ("Retriever", "use SimpleRetriever"),
    ("SchemaLoader", "write the schema out in an InlineSchemaLoader"),
    ("SchemaNormalization", "use schema_normalization: Default"),
    ("StateMigration", "leave it out and read the stream afresh once"),
    (
        "Transformation",
        "use AddFields, RemoveFields or another of the format's transformations",
    ),
    (
        "ValidationStrategy",
        "say it in the connection_specification's JSON Schema",
    ),
];

fn find(table: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    table
        .iter()
        .find(|(entry, _)| *entry == key)
        .map(|(_, value)| *value)
}

pub(super) fn default_type(parent_field: &str) -> Option<&'static str> {
    find(DEFAULT_TYPES, parent_field)
}

pub(super) fn custom_type(parent_field: &str) -> Option<&'static str> {
    find(CUSTOM_TYPES, parent_field)
}

/// The fields of a component type, if it is one.
pub(super) fn fields(component: &str) -> Option<&'static [&'static str]> {
    COMPONENTS
        .iter()
        .find(|(name, _)| *name == component)
        .map(|(_, fields)| *fields)
}

/// The component type that was probably meant.
pub(super) fn nearest_type(name: &str) -> Option<&'static str> {
    nearest(name, COMPONENTS.iter().map(|(name, _)| *name))
}

/// What to do instead of a Python class; `None`: not a custom type.
pub(super) fn instead_of(component: &str) -> Option<&'static str> {
    let kind = component.strip_prefix("Custom")?;
    Some(find(INSTEAD, kind).unwrap_or("use the format's own components"))
}

/// What a field is that its component does not have.
pub(super) enum Stranger {
    /// A slip: this was meant.
    Slip(&'static str),
    /// A field of other components, or one that never meant anything.
    WithoutEffect,
    /// Nothing the format knows.
    Unknown,
}

pub(super) fn stranger(field: &str, known: &'static [&'static str]) -> Stranger {
    if WITHOUT_EFFECT.contains(&field) {
        return Stranger::WithoutEffect;
    }
    if let Some(meant) = nearest(field, known.iter().copied()) {
        return Stranger::Slip(meant);
    }
    if COMPONENTS.iter().any(|(_, fields)| fields.contains(&field)) {
        return Stranger::WithoutEffect;
    }
    Stranger::Unknown
}
