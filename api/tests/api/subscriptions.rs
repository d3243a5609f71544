//! The three subscriptions, over the real engine.

use serde_json::json;

use crate::fixture::Fixture;
use crate::websocket::Socket;

async fn populated() -> (Fixture, String) {
    let server = Fixture::start().await;
    let client = server.client("acme").await;
    server.connector().await;
    let integration = server.integration(&client, "People").await;
    (server, integration)
}

#[tokio::test]
async fn a_run_is_shown_as_it_is_and_to_its_end() {
    let (server, integration) = populated().await;
    let run = server.run(&integration).await;
    let mut socket = Socket::open(&server).await;
    let query = "subscription ($run: ID!) { syncRunUpdated(runId: $run) { id status integration { name client { slug } } } }";
    socket.subscribe("1", query, json!({ "run": run })).await;
    let first = socket.message().await;
    let shown = &first["payload"]["data"]["syncRunUpdated"];
    assert_eq!(shown["status"], "QUEUED", "{first}");
    assert_eq!(
        shown["integration"],
        json!({ "name": "People", "client": { "slug": "acme" } }),
        "{first}"
    );
    server.cancel(&run).await;
    assert_eq!(
        socket.message().await["payload"]["data"]["syncRunUpdated"]["status"],
        "CANCELLED"
    );
    assert_eq!(socket.message().await, json!({ "type": "complete", "id": "1" }));
}

#[tokio::test]
async fn all_runs_are_watched_from_a_fragment_at_the_root_too() {
    let (server, integration) = populated().await;
    let mut socket = Socket::open(&server).await;
    let query = "subscription { ...Watch } fragment Watch on Subscription { syncRunUpdated { ...Run } } fragment Run on SyncRun { id }";
    socket.subscribe("1", query, json!({})).await;
    // Answered only when the subscription stands, since messages are taken in order.
    socket.subscribe("2", "{ __typename }", json!({})).await;
    assert_eq!(socket.message().await["id"], "2");
    assert_eq!(socket.message().await["type"], "complete");
    let run = server.run(&integration).await;
    assert_eq!(
        socket.message().await["payload"]["data"]["syncRunUpdated"]["id"],
        run
    );
}

#[tokio::test]
async fn what_is_not_there_completes_at_once() {
    let (server, _) = populated().await;
    let mut socket = Socket::open(&server).await;
    for id in [
        "nonsense",
        "run_00000000000000000000000000",
        "int_00000000000000000000000000",
    ] {
        socket
            .subscribe(
                "1",
                "subscription ($id: ID!) { syncRunUpdated(runId: $id) { id } }",
                json!({ "id": id }),
            )
            .await;
        assert_eq!(
            socket.message().await,
            json!({ "type": "complete", "id": "1" }),
            "{id}"
        );
    }
}

#[tokio::test]
async fn an_integration_is_shown_when_it_changes() {
    let (server, integration) = populated().await;
    let mut socket = Socket::open(&server).await;
    let query = "subscription ($id: ID!) { integrationUpdated(integrationId: $id) { status pauseReasons } }";
    socket.subscribe("1", query, json!({ "id": integration })).await;
    let shown = &socket.message().await["payload"]["data"]["integrationUpdated"];
    assert_eq!(*shown, json!({ "status": "ACTIVE", "pauseReasons": [] }));
    let pause = "mutation ($input: PauseIntegrationInput!) { pauseIntegration(input: $input) { userErrors { code } } }";
    server
        .data(pause, json!({ "input": { "integrationId": integration } }))
        .await;
    let shown = &socket.message().await["payload"]["data"]["integrationUpdated"];
    assert_eq!(*shown, json!({ "status": "PAUSED", "pauseReasons": ["MANUAL"] }));
}

#[tokio::test]
async fn events_resume_after_one_without_a_gap() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    let query = "subscription ($after: ID) { eventPublished(types: [\"client.registered\"], after: $after) { id type subject correlationId } }";
    socket.subscribe("1", query, json!({})).await;
    socket.subscribe("2", "{ __typename }", json!({})).await;
    assert_eq!(socket.message().await["id"], "2");
    assert_eq!(socket.message().await["type"], "complete");
    let mut clients = Vec::new();
    for slug in ["a", "b", "c"] {
        clients.push(server.client(slug).await);
    }
    server.engine.events().relay().await.unwrap();
    let first = socket.message().await["payload"]["data"]["eventPublished"].clone();
    assert_eq!(
        (&first["subject"], &first["type"]),
        (&json!(clients[0]), &json!("client.registered")),
        "{first}"
    );
    drop(socket);
    let mut socket = Socket::open(&server).await;
    socket
        .subscribe("1", query, json!({ "after": first["id"] }))
        .await;
    for client in &clients[1..] {
        assert_eq!(
            socket.message().await["payload"]["data"]["eventPublished"]["subject"],
            *client
        );
    }
    socket.subscribe("2", query, json!({ "after": "nonsense" })).await;
    assert_eq!(
        socket.message().await["payload"]["errors"][0]["extensions"]["code"],
        "BAD_USER_INPUT"
    );
}
