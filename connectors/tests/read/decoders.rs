//! Bodies that are not JSON: each decoder in a stream, and what reading rows while they come means for pages,
//! checkpoints and memory.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use connectors::Connector;
use connectors::read::{Checkpoint, ErrorKind, ReadLimits};
use futures::StreamExt;
use platform::clock::ManualClock;
use platform::http_client::{HttpClient, HttpLimits, NetworkPolicy};
use serde_json::{Value, json};

use crate::upstream::{
    Upstream, answer, connector, cut_everywhere, ids, items, manifest, ok, pages, read_all, read_error,
    records, request,
};

/// A stream whose answers are decoded so, and whose records are what the decoder gives.
fn decoded(upstream: &Upstream, decoder: &str) -> String {
    items(&upstream.base(), "/items", &format!("decoder: {decoder}"), "")
        .replace("field_path: [data]", "field_path: []")
}

async fn serving(body: impl Into<Vec<u8>>) -> Upstream {
    let body: Vec<u8> = body.into();
    Upstream::start(move |_| answer(200, body.clone())).await
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn rows(count: usize) -> String {
    (0..count).map(|id| format!("{{\"id\": {id}}}\n")).collect()
}

#[tokio::test]
async fn each_decoder_gives_records() {
    let cases: &[(&str, Vec<u8>, Value)] = &[
        (
            "{type: CsvDecoder, delimiter: \"\\\\t\", set_values_to_none: [NA]}",
            b"id\tname\n1\tNA\n".to_vec(),
            json!([{"id": "1", "name": null}]),
        ),
        (
            "{type: JsonlDecoder}",
            b"{\"id\": 1}\n{\"id\": 2}".to_vec(),
            json!([{"id": 1}, {"id": 2}]),
        ),
        (
            "{type: IterableDecoder}",
            b"x\ny\n".to_vec(),
            json!([{"record": "x"}, {"record": "y"}]),
        ),
        (
            "{type: GzipDecoder, decoder: {type: CsvDecoder, encoding: latin-1}}",
            gzip(b"id\n\xe9\n"),
            json!([{"id": "é"}]),
        ),
        (
            "{type: GzipDecoder, decoder: {type: JsonDecoder}}",
            gzip(b"[{\"id\": 1}, {\"id\": 2}]"),
            json!([{"id": 1}, {"id": 2}]),
        ),
        (
            "{type: JsonItemsDecoder, items_path: a.b}",
            b"{\"a\": {\"b\": [{\"id\": 1}, {\"id\": 2}]}}".to_vec(),
            json!([{"id": 1}, {"id": 2}]),
        ),
        (
            "{type: XmlDecoder}",
            b"<root><item id=\"1\">x</item></root>".to_vec(),
            json!([{"root": {"item": {"@id": "1", "#text": "x"}}}]),
        ),
    ];
    for (decoder, body, expected) in cases {
        let upstream = serving(body.clone()).await;
        let pages = read_all(&upstream, &decoded(&upstream, decoder), json!({})).await;
        assert_eq!(json!(records(&pages)), *expected, "{decoder}");
    }
}

#[tokio::test]
async fn records_are_extracted_from_each_row_and_from_xml() {
    let upstream =
        serving("{\"data\": [{\"id\": 1}, {\"id\": 2}]}\n{\"other\": 0}\n{\"data\": {\"id\": 3}}\n").await;
    let yaml = items(&upstream.base(), "/items", "decoder: {type: JsonlDecoder}", "");
    assert_eq!(ids(&read_all(&upstream, &yaml, json!({})).await), [1, 2, 3]);

    let upstream = serving("<r><data><id>1</id></data><data><id>2</id></data></r>").await;
    let yaml = items(&upstream.base(), "/items", "decoder: {type: XmlDecoder}", "")
        .replace("field_path: [data]", "field_path: [r, data]");
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(records(&pages), [json!({"id": "1"}), json!({"id": "2"})]);
}

#[tokio::test]
async fn xml_is_paged_by_what_it_says() {
    let upstream = Upstream::start(|seen| {
        let page = seen.number("page").unwrap_or(1);
        let next = if page < 3 {
            (page + 1).to_string()
        } else {
            String::new()
        };
        answer(
            200,
            format!("<r><next>{next}</next><data><id>{page}</id></data></r>"),
        )
    })
    .await;
    let retriever = r#"decoder: {type: XmlDecoder}
paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: CursorPagination, cursor_value: "{{ response.r.next }}"}"#;
    let yaml = items(&upstream.base(), "/items", retriever, "")
        .replace("field_path: [data]", "field_path: [r, data]");
    read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(upstream.lines(), ["/items", "/items?page=2", "/items?page=3"]);
}

#[tokio::test]
async fn packed_json_is_paged_by_its_records_and_not_by_its_document() {
    let upstream = Upstream::start(|seen| {
        let page = seen.number("page").unwrap_or(1);
        let body = json!({"next": page + 1, "data": [{"id": page, "more": page < 3}]});
        answer(200, gzip(body.to_string().as_bytes()))
    })
    .await;
    let paged = |cursor: &str| {
        let retriever = format!(
            r#"decoder: {{type: GzipDecoder, decoder: {{type: JsonDecoder}}}}
paginator:
  type: DefaultPaginator
  page_token_option: {{type: RequestOption, inject_into: request_parameter, field_name: page}}
  pagination_strategy: {{type: CursorPagination, cursor_value: "{cursor}"}}"#
        );
        items(&upstream.base(), "/items", &retriever, "")
    };
    let by_record = paged("{{ last_record.id + 1 if last_record.more else '' }}");
    assert_eq!(ids(&read_all(&upstream, &by_record, json!({})).await), [1, 2, 3]);
    let pages = read_all(&upstream, &paged("{{ response.next }}"), json!({})).await;
    assert_eq!(ids(&pages), [1]);
    assert!(
        pages
            .iter()
            .flat_map(|page| &page.notes)
            .any(|note| note.message.contains("GzipDecoder")),
        "that it was not paged is said: {:?}",
        pages[0].notes
    );
}

#[tokio::test]
async fn rows_come_in_pages_that_a_read_can_be_cut_between() {
    let upstream = serving(rows(3_500)).await;
    let yaml = decoded(&upstream, "{type: JsonlDecoder}");
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(
        pages.iter().map(|page| page.records.len()).collect::<Vec<_>>(),
        [1_000, 1_000, 1_000, 500]
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn rows_count_for_the_cursor_once_they_are_all_there() {
    let body: String = (0..2_500)
        .map(|id| format!("{{\"id\": {id}, \"at\": \"2026-01-{:02}\"}}\n", id / 100 + 1))
        .collect();
    let upstream = serving(body).await;
    let stream = r#"incremental_sync:
  type: DatetimeBasedCursor
  cursor_field: at
  datetime_format: "%Y-%m-%d"
  start_datetime: "2026-01-01"
  end_datetime: {type: MinMaxDatetime, datetime: "2026-02-01"}"#;
    let yaml = items(
        &upstream.base(),
        "/items",
        "decoder: {type: JsonlDecoder}",
        stream,
    )
    .replace("field_path: [data]", "field_path: []");
    let pages = read_all(&upstream, &yaml, json!({})).await;
    let states: Vec<_> = pages
        .iter()
        .map(|page| page.checkpoint.state.clone().unwrap()["at"].clone())
        .collect();
    assert_eq!(states, ["2026-01-01", "2026-01-01", "2026-01-25"]);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn rows_that_are_others_than_before_are_read_from_the_first() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let upstream = Upstream::start(move |_| {
        let body = if count.fetch_add(1, Ordering::SeqCst) == 0 {
            rows(1_500)
        } else {
            format!("{{\"id\": -1}}\n{}", rows(1_500))
        };
        answer(200, body)
    })
    .await;
    let connector = connector(&decoded(&upstream, "{type: JsonlDecoder}"));
    let context = upstream.context();
    let mut first = connector
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let page = first.next().await.unwrap().unwrap();
    assert_eq!((page.records.len(), page.last), (1_000, false));
    drop(first);
    let rest = connector
        .read(&context, request(json!({}), page.checkpoint))
        .unwrap();
    let read = ids(&pages(rest).await.unwrap());
    assert_eq!((read.len(), read[0]), (1_501, -1), "nothing is lost");
}

type Pieces = futures::channel::mpsc::UnboundedSender<Result<Bytes, std::io::Error>>;

/// An upstream whose only answer's body is what is sent.
async fn flowing() -> (Upstream, Pieces) {
    let (sender, receiver) = futures::channel::mpsc::unbounded();
    let receiver = Mutex::new(Some(receiver));
    let upstream = Upstream::start(move |_| {
        let body = receiver.lock().unwrap().take().unwrap();
        answer(200, Body::from_stream(body))
    })
    .await;
    (upstream, sender)
}

#[tokio::test]
async fn a_page_is_there_before_its_body_ends() {
    let (upstream, sender) = flowing().await;
    let mut stream = connector(&decoded(&upstream, "{type: JsonlDecoder}"))
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    sender.unbounded_send(Ok(rows(1_000).into())).unwrap();
    let page = stream.next().await.unwrap().unwrap();
    assert_eq!((page.records.len(), page.last), (1_000, false));
    sender.unbounded_send(Ok(rows(3).into())).unwrap();
    drop(sender);
    let page = stream.next().await.unwrap().unwrap();
    assert_eq!((page.records.len(), page.last), (3, true));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_after_the_rows_that_came() {
    let (upstream, sender) = flowing().await;
    let mut stream = connector(&decoded(&upstream, "{type: JsonlDecoder}"))
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    sender.unbounded_send(Ok(rows(1_200).into())).unwrap();
    let page = stream.next().await.unwrap().unwrap();
    assert_eq!(page.records.len(), 1_000);
    sender.unbounded_send(Err(std::io::Error::other("cut"))).unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str(), error.retryable),
        (ErrorKind::Network, "BODY_TRUNCATED", true)
    );
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_body_is_bounded_once_it_is_unpacked() {
    let upstream = serving(gzip(rows(10_000).as_bytes())).await;
    let mut context = upstream.context();
    context.limits = ReadLimits {
        max_body_bytes: 50_000,
        ..context.limits
    };
    let yaml = decoded(&upstream, "{type: GzipDecoder, decoder: {type: JsonlDecoder}}");
    let stream = connector(&yaml)
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let (before, error) = pages(stream).await.unwrap_err();
    assert_eq!(error.code, "BODY_TOO_LARGE");
    assert!(!error.retryable && records(&before).len() < 10_000);
}

#[tokio::test]
async fn a_broken_line_is_rejected_and_the_others_are_read() {
    let upstream = serving("{\"id\": 1}\n{\"id\": \n{\"id\": 2}\n").await;
    let pages = read_all(&upstream, &decoded(&upstream, "{type: JsonlDecoder}"), json!({})).await;
    assert_eq!(ids(&pages), [1, 2]);
    let rejected: Vec<_> = pages.iter().flat_map(|page| &page.rejected).collect();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].payload, json!("{\"id\":"));
}

#[tokio::test]
async fn an_error_page_is_never_an_export_without_rows() {
    for decoder in ["{type: CsvDecoder}", "{type: JsonlDecoder}", "{type: XmlDecoder}"] {
        let upstream = serving("<!DOCTYPE html>\n<html><body>Bad gateway</body></html>\n").await;
        let error = read_error(&upstream, &decoded(&upstream, decoder)).await;
        assert_eq!(
            (error.kind, error.retryable),
            (ErrorKind::Malformed, true),
            "{decoder}"
        );
    }
}

#[tokio::test]
async fn error_handlers_see_the_body_of_rows_too() {
    let upstream = serving("{\"error\": \"come back later\"}").await;
    let yaml = decoded(&upstream, "{type: JsonlDecoder}").replace(
        "        http_method: GET\n      record_selector",
        r#"        http_method: GET
        error_handler:
          type: DefaultErrorHandler
          response_filters: [{type: HttpResponseFilter, predicate: "{{ response.error }}", action: RETRY}]
      record_selector"#,
    );
    let error = read_error(&upstream, &yaml).await;
    assert!(
        error.retryable && error.message.contains("come back later"),
        "{error}"
    );

    let upstream = Upstream::start(|_| answer(500, "{\"message\": \"broken\"}")).await;
    let error = read_error(&upstream, &decoded(&upstream, "{type: JsonlDecoder}")).await;
    assert_eq!(error.code, "HTTP_500");
    assert!(error.message.contains("broken"), "{error}");
}

#[tokio::test]
async fn the_rows_of_a_parent_are_partitions() {
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        "/parents" => answer(
            200,
            format!(
                "id\n{}",
                (0..1_100).map(|id| format!("{id}\n")).collect::<String>()
            ),
        ),
        path => ok(&json!({"data": [{"id": path.rsplit('/').next().unwrap().parse::<i64>().unwrap()}]})),
    })
    .await;
    let streams = r#"streams:
  - type: DeclarativeStream
    name: items
    retriever:
      type: SimpleRetriever
      requester: {<<: *base, path: "/items/{{ stream_partition.parent }}"}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [data]}}
      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs:
          - parent_key: id
            partition_field: parent
            stream:
              type: DeclarativeStream
              name: parents
              retriever:
                type: SimpleRetriever
                decoder: {type: CsvDecoder}
                requester: {<<: *base, path: /parents}
                record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
"#;
    let yaml = manifest(&upstream.base(), streams, "items");
    let pages_read = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&pages_read), (0..1_100).collect::<Vec<_>>());
    // Cut in the second batch of the parent's rows, and in the first.
    for cut in [1_050, 3] {
        let rest = connector(&yaml)
            .read(
                &upstream.context(),
                request(json!({}), pages_read[cut].checkpoint.clone()),
            )
            .unwrap();
        let next = i64::try_from(cut).unwrap() + 1;
        assert_eq!(
            ids(&pages(rest).await.unwrap()),
            (next..1_100).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_login_may_answer_with_xml() {
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        "/login" => answer(200, "<session><token>abc</token></session>"),
        _ => ok(&json!({"data": [{"id": 1}]})),
    })
    .await;
    let yaml = items(&upstream.base(), "/items", "", "").replace(
        "        http_method: GET\n      record_selector",
        &format!(
            r"        http_method: GET
        authenticator:
          type: SessionTokenAuthenticator
          decoder: {{type: XmlDecoder}}
          login_requester: {{type: HttpRequester, url_base: {}, path: /login, http_method: POST}}
          session_token_path: [session, token]
          request_authentication: {{type: Bearer}}
      record_selector",
            upstream.base()
        ),
    );
    read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(upstream.seen()[1].header("authorization"), Some("Bearer abc"));
}

#[tokio::test]
async fn a_body_that_does_not_end_is_late() {
    let upstream = Upstream::start(|_| {
        let some = Bytes::from(rows(1_500));
        let body = futures::stream::iter([Ok::<_, std::io::Error>(some)]).chain(futures::stream::pending());
        answer(200, Body::from_stream(body))
    })
    .await;
    let clock = ManualClock::default();
    let mut context = upstream.context();
    // Nothing but the clock that was passed in says that it is late.
    context.http = patient(&upstream);
    context.clock = clock.shared();
    context.limits.ahead = false;
    let mut stream = connector(&decoded(&upstream, "{type: JsonlDecoder}"))
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().records.len(), 1_000);
    let late = tokio::spawn(async move { stream.next().await.unwrap().unwrap_err() });
    while clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    clock.advance(context.limits.page_timeout);
    let error = late.await.unwrap();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Timeout, "TIMEOUT"));
}

/// A client that waits for a piece of a body longer than any test takes.
fn patient(upstream: &Upstream) -> HttpClient {
    let policy = NetworkPolicy {
        allow_networks: Vec::new(),
        allow_addresses: vec![upstream.address()],
    };
    let limits = HttpLimits {
        stall_timeout: Duration::from_secs(3_600),
        ..HttpLimits::default()
    };
    HttpClient::new(policy, limits).unwrap()
}

#[tokio::test]
async fn rows_are_paged_by_what_the_answer_s_head_says() {
    let upstream = Upstream::start(|seen| {
        let part = seen.number("part").unwrap_or(1);
        let mut answer = answer(200, format!("id\n{part}1\n{part}2\n"));
        let next = if part < 3 {
            (part + 1).to_string()
        } else {
            "null".to_owned()
        };
        answer.headers_mut().insert("x-next", next.parse().unwrap());
        answer
    })
    .await;
    let retriever = r#"decoder: {type: CsvDecoder}
paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: part}
  pagination_strategy:
    type: CursorPagination
    cursor_value: "{{ headers['x-next'] }}"
    stop_condition: "{{ headers['x-next'] == 'null' }}""#;
    let yaml =
        items(&upstream.base(), "/items", retriever, "").replace("field_path: [data]", "field_path: []");
    let read = read_all(&upstream, &yaml, json!({})).await;
    let ids: Vec<_> = records(&read).iter().map(|record| record["id"].clone()).collect();
    assert_eq!(ids, ["11", "12", "21", "22", "31", "32"]);
    assert_eq!(upstream.lines(), ["/items", "/items?part=2", "/items?part=3"]);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

fn fault(retriever: &str) -> String {
    let yaml = items("http://127.0.0.1", "/items", retriever, "");
    let faults = Connector::parse(&yaml).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].line > 0 && faults[0].column > 0);
    format!("{}: {}", faults[0].component, faults[0].message)
}

#[test]
fn what_a_decoder_cannot_do_is_said_when_the_manifest_is_loaded() {
    let paged = "decoder: {type: CsvDecoder}
paginator: {type: DefaultPaginator, pagination_strategy: {type: PageIncrement, page_size: 1}}";
    let by_rows = paged.replace(
        "{type: PageIncrement, page_size: 1}",
        "{type: CursorPagination, cursor_value: \"{{ last_record.id }}\"}",
    );
    for (retriever, expected) in [
        (
            "decoder: {type: CsvDecoder, encoding: klingon}",
            "encoding is \"klingon\", which is not known here",
        ),
        (
            "decoder: {type: CsvDecoder, delimiter: ab}",
            "delimiter is \"ab\"; it has to be one ASCII character",
        ),
        ("decoder: {type: CsvDecoder, quote: x}", "unknown field quote"),
        (
            "decoder: {type: GzipDecoder}",
            "GzipDecoder needs the field decoder",
        ),
        (
            "decoder: {type: GzipDecoder, decoder: {type: XmlDecoder}}",
            "XmlDecoder does not belong in decoder, which takes CsvDecoder",
        ),
        (
            "decoder: {type: ZipfileDecoder, decoder: {type: IterableDecoder}}",
            "IterableDecoder does not belong in decoder",
        ),
        (
            "decoder: {type: JsonItemsDecoder}",
            "JsonItemsDecoder needs the field items_path",
        ),
        (
            "decoder: {type: JsonItemsDecoder, items_path: \"$.a[*]\"}",
            "it has to be the names on the way to the array, joined by dots",
        ),
        (paged, "cannot be paged by what is in it"),
        (&by_rows, "cannot be paged by what is in it"),
    ] {
        let said = fault(retriever);
        assert!(said.contains(expected), "{retriever}: {said}");
    }
}
