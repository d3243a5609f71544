//! Several paths into one answer, and records taken apart.

use axum::body::Body;
use axum::http::Response;
use connectors::read::NoteLevel;
use serde_json::{Value, json};

use crate::upstream::{
    Seen, Upstream, connector, cut_everywhere, ids, items, ok, read_all, read_error, records,
};

const OFFSETS: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: offset}
  page_size_option: {type: RequestOption, inject_into: request_parameter, field_name: limit}
  pagination_strategy: {type: OffsetIncrement, page_size: 2}";

/// A manifest whose extractor is this, written as its fields.
fn with_extractor(base: &str, extractor: &str, retriever: &str) -> String {
    items(base, "/items", retriever, "").replace(
        "          type: DpathExtractor\n          field_path: [data]\n",
        &extractor
            .lines()
            .map(|line| format!("          {line}\n"))
            .collect::<String>(),
    )
}

async fn serving(answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Upstream {
    Upstream::start(answer).await
}

#[tokio::test]
async fn a_union_gives_all_of_its_paths_in_their_order() {
    let upstream = serving(|_| {
        ok(&json!({"issues": [{"id": 1}, {"id": 2}], "pulls": {"nodes": [{"id": 3}]}, "none": []}))
    })
    .await;
    let extractor = r"type: CombinedExtractor
extractors:
  - {type: DpathExtractor, field_path: [pulls, nodes]}
  - {type: DpathExtractor, field_path: [none]}
  - {type: DpathExtractor, field_path: [issues]}";
    let yaml = with_extractor(&upstream.base(), extractor, "");
    assert_eq!(ids(&read_all(&upstream, &yaml, json!({})).await), [3, 1, 2]);
}

#[tokio::test]
async fn the_first_path_with_a_record_wins_and_what_is_empty_counts_as_a_record_of_its_page() {
    // A page of two of which one is null is full all the same; the last one holds the records elsewhere.
    let upstream = serving(|seen| match seen.number("offset") {
        None => ok(&json!({"first": [null, {"id": 1}], "second": [{"id": 90}]})),
        Some(2) => ok(&json!({"first": [{"id": 2}, {}], "second": [{"id": 91}]})),
        _ => ok(&json!({"first": [null], "second": [{"id": 3}]})),
    })
    .await;
    let extractor = r"type: CombinedExtractor
mode: first_match
skip_empty_records: true
extractors:
  - {type: DpathExtractor, field_path: [first]}
  - {type: DpathExtractor, field_path: [second]}";
    let yaml = with_extractor(&upstream.base(), extractor, OFFSETS);
    assert_eq!(ids(&read_all(&upstream, &yaml, json!({})).await), [1, 2, 3]);
    assert_eq!(
        upstream.lines(),
        [
            "/items?limit=2",
            "/items?offset=2&limit=2",
            "/items?offset=4&limit=2"
        ]
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn what_would_lose_pages_or_rows_is_refused() {
    let union = "type: CombinedExtractor\nextractors: [{type: DpathExtractor, field_path: [a]}]";
    let faults = |yaml: &str| {
        let faults = connectors::Connector::parse(yaml).unwrap_err();
        faults.iter().map(ToString::to_string).collect::<String>()
    };
    let counted = faults(&with_extractor("http://a", union, OFFSETS));
    assert!(
        counted.contains("OffsetIncrement counts the records of a page"),
        "{counted}"
    );
    let rows = faults(&with_extractor(
        "http://a",
        union,
        "decoder: {type: JsonlDecoder}",
    ));
    assert!(rows.contains("passes once"), "{rows}");
    let expander = "type: DpathExtractor\nfield_path: [a]\nrecord_expander:\n  type: RecordExpander\n  \
                    expand_records_from_field: [x]\n  truncation_indicator_path: [\"*\"]";
    let globs = faults(&with_extractor("http://a", expander, ""));
    assert!(
        globs.contains("truncation_indicator_path has to mean one field"),
        "{globs}"
    );
}

#[tokio::test]
async fn items_become_records_that_carry_what_the_manifest_says_of_their_parent() {
    let upstream = serving(|_| {
        ok(&json!({"data": [
            {"id": 1, "url": "u1", "lines": {"data": [{"id": 10, "url": "own"}, {"id": 11}], "kind": "k"}},
            {"id": 2, "url": "u2", "lines": {"data": []}},
            {"id": 3, "lines": {"data": ["text"]}},
        ]}))
    })
    .await;
    let read = async |more: &str| {
        let extractor = format!(
            "type: DpathExtractor\nfield_path: [data]\nrecord_expander:\n  type: RecordExpander\n  \
             expand_records_from_field: [lines, data]\n{more}"
        );
        let yaml = with_extractor(&upstream.base(), &extractor, "");
        let pages = read_all(&upstream, &yaml, json!({})).await;
        let rejected: Vec<Value> = pages
            .iter()
            .flat_map(|page| &page.rejected)
            .map(|rejected| rejected.payload.clone())
            .collect();
        (records(&pages), rejected)
    };
    let (plain, rejected) = read("").await;
    assert_eq!(plain, [json!({"id": 10, "url": "own"}), json!({"id": 11})]);
    assert_eq!(rejected, ["text"], "an item that is no object is no record");

    let fields = "  parent_fields:\n    - {parent_path: [url], record_path: [parent, url]}\n  on_no_records: emit_parent";
    let (named, _) = read(fields).await;
    assert_eq!(
        named,
        [
            json!({"id": 10, "url": "own", "parent": {"url": "u1"}}),
            json!({"id": 11, "parent": {"url": "u1"}}),
            json!({"id": 2, "url": "u2", "lines": {"data": []}}),
            json!({"value": "text", "parent": {"url": null}}),
        ]
    );

    let (merged, _) = read("  merge_parent: true").await;
    assert_eq!(
        merged,
        [
            json!({"id": 10, "url": "own", "lines": {"kind": "k"}}),
            json!({"id": 11, "url": "u1", "lines": {"kind": "k"}}),
            json!({"id": 3, "lines": {}, "value": "text"}),
        ]
    );

    let (whole, _) = read("  remain_original_record: true").await;
    assert_eq!(
        whole[1]["original_record"]["lines"]["data"],
        json!([{"id": 10, "url": "own"}, {"id": 11}])
    );
}

#[tokio::test]
async fn what_is_expanded_is_counted_filtered_and_transformed_item_by_item() {
    let upstream = serving(|seen| {
        let page = seen.number("offset").unwrap_or(0);
        if page >= 4 {
            return ok(&json!({"data": []}));
        }
        ok(&json!({"data": [{"lines": [{"id": page}, {"id": page + 1}]}]}))
    })
    .await;
    let extractor = "type: DpathExtractor\nfield_path: [data]\nrecord_expander:\n  type: RecordExpander\n  \
                     expand_records_from_field: [lines]";
    let yaml = with_extractor(&upstream.base(), extractor, OFFSETS).replace(
        "        extractor:\n",
        "        record_filter: {type: RecordFilter, condition: \"{{ record.id != 1 }}\"}\n        extractor:\n",
    );
    assert_eq!(ids(&read_all(&upstream, &yaml, json!({})).await), [0, 2, 3]);
    assert_eq!(upstream.lines().len(), 3, "two items are a full page of two");
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

const COMPLETE: &str = r#"type: DpathExtractor
field_path: [data]
record_expander:
  type: RecordExpander
  expand_records_from_field: [lines, data]
  truncation_indicator_path: [lines, has_more]
  parent_fields: [{parent_path: [id], record_path: [parent]}]
  truncated_list_retriever:
    type: SimpleRetriever
    requester:
      type: HttpRequester
      url_base: BASE
      path: "/items/{{ stream_slice['parent_record']['id'] }}/lines"
    record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [lines]}}
    paginator:
      type: DefaultPaginator
      page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
      pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}"#;

#[tokio::test]
async fn a_list_that_is_not_whole_is_fetched() {
    let upstream = serving(|seen| match (seen.path.as_str(), seen.number("page")) {
        ("/items", _) => ok(&json!({"data": [
            {"id": 1, "lines": {"data": [{"id": 10}], "has_more": true, "total_count": 3}},
            {"id": 2, "lines": {"data": [{"id": 20}], "has_more": false}},
            {"id": 3, "lines": {"data": [{"id": 30}], "has_more": true, "total_count": 5}},
        ]})),
        ("/items/1/lines", None) => ok(&json!({"lines": [{"id": 10}, {"id": 11}]})),
        ("/items/1/lines", _) => ok(&json!({"lines": [{"id": 12}]})),
        _ => ok(&json!({"lines": []})),
    })
    .await;
    let yaml = with_extractor(&upstream.base(), &COMPLETE.replace("BASE", &upstream.base()), "");
    let pages = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(
        records(&pages),
        [
            json!({"id": 10, "parent": 1}),
            json!({"id": 11, "parent": 1}),
            json!({"id": 12, "parent": 1}),
            json!({"id": 20, "parent": 2}),
            json!({"id": 30, "parent": 3}),
        ]
    );
    assert_eq!(
        upstream.lines(),
        [
            "/items",
            "/items/1/lines",
            "/items/1/lines?page=2",
            "/items/3/lines"
        ]
    );
    let notes: Vec<_> = pages.iter().flat_map(|page| &page.notes).collect();
    assert!(
        notes
            .iter()
            .any(|note| note.level == NoteLevel::Warning && note.message.contains("0 of 5")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn what_a_page_is_expanded_to_is_bounded() {
    let upstream = serving(|_| {
        let lines: Vec<Value> = (0..200).map(|id| json!({"id": id})).collect();
        ok(&json!({"data": [{"text": "x".repeat(2_000), "lines": lines}]}))
    })
    .await;
    let extractor = "type: DpathExtractor\nfield_path: [data]\nrecord_expander:\n  type: RecordExpander\n  \
                     expand_records_from_field: [lines]\n  merge_parent: true";
    let yaml = with_extractor(&upstream.base(), extractor, "");
    assert_eq!(ids(&read_all(&upstream, &yaml, json!({})).await).len(), 200);
    let mut context = upstream.context();
    context.limits.max_body_bytes = 100_000;
    let stream = connector(&yaml)
        .read(&context, crate::upstream::request(json!({}), Default::default()))
        .unwrap();
    let error = crate::upstream::pages(stream).await.unwrap_err().1;
    assert_eq!(error.code, "BODY_TOO_LARGE");
}

#[tokio::test]
async fn a_parents_field_that_cannot_be_written_is_said() {
    let upstream = serving(|_| ok(&json!({"data": [{"u": 1, "lines": [{"id": 1, "a": "text"}]}]}))).await;
    let extractor = "type: DpathExtractor\nfield_path: [data]\nrecord_expander:\n  type: RecordExpander\n  \
                     expand_records_from_field: [lines]\n  parent_fields: [{parent_path: [u], record_path: [a, b]}]";
    let error = read_error(&upstream, &with_extractor(&upstream.base(), extractor, "")).await;
    assert_eq!(error.code, "CONFIG_INVALID");
    assert!(error.message.contains("a.b"), "{error}");
}
