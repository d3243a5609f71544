//! Where an upstream refuses a request as it is: smaller pages, windows in parts, pages from the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use connectors::read::ErrorKind;
use serde_json::{Value, json};

use crate::upstream::{
    Upstream, answer, connector, cut_everywhere, ids, items, ok, pages, read_all, read_error, request,
};

fn with_action(yaml: &str, status: u16, action: &str) -> String {
    yaml.replace(
        "        http_method: GET\n      record_selector:",
        &format!(
            "        http_method: GET\n        error_handler:\n          type: CompositeErrorHandler\n          \
             error_handlers:\n            - type: DefaultErrorHandler\n              response_filters:\n                \
             - {{type: HttpResponseFilter, http_codes: [{status}], action: {action}}}\n            \
             - {{type: DefaultErrorHandler}}\n      record_selector:"
        ),
    )
}

fn faults(yaml: &str) -> String {
    let faults = connectors::Connector::parse(yaml).unwrap_err();
    faults.iter().map(ToString::to_string).collect()
}

const OFFSETS: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: offset}
  page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: limit}
  pagination_strategy: {type: OffsetIncrement, page_size: 8}
page_size_reduction:
  type: PageSizeReduction
  backoff_seconds: 0";

/// Ten records; the first so many must not be asked for with more than three at once.
async fn heavy_until(offset: usize) -> Upstream {
    Upstream::start(move |seen| {
        let from = seen.number("offset").unwrap_or(0);
        let limit = seen.number("limit").unwrap();
        if from < offset && limit > 3 {
            return answer(502, "{\"error\": \"too heavy\"}");
        }
        let data: Vec<Value> = (from..10.min(from + limit)).map(|id| json!({"id": id})).collect();
        ok(&json!({"data": data}))
    })
    .await
}

#[tokio::test]
async fn a_page_is_asked_for_again_with_fewer_records_and_none_is_lost() {
    let upstream = heavy_until(2).await;
    let yaml = with_action(
        &items(&upstream.base(), "/items", OFFSETS, ""),
        502,
        "REDUCE_PAGE_SIZE",
    );
    let read = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&read), (0..10).collect::<Vec<_>>());
    assert_eq!(
        upstream.lines()[..4],
        [
            "/items?limit=8",
            "/items?limit=4",
            "/items?limit=2",
            "/items?offset=2&limit=2"
        ]
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn a_cut_read_asks_with_the_size_that_was_accepted() {
    let upstream = heavy_until(2).await;
    let yaml = with_action(
        &items(&upstream.base(), "/items", OFFSETS, ""),
        502,
        "REDUCE_PAGE_SIZE",
    );
    let read = read_all(&upstream, &yaml, json!({})).await;
    let asked = upstream.lines().len();
    let rest = connector(&yaml)
        .read(
            &upstream.context(),
            request(json!({}), read[0].checkpoint.clone()),
        )
        .unwrap();
    pages(rest).await.unwrap();
    assert_eq!(upstream.lines()[asked], "/items?offset=2&limit=2");
}

#[tokio::test]
async fn the_size_is_restored_after_a_page_where_the_manifest_says_so() {
    let upstream = heavy_until(2).await;
    let retriever = format!("{OFFSETS}\n  reset_policy: AFTER_SUCCESSFUL_PAGE");
    let yaml = with_action(
        &items(&upstream.base(), "/items", &retriever, ""),
        502,
        "REDUCE_PAGE_SIZE",
    );
    assert_eq!(
        ids(&read_all(&upstream, &yaml, json!({})).await),
        (0..10).collect::<Vec<_>>()
    );
    assert_eq!(upstream.lines()[3], "/items?offset=2&limit=8");
}

#[tokio::test]
async fn what_is_refused_at_every_size_ends_the_read() {
    let upstream = Upstream::start(|_| answer(502, "{\"error\": \"no\"}")).await;
    let retriever = format!(
        "{OFFSETS}\n  minimum_page_size: 3\n  retries_at_minimum_page_size: 2\n  failure_message: Ask for less."
    );
    let yaml = with_action(
        &items(&upstream.base(), "/items", &retriever, ""),
        502,
        "REDUCE_PAGE_SIZE",
    );
    let error = read_error(&upstream, &yaml).await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("PAGE_SIZE_REFUSED", true)
    );
    assert!(error.message.contains("Ask for less."), "{error}");
    let limits: Vec<_> = upstream
        .seen()
        .iter()
        .map(|seen| seen.number("limit").unwrap())
        .collect();
    assert_eq!(limits, [8, 4, 3, 3, 3]);
}

#[test]
fn sizes_that_cannot_be_reduced_are_refused_at_load() {
    let manifest = |retriever: &str| {
        with_action(
            &items("http://a", "/items", retriever, ""),
            502,
            "REDUCE_PAGE_SIZE",
        )
    };
    let told = faults(&manifest(&OFFSETS.replace("OffsetIncrement", "PageIncrement")));
    assert!(told.contains("their numbers mean other records"), "{told}");
    let told = faults(&manifest(&OFFSETS.replace("page_size: 8", "page_size: 1")));
    assert!(told.contains("can never be reduced"), "{told}");
    let told = faults(&manifest(OFFSETS.split("\npage_size_reduction").next().unwrap()));
    assert!(
        told.contains("REDUCE_PAGE_SIZE needs page_size_reduction"),
        "{told}"
    );
    let cursor = OFFSETS.replace(
        "{type: OffsetIncrement, page_size: 8}",
        "{type: CursorPagination, page_size: 8, cursor_value: x, stop_condition: \"{{ last_page_size < 8 }}\"}",
    );
    let told = faults(&manifest(&cursor));
    assert!(told.contains("compare last_page_size with page_size"), "{told}");
    for harmless in [
        "last_page_size < page_size",
        "last_page_size == 0",
        "response.done",
    ] {
        connector(&manifest(&cursor.replace("last_page_size < 8", harmless)));
    }
}

const DAYS: &str = r#"incremental_sync:
  type: DatetimeBasedCursor
  cursor_field: day
  datetime_format: "%Y-%m-%d"
  start_datetime: "2026-01-01"
  end_datetime: "2026-01-20"
  step: P10D
  cursor_granularity: P1D
  start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: from}
  end_time_option: {type: RequestOption, inject_into: request_parameter, field_name: to}"#;

fn day(text: Option<&str>) -> usize {
    text.unwrap().rsplit('-').next().unwrap().parse().unwrap()
}

/// A record a day, two on a page; windows of more than so many days are refused.
async fn days_up_to(most: usize) -> Upstream {
    Upstream::start(move |seen| {
        let (from, to) = (day(seen.get("from")), day(seen.get("to")));
        if to - from + 1 > most {
            return answer(413, "{\"message\": \"too many\"}");
        }
        let page = seen.number("page").unwrap_or(1);
        let days = (from..=to).skip((page - 1) * 2).take(2);
        let data: Vec<Value> = days
            .map(|day| json!({"id": day, "day": format!("2026-01-{day:02}")}))
            .collect();
        ok(&json!({"data": data}))
    })
    .await
}

const SPLITTING: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}
request_window_splitting: {type: RequestWindowSplitting, failure_message: Smaller windows.}";

#[tokio::test]
async fn a_window_is_read_in_halves_until_they_are_accepted() {
    let upstream = days_up_to(4).await;
    let yaml = with_action(
        &items(&upstream.base(), "/items", SPLITTING, DAYS),
        413,
        "SPLIT_REQUEST_WINDOW",
    );
    let read = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&read), (1..=20).collect::<Vec<_>>());
    assert_eq!(
        read.last().unwrap().checkpoint.state,
        Some(json!({"day": "2026-01-20"}))
    );
    let windows: Vec<(usize, usize)> = upstream
        .seen()
        .iter()
        .filter(|seen| seen.number("page").is_none())
        .map(|seen| (day(seen.get("from")), day(seen.get("to"))))
        .filter(|window| window.1 <= 10)
        .collect();
    assert_eq!(
        windows,
        [(1, 10), (1, 5), (1, 2), (3, 5), (6, 10), (6, 7), (8, 10)]
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn a_window_of_the_smallest_size_that_is_refused_ends_the_read() {
    let upstream = days_up_to(0).await;
    let yaml = with_action(
        &items(&upstream.base(), "/items", SPLITTING, DAYS),
        413,
        "SPLIT_REQUEST_WINDOW",
    );
    let error = read_error(&upstream, &yaml).await;
    assert_eq!((error.code.as_str(), error.retryable), ("WINDOW_REFUSED", true));
    assert!(error.message.contains("Smaller windows."), "{error}");
    let upstream = days_up_to(3).await;
    let bounded = with_action(
        &items(&upstream.base(), "/items", SPLITTING, DAYS),
        413,
        "SPLIT_REQUEST_WINDOW",
    )
    .replace(
        "failure_message: Smaller",
        "min_split_window: P4D, failure_message: Smaller",
    );
    assert_eq!(read_error(&upstream, &bounded).await.code, "WINDOW_REFUSED");
}

#[test]
fn windows_that_cannot_be_cut_are_refused_at_load() {
    let manifest = |cursor: &str| {
        with_action(
            &items("http://a", "/items", SPLITTING, cursor),
            413,
            "SPLIT_REQUEST_WINDOW",
        )
    };
    assert!(faults(&manifest("")).contains("needs a DatetimeBasedCursor"));
    let coarse = faults(&manifest(
        &DAYS.replace("cursor_granularity: P1D", "cursor_granularity: PT1H"),
    ));
    assert!(coarse.contains("cannot tell moments apart"), "{coarse}");
    let here = faults(&manifest(&format!("{DAYS}\n  is_client_side_incremental: true")));
    assert!(here.contains("is_client_side_incremental"), "{here}");
    let elsewhere = format!(
        "partition_router:\n  type: ListPartitionRouter\n  values: [a]\n  cursor_field: x\n{}",
        SPLITTING.split("\nrequest_window").next().unwrap()
    );
    let missing = faults(&with_action(
        &items("http://a", "/items", &elsewhere, DAYS),
        413,
        "SPLIT_REQUEST_WINDOW",
    ));
    assert!(
        missing.contains("SPLIT_REQUEST_WINDOW needs request_window_splitting"),
        "{missing}"
    );
}

/// A record a day in their order, two on a page, and no third page of anything.
async fn two_pages_only(status: u16) -> Upstream {
    Upstream::start(move |seen| {
        let (from, to) = (day(seen.get("from")), day(seen.get("to")));
        let page = seen.number("page").unwrap_or(1);
        if page > 2 {
            return answer(status, "{\"message\": \"too deep\"}");
        }
        let days = (from..=to).skip((page - 1) * 2).take(2);
        let data: Vec<Value> = days
            .map(|day| json!({"id": day, "day": format!("2026-01-{day:02}")}))
            .collect();
        ok(&json!({"data": data}))
    })
    .await
}

const RESET: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}
pagination_reset:
  type: PaginationReset
  action: SPLIT_USING_CURSOR";

#[tokio::test]
async fn pages_begin_anew_where_the_records_end() {
    let upstream = two_pages_only(400).await;
    let yaml = with_action(
        &items(&upstream.base(), "/items", RESET, DAYS),
        400,
        "RESET_PAGINATION",
    );
    let read = read_all(&upstream, &yaml, json!({})).await;
    let mut all = ids(&read);
    all.dedup();
    assert_eq!(all, (1..=20).collect::<Vec<_>>());
    assert_eq!(
        read.last().unwrap().checkpoint.state,
        Some(json!({"day": "2026-01-20"}))
    );
    let begun: Vec<usize> = upstream
        .seen()
        .iter()
        .filter(|seen| seen.number("page").is_none() && day(seen.get("to")) == 10)
        .map(|seen| day(seen.get("from")))
        .collect();
    assert_eq!(begun, [1, 4, 7, 10]);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn pages_begin_anew_after_as_many_records_as_the_manifest_says() {
    let upstream = two_pages_only(500).await;
    let retriever = format!("{RESET}\n  limits: {{type: PaginationResetLimits, number_of_records: 4}}");
    let yaml = items(&upstream.base(), "/items", &retriever, DAYS);
    let mut all = ids(&read_all(&upstream, &yaml, json!({})).await);
    all.dedup();
    assert_eq!(all, (1..=20).collect::<Vec<_>>());
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn pages_that_come_no_further_end_the_read() {
    // Without a cursor they are begun anew once.
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let upstream = Upstream::start(move |seen| {
        if seen.number("page") == Some(2) && count.fetch_add(1, Ordering::SeqCst) == 0 {
            return answer(400, "{}");
        }
        let page = seen.number("page").unwrap_or(1);
        ok(&json!({"data": if page > 2 { vec![] } else { vec![json!({"id": page}), json!({"id": page + 10})] }}))
    })
    .await;
    let retriever = RESET.replace("SPLIT_USING_CURSOR", "RESET");
    let yaml = with_action(
        &items(&upstream.base(), "/items", &retriever, ""),
        400,
        "RESET_PAGINATION",
    );
    assert_eq!(
        ids(&read_all(&upstream, &yaml, json!({})).await),
        [1, 11, 1, 11, 2, 12]
    );

    let upstream = Upstream::start(|_| answer(400, "{}")).await;
    let yaml = with_action(
        &items(&upstream.base(), "/items", &retriever, ""),
        400,
        "RESET_PAGINATION",
    );
    let error = read_error(&upstream, &yaml).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Upstream, "PAGINATION_RESET")
    );
    assert_eq!(upstream.seen().len(), 2);
}
