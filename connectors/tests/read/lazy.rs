//! Partitions whose first page is in their parent's record.

use connectors::read::Checkpoint;
use serde_json::{Value, json};

use crate::upstream::{
    Seen, Upstream, connector, cut_everywhere, manifest, ok, pages, read_all, records, request,
};

/// Two orders; the first one's lines go on on a second page, the second one's record holds none.
fn orders(seen: &Seen) -> Value {
    match (seen.path.as_str(), seen.get("after")) {
        ("/orders", _) => json!({"data": [
            {"id": 1, "lines": {"data": [{"id": 10, "at": "2026-01-02"}, {"id": 11, "at": "2026-01-03"}], "next": "11"}},
            {"id": 2},
        ]}),
        ("/orders/1/lines", Some("11")) => json!({"data": [{"id": 12, "at": "2026-01-04"}]}),
        ("/orders/1/lines", None) => {
            json!({"data": [{"id": 10, "at": "2026-01-02"}, {"id": 11, "at": "2026-01-03"}], "next": "11"})
        }
        _ => json!({"data": []}),
    }
}

fn lines(base: &str, stream: &str) -> String {
    let streams = format!(
        r#"streams:
  - type: DeclarativeStream
    name: items
    primary_key: id
{stream}    schema_loader: {{type: InlineSchemaLoader, schema: {{type: object, properties: {{}}}}}}
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: {base}
        path: "/orders/{{{{ stream_partition.order }}}}/lines"
      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [data]}}}}
      paginator:
        type: DefaultPaginator
        page_token_option: {{type: RequestOption, inject_into: request_parameter, field_name: after}}
        pagination_strategy:
          type: CursorPagination
          cursor_value: "{{{{ response.next }}}}"
          stop_condition: "{{{{ not response.next }}}}"
      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs:
          - type: ParentStreamConfig
            parent_key: id
            partition_field: order
            lazy_read_pointer: [lines]
            stream:
              type: DeclarativeStream
              name: orders
              schema_loader: {{type: InlineSchemaLoader, schema: {{type: object, properties: {{}}}}}}
              retriever:
                type: SimpleRetriever
                requester: {{type: HttpRequester, url_base: {base}, path: /orders}}
                record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [data]}}}}
"#
    );
    manifest(base, &streams, "items")
}

const CURSOR: &str = r#"    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: at
      datetime_format: "%Y-%m-%d"
      start_datetime: "2026-01-01"
      end_datetime: "2026-02-01"
"#;

#[tokio::test]
async fn a_first_page_that_is_there_is_not_asked_for() {
    let upstream = Upstream::start(|seen| ok(&orders(seen))).await;
    let yaml = lines(&upstream.base(), "");
    let read = read_all(&upstream, &yaml, json!({})).await;
    let ids: Vec<Value> = records(&read).iter().map(|record| record["id"].clone()).collect();
    assert_eq!(ids, [10, 11, 12]);
    assert_eq!(upstream.lines(), ["/orders", "/orders/1/lines?after=11"]);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn with_a_state_everything_is_asked_for_and_a_cut_does_not_count_as_one() {
    let upstream = Upstream::start(|seen| ok(&orders(seen))).await;
    let yaml = lines(&upstream.base(), CURSOR);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
    let connector = connector(&yaml);
    let read = async |checkpoint| {
        let before = upstream.lines().len();
        let stream = connector
            .read(&upstream.context(), request(json!({}), checkpoint))
            .unwrap();
        let read = pages(stream).await.unwrap();
        (read, upstream.lines().split_off(before))
    };
    let (first, asked) = read(Checkpoint::default()).await;
    assert_eq!(asked, ["/orders", "/orders/1/lines?after=11"]);
    let state = first.last().unwrap().checkpoint.clone();
    let (_, mut again) = read(state).await;
    // Partitions are asked for side by side.
    again.sort();
    assert_eq!(
        again,
        [
            "/orders",
            "/orders/1/lines",
            "/orders/1/lines?after=11",
            "/orders/2/lines"
        ]
    );
    let (_, cut) = read(first[0].checkpoint.clone()).await;
    assert_eq!(cut, ["/orders", "/orders/1/lines?after=11"]);
}

#[test]
fn what_asks_for_more_than_a_page_is_refused() {
    let stepping = format!("{CURSOR}      step: P1D\n      cursor_granularity: P1D\n");
    let faults = connectors::Connector::parse(&lines("http://a", &stepping)).unwrap_err();
    assert!(
        faults[0]
            .message
            .contains("does not go with the step of a cursor"),
        "{faults:?}"
    );
    let faults =
        connectors::Connector::parse(&lines("http://a", "").replace("[lines]", "[\"*\"]")).unwrap_err();
    assert!(faults[0].message.contains("has to mean one field"), "{faults:?}");
}
