//! Our own component types: what they refuse, and where.

use super::{RETRIEVER, around, faults, loaded};

fn graphql(query: &str, field_path: &str, more: &str) -> String {
    around(
        &RETRIEVER
            .replace("type: HttpRequester", "type: GraphqlRequester")
            .replace("path: /things", &format!("query: \"{query}\"{more}"))
            .replace("[data]", field_path),
    )
}

#[test]
fn a_graphql_requester_needs_a_query_and_knows_its_fields() {
    let yaml = around(
        &RETRIEVER
            .replace("type: HttpRequester", "type: GraphqlRequester")
            .replace("path: /things", "qeury: x"),
    );
    assert_eq!(
        faults(&yaml),
        [
            "12:9 GraphqlRequester at streams[0].retriever.requester: GraphqlRequester needs the field query",
            "14:9 GraphqlRequester at streams[0].retriever.requester.qeury: unknown field qeury; did you mean query?",
        ]
    );
    let yaml = graphql("{ a }", "[data, a]", "\n  partial_data: MAYBE");
    assert_eq!(
        faults(&yaml),
        [
            "15:23 GraphqlRequester at streams[0].retriever.requester.partial_data: partial_data is \"MAYBE\"; it has \
             to be one of FAIL, ACCEPT"
        ]
    );
}

#[test]
fn relay_pages_are_looked_for_beside_nodes_or_edges() {
    let query = "query ($after: String) { orders(after: $after) { nodes { id } } }";
    loaded(&graphql(query, "[data, orders, nodes]", ""));
    loaded(&graphql("{ orders { id } }", "[data, orders]", ""));
    let found = faults(&graphql(query, "[data, orders]", ""));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("10:7 SimpleRetriever at streams[0].retriever: "),
        "{found:?}"
    );
    assert!(
        found[0].contains("connection_path, such as [data, orders]"),
        "{found:?}"
    );
}
