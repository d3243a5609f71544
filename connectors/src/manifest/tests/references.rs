//! References and parameters: who wins, how far it reaches.

use super::super::components::{Address, PaginationStrategy, PartitionRouter, Retriever, SimpleRetriever};
use super::{RETRIEVER, around, loaded};

fn retriever(yaml: &str) -> SimpleRetriever {
    let stream = loaded(yaml).streams.remove(0);
    let stream = std::sync::Arc::into_inner(stream).expect("nobody else has it");
    match stream.retriever {
        Retriever::Simple(retriever) => *retriever,
        other => panic!("{other:?}"),
    }
}

fn path(retriever: &SimpleRetriever) -> &str {
    retriever
        .requester
        .path
        .as_ref()
        .expect("there is a path")
        .source()
}

#[test]
fn keys_beside_a_reference_win() {
    let yaml = format!(
        "{}definitions:\n  base:\n    type: HttpRequester\n    url_base: https://a.example\n    path: /base\n",
        around(&RETRIEVER.replace(
            "  type: HttpRequester\n  url_base: https://api.example.com\n",
            "  $ref: '#/definitions/base'\n"
        ))
    );
    let retriever = retriever(&yaml);
    assert_eq!(path(&retriever), "/things");
    assert!(
        matches!(&retriever.requester.address, Address::UrlBase(base) if base.source() == "https://a.example")
    );
}

#[test]
fn a_text_reference_stands_for_any_value() {
    let yaml = format!(
        "{}definitions:\n  list:\n    - 0\n    - path: /deep\n  with/slash: /slashed\n",
        around(&RETRIEVER.replace("path: /things", "path: '#/definitions/list/1/path'"))
    );
    assert_eq!(path(&retriever(&yaml)), "/deep");
    let yaml = yaml.replace("#/definitions/list/1/path", "#/definitions/with/slash");
    assert_eq!(
        path(&retriever(&yaml)),
        "/slashed",
        "the rest is tried as a key before its first segment"
    );
}

#[test]
fn parameters_fill_empty_fields_and_reach_templates_below() {
    let body = RETRIEVER
        .replace(
            "type: SimpleRetriever",
            "type: SimpleRetriever\n$parameters:\n  path: /outer\n  unit: outer",
        )
        .replace("path: /things", "$parameters:\n    unit: inner");
    let retriever = retriever(&around(&body));
    assert_eq!(path(&retriever), "/outer");
    let text = retriever.requester.path.as_ref().expect("there is a path");
    assert_eq!(
        *text.parameters,
        serde_json::json!({ "path": "/outer", "unit": "inner" })
    );
}

#[test]
fn a_field_wins_over_a_parameter_unless_it_is_empty() {
    let with = |path: &str| {
        let body = RETRIEVER
            .replace(
                "type: SimpleRetriever",
                "type: SimpleRetriever\n$parameters:\n  path: /given",
            )
            .replace("path: /things", &format!("path: {path}"));
        retriever(&around(&body))
    };
    assert_eq!(path(&with("/own")), "/own");
    assert_eq!(path(&with("''")), "/given");
}

#[test]
fn types_are_given_by_the_field_that_holds_a_mapping() {
    let body = RETRIEVER
        .replace("type: SimpleRetriever\n", "")
        .replace("  type: HttpRequester\n", "")
        .replace("  type: RecordSelector\n", "")
        .replace("    type: DpathExtractor\n", "");
    let yaml = around(&body)
        .replace("type: DeclarativeSource\n", "")
        .replace("- type: DeclarativeStream\n    name", "- name");
    assert_eq!(path(&retriever(&yaml)), "/things");
}

#[test]
fn a_schema_is_left_alone() {
    let yaml = format!(
        "{}    $parameters:\n      title: not for schemas\n    schema_loader:\n      type: InlineSchemaLoader\n      schema:\n        \
         type: object\n        properties:\n          type:\n            type: string\n",
        around(RETRIEVER)
    );
    let plan = loaded(&yaml);
    assert_eq!(
        *plan.streams[0].schema,
        serde_json::json!({ "type": "object", "properties": { "type": { "type": "string" } } })
    );
}

#[test]
fn a_page_size_in_quotes_is_a_number() {
    let body = format!(
        "{RETRIEVER}paginator:\n  type: DefaultPaginator\n  pagination_strategy:\n    type: OffsetIncrement\n    page_size: '50'\n"
    );
    let paginator = retriever(&around(&body)).paginator.expect("there is a paginator");
    assert!(matches!(
        paginator.strategy,
        PaginationStrategy::OffsetIncrement {
            page_size: Some(super::super::components::Integer::Fixed(50)),
            ..
        }
    ));
}

#[test]
fn a_substream_holds_its_parents_plan() {
    let child = "  - type: DeclarativeStream\n    name: parts\n    retriever:\n      $ref: '#/streams/0/retriever'\n      \
                 partition_router:\n        type: SubstreamPartitionRouter\n        parent_stream_configs:\n          - stream: \
                 '#/streams/0'\n            parent_key: id\n            partition_field: thing\n";
    let plan = loaded(&format!("{}{child}", around(RETRIEVER)));
    let retriever = plan.streams[1].retriever.records().unwrap();
    let [PartitionRouter::Substream { parents }] = &*retriever.partition_routers else {
        panic!("{:?}", retriever.partition_routers)
    };
    assert_eq!(parents[0].stream.name, "things");
    assert_eq!(parents[0].partition_field.source(), "thing");
}
