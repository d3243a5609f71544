//! Against software nobody here wrote: JSONPlaceholder's own server, with its own data, by the connector we ship.

use std::process::Stdio;

use serde_json::json;
use tests::{Server, eventually, on_both_databases};
use tokio::process::{Child, Command};

/// The real server, from npm, on a port of its own.
async fn jsonplaceholder() -> (Child, String) {
    let peers = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/node_modules/jsonplaceholder");
    assert!(
        std::path::Path::new(peers).exists(),
        "the npm package is missing: run `scripts/prepare node peers`"
    );
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let child = Command::new("node")
        .arg("index.js")
        .current_dir(peers)
        .env("PORT", free.port().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node runs");
    eventually("JSONPlaceholder listens", || async {
        tokio::net::TcpStream::connect(free).await.ok()
    })
    .await;
    (child, format!("http://{free}"))
}

on_both_databases! {
    async fn users_posts_and_the_comments_of_each_post(database) {
        let (_upstream, base_url) = jsonplaceholder().await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let client = api.register_client("acme").await;
        let integration = api
            .create_integration(json!({
                "clientId": client, "connector": "jsonplaceholder", "name": "JSONPlaceholder",
                "config": { "base_url": base_url }, "streams": ["users", "posts", "comments"],
            }))
            .await;
        let checked = api
            .accepted("checkIntegration", "CheckIntegrationInput", json!({ "integrationId": integration }), "succeeded error { message }")
            .await;
        assert_eq!(checked["succeeded"], true, "{checked}");

        let run = api.sync(&integration).await;
        assert_eq!(run["status"], "SUCCEEDED", "{run:#}");
        let counts: Vec<_> = run["streams"].as_array().expect("streams").iter()
            .map(|stream| (stream["stream"].clone(), stream["progress"]["recordsAdded"].clone()))
            .collect();
        assert_eq!(
            counts,
            [(json!("users"), json!(10.0)), (json!("posts"), json!(100.0)), (json!("comments"), json!(500.0))]
        );
        let users = api.records(&integration, "users").await;
        assert_eq!(users[0]["data"]["address"]["geo"], json!({ "lat": "-37.3159", "lng": "81.1496" }));
        let comments = api.records(&integration, "comments").await;
        assert!(comments.iter().all(|comment| comment["data"]["postId"].is_number() && comment["data"]["email"].is_string()));

        let again = api.sync(&integration).await;
        // The users are one answer, and its server says that they are as they were.
        assert_eq!(again["streams"][0]["progress"]["recordsRead"], 0.0, "{again:#}");
        assert_eq!(again["progress"]["recordsUnchanged"], 600.0, "{again:#}");
        assert_eq!((&again["progress"]["recordsAdded"], &again["progress"]["recordsUpdated"]), (&json!(0.0), &json!(0.0)));
        assert_eq!(api.records(&integration, "users").await.len(), 10);
    }
}
