//! Cursors that count, and cursor fields that a catalog chooses.

use connectors::read::{Checkpoint, ReadRequest, Selection};
use serde_json::{Value, json};

use crate::upstream::{Upstream, connector, cut_everywhere, ids, items, kept, ok, pages, read_all, request};

const CURSOR: &str = r#"incremental_sync:
  type: IncrementingCountCursor
  cursor_field: number
  start_value: "{{ config.get('from', 5) }}"
  start_value_option: {type: RequestOption, inject_into: request_parameter, field_name: since}"#;

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}";

/// Numbers in no order, from `since` on.
async fn numbers(all: &'static [i64]) -> Upstream {
    Upstream::start(move |seen| {
        let since = seen.number("since").map_or(0, |since| since as i64);
        let page = seen.number("page").unwrap_or(1);
        let data: Vec<Value> = all
            .iter()
            .filter(|number| **number >= since)
            .skip((page - 1) * 2)
            .take(2)
            .map(|number| json!({"id": number, "number": number}))
            .collect();
        ok(&json!({"data": data}))
    })
    .await
}

#[tokio::test]
async fn a_read_begins_where_the_last_one_ended() {
    let upstream = numbers(&[4, 30, 7, 12, 5]).await;
    let yaml = items(&upstream.base(), "/items", PAGES, CURSOR);
    let connector = connector(&yaml);
    assert_eq!(connector.streams()[0].cursor_field.as_deref(), Some("number"));
    let first = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(ids(&first), [30, 7, 12, 5]);
    assert_eq!(upstream.lines()[0], "/items?since=5");
    let states: Vec<_> = first.iter().map(|page| page.checkpoint.state.clone()).collect();
    assert_eq!(
        states[0], None,
        "nothing is sure before the end: numbers come in any order"
    );
    let end = kept(&first.last().unwrap().checkpoint);
    assert_eq!(
        end,
        Checkpoint {
            state: Some(json!({"number": 30})),
            resume: None
        }
    );

    let asked = upstream.lines().len();
    let again = pages(
        connector
            .read(&upstream.context(), request(json!({}), end))
            .unwrap(),
    )
    .await
    .unwrap();
    assert_eq!(ids(&again), [30]);
    assert_eq!(upstream.lines()[asked], "/items?since=30");
    assert_eq!(
        again.last().unwrap().checkpoint.state,
        Some(json!({"number": 30}))
    );
}

#[tokio::test]
async fn cut_anywhere_the_largest_number_is_not_forgotten() {
    let upstream = numbers(&[50, 6, 7, 8, 9]).await;
    let yaml = items(&upstream.base(), "/items", PAGES, CURSOR);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
    cut_everywhere(
        &upstream,
        &yaml,
        json!({}),
        Some(json!({"number": 6, "kept": true})),
    )
    .await;
}

#[tokio::test]
async fn without_records_the_state_is_where_it_began() {
    let upstream = numbers(&[]).await;
    let yaml = items(&upstream.base(), "/items", "", CURSOR);
    let read = read_all(&upstream, &yaml, json!({"from": 8})).await;
    assert_eq!(read.last().unwrap().checkpoint.state, Some(json!({"number": 8})));
}

#[tokio::test]
async fn templates_see_the_slice() {
    let upstream = numbers(&[9]).await;
    let cursor = CURSOR.lines().take(4).collect::<Vec<_>>().join("\n");
    let yaml = items(
        &upstream.base(),
        "/from-{{ stream_interval.start }}-to-{{ stream_slice['end'] }}",
        "",
        &cursor,
    );
    read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(upstream.lines(), ["/from-5-to-inf"]);
}

#[tokio::test]
async fn in_partitions_nothing_can_be_counted() {
    let router = "partition_router: {type: ListPartitionRouter, cursor_field: a, values: [\"1\"]}";
    let faults = connectors::Connector::parse(&items("http://a", "/items", router, CURSOR)).unwrap_err();
    assert!(
        faults[0].message.contains("cannot count in partitions"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn a_catalog_chooses_the_field_where_the_manifest_lets_it() {
    let upstream = Upstream::start(|_| ok(&json!({"data": [{"id": 1, "number": 7, "other": 70}]}))).await;
    let read = async |cursor: &str, cursor_field: &[&str]| {
        let yaml = items(&upstream.base(), "/items", "", cursor);
        let request = ReadRequest {
            selection: Selection {
                cursor_field: cursor_field.iter().map(|part| (*part).to_owned()).collect(),
                properties: None,
            },
            ..request(json!({}), Checkpoint::default())
        };
        let stream = connector(&yaml).read(&upstream.context(), request)?;
        Ok(pages(stream)
            .await
            .unwrap()
            .last()
            .unwrap()
            .checkpoint
            .state
            .clone()
            .unwrap())
    };
    let open = format!("{CURSOR}\n  allow_catalog_defined_cursor_field: true");
    let state: Result<Value, connectors::read::ReadError> = read(&open, &["other"]).await;
    assert_eq!(state.unwrap(), json!({"other": 70}));
    assert_eq!(read(&open, &[""]).await.unwrap(), json!({"number": 7}));
    assert_eq!(read(&open, &[]).await.unwrap(), json!({"number": 7}));
    assert_eq!(read(CURSOR, &["other"]).await.unwrap(), json!({"number": 7}));
    assert_eq!(read(&open, &["a", "b"]).await.unwrap_err().code, "CONFIG_INVALID");
    let dates = r#"incremental_sync:
  type: DatetimeBasedCursor
  allow_catalog_defined_cursor_field: true
  cursor_field: gone
  datetime_format: "%s"
  start_datetime: "0"
  end_datetime: "100""#;
    assert_eq!(read(dates, &["other"]).await.unwrap(), json!({"other": "70"}));
}
