//! `GET /export/{integrationId}/{stream}?format=jsonl|csv&changedAfter=…&includeDeleted=true|false&formulas=escape|keep`

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, HeaderValue, Response};
use engine::Error;
use engine::records::{ExportRequest, ExportedRecord, RecordExport};
use tracing::Instrument;

use super::body::{Cut, Writer, say};
use super::csv::{Formulas, Table};
use super::places::Places;
use super::{failed, file, jsonl, not_there, plain, query, too_many, unreadable};
use crate::auth::Admitted;
use crate::http::Api;
use crate::http::request_id::Id;

const CURSOR: HeaderName = HeaderName::from_static("syncline-cursor");
const WHAT: &str = "such stream of such an integration";

#[derive(Clone, Copy)]
enum Format {
    Jsonl,
    Csv,
}

/// How records are written.
enum Lines {
    Json,
    Table(Table),
}

impl Lines {
    fn begin(&self, out: &mut Vec<u8>) {
        if let Self::Table(table) = self {
            table.header(out);
        }
    }

    fn write(&self, record: &ExportedRecord, out: &mut Vec<u8>) -> engine::Result<()> {
        let written = match self {
            Self::Json => jsonl::write(record, out),
            Self::Table(table) => table.row(record, out),
        };
        written.map_err(Error::internal)
    }
}

struct Asked {
    format: Format,
    formulas: Formulas,
    include_deleted: bool,
    changed_after: Option<String>,
}

fn asked(query: Option<&str>) -> Result<Asked, String> {
    let known = ["format", "changedAfter", "includeDeleted", "formulas"];
    let mut parameters = query::read(query, &known)?;
    Ok(Asked {
        format: query::word(
            &parameters,
            "format",
            &[("jsonl", Format::Jsonl), ("csv", Format::Csv)],
        )?,
        formulas: query::word(
            &parameters,
            "formulas",
            &[("escape", Formulas::Escape), ("keep", Formulas::Keep)],
        )?,
        include_deleted: query::word(&parameters, "includeDeleted", &[("false", false), ("true", true)])?,
        changed_after: parameters.remove("changedAfter"),
    })
}

pub(super) async fn handle(
    State(api): State<Api>,
    Extension(places): Extension<Arc<Places>>,
    id: Id,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
    Extension(admitted): Extension<Admitted>,
) -> Response<Body> {
    let id = id.0;
    let asked = match asked(query.as_deref()) {
        Ok(asked) => asked,
        Err(message) => return unreadable(&message, &id),
    };
    // A name that is no text and an id that is none are not there.
    let (integration, stream) = match path {
        Ok(Path((integration, stream))) => (integration.parse().ok(), stream),
        Err(_) => (None, String::new()),
    };
    let begun = match integration {
        Some(integration_id) => {
            let request = ExportRequest {
                integration_id,
                stream: stream.clone(),
                changed_after: asked.changed_after,
                include_deleted: asked.include_deleted,
            };
            api.engine.records().export(&admitted.actor, request).await
        }
        None => admitted
            .actor
            .reads(engine::access::Resource::Records)
            .map(|_| None),
    };
    let (export, integration) = match (begun, integration) {
        (Ok(Some(export)), Some(integration)) => (export, integration),
        (Ok(_), _) => return not_there(WHAT, &id),
        (Err(error), _) => return failed(error, &id),
    };
    let Some(place) = places.take(&admitted.actor) else {
        return too_many(&id);
    };
    let (lines, content_type, extension) = match asked.format {
        Format::Jsonl => (Lines::Json, "application/x-ndjson", "jsonl"),
        Format::Csv => (
            Lines::Table(Table::new(export.fields(), asked.formulas)),
            "text/csv; charset=utf-8; header=present",
            "csv",
        ),
    };
    let name = format!("{integration}-{}.{extension}", plain(&stream));
    let cursor = HeaderValue::from_str(&export.cursor());
    let session = api.sessions.open(&api.engine, &admitted);
    let (writer, body) = Writer::new(&api, session, place);
    tokio::spawn(async move { say(&write(export, &lines, writer).await) }.in_current_span());
    let mut response = file(body, content_type, &name);
    if let Ok(cursor) = cursor {
        response.headers_mut().insert(CURSOR, cursor);
    }
    response
}

async fn write(mut export: RecordExport, lines: &Lines, mut writer: Writer) -> Result<(), Cut> {
    lines.begin(writer.buffer());
    while let Some(records) = writer.unless_cut(export.next()).await? {
        for record in records {
            lines.write(&record, writer.buffer())?;
            writer.flush_full().await?;
        }
    }
    writer.finish().await
}
