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

fn soap(fields: &str) -> String {
    around(
        &RETRIEVER
            .replace("type: HttpRequester", "type: SoapRequester")
            .replace("path: /things", fields),
    )
}

#[test]
fn a_soap_requester_knows_its_prefixes() {
    loaded(&soap(
        "namespaces: {t: urn:t}\n  operation: t:List\n  body: {t:A: {'@x': 1, B: [1, 2]}}",
    ));
    assert_eq!(
        faults(&soap(
            "namespaces: {t: urn:t}\n  operation: u:List\n  body:\n    t:A: {v:B: 1}\n    't A': 2"
        )),
        [
            "15:20 SoapRequester at streams[0].retriever.requester.operation: \"u:List\" has the prefix u, which \
             namespaces does not declare",
            "17:17 SoapRequester at streams[0].retriever.requester.body.t:A.v:B: \"v:B\" has the prefix v, which \
             namespaces does not declare",
            "18:11 SoapRequester at streams[0].retriever.requester.body.t A: \"t A\" is not an element's name",
        ]
    );
    let found = faults(&soap(
        "namespaces: {soapenv: urn:t}\n  operation: List\n  soap_version: \"2\"\n  lists: [[item]]",
    ));
    assert!(found[0].contains("the prefix soapenv is taken"), "{found:?}");
    assert!(found[1].contains("one of 1.1, 1.2"), "{found:?}");
    assert!(found[2].contains("begins with Body"), "{found:?}");
}

/// A manifest of one native stream, whose fields begin at line 7.
fn native(kind: &str, fields: &str) -> String {
    let fields: String = fields.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "version: 7.0.0\ntype: DeclarativeSource\ncheck: {{type: CheckStream, stream_names: [rows]}}\nstreams:\n  - type: \
         {kind}\n    name: rows\n{fields}"
    )
}

const CONNECTION: &str = "connection: {host: db.example, database: d, username: u}\n";

#[test]
fn a_postgres_stream_needs_something_to_read_and_a_key_for_a_query() {
    let plan = loaded(&native("PostgresStream", &format!("{CONNECTION}table: orders")));
    assert_eq!(plan.streams[0].name, "rows");
    let one = |fields: &str| {
        let mut found = faults(&native("PostgresStream", fields));
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    };
    assert_eq!(
        one(CONNECTION),
        "5:5 PostgresStream at streams[0]: PostgresStream needs something to read: write table or query"
    );
    assert!(one(&format!("{CONNECTION}query: SELECT 1 AS id")).contains("key_columns (or primary_key)"));
    assert!(one(&format!("{CONNECTION}table: t\nkey_field: _key")).contains("write primary_key: _key"));
    assert!(one(&format!("{CONNECTION}table: t\npage_size: 0")).starts_with("9:16 PostgresStream"));
    assert!(one(&format!("{CONNECTION}table: t\nlookback_window: P1D")).contains("write cursor_column too"));
    assert!(
        one("connection: {host: h, database: d, username: u, tls_mode: prefer}\ntable: t")
            .contains("one of verify, disable")
    );
}

#[test]
fn object_storage_says_where_and_what() {
    loaded(&native(
        "ObjectStorageStream",
        "storage: {type: S3Storage, bucket: b}\nformat: {type: CsvFormat, delimiter: \"\\t\"}\nglob: '*.csv'",
    ));
    assert_eq!(
        faults(&native(
            "ObjectStorageStream",
            "storage: {type: FtpStorage}\nformat: {type: CsvFormat, delimiter: ab}"
        )),
        [
            "7:21 FtpStorage at streams[0].storage: unknown component FtpStorage; storage takes \
             LocalStorage, S3Storage",
            "8:42 CsvFormat at streams[0].format.delimiter: delimiter is \"ab\"; it has to be one character of ASCII, \
             such as ;",
        ]
    );
}
