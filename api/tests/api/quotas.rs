//! What a caller gets: requests, wrong credentials, subscriptions, bodies, looks at the schema.

use std::time::Duration;

use chrono::DateTime;
use platform::clock::ManualClock;
use platform::secrets::SecretString;
use platform::settings::{LimitSettings, ServerSettings};
use serde_json::{Value, json};

use crate::fixture::{Fixture, text};
use crate::websocket::{Said, Socket};
use crate::wire::{self, Answer};

const OPERATOR: &str = "Bearer a key of the operator";
const QUERY: &[u8] = br#"{"query":"{ __typename }"}"#;
const WATCH: &str = "subscription { eventPublished(types: [\"nothing.like.it\"]) { id } }";

/// On a clock that stands still until it is told.
async fn limited(operator_key: Option<&str>, limits: LimitSettings) -> (Fixture, ManualClock) {
    let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let settings = ServerSettings {
        operator_key: operator_key.map(SecretString::from),
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        limits,
        ..ServerSettings::default()
    };
    (Fixture::on(settings, clock.shared()).await, clock)
}

async fn ask(server: &Fixture, headers: &[(&str, &str)]) -> Answer {
    wire::post(server.address, "/graphql", headers, QUERY).await
}

#[tokio::test]
async fn a_key_s_requests_are_counted_and_it_is_told() {
    let limits = LimitSettings {
        requests_per_minute: 3,
        ..LimitSettings::default()
    };
    let (server, clock) = limited(Some("a key of the operator"), limits).await;
    let operator = [("authorization", OPERATOR)];
    let key = {
        let query = br#"{"query":"mutation { createApiKey(input: { name: \"k\", scopes: [\"*:read\"] }) { secret } }"}"#;
        let made = wire::post(server.address, "/graphql", &operator, query).await;
        format!("Bearer {}", text(&made.json()["data"]["createApiKey"]["secret"]))
    };
    for left in [1, 0] {
        let answer = ask(&server, &operator).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=3;w=60"));
        let expected = format!("\"requests\";r={left};t={}", (3 - left) * 20);
        assert_eq!(answer.header("ratelimit"), Some(&*expected));
        assert_eq!(answer.header("retry-after"), None);
    }
    // Before its body is looked at, and whatever it asks for.
    let refused = wire::post(server.address, "/graphql", &operator, b"no JSON").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "RATE_LIMITED"));
    assert_eq!(refused.header("retry-after"), Some("20"));
    assert_eq!(refused.header("ratelimit"), Some("\"requests\";r=0;t=60"));
    assert_eq!(
        refused.json()["errors"][0]["extensions"]["retryAfter"],
        20,
        "{refused:?}"
    );

    // Another credential has a budget of its own, and a WebSocket takes from the same one.
    let mut socket = Socket::connect(&server, Some("graphql-transport-ws")).await;
    socket
        .say(json!({ "type": "connection_init", "payload": { "Authorization": key } }))
        .await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    for id in ["1", "2"] {
        socket.subscribe(id, "{ __typename }", json!({})).await;
        assert_eq!(socket.message().await["type"], "next");
        assert_eq!(socket.message().await["type"], "complete");
    }
    socket.subscribe("3", "{ __typename }", json!({})).await;
    let refused = socket.message().await;
    assert_eq!(refused["type"], "error", "{refused}");
    let extensions = &refused["payload"][0]["extensions"];
    assert_eq!(
        (&extensions["code"], &extensions["retryAfter"]),
        (&json!("RATE_LIMITED"), &json!(20))
    );
    let mut another = Socket::connect(&server, Some("graphql-transport-ws")).await;
    another
        .say(json!({ "type": "connection_init", "payload": { "Authorization": key } }))
        .await;
    assert_eq!(another.hear().await, Said::Closed(1013));
    assert_eq!(ask(&server, &[("authorization", &key)]).await.status, 429);

    clock.advance(Duration::from_secs(20));
    assert_eq!(ask(&server, &operator).await.status, 200);
    assert_eq!(ask(&server, &operator).await.status, 429);
}

#[tokio::test]
async fn without_a_key_it_is_the_address_that_is_counted() {
    let limits = LimitSettings {
        requests_per_minute: 2,
        ..LimitSettings::default()
    };
    let (server, _clock) = limited(None, limits).await;
    let of = |address: &'static str| [("x-forwarded-for", address)];
    for _ in 0..2 {
        assert_eq!(ask(&server, &of("198.51.100.1")).await.status, 200);
    }
    assert_eq!(ask(&server, &of("198.51.100.1")).await.status, 429);
    assert_eq!(ask(&server, &of("198.51.100.2")).await.status, 200);
}

#[tokio::test]
async fn keys_cannot_be_guessed_from_one_address() {
    let limits = LimitSettings {
        failed_logins_per_minute: 3,
        ..LimitSettings::default()
    };
    let (server, clock) = limited(Some("a key of the operator"), limits).await;
    let from =
        |address: &'static str, key: &'static str| [("x-forwarded-for", address), ("authorization", key)];
    let guesser = "198.51.100.1";
    for left in [2, 1, 0] {
        let wrong = ask(&server, &from(guesser, "Bearer syn_k000000000000_guess")).await;
        assert_eq!((wrong.status, wrong.code().as_str()), (401, "UNAUTHENTICATED"));
        let expected = format!("\"failed-logins\";r={left};t={}", (3 - left) * 20);
        assert_eq!(wrong.header("ratelimit"), Some(&*expected));
    }
    // Right or wrong, nothing is looked at any more.
    for key in ["Bearer another guess", OPERATOR] {
        let refused = ask(&server, &from(guesser, key)).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (429, "RATE_LIMITED"),
            "{key}"
        );
        assert_eq!(refused.header("retry-after"), Some("20"));
    }
    let metrics = wire::get(server.address, "/metrics", &from(guesser, OPERATOR)).await;
    assert_eq!(metrics.status, 429, "there is no other way in");
    let mut socket = Socket::connect(&server, Some("graphql-transport-ws")).await;
    socket
        .say(json!({ "type": "connection_init", "payload": { "Authorization": OPERATOR } }))
        .await;
    assert_eq!(
        socket.message().await["type"],
        "connection_ack",
        "another address"
    );

    // Somebody behind the same address, whose key was let in lately, is not locked out by the guesser.
    assert_eq!(ask(&server, &from(guesser, OPERATOR)).await.status, 200);
    clock.advance(Duration::from_secs(15 * 60));
    for _ in 0..3 {
        assert_eq!(ask(&server, &from(guesser, "Bearer a guess")).await.status, 401);
    }
    assert_eq!(
        ask(&server, &from(guesser, OPERATOR)).await.status,
        429,
        "it was not let in lately"
    );
    clock.advance(Duration::from_secs(20));
    assert_eq!(ask(&server, &from(guesser, OPERATOR)).await.status, 200);
}

#[tokio::test]
async fn a_credential_s_subscriptions_are_bounded_over_its_connections() {
    let limits = LimitSettings {
        subscriptions: 2,
        ..LimitSettings::default()
    };
    let (server, _clock) = limited(None, limits).await;
    let mut first = Socket::open(&server).await;
    let mut second = Socket::open(&server).await;
    first.subscribe("1", WATCH, json!({})).await;
    first.subscribe("2", WATCH, json!({})).await;
    // Messages are answered in their order, so both are open now.
    first.say(json!({ "type": "ping" })).await;
    assert_eq!(first.message().await["type"], "pong");
    second.subscribe("a", WATCH, json!({})).await;
    let refused = second.message().await;
    assert_eq!(
        (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("RATE_LIMITED")),
        "{refused}"
    );
    assert!(
        refused["payload"][0]["message"]
            .as_str()
            .unwrap()
            .contains("2 subscriptions"),
        "{refused}"
    );
    // A query is no subscription.
    second.subscribe("b", "{ __typename }", json!({})).await;
    assert_eq!(second.message().await["type"], "next");
    assert_eq!(second.message().await["type"], "complete");

    first.say(json!({ "type": "complete", "id": "1" })).await;
    first.say(json!({ "type": "ping" })).await;
    assert_eq!(first.message().await["type"], "pong");
    second.subscribe("c", WATCH, json!({})).await;
    second.say(json!({ "type": "ping" })).await;
    assert_eq!(second.message().await["type"], "pong", "one was given back");
}

#[tokio::test]
async fn what_a_document_may_cost_is_a_setting() {
    let limits = LimitSettings {
        query_depth: 2,
        query_complexity: 30,
        query_fields: 6,
        query_aliases: 1,
        query_directives: 1,
        query_tokens: 20,
        query_nesting: 5,
        query_bytes: 120,
        variable_values: 3,
        body_bytes: 1024,
        ..LimitSettings::default()
    };
    let (server, _clock) = limited(None, limits).await;
    let none = json!({});
    for (what, query, variables) in [
        ("levels", "{ clients { edges { cursor } } }", none.clone()),
        ("too complex", "{ clients { totalCount pageInfo } }", none.clone()),
        ("fields", "{ a b c d e f g }", none.clone()),
        ("aliases", "{ a: __typename b: __typename }", none.clone()),
        (
            "directives",
            "{ a @include(if: true) b @skip(if: true) }",
            none.clone(),
        ),
        (
            "tokens",
            "{ a b c d e f g h i j k l m n o p q r s }",
            none.clone(),
        ),
        ("brackets", "{ a(b: [[[[1]]]]) }", none.clone()),
        (
            "bytes",
            "{ a(b: \"11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111\") }",
            none,
        ),
        ("values", "{ __typename }", json!({ "a": [1, 2, 3] })),
    ] {
        let answer = server
            .post(&json!({ "query": query, "variables": variables }))
            .await;
        assert_eq!(answer.code(), "TOO_COMPLEX", "{what}: {answer:?}");
        let message = text(&answer.json()["errors"][0]["message"]);
        assert!(message.contains(what), "{what}: {message}");
    }
    let long = json!({ "query": "{ __typename }", "variables": { "a": "x".repeat(1024) } });
    let answer = server.post(&long).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "BAD_USER_INPUT"));
    assert_eq!(
        server.ask("{ __typename }", json!({ "a": 1 })).await["data"]["__typename"],
        "Query"
    );
}

#[tokio::test]
async fn a_subscription_s_lists_cost_as_much_as_a_query_s() {
    let server = Fixture::start().await;
    let mut socket = Socket::open(&server).await;
    let query = "subscription { integrationUpdated { syncRuns(first: 100) { edges { node { logs(first: 100) { edges { node { message fields } } } } } } } }";
    socket.subscribe("1", query, json!({})).await;
    let refused = socket.message().await;
    assert_eq!(
        (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("TOO_COMPLEX")),
        "{refused}"
    );
}

#[tokio::test]
async fn the_schema_is_shown_and_names_are_suggested_as_settings_say() {
    let message = async |limits: LimitSettings, query: &str| -> Value {
        let (server, _clock) = limited(None, limits).await;
        let answer = server.post(&json!({ "query": query })).await.json();
        answer.pointer("/errors/0/message").cloned().unwrap_or_default()
    };
    let silent = message(LimitSettings::default(), "{ viewr { kind } }").await;
    assert!(!text(&silent).contains("viewer"), "{silent}");
    let helpful = LimitSettings {
        suggestions: true,
        ..LimitSettings::default()
    };
    let told = message(helpful, "{ viewr { kind } }").await;
    assert!(text(&told).contains("\"viewer\""), "{told}");

    let look = "{ __schema { queryType { name } } }";
    assert_eq!(message(LimitSettings::default(), look).await, Value::Null);
    let closed = LimitSettings {
        introspection: false,
        ..LimitSettings::default()
    };
    let (server, _clock) = limited(None, closed).await;
    let answer = server.post(&json!({ "query": look })).await.json();
    assert!(
        answer["data"]["__schema"].is_null() && !answer.to_string().contains("queryType"),
        "{answer}"
    );
}
