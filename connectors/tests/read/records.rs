//! What happens to a record on its way.

use serde_json::json;

use crate::upstream::{Upstream, answer, items, read_all, records};

#[tokio::test]
async fn an_untouched_record_keeps_its_text() {
    let text = r#"{"id": 1.50,  "n":1e3, "s":"\u00e9\/"}"#;
    let body = format!(r#"{{"meta": {{"total": 1}}, "data": [ {text} ]}}"#);
    let upstream = Upstream::start(move |_| answer(200, body.clone())).await;
    let pages = read_all(&upstream, &items(&upstream.base(), "/items", "", ""), json!({})).await;
    assert_eq!(pages[0].records[0].json(), text);
}

#[tokio::test]
async fn fields_are_added_and_removed_in_order() {
    let upstream = Upstream::start(|_| {
        answer(
            200,
            r#"{"data": [{"id": 1, "a": {"b": 2}, "drop": true, "c_1": 1, "c_2": 2}]}"#,
        )
    })
    .await;
    let stream = r#"transformations:
  - type: AddFields
    fields:
      - {type: AddedFieldDefinition, path: [twice], value: "{{ record.a.b * 2 }}"}
      - {type: AddedFieldDefinition, path: [a, text], value: "{{ record.twice }}", value_type: string}
      - {type: AddedFieldDefinition, path: [key], value: "{{ config.start }}"}
  - type: RemoveFields
    field_pointers: [[drop], ["c_*"], [a, b], [not, there]]"#;
    let pages = read_all(
        &upstream,
        &items(&upstream.base(), "/items", "", stream),
        json!({"start": "x"}),
    )
    .await;
    assert_eq!(
        records(&pages),
        [json!({"id": 1, "a": {"text": "4"}, "twice": 4, "key": "x"})]
    );
}

#[tokio::test]
async fn a_filter_comes_before_transformations_unless_told_otherwise() {
    let upstream = Upstream::start(|_| answer(200, r#"{"data": [{"id": 1}, {"id": 2, "new": true}]}"#)).await;
    let stream = r#"transformations:
  - type: AddFields
    fields: [{type: AddedFieldDefinition, path: [new], value: "{{ true }}"}]"#;
    let filter = |first: bool| {
        items(&upstream.base(), "/items", "", stream).replace(
            "          field_path: [data]",
            &format!("          field_path: [data]\n        record_filter: {{type: RecordFilter, condition: \"{{{{ record.new }}}}\"}}\n        transform_before_filtering: {first}"),
        )
    };
    assert_eq!(
        records(&read_all(&upstream, &filter(false), json!({})).await).len(),
        1
    );
    assert_eq!(
        records(&read_all(&upstream, &filter(true), json!({})).await).len(),
        2
    );
}

#[tokio::test]
async fn what_is_no_record_is_rejected_and_the_read_goes_on() {
    let upstream = Upstream::start(|_| answer(200, r#"{"data": [{"id": 1}, "x", 7, {"id": 2}]}"#)).await;
    let pages = read_all(&upstream, &items(&upstream.base(), "/items", "", ""), json!({})).await;
    assert_eq!(records(&pages).len(), 2);
    assert_eq!(
        pages[0]
            .rejected
            .iter()
            .map(|one| one.payload.clone())
            .collect::<Vec<_>>(),
        [json!("x"), json!(7)]
    );
}

#[tokio::test]
async fn requests_carry_parameters_headers_bodies_and_credentials() {
    let upstream = Upstream::start(|_| answer(200, r#"{"data": []}"#)).await;
    let yaml = items(&upstream.base(), "/items", "", "").replace(
        "        http_method: GET\n      record_selector",
        r#"        http_method: POST
        request_parameters: {a: "{{ 1 + 1 }}", empty: "{{ config.missing }}", list: "{{ ['x', 'y'] }}"}
        request_headers: {X-Thing: "{{ config.start }}"}
        request_body_json: {outer: {n: "{{ 3 }}", gone: "{{ none }}"}, fixed: [1, "{{ config.start }}"]}
        authenticator: {type: BearerAuthenticator, api_token: "{{ config.api_key }}"}
      record_selector"#,
    );
    read_all(&upstream, &yaml, json!({"start": "s", "api_key": "secret-token"})).await;
    let seen = &upstream.seen()[0];
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.line(), "/items?a=2&list=x&list=y");
    assert_eq!(seen.header("x-thing"), Some("s"));
    assert_eq!(seen.header("authorization"), Some("Bearer secret-token"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&seen.body).unwrap(),
        json!({"outer": {"n": 3}, "fixed": [1, "s"]})
    );
}
