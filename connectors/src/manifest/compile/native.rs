//! Streams that are code: `PostgresStream` and `ObjectStorageStream`.

use std::sync::Arc;

use serde_json::json;

use super::super::component::Component;
use super::super::components::{
    Extractor, Integer, NativeRetriever, NativeSource, Number, PostgresConnection, PostgresRelation,
    PostgresSource, RecordSelector, Retriever, SchemaNormalization, StreamPlan, Text,
};
use super::super::slot::Slot;
use super::records::transformation;
use super::schema;
use super::storage::object_storage;
use super::streams::primary_key;
use super::values::{integer, number};

/// Any of them.
pub(super) fn stream(component: &Component<'_>) -> Option<StreamPlan> {
    let name = component.required("name").and_then(|slot| slot.literal());
    let key = component.or("primary_key", Vec::new(), primary_key);
    let schema = component.optional("schema_loader", |slot| {
        slot.component(&["InlineSchemaLoader"])?;
        schema::schema(slot)
    });
    let transformations = component.or("transformations", Vec::new(), |slot| slot.each(transformation));
    let source = match &*component.kind {
        "ObjectStorageStream" => {
            object_storage(component).map(|source| NativeSource::ObjectStorage(Box::new(source)))
        }
        _ => postgres(component, key.as_deref().unwrap_or_default())
            .map(|source| NativeSource::Postgres(Box::new(source))),
    };
    let record_selector = RecordSelector {
        extractor: Extractor::whole(),
        record_filter: None,
        transformations: transformations?,
        schema_normalization: SchemaNormalization::None,
        transform_before_filtering: false,
    };
    let schema = schema?;
    let has_schema = schema.is_some();
    let schema = schema.map_or_else(
        || json!({"type": "object", "additionalProperties": true}),
        |schema| schema.fixed(),
    );
    Some(StreamPlan {
        name: name?,
        primary_key: key?,
        schema: Arc::new(schema),
        ..StreamPlan::of(Retriever::Native(Box::new(NativeRetriever {
            source: source?,
            record_selector,
            has_schema,
        })))
    })
}

fn postgres(component: &Component<'_>, primary_key: &[Vec<String>]) -> Option<PostgresSource> {
    let connection = component
        .required("connection")
        .and_then(|slot| connection(&slot));
    let relation = relation(component);
    let key_columns = component.or("key_columns", Vec::new(), Slot::texts);
    let key_field = component.optional("key_field", Slot::literal);
    let cursor_column = component.optional_text("cursor_column");
    let lookback_window = component.optional_text("lookback_window");
    let page_size = component.or("page_size", Integer::Fixed(1_000), |slot| {
        let size = integer(slot)?;
        if let Integer::Fixed(size) = size
            && !(1..=100_000).contains(&size)
        {
            slot.fault(format!("page_size is {size}; it has to be from 1 to 100000"));
            return None;
        }
        Some(size)
    });
    let statement_timeout_seconds = component.or("statement_timeout_seconds", Number::Fixed(60.0), number);
    let (relation, key_columns, key_field) = (relation?, key_columns?, key_field?);
    let has_key = !key_columns.is_empty() || !primary_key.is_empty();
    if matches!(relation, PostgresRelation::Query(_)) && !has_key {
        component.fault(
            "a query has no key of its own to be read by in pages: write key_columns (or primary_key), the columns \
             that identify a row",
        );
        return None;
    }
    if let Some(field) = &key_field
        && primary_key != [vec![field.clone()]]
    {
        component.fault(format!(
            "key_field is {field:?}, and nothing takes it for the key; write primary_key: {field}"
        ));
        return None;
    }
    let (cursor_column, lookback_window) = (cursor_column?, lookback_window?);
    if lookback_window.is_some() && cursor_column.is_none() {
        component
            .fault("lookback_window is how far before the cursor a read begins; write cursor_column too");
        return None;
    }
    Some(PostgresSource {
        connection: connection?,
        relation,
        key_columns,
        key_field,
        cursor_column,
        lookback_window,
        page_size: page_size?,
        statement_timeout_seconds: statement_timeout_seconds?,
    })
}

fn relation(component: &Component<'_>) -> Option<PostgresRelation> {
    let table = component.optional_text("table");
    let schema = component.text_or("schema", "public");
    let query = component.optional_text("query");
    match (table?, query?) {
        (Some(table), None) => Some(PostgresRelation::Table {
            schema: schema?,
            table,
        }),
        (None, Some(query)) if component.field("schema").is_none() => Some(PostgresRelation::Query(query)),
        (None, Some(_)) => {
            component.fault("schema is the table's; a query names the schemas of its tables itself");
            None
        }
        (None, None) => {
            component.fault("PostgresStream needs something to read: write table or query");
            None
        }
        (Some(_), Some(_)) => {
            component.fault("write table or query, not both");
            None
        }
    }
}

fn connection(slot: &Slot<'_>) -> Option<PostgresConnection> {
    let component = slot.component(&["PostgresConnection"])?;
    component.check_fields();
    let text = |name: &str| component.required(name).and_then(|slot| slot.text());
    let host = text("host");
    let port = component.or("port", Integer::Fixed(5432), integer);
    let database = text("database");
    let username = text("username");
    let password = component.optional_text("password");
    let tls_mode = component
        .field("tls_mode")
        .map_or_else(|| component.text_or("tls_mode", "verify"), |slot| tls_mode(&slot));
    let tls_ca_certificate = component.optional_text("tls_ca_certificate");
    Some(PostgresConnection {
        host: host?,
        port: port?,
        database: database?,
        username: username?,
        password: password?,
        tls_mode: tls_mode?,
        tls_ca_certificate: tls_ca_certificate?,
    })
}

fn tls_mode(slot: &Slot<'_>) -> Option<Text> {
    let text = slot.text()?;
    if text.constant().is_some() {
        slot.word(&[("verify", ()), ("disable", ())])?;
    }
    Some(text)
}
