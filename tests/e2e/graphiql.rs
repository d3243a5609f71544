//! The API through other people's clients: a browser with GraphiQL in it, the graphql-ws package, graphql-js.

use serde_json::{Value, json};
use tests::{Server, TestDatabase, Upstream, manifest, peer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphiql_works_in_a_browser_and_loads_nothing_from_elsewhere() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database).await;
    let printed = peer("graphiql.mjs", &[&format!("http://{}", server.address())]).await;
    let seen: Value = serde_json::from_str(&printed).expect("a JSON line");
    assert!(
        seen["result"]
            .as_str()
            .is_some_and(|text| text.contains("ANONYMOUS_LOOPBACK")),
        "{seen}"
    );
    assert_eq!(
        (&seen["foreign"], &seen["errors"]),
        (&json!([]), &json!([])),
        "{seen}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_graphql_ws_client_follows_a_run_to_its_end() {
    let database = TestDatabase::sqlite();
    let upstream = Upstream::start(20).await;
    let server = Server::start(&database).await;
    let api = server.graphql();
    let client = api.register_client("acme").await;
    api.install_connector("items", &manifest(10)).await;
    let integration = api
        .create_integration(json!({ "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items") }))
        .await;
    let run = api.trigger(&integration).await;
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");
    let printed = peer(
        "subscribe.mjs",
        &[&format!("ws://{}/graphql/ws", server.address()), schema, &run],
    )
    .await;
    let statuses: Vec<String> = serde_json::from_str(&printed).expect("a JSON array");
    assert_eq!(
        statuses.last().map(String::as_str),
        Some("SUCCEEDED"),
        "{statuses:?}"
    );
}
