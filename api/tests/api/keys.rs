//! API keys: shown once, let in over every transport, and out with their end.

use platform::settings::ServerSettings;
use serde_json::{Value, json};

use crate::fixture::{Fixture, text};
use crate::websocket::{Said, Socket};
use crate::wire::{self, Answer};

const OPERATOR: &str = "Bearer a key of the operator";
const VIEWER: &str = "{ viewer { name kind scopes client { slug } } }";

struct Key {
    id: String,
    bearer: String,
}

async fn ask_as(server: &Fixture, authorization: &str, query: &str, variables: Value) -> Answer {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let headers = [("authorization", authorization)];
    wire::post(server.address, "/graphql", &headers, body.as_bytes()).await
}

async fn create(server: &Fixture, maker: &str, input: Value) -> Key {
    let query = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id prefix } userErrors { code message } } }";
    let answer = ask_as(server, maker, query, json!({ "input": input }))
        .await
        .json();
    let made = &answer["data"]["createApiKey"];
    let secret = text(&made["secret"]);
    assert!(secret.starts_with(&text(&made["apiKey"]["prefix"])), "{answer}");
    Key {
        id: text(&made["apiKey"]["id"]),
        bearer: format!("Bearer {secret}"),
    }
}

async fn revoke(server: &Fixture, key: &Key) {
    let query = "mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { apiKey { revokedAt } userErrors { code } } }";
    let answer = ask_as(server, OPERATOR, query, json!({ "id": key.id }))
        .await
        .json();
    assert!(
        answer["data"]["revokeApiKey"]["apiKey"]["revokedAt"].is_string(),
        "{answer}"
    );
}

async fn connected(server: &Fixture, authorization: &str) -> Socket {
    let mut socket = Socket::connect(server, Some("graphql-transport-ws")).await;
    socket
        .say(json!({ "type": "connection_init", "payload": { "Authorization": authorization } }))
        .await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    socket
        .subscribe(
            "1",
            "subscription { eventPublished(types: [\"nothing.like.it\"]) { id } }",
            json!({}),
        )
        .await;
    socket
}

async fn registered(server: &Fixture) -> String {
    let query = "mutation { registerClient(input: { slug: \"acme\", name: \"Acme\" }) { client { id } } }";
    let answer = ask_as(server, OPERATOR, query, json!({})).await.json();
    text(&answer["data"]["registerClient"]["client"]["id"])
}

#[tokio::test]
async fn a_key_is_who_it_says() {
    let server = Fixture::guarded("a key of the operator").await;
    let client = registered(&server).await;
    let bound = json!({ "name": "their key", "clientId": client, "scopes": ["runs:*", "clients:read"] });
    let key = create(&server, OPERATOR, bound).await;
    let answer = ask_as(&server, &key.bearer, VIEWER, json!({})).await.json();
    assert_eq!(
        answer["data"]["viewer"],
        json!({ "name": "their key", "kind": "CLIENT", "scopes": ["clients:read", "runs:read", "runs:write"], "client": { "slug": "acme" } })
    );
    let staff = create(
        &server,
        OPERATOR,
        json!({ "name": "staff", "scopes": ["*:read"] }),
    )
    .await;
    let answer = ask_as(&server, &staff.bearer, VIEWER, json!({})).await.json();
    assert_eq!(answer["data"]["viewer"]["kind"], "OPERATOR", "{answer}");
    assert_eq!(answer["data"]["viewer"]["client"], Value::Null);
    // The secret is nowhere after it was shown.
    let query = "query ($id: ID!) { node(id: $id) { ... on ApiKey { name prefix scopes client { id } createdAt expiresAt revokedAt } } apiKeys { totalCount edges { node { id prefix } } } }";
    let answer = ask_as(&server, OPERATOR, query, json!({ "id": key.id })).await;
    let (prefix, secret) = key.bearer.rsplit_once('_').unwrap();
    assert!(!answer.text().contains(secret), "{answer:?}");
    let answer = answer.json();
    assert_eq!(
        answer["data"]["node"]["prefix"],
        prefix.trim_start_matches("Bearer ")
    );
    assert_eq!(answer["data"]["node"]["client"]["id"], client.as_str());
    assert_eq!(answer["data"]["apiKeys"]["totalCount"], 2);
    revoke(&server, &key).await;
    let answer = ask_as(&server, &key.bearer, VIEWER, json!({})).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_revoked_key_ends_what_it_opened_and_nothing_else() {
    let server = Fixture::guarded("a key of the operator").await;
    let key = create(&server, OPERATOR, json!({ "name": "one", "scopes": ["*"] })).await;
    let other = create(&server, OPERATOR, json!({ "name": "other", "scopes": ["*"] })).await;
    let (mut first, mut second) = (
        connected(&server, &key.bearer).await,
        connected(&server, &key.bearer).await,
    );
    let (mut stays, mut operator) = (
        connected(&server, &other.bearer).await,
        connected(&server, OPERATOR).await,
    );
    revoke(&server, &key).await;
    assert_eq!(first.hear().await, Said::Closed(4403));
    assert_eq!(second.hear().await, Said::Closed(4403));
    for open in [&mut stays, &mut operator] {
        open.say(json!({ "type": "ping" })).await;
        assert_eq!(open.message().await, json!({ "type": "pong" }));
    }
    let mut again = Socket::connect(&server, Some("graphql-transport-ws")).await;
    again
        .say(json!({ "type": "connection_init", "payload": { "Authorization": key.bearer } }))
        .await;
    assert_eq!(again.hear().await, Said::Closed(4403));
}

#[tokio::test]
async fn a_rotated_key_s_old_secret_ends_with_the_overlap() {
    let server = Fixture::guarded("a key of the operator").await;
    let key = create(&server, OPERATOR, json!({ "name": "one", "scopes": ["*"] })).await;
    let mut old = connected(&server, &key.bearer).await;
    let query = "mutation ($id: ID!, $overlap: Int) { rotateApiKey(input: { apiKeyId: $id, overlapSeconds: $overlap }) { secret apiKey { id } userErrors { code } } }";
    let answer = ask_as(&server, OPERATOR, query, json!({ "id": key.id, "overlap": 2 }))
        .await
        .json();
    let rotated = format!("Bearer {}", text(&answer["data"]["rotateApiKey"]["secret"]));
    let mut new = connected(&server, &rotated).await;
    assert_eq!(
        ask_as(&server, &key.bearer, VIEWER, json!({})).await.status,
        200,
        "they overlap"
    );
    assert_eq!(old.hear().await, Said::Closed(4403));
    assert_eq!(ask_as(&server, &key.bearer, VIEWER, json!({})).await.status, 401);
    assert_eq!(ask_as(&server, &rotated, VIEWER, json!({})).await.status, 200);
    new.say(json!({ "type": "ping" })).await;
    assert_eq!(new.message().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn a_key_that_expires_closes_its_connections() {
    let server = Fixture::guarded("a key of the operator").await;
    let end = server.engine.clock.now() + chrono::TimeDelta::seconds(2);
    let input = json!({ "name": "short", "scopes": ["*"], "expiresAt": end.to_rfc3339() });
    let key = create(&server, OPERATOR, input).await;
    let mut socket = connected(&server, &key.bearer).await;
    assert_eq!(socket.hear().await, Said::Closed(4403));
}

#[tokio::test]
async fn on_loopback_a_key_counts_as_itself_and_a_wrong_one_not_as_none() {
    let server = Fixture::start().await;
    let query = "mutation { createApiKey(input: { name: \"reader\", scopes: [\"*:read\"] }) { secret apiKey { id } } }";
    let answer = server.data(query, json!({})).await;
    let secret = text(&answer["createApiKey"]["secret"]);
    let answer = ask_as(&server, &format!("Bearer {secret}"), VIEWER, json!({}))
        .await
        .json();
    assert_eq!(answer["data"]["viewer"]["name"], "reader");
    for wrong in [&secret[..secret.len() - 1], "something else", ""] {
        let answer = ask_as(&server, &format!("Bearer {wrong}"), VIEWER, json!({})).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "UNAUTHENTICATED"),
            "{wrong}"
        );
    }
    assert_eq!(ask_as(&server, "Basic YTpi", VIEWER, json!({})).await.status, 401);
}

#[tokio::test]
async fn loopback_can_be_told_to_want_a_key() {
    let server = Fixture::with(ServerSettings {
        anonymous_loopback: false,
        ..ServerSettings::default()
    })
    .await;
    let answer = server.post(&json!({ "query": VIEWER })).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHENTICATED"));
    let mut socket = Socket::connect(&server, Some("graphql-transport-ws")).await;
    socket.say(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.hear().await, Said::Closed(4403));
    assert_eq!(wire::get(server.address, "/health/live", &[]).await.status, 200);
    assert_eq!(wire::get(server.address, "/metrics", &[]).await.status, 401);
}

#[tokio::test]
async fn the_whole_installation_s_metrics_are_for_nobody_s_client() {
    let server = Fixture::guarded("a key of the operator").await;
    let client = registered(&server).await;
    let bound = create(
        &server,
        OPERATOR,
        json!({ "name": "theirs", "clientId": client, "scopes": ["*"] }),
    )
    .await;
    let narrow = create(
        &server,
        OPERATOR,
        json!({ "name": "narrow", "scopes": ["runs:read"] }),
    )
    .await;
    let scraper = create(
        &server,
        OPERATOR,
        json!({ "name": "scraper", "scopes": ["overview:read"] }),
    )
    .await;
    for (key, status) in [(&bound, 403), (&narrow, 403), (&scraper, 200)] {
        let headers = [("authorization", key.bearer.as_str())];
        assert_eq!(
            wire::get(server.address, "/metrics", &headers).await.status,
            status
        );
    }
}

#[tokio::test]
async fn two_keys_of_one_client_do_not_share_their_idempotent_answers() {
    let server = Fixture::guarded("a key of the operator").await;
    let client = registered(&server).await;
    let make = |name: &str, scopes: Value| json!({ "name": name, "clientId": client, "scopes": scopes });
    let broad = create(&server, OPERATOR, make("broad", json!(["*"]))).await;
    let narrow = create(&server, OPERATOR, make("narrow", json!(["overview:read"]))).await;
    let body = json!({ "query": "mutation { createApiKey(input: { name: \"n\", scopes: [\"overview:read\"] }) { secret userErrors { code } } }" }).to_string();
    let ask = async |key: &Key| {
        let headers = [
            ("authorization", key.bearer.as_str()),
            ("idempotency-key", "the-same"),
        ];
        wire::post(server.address, "/graphql", &headers, body.as_bytes())
            .await
            .json()
    };
    let made = ask(&broad).await;
    let secret = text(&made["data"]["createApiKey"]["secret"]);
    assert_eq!(ask(&broad).await, made, "the same one again");
    let refused = ask(&narrow).await;
    assert_eq!(
        refused["data"]["createApiKey"]["userErrors"][0]["code"],
        "FORBIDDEN"
    );
    assert!(!refused.to_string().contains(&secret));
}
