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
    let long = "k".repeat(256);
    let query = json!({ "query": "{ viewer { name } }" });
    for key in ["", "two words", &long] {
        let answer = send(&server, key, "application/json", &register("acme")).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "BAD_USER_INPUT"),
            "{key:?}: {answer:?}"
        );
    }
    for key in ["k", "k", "two words", &long] {
        let answer = send(&server, key, "application/json", &query).await;
        assert_eq!(
            (answer.status, answer.header("idempotency-replayed")),
            (200, None),
            "{key:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn only_who_may_ask_hears_what_is_wrong_with_the_key() {
    let server = Fixture::guarded("the key of the operator").await;
    let answer = send(&server, &"k".repeat(256), "application/json", &register("acme")).await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[tokio::test]
async fn how_a_request_is_spaced_does_not_make_it_another() {
    let server = Fixture::start().await;
    let request = |query: &str, name: &str| json!({ "query": query, "variables": { "name": name } });
    let first = "mutation($name: String!) { registerClient(input: { slug: \"acme\", name: $name }) { client { id } } }";
    let spaced = "# again\nmutation ( $name : String! )\n{\n  registerClient(input: {slug: \"acme\" name: $name}) { client { id, } }\n}\n";
    let made = send(&server, "k", "application/json", &request(first, "Acme")).await;
    let again = send(&server, "k", "application/json", &request(spaced, "Acme")).await;
    assert_eq!(
        (again.header("idempotency-replayed"), again.text()),
        (Some("true"), made.text()),
    );
    // Within a string, a space is something that was said.
    let other = first.replace("\"acme\"", "\"ac me\"");
    let other = send(&server, "k", "application/json", &request(&other, "Acme")).await;
    assert_eq!(
        other.json()["errors"][0]["extensions"]["reason"],
        "IDEMPOTENCY_MISMATCH",
        "{other:?}"
    );
}

#[tokio::test]
async fn what_was_executed_is_not_executed_again_because_its_answer_could_not_be_read() {
    let server = Fixture::start().await;
    let query = "mutation { registerClient(input: { slug: \"acme\", name: \"Acme\" }) { \
                 client { id integrations(after: \"nonsense\") { edges { cursor } } } userErrors { code } } }";
    let request = json!({ "query": query });
    let made = send(&server, "k", "application/json", &request).await;
    assert_eq!(made.code(), "BAD_USER_INPUT", "{made:?}");
    let again = send(&server, "k", "application/json", &request).await;
    assert_eq!(
        (again.header("idempotency-replayed"), again.text()),
        (Some("true"), made.text()),
    );
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

const MUTATIONS: &str = "{ __schema { mutationType { fields { name args { type { ofType { name inputFields { \
    name type { kind name ofType { kind name ofType { kind ofType { kind name } } } } } } } } } } } }";

/// A text where one must be, for each field of an input that has to be given.
fn something(input: &Value) -> Value {
    let fields = input["inputFields"].as_array().unwrap().iter();
    let required = fields.filter(|field| field["type"]["kind"] == "NON_NULL");
    let filled = required.filter_map(|field| {
        let of = &field["type"]["ofType"];
        let value = match (
            of["kind"].as_str().unwrap(),
            of["name"].as_str().unwrap_or_default(),
        ) {
            ("LIST", _) => json!(["text"]),
            ("INPUT_OBJECT", _) | (_, "JSON") => json!({}),
            (_, "Boolean") => return None,
            _ => json!("text"),
        };
        Some((field["name"].as_str().unwrap().to_owned(), value))
    });
    Value::Object(filled.collect())
}

/// Also those that do not exist yet: what is asked is made from the served schema.
#[tokio::test]
async fn every_mutation_is_answered_once_under_its_key() {
    let server = Fixture::start().await;
    let schema = server.data(MUTATIONS, json!({})).await;
    let mutations = schema["__schema"]["mutationType"]["fields"].as_array().unwrap();
    let mut covered = 0;
    for mutation in mutations {
        let (name, input) = (
            mutation["name"].as_str().unwrap(),
            &mutation["args"][0]["type"]["ofType"],
        );
        if name == "triggerSync" {
            continue; // Its key is its run's: a_trigger_takes_the_key_as_its_run_s.
        }
        let type_name = input["name"].as_str().unwrap();
        let query =
            format!("mutation($input: {type_name}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}");
        let body = json!({ "query": query, "variables": { "input": something(input) } });
        let first = send(&server, name, "application/json", &body).await;
        assert!(
            first.json()["data"][name]["userErrors"].is_array(),
            "{name}: {first:?}"
        );
        assert_eq!(first.header("idempotency-replayed"), None, "{name}");
        let again = send(&server, name, "application/json", &body).await;
        assert_eq!(
            again.header("idempotency-replayed"),
            Some("true"),
            "{name}: {again:?}"
        );
        assert_eq!(again.text(), first.text(), "{name}");
        covered += 1;
    }
    assert!(covered >= 18, "{covered} mutations");
}

/// A key is the same key wherever it stands, and on whichever transport.
#[tokio::test]
async fn the_key_may_stand_in_the_extensions() {
    let server = Fixture::start().await;
    let keyed = |key: Value, slug: &str| {
        let mut body = register(slug);
        body["extensions"] = json!({ "idempotencyKey": key });
        body
    };
    let post = async |headers: &[(&str, &str)], path: &str, body: &Value| {
        wire::post(server.address, path, headers, body.to_string().as_bytes()).await
    };
    let first = post(&[], "/graphql", &keyed(json!("k"), "acme")).await;
    assert_eq!(
        (first.status, first.header("idempotency-replayed")),
        (200, None),
        "{first:?}"
    );
    let again = send(&server, "k", "application/json", &register("acme")).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json(), first.json());
    let both = [("Idempotency-Key", "k")];
    let again = post(&both, "/graphql", &keyed(json!("k"), "acme")).await;
    assert_eq!(again.json(), first.json(), "twice the same is one");

    let two = post(&both, "/graphql", &keyed(json!("other"), "acme")).await;
    assert_eq!(
        (two.status, two.code()),
        (400, "BAD_USER_INPUT".into()),
        "{two:?}"
    );
    for wrong in [json!(""), json!("a b"), json!("x".repeat(256)), json!(7)] {
        let refused = post(&[], "/graphql", &keyed(wrong.clone(), "new")).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "BAD_USER_INPUT".into()),
            "{wrong}: {refused:?}"
        );
    }
    let query = json!({ "query": "{ viewer { kind } }", "extensions": { "idempotencyKey": "k" } });
    let answer = post(&[], "/graphql", &query).await;
    assert!(
        answer.json()["data"]["viewer"].is_object(),
        "a query needs none: {answer:?}"
    );

    let events = [("Accept", "text/event-stream")];
    let streamed = post(&events, "/graphql/stream", &keyed(json!("k"), "acme")).await;
    let text = String::from_utf8(streamed.body.clone()).unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let mut told: Value = serde_json::from_str(data).unwrap();
    assert_eq!(
        told["extensions"].take(),
        json!({ "idempotencyReplayed": true }),
        "{text}"
    );
    told.as_object_mut().unwrap().remove("extensions");
    assert_eq!(told, first.json());
    let mismatch = post(&events, "/graphql/stream", &keyed(json!("k"), "third")).await;
    let text = String::from_utf8(mismatch.body.clone()).unwrap();
    assert!(text.contains("IDEMPOTENCY_MISMATCH"), "{text}");
    let new = post(&events, "/graphql/stream", &keyed(json!("l"), "fourth")).await;
    let text = String::from_utf8(new.body.clone()).unwrap();
    assert!(
        text.contains("cli_") && !text.contains("idempotencyReplayed"),
        "{text}"
    );
    let again = send(&server, "l", "application/json", &register("fourth")).await;
    assert_eq!(
        again.header("idempotency-replayed"),
        Some("true"),
        "what a stream did is known everywhere"
    );
}
