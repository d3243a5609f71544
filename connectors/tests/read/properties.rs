//! Fields that an upstream has to be asked for by name.

use connectors::read::{Checkpoint, ReadRequest, Selection};
use serde_json::{Map, Value, json};

use crate::upstream::{
    Seen, Upstream, answer, connector, cut_everywhere, items, ok, pages, read_all, records, request,
};

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 2, start_from_page: 1}";

/// `items` with these query parameters.
fn with_parameters(base: &str, parameters: &str, retriever: &str) -> String {
    let parameters: String = parameters
        .lines()
        .map(|line| format!("          {line}\n"))
        .collect();
    items(base, "/items", retriever, "").replace(
        "        http_method: GET\n      record_selector:",
        &format!("        http_method: GET\n        request_parameters:\n{parameters}      record_selector:"),
    )
}

/// Three records on two pages, with the fields that were asked for.
fn fields(seen: &Seen) -> axum::http::Response<axum::body::Body> {
    let asked: Vec<&str> = seen.get("fields").unwrap_or_default().split(',').collect();
    let page = seen.number("page").unwrap_or(1);
    let of = |id: usize| {
        let mut record = Map::from_iter([("id".to_owned(), json!(id))]);
        let mut inner = Map::new();
        for name in &asked {
            inner.insert((*name).to_owned(), json!(format!("{name}{id}")));
        }
        record.insert("inner".to_owned(), Value::Object(inner));
        Value::Object(record)
    };
    let all: Vec<Value> = (1..=3).skip((page - 1) * 2).take(2).map(of).collect();
    ok(&json!({"data": all}))
}

#[tokio::test]
async fn one_page_is_what_all_chunks_give_together() {
    let upstream = Upstream::start(fields).await;
    let parameters = r"kind: x
fields:
  type: QueryProperties
  property_list: [a, b, c, d, e]
  always_include_properties: [z]
  property_chunking:
    type: PropertyChunking
    property_limit_type: property_count
    property_limit: 2
    record_merge_strategy: {type: GroupByKeyMergeStrategy, key: [id]}";
    let yaml = with_parameters(&upstream.base(), parameters, PAGES);
    let read = read_all(&upstream, &yaml, json!({})).await;
    let whole = |id: usize| {
        let inner: Map<String, Value> = ["z", "a", "b", "c", "d", "e"]
            .iter()
            .map(|name| ((*name).to_owned(), json!(format!("{name}{id}"))))
            .collect();
        json!({"id": id, "inner": inner})
    };
    assert_eq!(records(&read), [whole(1), whole(2), whole(3)]);
    let lines: Vec<String> = upstream.lines();
    assert_eq!(
        lines,
        [
            "/items?kind=x&fields=z,a,b",
            "/items?kind=x&fields=z,c,d",
            "/items?kind=x&fields=z,e",
            "/items?kind=x&fields=z,a,b&page=2",
            "/items?kind=x&fields=z,c,d&page=2",
            "/items?kind=x&fields=z,e&page=2",
        ]
    );
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn characters_are_measured_with_their_commas_and_what_has_no_key_comes_first() {
    let upstream = Upstream::start(|seen| {
        let asked = seen.get("fields").unwrap_or_default().to_owned();
        ok(&json!({"data": [{"id": 1, "k": "one", asked.clone(): 1}, {"id": 2, "asked": asked}]}))
    })
    .await;
    let parameters = r"fields:
  type: QueryProperties
  property_list: [aaaa, bb, cc]
  property_chunking:
    type: PropertyChunking
    property_limit_type: characters
    property_limit: 10
    record_merge_strategy: {type: GroupByKeyMergeStrategy, key: k}";
    let yaml = with_parameters(&upstream.base(), parameters, "");
    let read = read_all(&upstream, &yaml, json!({})).await;
    assert_eq!(upstream.lines(), ["/items?fields=aaaa", "/items?fields=bb,cc"]);
    assert_eq!(
        records(&read),
        [
            json!({"id": 2, "asked": "aaaa"}),
            json!({"id": 2, "asked": "bb,cc"}),
            json!({"id": 1, "k": "one", "aaaa": 1, "bb,cc": 1}),
        ]
    );
}

#[tokio::test]
async fn an_endpoint_names_the_fields_once_for_a_read() {
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        "/properties" => ok(&json!({"list": [{"def": {"name": "a"}}, {"def": {}}, {"def": {"name": "b"}}]})),
        _ => fields(seen),
    })
    .await;
    let requester = format!(
        r#"        http_method: GET
        request_headers:
          X-Fields: "{{{{ stream_slice.extra_fields['query_properties'] | join(';') }}}}"
        query_properties:
          type: QueryProperties
          property_list:
            type: PropertiesFromEndpoint
            property_field_path: [def, name]
            retriever:
              type: SimpleRetriever
              requester: {{type: HttpRequester, url_base: {}, path: /properties}}
              record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [list]}}}}
      record_selector:"#,
        upstream.base()
    );
    let yaml = items(&upstream.base(), "/items", PAGES, "")
        .replace("        http_method: GET\n      record_selector:", &requester);
    assert_eq!(records(&read_all(&upstream, &yaml, json!({})).await).len(), 3);
    assert_eq!(upstream.lines(), ["/properties", "/items", "/items?page=2"]);
    let headers: Vec<Option<String>> = upstream
        .seen()
        .iter()
        .map(|seen| seen.header("x-fields").map(ToOwned::to_owned))
        .collect();
    assert_eq!(headers, [None, Some("a;b".to_owned()), Some("a;b".to_owned())]);
    cut_everywhere(&upstream, &yaml, json!({}), None).await;
}

#[tokio::test]
async fn only_what_a_catalog_selects_is_asked_for() {
    let upstream = Upstream::start(fields).await;
    let parameters = r"fields:
  type: QueryProperties
  property_list: [a, b, c]
  property_selector:
    type: JsonSchemaPropertySelector
    transformations: [{type: KeysToLower}]";
    let yaml = with_parameters(&upstream.base(), parameters, "");
    let read = async |properties: Option<Value>| {
        let request = ReadRequest {
            selection: Selection {
                cursor_field: Vec::new(),
                properties: properties.map(|properties| properties.as_object().unwrap().clone()),
            },
            ..request(json!({}), Checkpoint::default())
        };
        let before = upstream.lines().len();
        pages(connector(&yaml).read(&upstream.context(), request).unwrap())
            .await
            .unwrap();
        upstream.lines().split_off(before)
    };
    assert_eq!(
        read(Some(json!({"C": {}, "A": {}, "x": {}}))).await,
        ["/items?fields=a,c"]
    );
    assert_eq!(read(None).await, ["/items?fields=a,b,c"]);
}

#[tokio::test]
async fn a_chunk_that_fails_fails_the_page() {
    let upstream = Upstream::start(|seen| {
        if seen.get("fields") == Some("b") {
            return answer(500, "{}");
        }
        fields(seen)
    })
    .await;
    let parameters = r"fields:
  type: QueryProperties
  property_list: [a, b]
  property_chunking: {type: PropertyChunking, property_limit_type: property_count, property_limit: 1}";
    let yaml = with_parameters(&upstream.base(), parameters, "");
    let stream = connector(&yaml)
        .read(&upstream.context(), request(json!({}), Checkpoint::default()))
        .unwrap();
    let (before, error) = pages(stream).await.unwrap_err();
    assert_eq!((before.len(), error.http_status), (0, Some(500)));
}

#[test]
fn where_they_cannot_be_they_are_refused() {
    let faults = |yaml: &str| {
        let faults = connectors::Connector::parse(yaml).unwrap_err();
        faults.iter().map(ToString::to_string).collect::<String>()
    };
    let list = "{type: QueryProperties, property_list: [a]}";
    let twice = faults(&with_parameters("http://a", &format!("x: {list}\ny: {list}"), ""));
    assert!(twice.contains("only one parameter"), "{twice}");
    let rows = faults(&with_parameters(
        "http://a",
        &format!("x: {list}"),
        "decoder: {type: JsonlDecoder}",
    ));
    assert!(rows.contains("have to be documents"), "{rows}");
}
