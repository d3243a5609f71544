//! Components that the reference has only lately, held against it: the same records, requests and final state.
//!
//! One upstream answers for all of them, by path; each case is a stream on it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tests::binary;
use tokio::process::Command;

use crate::reference::{Requests, read, write};

/// An upstream whose answers are a function of the request.
pub(crate) struct Answering {
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Requests for Answering {
    fn forget(&self) {
        self.seen.lock().expect("no panic holds it").clear();
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().expect("no panic holds it").clone()
    }
}

impl Answering {
    pub(crate) async fn start() -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&seen);
        let router = axum::Router::new().fallback(move |request: Request| {
            let uri = request.uri();
            log.lock().expect("no panic holds it").push(uri.to_string());
            let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
            let query: HashMap<String, String> = query.into_owned().collect();
            std::future::ready(answer(uri.path(), &query))
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { base, seen, server }
    }
}

fn answer(path: &str, query: &HashMap<String, String>) -> Response {
    let number = |name: &str, usual: i64| {
        query
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(usual)
    };
    let day = |name: &str| {
        query
            .get(name)
            .and_then(|date| date.rsplit('-').next()?.parse::<i64>().ok())
    };
    let page = number("page", 1);
    let two = |all: Vec<Value>| {
        let skipped = usize::try_from((page - 1) * 2).unwrap_or(0);
        json!({ "data": all.into_iter().skip(skipped).take(2).collect::<Vec<_>>() })
    };
    let dated = |from: i64, to: i64| {
        (from..=to)
            .map(|day| json!({"id": day, "day": format!("2026-01-{day:02}")}))
            .collect::<Vec<_>>()
    };
    let body = match path {
        "/nested" => json!({"data": [
            {"id": 1, "url": "u1", "lines": {"data": [{"id": 10, "url": "own"}, {"id": 11}], "kind": "k"}},
            {"id": 2, "url": "u2", "lines": {"data": []}},
        ]}),
        "/either" if page < 3 => json!({"first": [null, {"id": page}], "second": [{"id": 90}]}),
        "/either" => json!({"first": [null], "second": [{"id": 3}]}),
        "/numbers" => {
            let since = number("since", 0);
            let all = [4, 30, 7, 12, 5].into_iter().filter(|number| *number >= since);
            two(all
                .map(|number| json!({"id": number, "number": number}))
                .collect())
        }
        "/fields" => {
            let asked = query.get("fields").cloned().unwrap_or_default();
            let inner: serde_json::Map<String, Value> = asked
                .split(',')
                .map(|name| (name.to_owned(), json!(name)))
                .collect();
            two((1..=3)
                .map(|id| json!({"id": format!("r{id}"), "inner": inner}))
                .collect())
        }
        "/heavy" => {
            let (from, limit) = (number("page", 0), number("limit", 1));
            if from < 2 && limit > 3 {
                return (StatusCode::BAD_GATEWAY, "{}").into_response();
            }
            json!({"data": (from..(from + limit).min(10)).map(|id| json!({"id": id})).collect::<Vec<_>>()})
        }
        "/windows" | "/shallow" => {
            let (from, to) = (day("from").unwrap_or(1), day("to").unwrap_or(1));
            if path == "/windows" && to - from >= 4 {
                return (StatusCode::PAYLOAD_TOO_LARGE, "{}").into_response();
            }
            if path == "/shallow" && page > 2 {
                return (StatusCode::BAD_REQUEST, "{}").into_response();
            }
            two(dated(from, to))
        }
        "/orders" => json!({"data": [
            {"id": 1, "lines": {"data": [{"id": 10}, {"id": 11}], "next": "11"}},
            {"id": 2},
        ]}),
        "/documents" => two((1..=3)
            .map(|id| json!({"id": id, "links": {"file": format!("/file/{id}")}, "name": format!("/{id}/a b.txt")}))
            .collect()),
        path if path.starts_with("/file/") => {
            return format!("the file at {path}\n").repeat(30_000).into_response();
        }
        "/orders/1/lines" => json!({"data": [{"id": 12}]}),
        path if path.starts_with("/nowhere") => return (StatusCode::NOT_FOUND, "{}").into_response(),
        _ => json!({"data": []}),
    };
    axum::Json(body).into_response()
}

const PAGES: &str = "paginator: {type: DefaultPaginator, page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}, pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}}";
const DATA: &str = "{type: DpathExtractor, field_path: [data]}";
const DAYS: &str = r#"incremental_sync: {type: DatetimeBasedCursor, cursor_field: day, datetime_format: "%Y-%m-%d", start_datetime: "2026-01-01", end_datetime: "2026-01-20", step: P10D, cursor_granularity: P1D, start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: from}, end_time_option: {type: RequestOption, inject_into: request_parameter, field_name: to}}"#;

/// A stream: its path, its extractor, and what its requester, its retriever and itself have besides.
#[derive(Default)]
struct Case {
    name: &'static str,
    path: &'static str,
    extractor: Option<&'static str>,
    requester: &'static str,
    retriever: String,
    stream: &'static str,
    state: Option<Value>,
    records: usize,
}

fn cases() -> Vec<Case> {
    let refuses = "error_handler: {type: DefaultErrorHandler, response_filters: [{type: HttpResponseFilter, http_codes:";
    let action = |status: u16, action: &str| -> &'static str {
        format!("{refuses} [{status}], action: {action}}}]}}").leak()
    };
    let numbers = "incremental_sync: {type: IncrementingCountCursor, cursor_field: number, start_value: 5, start_value_option: {type: RequestOption, inject_into: request_parameter, field_name: since}}";
    vec![
        Case {
            name: "RecordExpander",
            path: "/nested",
            extractor: Some(
                "{type: DpathExtractor, field_path: [data], record_expander: {type: RecordExpander, expand_records_from_field: [lines, data], merge_parent: true, remain_original_record: true, on_no_records: emit_parent, parent_fields: [{type: ParentFieldPath, parent_path: [id], record_path: [parent, id]}]}}",
            ),
            records: 3,
            ..Case::default()
        },
        Case {
            name: "CombinedExtractor",
            path: "/either",
            extractor: Some(
                "{type: CombinedExtractor, mode: first_match, skip_empty_records: true, extractors: [{type: DpathExtractor, field_path: [first]}, {type: DpathExtractor, field_path: [second]}]}",
            ),
            retriever: PAGES.to_owned(),
            records: 3,
            ..Case::default()
        },
        Case {
            name: "IncrementingCountCursor",
            path: "/numbers",
            retriever: PAGES.to_owned(),
            stream: numbers,
            records: 4,
            ..Case::default()
        },
        Case {
            name: "IncrementingCountCursor with a state",
            path: "/numbers",
            retriever: PAGES.to_owned(),
            stream: numbers,
            state: Some(json!({"number": 7, "other": true})),
            records: 3,
            ..Case::default()
        },
        Case {
            name: "QueryProperties",
            path: "/fields",
            requester: "request_parameters: {kind: x, fields: {type: QueryProperties, property_list: [a, b, c], always_include_properties: [z], property_chunking: {type: PropertyChunking, property_limit_type: property_count, property_limit: 2}}}",
            retriever: PAGES.to_owned(),
            records: 3,
            ..Case::default()
        },
        Case {
            name: "PageSizeReduction",
            path: "/heavy",
            requester: action(502, "REDUCE_PAGE_SIZE"),
            retriever: "paginator: {type: DefaultPaginator, page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}, page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: limit}, pagination_strategy: {type: OffsetIncrement, page_size: 8}}\n      page_size_reduction: {type: PageSizeReduction, backoff_seconds: 0}".to_owned(),
            records: 10,
            ..Case::default()
        },
        Case {
            name: "RequestWindowSplitting",
            path: "/windows",
            requester: action(413, "SPLIT_REQUEST_WINDOW"),
            retriever: format!("{PAGES}\n      request_window_splitting: {{type: RequestWindowSplitting}}"),
            stream: DAYS,
            records: 20,
            ..Case::default()
        },
        Case {
            name: "PaginationReset",
            path: "/shallow",
            requester: action(400, "RESET_PAGINATION"),
            retriever: format!("{PAGES}\n      pagination_reset: {{type: PaginationReset, action: SPLIT_USING_CURSOR}}"),
            stream: DAYS,
            records: 26,
            ..Case::default()
        },
        Case {
            name: "lazy_read_pointer",
            path: "/orders/{{ stream_partition.order }}/lines",
            retriever: "paginator: {type: DefaultPaginator, page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: after}, pagination_strategy: {type: CursorPagination, cursor_value: \"{{ response.next }}\", stop_condition: \"{{ not response.next }}\"}}\n      partition_router: {type: SubstreamPartitionRouter, parent_stream_configs: [{type: ParentStreamConfig, parent_key: id, partition_field: order, lazy_read_pointer: [lines], stream: {type: DeclarativeStream, name: orders, schema_loader: {type: InlineSchemaLoader, schema: {}}, retriever: {type: SimpleRetriever, requester: {type: HttpRequester, url_base: BASE, path: /orders}, record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [data]}}}}}]}".to_owned(),
            records: 3,
            ..Case::default()
        },
    ]
}

impl Case {
    fn manifest(&self, base: &str) -> String {
        let Self {
            path,
            requester,
            retriever,
            stream,
            ..
        } = self;
        let extractor = self.extractor.unwrap_or(DATA);
        format!(
            r#"version: 7.0.0
type: DeclarativeSource
check: {{type: CheckStream, stream_names: [items]}}
streams:
  - type: DeclarativeStream
    name: items
    primary_key: id
    schema_loader: {{type: InlineSchemaLoader, schema: {{type: object, properties: {{}}}}}}
    {stream}
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: {base}
        path: "{path}"
        {requester}
      record_selector: {{type: RecordSelector, extractor: {extractor}}}
      {retriever}
spec: {{type: Spec, connection_specification: {{type: object, additionalProperties: true, properties: {{}}}}}}
"#
        )
        .replace("BASE", base)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_equal_the_references() {
    let cdk = std::env::var("SYNCLINE_TEST_CDK")
        .expect("SYNCLINE_TEST_CDK names no airbyte-cdk: run `scripts/test`, or `scripts/prepare python cdk` and set it to target/tools/cdk/bin");
    let folder = tempfile::TempDir::new().expect("a folder");
    let folder = folder.path();
    let upstream = Answering::start().await;
    let config = write(folder, "config.json", "{}");
    let catalog = json!({ "streams": [{
        "stream": { "name": "items", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"] },
        "sync_mode": "incremental", "destination_sync_mode": "append",
    }] });
    let catalog = write(folder, "catalog.json", &catalog.to_string());
    for case in cases() {
        let manifest = write(folder, "manifest.yaml", &case.manifest(&upstream.base));
        let state = case.state.as_ref().map(|state| {
            let state = json!([{ "type": "STREAM", "stream": {
                "stream_descriptor": { "name": "items" }, "stream_state": state,
            } }]);
            write(folder, "state.json", &state.to_string())
        });
        let mut reference = Command::new(Path::new(&cdk).join("source-declarative-manifest"));
        reference.args(["read", "--manifest-path", &manifest]);
        let mut ours = Command::new(binary());
        ours.args(["connector", "read", "--manifest", &manifest]);
        for command in [&mut reference, &mut ours] {
            command.args(["--config", &config, "--catalog", &catalog]);
            if let Some(state) = &state {
                command.args(["--state", state]);
            }
        }
        let expected = read(&mut reference, &upstream).await;
        assert_eq!(
            expected.records.len(),
            case.records,
            "{}: {expected:?}",
            case.name
        );
        assert_eq!(read(&mut ours, &upstream).await, expected, "{}", case.name);
    }
}
