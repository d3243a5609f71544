//! The transports, as software sees them that nobody here wrote: GraphQL over HTTP by the audits of graphql-http, the
//! WebSocket by graphql-ws, the event stream by graphql-sse, the schema by the code generators of frontends.

use serde_json::{Value, json};
use tests::{Server, ServerOptions, TestDatabase, Upstream, manifest, peer};

const OPERATOR: &str = "the key of the operator of the tests";
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");

async fn seen(script: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&peer(script, arguments).await).expect("a JSON line")
}

fn with_key() -> ServerOptions {
    ServerOptions::default().with("SYNCLINE_OPERATOR_KEY", OPERATOR)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_audit_of_graphql_over_http_is_passed() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database).await;
    let found = seen("audits.mjs", &[&format!("http://{}/graphql", server.address())]).await;
    assert_eq!(found, json!({ "count": 61, "wrong": [] }), "{found:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_graphql_sse_client_gets_what_the_websocket_gives() {
    let database = TestDatabase::sqlite();
    let upstream = Upstream::start(20).await;
    // A quarter of them is one for each key.
    let options = with_key().file("[server]\nmax_event_streams = 4\n");
    let server = Server::start_with(&database, options).await;
    let api = server.graphql().with_key(OPERATOR);
    let client = api.register_client("acme").await;
    api.install_connector("items", &manifest(10)).await;
    let integration = api
        .create_integration(json!({ "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items") }))
        .await;
    let run = api.trigger(&integration).await;
    let origin = format!("http://{}", server.address());
    let seen = seen("stream.mjs", &[&origin, OPERATOR, &run]).await;
    assert_eq!(
        seen["query"],
        json!([{ "data": { "viewer": { "kind": "OPERATOR" } } }])
    );
    let invalid = &seen["invalid"][0];
    assert_eq!(
        invalid["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
        "{seen:#}"
    );
    assert_eq!(
        (invalid.get("data"), seen["invalid"][1].is_null()),
        (None, true),
        "{seen:#}"
    );
    let last = seen["run"].as_array().and_then(|run| run.last());
    let ended = json!({ "data": { "syncRunUpdated": { "status": "SUCCEEDED" } } });
    assert_eq!(last, Some(&ended), "{seen:#}");
    assert_eq!(seen["stranger"], 401, "{seen:#}");
    let revoked = &seen["revoked"];
    assert_eq!(
        revoked["seen"][0]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
        "{seen:#}"
    );
    assert_eq!(revoked["ending"], "complete", "{seen:#}");
    assert_eq!(
        (&seen["second"], &seen["again"]),
        (&json!(429), &json!("accepted")),
        "{seen:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_websocket_keeps_to_graphql_transport_ws() {
    let database = TestDatabase::sqlite();
    let server = Server::start_with(&database, with_key()).await;
    let url = format!("ws://{}/graphql/ws", server.address());
    let seen = seen("sockets.mjs", &[&url, OPERATOR]).await;
    let expected = json!({
        "query": [{ "data": { "viewer": { "kind": "OPERATOR" } } }],
        "mutation": [{ "data": { "__typename": "Mutation" } }],
        "invalid": ["BAD_USER_INPUT"],
        "after": [{ "data": { "__typename": "Query" } }],
        "pong": "received",
        "wrong": 4403,
        "pingBeforeInit": [{ "type": "pong" }],
        "order": [
            { "type": "connection_ack" },
            { "type": "next", "id": "1", "payload": { "data": { "__typename": "Query" } } },
            { "type": "complete", "id": "1" },
        ],
        "codes": {
            "not JSON": 4400,
            "an array": 4400,
            "no type": 4400,
            "unknown type": 4400,
            "a server's type": 4400,
            "payload of init is no object": 4400,
            "payload of ping is no object": 4400,
            "subscribe without id": 4400,
            "subscribe with an empty id": 4400,
            "subscribe without payload": 4400,
            "query is no text": 4400,
            "variables are no object": 4400,
            "extensions are no object": 4400,
            "complete without id": 4400,
            "binary": 4400,
            "subscribe before init": 4401,
            "init without a key": 4403,
            "init with a wrong key": 4403,
            "no init": 4408,
            "same id twice": 4409,
            "second init": 4429,
        },
    });
    assert_eq!(seen, expected, "{seen:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_generators_accept_the_schema() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let seen = seen("generators.mjs", &[SCHEMA, &folder.path().display().to_string()]).await;
    let typed = seen["codegen"]["gql/graphql.ts"]
        .as_str()
        .expect("the client preset's types");
    for expected in [
        "export type TriggerMutation ",
        "'PARTIALLY_SUCCEEDED'",
        "RowFragment",
    ] {
        assert!(typed.contains(expected), "{expected}\n{typed}");
    }
    let artifacts = seen["relay"].as_array().expect("Relay's artifacts");
    for expected in [
        "ClientsQuery",
        "ClientsPaginationQuery",
        "ClientRefetchQuery",
        "ClientsRunsSubscription",
    ] {
        assert!(
            artifacts.contains(&json!(format!("{expected}.graphql.js"))),
            "{expected}: {artifacts:?}"
        );
    }
}
