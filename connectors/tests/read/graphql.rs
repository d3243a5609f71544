//! GraphQL: pages as Relay has them, and errors in answers that say 200.

use axum::body::Body;
use axum::http::Response;
use connectors::read::{Checkpoint, ErrorKind, NoteLevel, ReadError, RetryMode};
use serde_json::{Value, json};

use crate::upstream::{
    Seen, Upstream, answer, connector, cut_everywhere, ids, manifest, ok, pages, read_all, read_error,
    request,
};

const QUERY: &str = "query ($after: String, $status: String) { \
     orders(first: 2, after: $after, status: $status) { nodes { id } pageInfo { hasNextPage endCursor } } }";

/// A manifest of the stream `items`, with these lines in its requester and in its retriever.
fn orders(base: &str, query: &str, field_path: &str, requester: &str, retriever: &str) -> String {
    let indent = |text: &str, by: usize| {
        text.lines()
            .map(|line| format!("{}{line}\n", " ".repeat(by)))
            .collect::<String>()
    };
    let streams = format!(
        r#"streams:
  - type: DeclarativeStream
    name: items
    primary_key: id
    retriever:
      type: SimpleRetriever
      requester:
        type: GraphqlRequester
        url: {base}/graphql
        query: "{query}"
        authenticator:
          type: BearerAuthenticator
          api_token: "{{{{ config['api_key'] }}}}"
{requester}
      record_selector:
        type: RecordSelector
        extractor:
          type: DpathExtractor
          field_path: {field_path}
{retriever}
"#,
        requester = indent(requester, 8),
        retriever = indent(retriever, 6),
    );
    manifest(base, &streams, "items")
}

const NODES: &str = "[data, orders, nodes]";

fn body(seen: &Seen) -> Value {
    serde_json::from_str(&seen.body).unwrap()
}

/// Five orders in pages of two; a cursor is the number of orders before it.
fn connection(seen: &Seen) -> Response<Body> {
    let after = body(seen)["variables"]["after"]
        .as_str()
        .map_or(0, |cursor| cursor.parse::<usize>().unwrap());
    let end = (after + 2).min(5);
    let nodes: Vec<Value> = (after + 1..=end).map(|id| json!({ "id": id })).collect();
    ok(&json!({"data": {"orders": {
        "nodes": nodes,
        "edges": nodes.iter().map(|node| json!({"node": node})).collect::<Vec<_>>(),
        "pageInfo": {"hasNextPage": end < 5, "endCursor": end.to_string()},
    }}}))
}

#[tokio::test]
async fn a_query_that_takes_after_pages_without_a_paginator() {
    let upstream = Upstream::start(connection).await;
    let yaml = orders(
        &upstream.base(),
        QUERY,
        NODES,
        "variables: {status: \"{{ config['status'] }}\", limit: 2}\noperation_name: Orders",
        "",
    );
    let config = json!({"status": "open", "api_key": "s3cret"});
    let read = read_all(&upstream, &yaml, config.clone()).await;
    assert_eq!(ids(&read), [1, 2, 3, 4, 5]);
    let seen = upstream.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.method == "POST"
        && seen.path == "/graphql"
        && seen.header("content-type") == Some("application/json")
        && seen.header("authorization") == Some("Bearer s3cret")));
    assert_eq!(
        body(&seen[0]),
        json!({"query": QUERY, "operationName": "Orders", "variables": {"status": "open", "limit": 2}})
    );
    assert_eq!(
        body(&seen[1])["variables"],
        json!({"status": "open", "limit": 2, "after": "2"})
    );
    cut_everywhere(&upstream, &yaml, config, None).await;
}

#[tokio::test]
async fn edges_page_sizes_and_other_cursors() {
    let upstream = Upstream::start(connection).await;
    let paginator = r"paginator:
  type: DefaultPaginator
  page_size_option: {type: RequestOption, inject_into: body_json, field_path: [variables, first]}
  page_token_option: {type: RequestOption, inject_into: body_json, field_path: [variables, after]}
  pagination_strategy: {type: RelayPagination, page_size: 2}";
    let edges = "[data, orders, edges, '*', node]";
    let yaml = orders(&upstream.base(), QUERY, edges, "", paginator);
    assert_eq!(ids(&read_all(&upstream, &yaml, json!({})).await), [1, 2, 3, 4, 5]);
    assert_eq!(
        body(&upstream.seen()[2])["variables"],
        json!({"first": 2, "after": "4"})
    );

    let upstream = Upstream::start(|seen| {
        let page = body(seen)["variables"]["page"].as_i64().unwrap_or(1);
        ok(&json!({"data": {"list": {"items": [{"id": page}], "next": if page < 3 { json!(page + 1) } else { Value::Null }}}}))
    })
    .await;
    let paginator = r#"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: body_json, field_path: [variables, page]}
  pagination_strategy:
    type: CursorPagination
    cursor_value: "{{ response['data']['list']['next'] }}""#;
    let query = "query ($page: Int) { list(page: $page) { items { id } next } }";
    let yaml = orders(&upstream.base(), query, "[data, list, items]", "", paginator);
    assert_eq!(ids(&read_all(&upstream, &yaml, json!({})).await), [1, 2, 3]);
}

async fn refused(status: u16, document: Value) -> ReadError {
    let upstream = Upstream::start(move |_| answer(status, document.to_string())).await;
    read_error(&upstream, &orders(&upstream.base(), QUERY, NODES, "", "")).await
}

#[tokio::test]
async fn errors_are_what_their_codes_say() {
    let error =
        |code: &str| json!({"message": "no\nway", "extensions": {"code": code}, "path": ["orders", 0]});
    for (status, document, kind, code, retryable) in [
        (
            200,
            json!({"data": null, "errors": [error("INTERNAL_SERVER_ERROR"), error("THROTTLED")]}),
            ErrorKind::RateLimited,
            "GRAPHQL_RATE_LIMITED",
            true,
        ),
        (
            200,
            json!({"errors": [error("UNAUTHENTICATED")]}),
            ErrorKind::Auth,
            "GRAPHQL_AUTH",
            false,
        ),
        (
            400,
            json!({"errors": [error("GRAPHQL_VALIDATION_FAILED")]}),
            ErrorKind::Config,
            "GRAPHQL_INVALID",
            false,
        ),
        (
            200,
            json!({"errors": [{"message": "Syntax Error"}]}),
            ErrorKind::Config,
            "GRAPHQL_INVALID",
            false,
        ),
        (
            200,
            json!({"data": {"orders": null}, "errors": [{"message": "the database is away"}]}),
            ErrorKind::Upstream,
            "GRAPHQL_ERROR",
            true,
        ),
        (500, json!({"oh": "no"}), ErrorKind::Upstream, "HTTP_500", true),
    ] {
        let got = refused(status, document.clone()).await;
        assert_eq!(
            (got.kind, got.code.as_str(), got.retryable),
            (kind, code, retryable),
            "{document}: {got}"
        );
        assert_eq!(got.http_status, Some(status));
    }
    let got = refused(200, json!({"errors": [error("FORBIDDEN"), error("FORBIDDEN")]})).await;
    assert_eq!(
        got.message,
        "The upstream's GraphQL answer is an error (1 more): no way [FORBIDDEN] [orders.0]"
    );
}

#[tokio::test]
async fn the_upstreams_words_do_not_repeat_a_secret() {
    let upstream = Upstream::start(|_| {
        ok(&json!({"errors": [{"message": "bad token s3cret-token", "extensions": {"code": "UNAUTHENTICATED"}}]}))
    })
    .await;
    let yaml = orders(&upstream.base(), QUERY, NODES, "", "");
    let stream = connector(&yaml).read(
        &upstream.context(),
        request(json!({"api_key": "s3cret-token"}), Checkpoint::default()),
    );
    let error = pages(stream.unwrap()).await.unwrap_err().1;
    assert!(error.message.contains("bad token ******"), "{error}");
}

#[tokio::test]
async fn partial_data_is_a_failure_unless_it_is_accepted() {
    let partial = || {
        ok(&json!({
            "data": {"orders": {"nodes": [{"id": 1}], "pageInfo": {"hasNextPage": false, "endCursor": null}}},
            "errors": [{"message": "no price", "path": ["orders", "nodes", 0, "price"]}],
        }))
    };
    let upstream = Upstream::start(move |_| partial()).await;
    let error = read_error(&upstream, &orders(&upstream.base(), QUERY, NODES, "", "")).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Upstream, "GRAPHQL_ERROR")
    );

    let yaml = orders(&upstream.base(), QUERY, NODES, "partial_data: ACCEPT", "");
    let read = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&read), [1]);
    assert_eq!(read[0].notes.len(), 1);
    assert_eq!(read[0].notes[0].level, NoteLevel::Warning);
    assert!(
        read[0].notes[0].message.contains("no price"),
        "{:?}",
        read[0].notes
    );
}

#[tokio::test]
async fn the_manifests_filters_come_first_and_a_limit_is_waited_for() {
    let upstream = Upstream::start(|_| ok(&json!({"errors": [{"message": "quota of the day"}]}))).await;
    let handler = "error_handler:\n  response_filters:\n    - {action: RATE_LIMITED, predicate: \"{{ 'quota' in \
                   response['errors'][0]['message'] }}\"}";
    let error = read_error(&upstream, &orders(&upstream.base(), QUERY, NODES, handler, "")).await;
    assert_eq!(error.kind, ErrorKind::RateLimited);

    let asked = std::sync::atomic::AtomicUsize::new(0);
    let upstream = Upstream::start(move |seen| {
        if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
            return ok(&json!({"errors": [{"message": "slow down", "type": "RATE_LIMITED"}]}));
        }
        connection(seen)
    })
    .await;
    let mut context = upstream.context();
    context.retry = RetryMode::AsReference;
    let yaml = orders(&upstream.base(), QUERY, NODES, "", "");
    let stream = connector(&yaml).read(&context, request(json!({}), Checkpoint::default()));
    assert_eq!(ids(&pages(stream.unwrap()).await.unwrap()), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn an_end_that_nobody_said_is_an_error() {
    let upstream = Upstream::start(|_| ok(&json!({"data": {"orders": {"nodes": [{"id": 1}]}}}))).await;
    let error = read_error(&upstream, &orders(&upstream.base(), QUERY, NODES, "", "")).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Config, "NO_PAGE_INFO")
    );
    assert!(error.message.contains("data.orders"), "{error}");

    let upstream = Upstream::start(|_| {
        ok(&json!({"data": {"orders": {"nodes": [{"id": 1}], "pageInfo": {"hasNextPage": true, "endCursor": "same"}}}}))
    })
    .await;
    let error = read_error(&upstream, &orders(&upstream.base(), QUERY, NODES, "", "")).await;
    assert_eq!(error.code, "REPEATED_PAGE_TOKEN");
}
