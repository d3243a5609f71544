//! Groups of streams that must not be read at the same time.

use super::{faults, loaded};

fn grouped(groups: &str) -> String {
    format!(
        r##"version: 7.0.0
type: DeclarativeSource
check: {{type: CheckStream, stream_names: [orders]}}
definitions:
  requester: {{type: HttpRequester, url_base: "https://api.example.com"}}
  selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: []}}}}
  orders:
    type: DeclarativeStream
    name: orders
    retriever: {{type: SimpleRetriever, requester: {{$ref: "#/definitions/requester"}}, record_selector: {{$ref: "#/definitions/selector"}}}}
  users:
    type: DeclarativeStream
    name: users
    retriever: {{type: SimpleRetriever, requester: {{$ref: "#/definitions/requester"}}, record_selector: {{$ref: "#/definitions/selector"}}}}
  lines:
    type: DeclarativeStream
    name: lines
    retriever:
      type: SimpleRetriever
      requester: {{$ref: "#/definitions/requester"}}
      record_selector: {{$ref: "#/definitions/selector"}}
      partition_router:
        type: SubstreamPartitionRouter
        parent_stream_configs:
          - {{type: ParentStreamConfig, parent_key: id, partition_field: order, stream: {{$ref: "#/definitions/orders"}}}}
streams:
  - {{$ref: "#/definitions/orders"}}
  - {{$ref: "#/definitions/users"}}
  - {{$ref: "#/definitions/lines"}}
stream_groups:
{groups}"##
    )
}

#[test]
fn groups_that_can_be_meant_load() {
    let plan = loaded(&grouped(
        "  heavy:\n    streams: [{$ref: '#/definitions/orders'}, {$ref: '#/definitions/users'}]\n    action: {type: BlockSimultaneousSyncsAction}\n",
    ));
    assert_eq!(plan.streams.len(), 3);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn a_child_and_its_parent_are_not_in_one_group() {
    let told = faults(&grouped(
        "  heavy:\n    streams: [{$ref: '#/definitions/orders'}, {$ref: '#/definitions/lines'}]\n    action: {type: BlockSimultaneousSyncsAction}\n",
    ));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("stream_groups: lines and its parent orders are both in the group heavy"),
        "{told:?}"
    );
}

#[test]
fn a_group_needs_streams_and_an_action() {
    let told = faults(&grouped(
        "  heavy:\n    streams: [orders]\n    action: {type: BlockSimultaneousSyncsAction}\n",
    ));
    assert!(told[0].contains("references to streams"), "{told:?}");
    let told = faults(&grouped("  heavy:\n    streams: []\n"));
    assert!(told[0].contains("the group heavy needs action"), "{told:?}");
    let told = faults(&grouped("  heavy:\n    streams: []\n    action: {type: Wait}\n"));
    assert!(
        told.len() == 1 && told[0].contains("BlockSimultaneousSyncsAction"),
        "{told:?}"
    );
}
