//! A revoked key ends what it opened in every process, with Redis at once and without it by looking.

use std::time::Instant;

use serde_json::json;
use tests::{GraphQl, Redis, Server, ServerOptions, Subscription, TestDatabase};

const OPERATOR: &str = "the key of the operator of the tests";
const WATCH: &str = "subscription { eventPublished(types: [\"nothing.like.it\"]) { id } }";

async fn key(api: &GraphQl) -> (String, String) {
    let input = json!({ "name": "a key", "scopes": ["*:read"] });
    let made = api
        .accepted("createApiKey", "CreateApiKeyInput", input, "secret apiKey { id }")
        .await;
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    (text(&made["secret"]), text(&made["apiKey"]["id"]))
}

async fn revoke(api: &GraphQl, id: &str) {
    let input = json!({ "apiKeyId": id });
    api.accepted("revokeApiKey", "RevokeApiKeyInput", input, "apiKey { id }")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_heard_in_every_process() {
    let redis = Redis::start().await;
    let database = TestDatabase::postgresql().await.with_redis(redis.url());
    let options = || ServerOptions::role("api").with("SYNCLINE_OPERATOR_KEY", OPERATOR);
    let first = Server::start_with(&database, options()).await;
    let second = Server::start_with(&database, options()).await;
    let api = first.graphql().with_key(OPERATOR);

    let (secret, id) = key(&api).await;
    let mut open = Subscription::open_with(second.address(), Some(&secret), WATCH, json!({})).await;
    let revoked = Instant::now();
    revoke(&api, &id).await;
    assert_eq!(open.closed().await, Some(4403));
    assert!(
        revoked.elapsed().as_secs() < 5,
        "a notice is faster than looking: {:?}",
        revoked.elapsed()
    );

    let (secret, id) = key(&api).await;
    let mut open = Subscription::open_with(second.address(), Some(&secret), WATCH, json!({})).await;
    drop(redis);
    revoke(&api, &id).await;
    assert_eq!(open.closed().await, Some(4403), "also when nobody can be told");
    let refused = second
        .graphql()
        .with_key(&secret)
        .raw("{ viewer { name } }")
        .await;
    assert!(refused.contains("UNAUTHENTICATED"), "{refused}");
}
