//! Asking whether anything has changed at all: If-None-Match and If-Modified-Since, and what may come of a 304.

use connectors::read::{Checkpoint, Page};
use serde_json::{Value, json};

use crate::upstream::{Seen, Upstream, connector, ids, items, ok, pages, request};

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}";

/// Two records (and two more on a second page, where pages are asked for), of the version that the test says.
async fn versioned(etag: Option<&'static str>, modified: Option<&'static str>) -> Upstream {
    Upstream::start(move |seen| {
        let told = |name: &str, own: Option<&str>| own.is_some() && seen.header(name) == own;
        let condition = seen.header("if-none-match");
        let same = told("if-none-match", etag) || condition.is_none() && told("if-modified-since", modified);
        if same {
            let mut answer = ok(&json!(null));
            *answer.status_mut() = axum::http::StatusCode::NOT_MODIFIED;
            *answer.body_mut() = axum::body::Body::empty();
            return answer;
        }
        let first = seen.number("page").unwrap_or(1) * 10;
        let mut answer = ok(&json!({ "data": [{ "id": first }, { "id": first + 1 }] }));
        if first > 20 {
            answer = ok(&json!({ "data": [] }));
        }
        for (name, value) in [("etag", etag), ("last-modified", modified)] {
            if let Some(value) = value {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        answer
    })
    .await
}

async fn read(upstream: &Upstream, yaml: &str, validators: Option<&Value>) -> Vec<Page> {
    let request = request(json!({}), Checkpoint::default());
    let read = connector(yaml)
        .read_unless(&upstream.context(), request, validators)
        .unwrap();
    pages(read).await.unwrap()
}

fn remembered(pages: &[Page]) -> Option<Value> {
    let last = pages.last().unwrap();
    assert!(last.last);
    let earlier = &pages[..pages.len() - 1];
    assert!(
        earlier
            .iter()
            .all(|page| page.validators.is_none() && !page.unchanged)
    );
    last.validators.clone()
}

fn conditions(upstream: &Upstream) -> Vec<(Option<String>, Option<String>)> {
    let header = |seen: &Seen, name: &str| seen.header(name).map(ToOwned::to_owned);
    let all = upstream.seen();
    all.iter()
        .map(|seen| (header(seen, "if-none-match"), header(seen, "if-modified-since")))
        .collect()
}

const DATE: &str = "Mon, 15 Jun 2026 11:00:00 GMT";

#[tokio::test]
async fn what_has_not_changed_is_said_and_not_sent() {
    for (etag, modified) in [
        (Some("W/\"v1\""), None),
        (None, Some(DATE)),
        (Some("\"v1\""), Some(DATE)),
    ] {
        let upstream = versioned(etag, modified).await;
        let yaml = items(&upstream.base(), "/v1/items", "", "");
        let first = read(&upstream, &yaml, None).await;
        assert_eq!(ids(&first), [10, 11]);
        let kept = remembered(&first).unwrap();
        let second = read(&upstream, &yaml, Some(&kept)).await;
        assert_eq!(
            (ids(&second).len(), second.len(), second[0].unchanged),
            (0, 1, true)
        );
        assert_eq!(
            second[0].checkpoint,
            first.last().unwrap().checkpoint,
            "the state is the same"
        );
        assert_eq!(remembered(&second), None, "what was kept stays as it is");
        let sent = (etag.map(ToOwned::to_owned), modified.map(ToOwned::to_owned));
        assert_eq!(conditions(&upstream), [(None, None), sent]);
    }
}

#[tokio::test]
async fn what_has_changed_is_read() {
    let before = versioned(Some("\"v1\""), None).await;
    let yaml = items(&before.base(), "/v1/items", "", "");
    let kept = remembered(&read(&before, &yaml, None).await).unwrap();
    let after = versioned(Some("\"v2\""), None).await;
    let yaml = items(&after.base(), "/v1/items", "", "");
    let second = read(&after, &yaml, Some(&kept)).await;
    assert_eq!(
        (ids(&second), second.last().unwrap().unchanged),
        (vec![10, 11], false)
    );
    assert_ne!(remembered(&second).unwrap(), kept);
}

#[tokio::test]
async fn only_a_stream_of_one_answer_that_is_the_same_request_each_time_is_remembered() {
    let with_list = |values: &str| {
        format!(
            "partition_router: {{type: ListPartitionRouter, values: {values}, cursor_field: k, \
             request_option: {{type: RequestOption, inject_into: request_parameter, field_name: k}}}}"
        )
    };
    let by_time = "transformations: [{type: AddFields, fields: [{path: [at], value: \"{{ now_utc() }}\"}]}]";
    let by_chance =
        "transformations: [{type: AddFields, fields: [{path: [at], value: \"{{ generate_uuid() }}\"}]}]";
    let plain =
        "transformations: [{type: AddFields, fields: [{path: [at], value: \"{{ config.get('a') }}\"}]}]";
    let cursor = "incremental_sync: {type: DatetimeBasedCursor, cursor_field: at, datetime_format: \"%Y\", \
                  start_datetime: {datetime: \"2020\"}}";
    let (one, two) = (with_list("[a]"), with_list("[a, b]"));
    for (retriever, stream, kept) in [
        ("", "", true),
        (one.as_str(), "", true),
        ("", plain, true),
        (two.as_str(), "", false),
        (PAGES, "", false),
        ("", by_time, false),
        ("", by_chance, false),
        ("", cursor, false),
    ] {
        let upstream = versioned(Some("\"v1\""), None).await;
        let yaml = items(&upstream.base(), "/v1/items", retriever, stream);
        let first = read(&upstream, &yaml, None).await;
        assert_eq!(remembered(&first).is_some(), kept, "{retriever} {stream}");
        let validators = json!({ "etag": "\"v1\"", "last_modified": null });
        let again = read(&upstream, &yaml, Some(&validators)).await;
        // What asks for the time is not known before it was read; nobody remembers anything of it.
        let may_ask = kept || stream == by_time || stream == by_chance || retriever == PAGES;
        assert_eq!(again[0].unchanged, may_ask, "{retriever} {stream}");
    }
}

#[tokio::test]
async fn an_answer_of_several_pages_is_asked_for_whole_where_its_first_page_has_changed() {
    let upstream = versioned(Some("\"v2\""), None).await;
    let yaml = items(&upstream.base(), "/v1/items", PAGES, "");
    let validators = json!({ "etag": "\"v1\"", "last_modified": null });
    let read = read(&upstream, &yaml, Some(&validators)).await;
    assert_eq!(ids(&read), [10, 11, 20, 21]);
    let sent = conditions(&upstream);
    assert_eq!(sent[0].0.as_deref(), Some("\"v1\""));
    assert!(
        sent[1..].iter().all(|condition| *condition == (None, None)),
        "{sent:?}"
    );
}

#[tokio::test]
async fn a_record_that_could_not_be_read_is_asked_for_again() {
    let upstream = versioned(Some("\"v1\""), None).await;
    let broken = "transformations: [{type: AddFields, fields: [{path: [at], value: \"{{ 1 / (record['id'] - 10) }}\"}]}]";
    let yaml = items(&upstream.base(), "/v1/items", "", broken);
    let first = read(&upstream, &yaml, None).await;
    assert_eq!(first.last().unwrap().rejected.len(), 1);
    assert_eq!(remembered(&first), None);
}

#[tokio::test]
async fn a_manifest_that_asks_by_itself_is_left_alone() {
    let upstream = versioned(Some("\"v1\""), None).await;
    let yaml = items(&upstream.base(), "/v1/items", "", "");
    let own = yaml.replace(
        "\n        http_method: GET",
        "\n        http_method: GET\n        request_headers: {if-none-match: W/other}",
    );
    assert_ne!(own, yaml);
    let validators = json!({ "etag": "\"v1\"", "last_modified": null });
    let read = read(&upstream, &own, Some(&validators)).await;
    assert_eq!((ids(&read), read[0].unchanged), (vec![10, 11], false));
    assert_eq!(conditions(&upstream), [(Some("W/other".to_owned()), None)]);
}

#[tokio::test]
async fn validators_that_are_too_long_or_cannot_be_sent_are_not_kept() {
    let long: &'static str = Box::leak(format!("\"{}\"", "v".repeat(600)).into_boxed_str());
    let upstream = versioned(Some(long), None).await;
    let yaml = items(&upstream.base(), "/v1/items", "", "");
    assert_eq!(remembered(&read(&upstream, &yaml, None).await), None);
    let kept = json!({ "etag": "\"v\r\nX-Other: 1\"", "last_modified": 7 });
    assert_eq!(ids(&read(&upstream, &yaml, Some(&kept)).await), [10, 11]);
    assert_eq!(conditions(&upstream), vec![(None, None); 2]);
}
