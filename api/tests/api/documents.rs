//! Documents by their hash, and a list of those that may run.

use api::ServerError;
use platform::secrets::SecretString;
use platform::settings::ServerSettings;
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::wire::{self, Answer};

const OPERATOR: &str = "the key of the operator";
const VIEWER: &str = "{ viewer { name } }";
/// Of [`VIEWER`], made by `sha256sum`.
const VIEWER_HASH: &str = "3f9a5fe58741fdcb3ba59d8cc865ce0c081b65bca09f7904bc81277be1bdd3f0";

fn by_hash(hash: &str) -> Value {
    json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } })
}

fn with_text(hash: &str, text: &str) -> Value {
    let mut body = by_hash(hash);
    body["query"] = json!(text);
    body
}

async fn post(server: &Fixture, headers: &[(&str, &str)], body: &Value) -> Answer {
    wire::post(server.address, "/graphql", headers, body.to_string().as_bytes()).await
}

#[tokio::test]
async fn a_document_that_was_sent_once_is_asked_for_by_its_hash() {
    let server = Fixture::start().await;
    let unknown = post(&server, &[], &by_hash(VIEWER_HASH)).await;
    assert_eq!(unknown.status, 200, "Apollo's clients read the body: {unknown:?}");
    let error = &unknown.json()["errors"][0];
    assert_eq!(
        (&error["message"], &error["extensions"]["code"]),
        (
            &json!("PersistedQueryNotFound"),
            &json!("PERSISTED_QUERY_NOT_FOUND")
        )
    );
    assert_eq!(unknown.json().get("data"), None);

    // Somebody else's hash is not taken, nor a document that cannot run.
    let wrong = post(&server, &[], &with_text(VIEWER_HASH, "{ viewer { kind } }")).await;
    assert_eq!(wrong.code(), "BAD_USER_INPUT", "{wrong:?}");
    assert_eq!(
        post(&server, &[], &by_hash(VIEWER_HASH)).await.code(),
        "PERSISTED_QUERY_NOT_FOUND"
    );

    let made = post(&server, &[], &with_text(VIEWER_HASH, VIEWER)).await.json();
    assert!(made["data"]["viewer"]["name"].is_string(), "{made}");
    assert_eq!(post(&server, &[], &by_hash(VIEWER_HASH)).await.json(), made);
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": VIEWER_HASH } }).to_string();
    let query: String = url_encoded(&extensions);
    let got = wire::get(server.address, &format!("/graphql?extensions={query}"), &[]).await;
    assert_eq!(got.json(), made);

    for bad in [
        json!({ "extensions": { "persistedQuery": { "version": 2, "sha256Hash": VIEWER_HASH } } }),
        json!({ "extensions": { "persistedQuery": { "version": 1 } } }),
        json!({ "extensions": {} }),
    ] {
        let refused = post(&server, &[], &bad).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "BAD_USER_INPUT"),
            "{bad}"
        );
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Two documents with the same variables are two requests, also where only their hashes come.
#[tokio::test]
async fn under_an_idempotency_key_a_hash_is_its_document() {
    let server = Fixture::start().await;
    let texts = [
        "mutation { registerClient(input: { slug: \"one\", name: \"One\" }) { client { slug } } }",
        "mutation { registerClient(input: { slug: \"two\", name: \"Two\" }) { client { slug } } }",
    ];
    let hashes = [
        "43452a9f519fb9b754076923d6800150fb394e9bfa8d5a39c7718309fc208076",
        "ce0db867552b7a77d60d596cff411eaa37738b03bd5ed9ff6683833009ed8eaa",
    ];
    for (text, hash) in texts.iter().zip(hashes) {
        post(&server, &[("Idempotency-Key", hash)], &with_text(hash, text)).await;
    }
    let key = [("Idempotency-Key", "k")];
    let first = post(&server, &key, &by_hash(hashes[0])).await;
    let again = post(&server, &key, &by_hash(hashes[0])).await;
    assert_eq!(
        (again.header("idempotency-replayed"), again.text()),
        (Some("true"), first.text())
    );
    let other = post(&server, &key, &by_hash(hashes[1])).await;
    assert_eq!(
        other.json()["errors"][0]["extensions"]["reason"],
        "IDEMPOTENCY_MISMATCH",
        "{other:?}"
    );
}

#[tokio::test]
async fn only_what_is_listed_runs_but_for_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("viewer.graphql"), "{\n  viewer { name }\n}\n").unwrap();
    let manifest = json!({ "by-id": "query Clients { clients { totalCount } }" });
    std::fs::write(folder.path().join("clients.json"), manifest.to_string()).unwrap();
    let server = Fixture::with(ServerSettings {
        operator_key: Some(SecretString::from(OPERATOR)),
        operations: Some(folder.path().to_owned()),
        ..ServerSettings::default()
    })
    .await;
    let operator = format!("Bearer {OPERATOR}");
    let operator = [("authorization", operator.as_str())];
    let create = "mutation { createApiKey(input: { name: \"k\", scopes: [\"*\"] }) { secret } }";
    let made = post(&server, &operator, &json!({ "query": create })).await.json();
    let secret = format!(
        "Bearer {}",
        made["data"]["createApiKey"]["secret"].as_str().unwrap()
    );
    let key = [("authorization", secret.as_str())];

    for listed in [
        json!({ "query": VIEWER }),
        json!({ "query": "{ viewer { name, } } # mine" }),
        by_hash("by-id"),
    ] {
        let answer = post(&server, &key, &listed).await.json();
        assert!(
            answer["data"].is_object() && answer.get("errors").is_none(),
            "{listed}: {answer}"
        );
    }
    let introspection = json!({ "query": "{ __schema { queryType { name } } }" });
    for other in [
        json!({ "query": "{ viewer { kind } }" }),
        introspection,
        by_hash(VIEWER_HASH),
    ] {
        let refused = post(&server, &key, &other).await;
        assert_eq!(refused.code(), "FORBIDDEN", "{other}: {refused:?}");
        assert_eq!(refused.json().get("data"), None);
    }
    let free = post(&server, &operator, &json!({ "query": "{ viewer { kind } }" }))
        .await
        .json();
    assert_eq!(free["data"]["viewer"]["kind"], "OPERATOR");
    assert_eq!(wire::get(server.address, "/graphiql", &[]).await.status, 404);
}

#[tokio::test]
async fn without_its_list_the_server_does_not_start() {
    let server = Fixture::start().await;
    let settings = ServerSettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        operations: Some("/nowhere/at/all".into()),
        ..ServerSettings::default()
    };
    let refused = api::Server::bind(server.engine.clone(), &settings, server.shutdown.clone()).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, ServerError::Operations(_)), "{error:?}");
    assert!(
        error.to_string().contains("/nowhere/at/all cannot be read"),
        "{error}"
    );
}
