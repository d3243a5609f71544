//! Every paginator, and when it stops.

use connectors::read::ErrorKind;
use serde_json::{Value, json};

use crate::upstream::{Upstream, answer, cut_everywhere, ids, items, ok, read_all, read_error};

const TOTAL: usize = 7;

fn slice(from: usize, count: usize) -> Vec<Value> {
    (from..TOTAL.min(from + count))
        .map(|id| json!({"id": id}))
        .collect()
}

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: limit}
  pagination_strategy: {type: PageIncrement, page_size: 3, start_from_page: 1}";

async fn by_page() -> Upstream {
    Upstream::start(|seen| {
        let page = seen.number("page").unwrap_or(1);
        ok(&json!({"data": slice((page - 1) * 3, 3)}))
    })
    .await
}

#[tokio::test]
async fn pages_are_counted_until_a_short_one() {
    let upstream = by_page().await;
    let yaml = items(&upstream.base(), "/items", PAGES, "");
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(
        upstream.lines(),
        ["/items?limit=3", "/items?page=2&limit=3", "/items?page=3&limit=3"]
    );
    assert_eq!(
        pages.iter().map(|page| page.last).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(pages.iter().map(|page| page.stats.requests).sum::<u64>(), 3);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn the_first_page_is_named_where_the_manifest_says_so() {
    let upstream = by_page().await;
    let paginator = PAGES.replace(
        "start_from_page: 1",
        "start_from_page: 1, inject_on_first_request: true",
    );
    let yaml = items(&upstream.base(), "/items", &paginator, "");
    read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(upstream.lines()[0], "/items?page=1&limit=3");
}

#[tokio::test]
async fn offsets_count_what_the_upstream_sent_not_what_a_filter_left() {
    let upstream =
        Upstream::start(|seen| ok(&json!({"data": slice(seen.number("offset").unwrap_or(0), 3)}))).await;
    let paginator = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: offset}
  pagination_strategy: {type: OffsetIncrement, page_size: 3}";
    let yaml = items(&upstream.base(), "/items", paginator, "").replace(
        "          field_path: [data]",
        "          field_path: [data]\n        record_filter: {type: RecordFilter, condition: \"{{ record.id % 3 == 0 }}\"}",
    );
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages), [0, 3, 6]);
    assert_eq!(upstream.lines(), ["/items", "/items?offset=3", "/items?offset=6"]);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn without_a_page_size_an_empty_page_ends_it() {
    let upstream = by_page().await;
    let paginator = PAGES.replace("page_size: 3, ", "").replace(
        "  page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: limit}\n",
        "",
    );
    let yaml = items(&upstream.base(), "/items", &paginator, "");
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(upstream.lines().len(), 4);
}

#[tokio::test]
async fn cursors_come_from_the_answer_and_a_condition_stops_them() {
    let upstream = Upstream::start(|seen| {
        let from = seen
            .get("after")
            .map_or(0, |after| after.trim_start_matches('c').parse().unwrap());
        ok(&json!({"data": slice(from, 3), "next": format!("c{}", from + 3), "more": from + 3 < TOTAL}))
    })
    .await;
    let paginator = r#"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: after}
  pagination_strategy:
    type: CursorPagination
    cursor_value: "{{ response.next }}"
    stop_condition: "{{ not response.more }}""#;
    let yaml = items(&upstream.base(), "/items", paginator, "");
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(upstream.lines(), ["/items", "/items?after=c3", "/items?after=c6"]);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn cursors_may_look_at_the_last_record_after_its_transformation() {
    let upstream = Upstream::start(|seen| {
        let from = seen.number("since").map_or(0, |since| since - 100 + 1);
        ok(&json!({"data": slice(from, 3)}))
    })
    .await;
    let paginator = r#"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: since}
  pagination_strategy:
    type: CursorPagination
    page_size: 3
    cursor_value: "{{ last_record.shifted }}"
    stop_condition: "{{ last_page_size < 3 }}""#;
    let stream = r#"transformations:
  - type: AddFields
    fields:
      - {type: AddedFieldDefinition, path: [shifted], value: "{{ record.id + 100 }}"}"#;
    let yaml = items(&upstream.base(), "/items", paginator, stream);
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(
        upstream.lines(),
        ["/items", "/items?since=102", "/items?since=105"]
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn a_token_may_be_the_next_address() {
    let upstream = Upstream::start(|seen| {
        let from = seen.number("from").unwrap_or(0);
        let next = format!(
            "http://{}/elsewhere?from={}&limit=3",
            seen.header("host").unwrap(),
            from + 3
        );
        let next = if from + 3 < TOTAL {
            json!(next)
        } else {
            Value::Null
        };
        ok(&json!({"data": slice(from, 3), "links": {"next": next}}))
    })
    .await;
    let paginator = r#"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestPath}
  page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: limit}
  pagination_strategy:
    type: CursorPagination
    page_size: 3
    cursor_value: "{{ response.links.next }}""#;
    let yaml = items(&upstream.base(), "/items", paginator, "");
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages), [0, 1, 2, 3, 4, 5, 6]);
    let expected = [
        "/items?limit=3",
        "/elsewhere?from=3&limit=3",
        "/elsewhere?from=6&limit=3",
    ];
    assert_eq!(upstream.lines(), expected);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn link_headers_are_taken_apart() {
    let upstream = Upstream::start(|seen| {
        let from = seen.number("from").unwrap_or(0);
        let mut response = ok(&json!({"data": slice(from, 3)}));
        if from + 3 < TOTAL {
            let link = format!("</items?from={}>; rel=\"next\"", from + 3);
            response.headers_mut().insert("link", link.parse().unwrap());
        }
        response
    })
    .await;
    let paginator = r#"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestPath}
  pagination_strategy:
    type: CursorPagination
    cursor_value: "{{ headers.link.get('next', {}).get('url') }}""#;
    let yaml = items(&upstream.base(), "/items", paginator, "");
    assert_eq!(
        ids(&read_all(&upstream, &yaml, json!({})).await),
        [0, 1, 2, 3, 4, 5, 6]
    );
}

fn cursor_paginator() -> &'static str {
    r#"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: after}
  pagination_strategy:
    type: CursorPagination
    cursor_value: "{{ response.next }}""#
}

#[tokio::test]
async fn tokens_that_go_round_are_stopped() {
    let upstream = Upstream::start(|seen| {
        let step = seen
            .get("after")
            .map_or(0, |after| after.trim_start_matches('t').parse::<usize>().unwrap());
        ok(&json!({"data": [{"id": step}], "next": format!("t{}", step % 4 + 1)}))
    })
    .await;
    let yaml = items(&upstream.base(), "/items", cursor_paginator(), "");
    let error = read_error(&upstream, &yaml).await;
    assert_eq!(error.code, "REPEATED_PAGE_TOKEN");
    assert!(!error.retryable);
    assert!(upstream.seen().len() < 20);
}

#[tokio::test]
async fn an_upstream_that_ignores_the_page_is_found_out() {
    let upstream = Upstream::start(|_| ok(&json!({"data": slice(0, 3)}))).await;
    let yaml = items(&upstream.base(), "/items", PAGES, "");
    assert_eq!(read_error(&upstream, &yaml).await.code, "REPEATED_PAGE");
}

#[tokio::test]
async fn endless_pages_are_capped() {
    let upstream = Upstream::start(|seen| {
        let page = seen.number("page").unwrap_or(0);
        ok(&json!({"data": [{"id": page}, {"id": page}, {"id": page}]}))
    })
    .await;
    let yaml = items(&upstream.base(), "/items", PAGES, "");
    let mut context = upstream.context();
    context.limits.max_pages = 10;
    let stream = crate::upstream::connector(&yaml)
        .read(
            &context,
            crate::upstream::request(json!({}), connectors::read::Checkpoint::default()),
        )
        .unwrap();
    let (pages, error) = crate::upstream::pages(stream).await.unwrap_err();
    assert_eq!(error.code, "PAGE_LIMIT");
    assert!(pages.len() < 10);
}

/// The reference reads it as no records, and a full refresh would then delete everything.
#[tokio::test]
async fn an_empty_body_is_not_an_empty_list() {
    let upstream = Upstream::start(move |_| answer(200, " ")).await;
    let yaml = items(&upstream.base(), "/items", PAGES, "");
    let error = read_error(&upstream, &yaml).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Malformed, "NOT_JSON")
    );
}

#[tokio::test]
async fn nothing_at_all_still_yields_a_page() {
    for body in [r#"{"data": []}"#, "{}", "[]", r#"{"data": null}"#] {
        let upstream = Upstream::start(move |_| answer(200, body)).await;
        let yaml = items(&upstream.base(), "/items", PAGES, "");
        let pages = read_all(&upstream, &yaml, json!({})).await;
        assert_eq!(pages.len(), 1, "{body}");
        assert!(pages[0].last && pages[0].records.is_empty());
        assert_eq!(
            pages[0].checkpoint.state,
            Some(json!({"__ab_no_cursor_state_message": true}))
        );
    }
}
