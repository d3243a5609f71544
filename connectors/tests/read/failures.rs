//! What a broken upstream gets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use connectors::read::{Checkpoint, ErrorKind, RetryMode};
use futures::stream;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::upstream::{Upstream, answer, connector, context, ids, items, ok, pages, read_error, request};

async fn answered(status: u16, body: &'static str) -> connectors::read::ReadError {
    let upstream = Upstream::start(move |_| answer(status, body)).await;
    read_error(&upstream, &items(&upstream.base(), "/items", "", "")).await
}

#[tokio::test]
async fn statuses_have_their_kinds() {
    for (status, kind, retryable) in [
        (400, ErrorKind::Upstream, false),
        (401, ErrorKind::Auth, false),
        (403, ErrorKind::Auth, false),
        (404, ErrorKind::Config, false),
        (405, ErrorKind::Upstream, false),
        (408, ErrorKind::Timeout, true),
        (418, ErrorKind::Upstream, true),
        (429, ErrorKind::RateLimited, true),
        (500, ErrorKind::Upstream, true),
        (503, ErrorKind::Upstream, true),
    ] {
        let error = answered(status, r#"{"error": {"message": "no\nway"}}"#).await;
        assert_eq!((error.kind, error.retryable), (kind, retryable), "{status}");
        assert_eq!(error.code, format!("HTTP_{status}"));
        assert_eq!(error.http_status, Some(status));
        assert!(error.message.ends_with(": no way"), "{}", error.message);
        assert_eq!(error.stats.requests, 1);
    }
}

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let html = answered(200, "  <!doctype html><html></html>").await;
    assert_eq!(
        (html.kind, html.code.as_str()),
        (ErrorKind::Malformed, "NOT_JSON")
    );
    let text = answered(200, "OK then").await;
    assert_eq!(text.code, "NOT_JSON");
    let cut = answered(200, r#"{"data": [{"id": 1}, {"id""#).await;
    assert_eq!(
        (cut.kind, cut.code.as_str()),
        (ErrorKind::Malformed, "BODY_TRUNCATED")
    );
    assert!(cut.retryable);
}

#[tokio::test]
async fn rate_limits_say_how_long() {
    let upstream = Upstream::start(|_| {
        Response::builder()
            .status(429)
            .header("retry-after", "7")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let error = read_error(&upstream, &items(&upstream.base(), "/items", "", "")).await;
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
}

/// A server that answers one connection with these bytes and then hangs up, or holds on.
async fn raw(bytes: &'static [u8], hold: bool) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(bytes).await;
                if hold {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

async fn raw_error(bytes: &'static [u8], hold: bool) -> connectors::read::ReadError {
    let address = raw(bytes, hold).await;
    let yaml = items(&format!("http://{address}"), "/items", "", "");
    let stream = connector(&yaml)
        .read(&context(vec![address]), request(json!({}), Checkpoint::default()))
        .unwrap();
    pages(stream).await.unwrap_err().1
}

#[tokio::test]
async fn connections_break_in_many_ways() {
    let nothing = raw_error(b"", false).await;
    assert_eq!(
        (nothing.kind, nothing.retryable),
        (ErrorKind::Network, true),
        "{nothing}"
    );
    let half = raw_error(
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\": [",
        false,
    )
    .await;
    assert_eq!(
        (half.kind, half.code.as_str()),
        (ErrorKind::Network, "BODY_TRUNCATED")
    );
    let stalled = raw_error(
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\": [",
        true,
    )
    .await;
    assert_eq!(
        (stalled.kind, stalled.code.as_str()),
        (ErrorKind::Timeout, "STALLED")
    );
}

#[tokio::test]
async fn refused_connections_and_blocked_addresses_differ() {
    let free = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let yaml = items(&format!("http://{free}"), "/items", "", "");
    let read = |allowed| {
        let stream = connector(&yaml)
            .read(&context(allowed), request(json!({}), Checkpoint::default()))
            .unwrap();
        async { pages(stream).await.unwrap_err().1 }
    };
    let refused = read(vec![free]).await;
    assert_eq!(
        (refused.kind, refused.code.as_str()),
        (ErrorKind::Network, "CONNECTION_REFUSED")
    );
    let blocked = read(Vec::new()).await;
    assert_eq!(
        (blocked.kind, blocked.code.as_str()),
        (ErrorKind::Config, "BLOCKED_ADDRESS")
    );
    assert!(!blocked.retryable);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_blocked() {
    let upstream = Upstream::start(|_| {
        Response::builder()
            .status(302)
            .header("location", "http://127.0.0.1:1/x")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let error = read_error(&upstream, &items(&upstream.base(), "/items", "", "")).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Config, "BLOCKED_ADDRESS")
    );
}

#[tokio::test]
async fn endless_bodies_end_at_the_bound() {
    let upstream = Upstream::start(|_| {
        let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 65_536])));
        Response::new(Body::from_stream(chunks))
    })
    .await;
    let yaml = items(&upstream.base(), "/items", "", "");
    let mut context = upstream.context();
    context.limits.max_body_bytes = 1_000_000;
    let stream = connector(&yaml)
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let error = pages(stream).await.unwrap_err().1;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Malformed, "BODY_TOO_LARGE")
    );
}

#[tokio::test]
async fn pages_before_a_failure_are_delivered() {
    let upstream = Upstream::start(|seen| match seen.number("page") {
        None => ok(&json!({"data": [{"id": 1}, {"id": 2}]})),
        Some(_) => answer(500, "{}"),
    })
    .await;
    let paginator = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 2}";
    let yaml = items(&upstream.base(), "/items", paginator, "");
    let stream = connector(&yaml)
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    let (before, error) = pages(stream).await.unwrap_err();
    assert_eq!(ids(&before), [1, 2]);
    assert!(!before[0].last);
    assert_eq!(error.code, "HTTP_500");
}

const HANDLER: &str = r#"        error_handler:
          type: CompositeErrorHandler
          error_handlers:
            - type: DefaultErrorHandler
              response_filters:
                - {type: HttpResponseFilter, http_codes: [404], action: IGNORE}
                - {type: HttpResponseFilter, predicate: "{{ 'busy' in response }}", action: RETRY}
                - type: HttpResponseFilter
                  error_message_contains: "quota"
                  action: RATE_LIMITED
            - type: DefaultErrorHandler
              response_filters:
                - type: HttpResponseFilter
                  http_codes: [405]
                  action: FAIL
                  failure_type: config_error
                  error_message: "Check the thing: {{ response.why }}"
              backoff_strategies:
                - {type: WaitTimeFromHeader, header: X-Wait}
                - {type: ConstantBackoffStrategy, backoff_time_in_seconds: 3}
"#;

fn handled(base: &str) -> String {
    items(base, "/items", "", "").replace(
        "        http_method: GET\n      record",
        &format!("        http_method: GET\n{HANDLER}      record"),
    )
}

#[tokio::test]
async fn the_manifest_classifies_answers() {
    let upstream = Upstream::start(|_| answer(404, "{}")).await;
    let stream = connector(&handled(&upstream.base()))
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    let ignored = pages(stream).await.unwrap();
    assert_eq!((ignored.len(), ignored[0].records.len()), (1, 0));

    let upstream = Upstream::start(|_| answer(200, r#"{"busy": true}"#)).await;
    let busy = read_error(&upstream, &handled(&upstream.base())).await;
    assert!(busy.retryable);
    assert_eq!(busy.retry_after, Some(Duration::from_secs(3)));

    let upstream = Upstream::start(|_| {
        let body = r#"{"message": "over quota"}"#;
        Response::builder()
            .status(400)
            .header("x-wait", "11")
            .body(Body::from(body))
            .unwrap()
    })
    .await;
    let quota = read_error(&upstream, &handled(&upstream.base())).await;
    assert_eq!(
        (quota.kind, quota.retry_after),
        (ErrorKind::Upstream, None),
        "the second handler's default wins"
    );

    let upstream = Upstream::start(|_| answer(405, r#"{"why": "<b>because</b>"}"#)).await;
    let told = read_error(&upstream, &handled(&upstream.base())).await;
    assert_eq!(told.kind, ErrorKind::Config);
    assert!(told.message.contains("Check the thing"), "{}", told.message);
}

#[tokio::test]
async fn as_the_reference_a_read_repeats_five_times() {
    for (failures, status) in [(5_usize, 500_u16), (3, 429), (6, 503)] {
        let count = AtomicUsize::new(0);
        let upstream = Upstream::start(move |_| {
            if count.fetch_add(1, Ordering::SeqCst) < failures {
                answer(status, "{}")
            } else {
                ok(&json!({"data": [{"id": 1}]}))
            }
        })
        .await;
        let mut context = upstream.context();
        context.retry = RetryMode::AsReference;
        let yaml = items(&upstream.base(), "/items", "", "");
        let stream = connector(&yaml)
            .read(&context, request(json!({}), Checkpoint::default()))
            .unwrap();
        let outcome = pages(stream).await;
        assert_eq!(outcome.is_ok(), failures <= 5, "{failures} × {status}");
        assert_eq!(upstream.seen().len(), failures.min(5) + 1);
    }
}

#[tokio::test]
async fn no_secret_reaches_an_error() {
    let secret = "s3cr3t-t0k3n";
    let upstream = Upstream::start(move |seen| {
        let auth = seen.header("authorization").unwrap_or_default();
        answer(
            401,
            json!({"message": format!("bad token {auth} {}", seen.line())}).to_string(),
        )
    })
    .await;
    let yaml = items(&upstream.base(), "/items/{{ config.api_key }}", "", "").replace(
        "        http_method: GET\n      record",
        "        http_method: GET\n        request_parameters: {k: \"{{ config.api_key }}\"}\n        authenticator: {type: BearerAuthenticator, api_token: \"{{ config.api_key }}\"}\n      record",
    );
    let stream = connector(&yaml)
        .read(
            &upstream.context(),
            request(json!({"api_key": secret}), Checkpoint::default()),
        )
        .unwrap();
    let error = pages(stream).await.unwrap_err().1;
    assert_eq!(error.kind, ErrorKind::Auth);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(secret), "{shown}");
    assert!(error.message.contains("******"));
    assert!(!error.url.unwrap().contains("k="));
}

#[tokio::test]
async fn a_bad_configuration_fails_before_the_first_request() {
    let upstream = Upstream::start(|_| ok(&json!({"data": []}))).await;
    let stream = r#"incremental_sync:
  type: DatetimeBasedCursor
  cursor_field: at
  datetime_format: "%Y-%m-%d"
  start_datetime: "{{ config['start'] }}""#;
    let yaml = items(&upstream.base(), "/items", "", stream);
    let wanted = request(json!({"start": "not a date"}), Checkpoint::default());
    let error = connector(&yaml)
        .read(&upstream.context(), wanted)
        .err()
        .expect("the date is wrong");
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Config, "CONFIG_INVALID")
    );
    assert!(!error.message.contains("not a date"));
    assert_eq!(upstream.seen().len(), 0);
}

#[tokio::test]
async fn an_answer_may_say_in_its_body_how_long_to_wait() {
    let upstream = Upstream::start(|seen| match seen.get("case") {
        Some("body") => answer(429, r#"{"retry": {"after_ms": "2500"}}"#),
        Some("list") => answer(429, r#"["not", "an", "object"]"#),
        Some("past") => answer(429, r#"{"retry": {"after_ms": -1}}"#),
        _ => answer(429, "<html>"),
    })
    .await;
    let waits = async |case: &str, most: &str| {
        let handler = format!(
            "        http_method: GET\n        request_parameters: {{case: {case}}}\n        error_handler:\n          type: DefaultErrorHandler\n          backoff_strategies:\n            \
             - {{type: WaitTimeFromResponse, wait_time_in_seconds: \"{{{{ response.retry.after_ms | float / 1000 }}}}\"{most}}}\n            \
             - {{type: ConstantBackoffStrategy, backoff_time_in_seconds: 7}}\n      record"
        );
        let yaml = items(&upstream.base(), "/items", "", "")
            .replace("        http_method: GET\n      record", &handler);
        read_error(&upstream, &yaml).await
    };
    let told = waits("body", "").await;
    assert_eq!(told.retry_after, Some(Duration::from_millis(2500)));
    for case in ["list", "past", "html"] {
        let next = waits(case, "").await;
        assert_eq!(
            next.retry_after,
            Some(Duration::from_secs(7)),
            "{case}: the next strategy decides"
        );
    }
    let refused = waits("body", ", max_waiting_time_in_seconds: 2").await;
    assert_eq!(refused.code, "WAIT_TOO_LONG");
}

#[test]
fn a_wait_that_reads_what_is_not_there_is_refused() {
    let handler = "        http_method: GET\n        error_handler:\n          type: DefaultErrorHandler\n          backoff_strategies:\n            \
                   - {type: WaitTimeFromResponse, wait_time_in_seconds: \"{{ resposne.after }}\"}\n      record";
    let yaml = items("http://a", "/items", "", "").replace("        http_method: GET\n      record", handler);
    let faults = connectors::Connector::parse(&yaml).unwrap_err();
    assert!(faults[0].message.contains("did you mean response?"), "{faults:?}");
}
