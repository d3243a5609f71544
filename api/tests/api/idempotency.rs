//! `Idempotency-Key`.

use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::wire::{self, Answer};

const REGISTER: &str = "mutation($input: RegisterClientInput!) { registerClient(input: $input) { client { id } userErrors { code } } }";

async fn send(server: &Fixture, key: &str, accept: &str, body: &Value) -> Answer {
    let headers = [("Idempotency-Key", key), ("Accept", accept)];
    wire::post(server.address, "/graphql", &headers, body.to_string().as_bytes()).await
}

fn register(slug: &str) -> Value {
    json!({ "query": REGISTER, "variables": { "input": { "slug": slug, "name": "Acme" } } })
}

#[tokio::test]
async fn an_equal_request_is_answered_as_before_and_another_is_refused() {
    let server = Fixture::start().await;
    let first = send(&server, "k", "application/json", &register("acme")).await;
    assert_eq!(
        (first.status, first.header("idempotency-replayed")),
        (200, None),
        "{first:?}"
    );
    let again = send(&server, "\"k\"", "application/json", &register("acme")).await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (200, Some("true"))
    );
    assert_eq!(again.json(), first.json());

    let newer = "application/graphql-response+json";
    let other = send(&server, "k", newer, &register("other")).await;
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(other.json()["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let older = send(&server, "k", "application/json", &register("other")).await;
    assert_eq!((older.status, older.json().get("data")), (200, None));

    // What is refused by its userErrors was answered, too.
    let taken = send(&server, "l", "application/json", &register("acme")).await;
    assert_eq!(
        taken.json()["data"]["registerClient"]["userErrors"][0]["code"],
        "TAKEN"
    );
    let again = send(&server, "l", "application/json", &register("acme")).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn what_could_not_be_executed_may_be_asked_again_under_its_key() {
    let server = Fixture::start().await;
    let wrong = json!({ "query": "mutation { nothing }" });
    for _ in 0..2 {
        let answer = send(&server, "k", "application/json", &wrong).await;
        assert_eq!(answer.header("idempotency-replayed"), None);
        assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
    let right = send(&server, "k", "application/json", &register("acme")).await;
    assert!(
        right.json()["data"]["registerClient"]["client"]["id"].is_string(),
        "{right:?}"
    );
}

#[tokio::test]
async fn a_key_has_a_shape_and_queries_need_none() {
    let server = Fixture::start().await;
    for key in ["", &"k".repeat(256)] {
        let answer = send(&server, key, "application/json", &register("acme")).await;
        assert_eq!(answer.status, 400, "{key:?}: {answer:?}");
    }
    let query = json!({ "query": "{ viewer { name } }" });
    for _ in 0..2 {
        let answer = send(&server, "k", "application/json", &query).await;
        assert_eq!(
            (answer.status, answer.header("idempotency-replayed")),
            (200, None)
        );
    }
}

#[tokio::test]
async fn a_trigger_takes_the_key_as_its_run_s() {
    let server = Fixture::start().await;
    let client = server.client("acme").await;
    server.connector().await;
    let integration = server.integration(&client, "people").await;
    let query = "mutation($input: TriggerSyncInput!) { triggerSync(input: $input) { run { id idempotencyKey } deduplicated userErrors { code } } }";
    let ask = |input: Value| json!({ "query": query, "variables": { "input": input } });
    let first = send(
        &server,
        "k",
        "application/json",
        &ask(json!({ "integrationId": integration })),
    )
    .await;
    let made = &first.json()["data"]["triggerSync"];
    assert_eq!(
        (&made["run"]["idempotencyKey"], &made["deduplicated"]),
        (&json!("k"), &json!(false))
    );
    let again = send(
        &server,
        "k",
        "application/json",
        &ask(json!({ "integrationId": integration })),
    )
    .await;
    let found = &again.json()["data"]["triggerSync"];
    assert_eq!(
        (&found["run"], &found["deduplicated"]),
        (&made["run"], &json!(true))
    );
    let full = json!({ "integrationId": integration, "mode": "FULL_REFRESH" });
    let other = send(&server, "k", "application/json", &ask(full)).await;
    assert_eq!(
        other.json()["data"]["triggerSync"]["userErrors"][0]["code"],
        "IDEMPOTENCY_MISMATCH"
    );
}
