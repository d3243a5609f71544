//! Interchangeable tokens that take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use connectors::read::{Checkpoint, ErrorKind, Holder, Page, ReadContext, ReadError, RetryMode};
use platform::clock::SystemClock;
use serde_json::{Value, json};

use crate::upstream::{Seen, Upstream, answer, connector, ids, items, ok, pages, request};

const TOKENS: &str = r#"type: RateLimitedMultipleTokenAuthenticator
tokens: "{{ config['api_key'] }}"
auth_method: token
budget_min_reserve: 0
budget_reserve_fraction: 0
quota_status_source: {type: QuotaStatusSource, url: "BASE/rate_limit", unavailable_status_codes: [404]}
quotas:
  - type: TokenQuota
    name: search
    remaining_path: [search, left]
    reset_path: [search, reset]
    matchers: [{url_path_pattern: ^/search}]
  - type: TokenQuota
    name: core
    remaining_path: [core, left]
    reset_path: [core, reset]
    limit_path: [core, most]
    remaining_header: X-Left
    reset_header: X-Reset
    exhaustion_status_codes: [429]"#;

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 1, start_from_page: 1}";

fn manifest(base: &str, path: &str) -> String {
    let indented: String = TOKENS
        .replace("BASE", base)
        .lines()
        .map(|line| format!("          {line}\n"))
        .collect();
    items(base, path, PAGES, "").replace(
        "http_method: GET\n      record_selector",
        &format!("http_method: GET\n        authenticator:\n{indented}      record_selector"),
    )
}

fn quotas(core: i64, search: i64) -> Value {
    let reset = SystemClock::shared().now().timestamp() + 600;
    json!({"core": {"left": core, "reset": reset, "most": 5_000}, "search": {"left": search, "reset": reset}})
}

/// Four pages of one record.
fn page(seen: &Seen) -> Response<Body> {
    let page = seen.number("page").unwrap_or(1);
    if page > 4 {
        return ok(&json!({"data": []}));
    }
    ok(&json!({"data": [{"id": page}]}))
}

async fn read(context: &ReadContext, yaml: &str, tokens: &str) -> Result<Vec<Page>, (Vec<Page>, ReadError)> {
    let config = json!({"api_key": tokens});
    pages(
        connector(yaml)
            .read(context, request(config, Checkpoint::default()))
            .unwrap(),
    )
    .await
}

/// Who made the requests for pages.
fn users(upstream: &Upstream) -> Vec<String> {
    let seen = upstream.seen();
    let pages = seen.iter().filter(|seen| seen.path != "/rate_limit");
    pages
        .map(|seen| seen.header("authorization").unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_spent_token_gives_way_to_the_next() {
    let upstream = Upstream::start(|seen| match (seen.path.as_str(), seen.header("authorization")) {
        ("/rate_limit", Some("token one")) => ok(&quotas(2, 100)),
        ("/rate_limit", _) => ok(&quotas(100, 100)),
        _ => page(seen),
    })
    .await;
    let yaml = manifest(&upstream.base(), "/items");
    let got = read(&upstream.context(), &yaml, "one, two,").await.unwrap();
    assert_eq!(ids(&got), [1, 2, 3, 4]);
    assert_eq!(
        upstream.lines()[..2],
        ["/rate_limit", "/rate_limit"],
        "each token's quota is asked for once"
    );
    assert_eq!(
        users(&upstream),
        ["token one", "token one", "token two", "token two", "token two"]
    );
}

#[tokio::test]
async fn a_request_counts_for_the_quota_that_it_matches() {
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        "/rate_limit" => ok(&quotas(0, 100)),
        _ => page(seen),
    })
    .await;
    let yaml = manifest(&upstream.base(), "/search/items");
    assert_eq!(
        ids(&read(&upstream.context(), &yaml, "one").await.unwrap()),
        [1, 2, 3, 4]
    );
}

#[tokio::test]
async fn where_all_are_spent_a_run_is_parked_until_there_are_more_calls() {
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        "/rate_limit" => ok(&quotas(1, 100)),
        _ => page(seen),
    })
    .await;
    let yaml = manifest(&upstream.base(), "/items");
    let (before, error) = read(&upstream.context(), &yaml, "one,two").await.unwrap_err();
    assert_eq!(ids(&before), [1, 2]);
    assert_eq!(
        (error.kind, error.held_back),
        (ErrorKind::RateLimited, Some(Holder::Budget))
    );
    let wait = error.retry_after.unwrap();
    assert!(
        wait > Duration::from_secs(500) && wait <= Duration::from_secs(600),
        "{wait:?}"
    );

    // A read by hand waits, unless that is longer than the manifest allows.
    let context = ReadContext {
        retry: RetryMode::AsReference,
        ..upstream.context()
    };
    let short = yaml.replace(
        "auth_method: token",
        "auth_method: token\n          max_wait_time: PT5M",
    );
    let (_, error) = read(&context, &short, "one,two").await.unwrap_err();
    assert_eq!((error.code.as_str(), error.held_back), ("BUDGET_SPENT", None));
}

#[tokio::test]
async fn answers_correct_the_count_and_a_refusal_is_asked_again_with_another_token() {
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let upstream = Upstream::start(
        move |seen| match (seen.path.as_str(), seen.header("authorization")) {
            ("/rate_limit", _) => ok(&quotas(100, 100)),
            (_, Some("token one")) => {
                count.fetch_add(1, Ordering::SeqCst);
                answer(429, "{}")
            }
            _ => {
                let mut page = page(seen);
                if seen.number("page") == Some(2) {
                    page.headers_mut().insert("x-left", "0".parse().unwrap());
                }
                page
            }
        },
    )
    .await;
    let yaml = manifest(&upstream.base(), "/items");
    let got = read(&upstream.context(), &yaml, "one,two,three").await.unwrap();
    assert_eq!(ids(&got), [1, 2, 3, 4], "no attempt of the run's is spent");
    assert_eq!(refused.load(Ordering::SeqCst), 1);
    assert_eq!(
        users(&upstream),
        [
            "token one",
            "token two",
            "token two",
            "token three",
            "token three",
            "token three"
        ]
    );
}

#[tokio::test]
async fn where_nobody_counts_tokens_take_turns() {
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        "/rate_limit" => answer(404, "{}"),
        _ => page(seen),
    })
    .await;
    let yaml = manifest(&upstream.base(), "/items");
    read(&upstream.context(), &yaml, "one,two").await.unwrap();
    assert_eq!(
        users(&upstream),
        ["token one", "token two", "token one", "token two", "token one"]
    );
}

#[tokio::test]
async fn what_cannot_be_used_is_said_and_no_token_is_shown() {
    let upstream = Upstream::start(|seen| match (seen.path.as_str(), seen.header("authorization")) {
        ("/rate_limit", Some("token s3cret-one")) => answer(401, r#"{"message": "bad s3cret-one"}"#),
        ("/rate_limit", _) => ok(&json!({"core": {}})),
        _ => page(seen),
    })
    .await;
    let yaml = manifest(&upstream.base(), "/items");
    let (_, error) = read(&upstream.context(), &yaml, "s3cret-one").await.unwrap_err();
    assert_eq!((error.kind, error.http_status), (ErrorKind::Auth, Some(401)));
    assert!(!error.to_string().contains("s3cret-one"), "{error}");
    let (_, error) = read(&upstream.context(), &yaml, "other").await.unwrap_err();
    assert!(error.message.contains("no search.left"), "{error}");
    let (_, error) = read(&upstream.context(), &yaml, " , ").await.unwrap_err();
    assert_eq!(error.code, "CREDENTIALS_MISSING");
}
