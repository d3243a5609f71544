//! The same request twice, or two hundred times at once, is one.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};
use tests::{
    Redis, Server, ServerOptions, Subscription, TestDatabase, Upstream, manifest, on_both_databases,
};

/// `serve` on SQLite; on PostgreSQL and Redis two APIs, and nobody who works.
async fn start(database: &TestDatabase) -> Vec<Server> {
    let roles: &[&str] = if database.is_sqlite() {
        &["serve"]
    } else {
        &["api", "api"]
    };
    let mut servers = Vec::new();
    for role in roles {
        servers.push(Server::start_with(database, ServerOptions::role(role)).await);
    }
    servers
}

async fn integration(server: &Server, upstream: &Upstream) -> String {
    let api = server.graphql();
    let client = api.register_client("acme").await;
    api.install_connector("items", &manifest(10)).await;
    api.create_integration(json!({
        "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"),
    }))
    .await
}

/// Sends a mutation under a key; gives the whole answer, and whether it was given before.
async fn send(server: &Server, key: &str, query: &str, input: &Value) -> (String, bool) {
    let request = reqwest::Client::builder().no_proxy().build().expect("a client");
    let response = request
        .post(format!("http://{}/graphql", server.address()))
        .header("Idempotency-Key", key)
        .json(&json!({ "query": query, "variables": { "input": input } }))
        .send()
        .await
        .expect("an answer");
    let replayed = response.headers().contains_key("idempotency-replayed");
    (response.text().await.expect("a text"), replayed)
}

const TRIGGER: &str = "mutation($input: TriggerSyncInput!) { triggerSync(input: $input) { run { id } deduplicated userErrors { code } } }";
const REGISTER: &str = "mutation($input: RegisterClientInput!) { registerClient(input: $input) { client { id } userErrors { code } } }";

on_both_databases! {
    async fn two_hundred_equal_triggers_at_once_are_one_run(database) {
        let servers = start(&database).await;
        let upstream = Upstream::start(10).await;
        upstream.gate().close_from(0);
        let integration = integration(&servers[0], &upstream).await;
        let by_input = json!({ "integrationId": integration, "idempotencyKey": "input" });
        let by_header = json!({ "integrationId": integration });
        let calls = (0..400).map(|number| {
            let server = &servers[number / 2 % servers.len()];
            let (by_input, by_header) = (&by_input, &by_header);
            async move {
                let answer = if number % 2 == 0 {
                    server.graphql().answer(TRIGGER, json!({ "input": by_input })).await
                } else {
                    serde_json::from_str(&send(server, "header", TRIGGER, by_header).await.0).expect("JSON")
                };
                assert_eq!(answer["data"]["triggerSync"]["userErrors"], json!([]), "{answer:#}");
                let run = answer["data"]["triggerSync"]["run"]["id"].as_str().expect("a run").to_owned();
                (number % 2, answer["data"]["triggerSync"]["deduplicated"] == true, run)
            }
        });
        let answers = join_all(calls).await;
        for way in [0, 1] {
            let of_way = answers.iter().filter(|(number, ..)| *number == way);
            let runs: BTreeSet<&String> = of_way.clone().map(|(_, _, run)| run).collect();
            let new = of_way.filter(|(_, deduplicated, _)| !deduplicated).count();
            assert_eq!((runs.len(), new), (1, 1), "one run, and one call that made it");
        }
        assert_eq!(database.number("SELECT COUNT(*) FROM sync_run").await, 2);
    }

    async fn equal_requests_at_once_are_executed_once(database) {
        let servers = start(&database).await;
        let input = json!({ "slug": "acme", "name": "Acme" });
        let calls = (0..40).map(|number| send(&servers[number % servers.len()], "once", REGISTER, &input));
        let mut answers = BTreeSet::new();
        for (answer, _) in join_all(calls).await {
            if !answer.contains("\"CONFLICT\"") {
                answers.insert(answer);
            }
        }
        assert_eq!(answers.len(), 1, "one answer, to whom it was not too early: {answers:#?}");
        let answer = answers.pop_first().expect("an answer");
        assert!(answer.contains("cli_") && !answer.contains("TAKEN"), "{answer}");
        let last = servers.last().expect("a server");
        assert_eq!(send(last, "once", REGISTER, &input).await, (answer, true));
        assert_eq!(database.number("SELECT COUNT(*) FROM client").await, 1);
        let (other, replayed) = send(last, "once", REGISTER, &json!({ "slug": "other", "name": "Other" })).await;
        assert!(other.contains("BAD_USER_INPUT") && other.contains("a new key") && !replayed, "{other}");
    }
}

const CREATE: &str = "mutation($input: CreateIntegrationInput!) { createIntegration(input: $input) { integration { id } userErrors { code } } }";

/// No rule of the tables refuses a second integration that is like the first: the key alone does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_hold_without_redis_and_after_it_forgot_everything() {
    let mut redis = Redis::start().await;
    let database = TestDatabase::postgresql().await.with_redis(redis.url());
    let servers = start(&database).await;
    let upstream = Upstream::start(10).await;
    let client = servers[0].graphql().register_client("acme").await;
    servers[0]
        .graphql()
        .install_connector("items", &manifest(10))
        .await;
    let input = json!({
        "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"),
    });
    redis.kill().await;
    let calls = (0..20).map(|number| send(&servers[number % servers.len()], "once", CREATE, &input));
    let answers: BTreeSet<String> = join_all(calls)
        .await
        .into_iter()
        .map(|(answer, _)| answer)
        .filter(|answer| !answer.contains("\"CONFLICT\""))
        .collect();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    redis.resume().await;
    for server in &servers {
        let (again, replayed) = send(server, "once", CREATE, &input).await;
        assert!(replayed && answers.contains(&again), "{again}");
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM integration").await, 1);
}

const CREATE_KEY: &str = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id } userErrors { code } } }";

on_both_databases! {
    // A caller that lost the answer asks again, wherever it comes to, and has the secret; nobody else has it.
    async fn a_secret_that_is_shown_once_is_neither_lost_nor_kept_in_clear(database) {
        let servers = start(&database).await;
        let input = json!({ "name": "of a program", "scopes": ["runs:read"] });
        let calls = (0..20).map(|number| send(&servers[number % servers.len()], "once", CREATE_KEY, &input));
        let answers: BTreeSet<String> = join_all(calls)
            .await
            .into_iter()
            .map(|(answer, _)| answer)
            .filter(|answer| !answer.contains("\"CONFLICT\""))
            .collect();
        assert_eq!(answers.len(), 1, "{answers:#?}");
        let last = servers.last().expect("a server");
        let (again, replayed) = send(last, "once", CREATE_KEY, &input).await;
        assert!(replayed && answers.contains(&again), "{again}");
        assert_eq!(database.number("SELECT COUNT(*) FROM api_key").await, 1);
        let answer: Value = serde_json::from_str(&again).expect("JSON");
        let secret = answer["data"]["createApiKey"]["secret"].as_str().expect("a secret");
        let viewer = last.graphql().with_key(secret).query("{ viewer { scopes } }", json!({})).await;
        assert_eq!(viewer["viewer"]["scopes"], json!(["runs:read"]), "it is the key's");

        // Bytes are shown in hexadecimal, texts as they are.
        let (_, random) = secret.rsplit_once('_').expect("a secret has a prefix");
        let hexadecimal: String = random.bytes().map(|byte| format!("{byte:02X}")).collect();
        for (table, rows) in database.rows().await {
            for row in rows {
                assert!(!row.contains(random), "{table} holds the secret: {row}");
                assert!(!row.to_uppercase().contains(&hexadecimal), "{table} holds the secret: {row}");
            }
        }
        // Whoever else uses the same key under the header asks for something of their own.
        let stranger = reqwest::Client::builder().no_proxy().build().expect("a client");
        let other = stranger
            .post(format!("http://{}/graphql", last.address()))
            .bearer_auth(secret)
            .header("Idempotency-Key", "once")
            .json(&json!({ "query": CREATE_KEY, "variables": { "input": input } }))
            .send()
            .await
            .expect("an answer");
        assert!(!other.headers().contains_key("idempotency-replayed"));
        let other = other.text().await.expect("a text");
        assert!(other.contains("FORBIDDEN") && !other.contains(random), "{other}");
    }
}

/// Sends a mutation over a WebSocket, with a key in its extensions.
async fn send_over_websocket(server: &Server, key: &Value, query: &str, input: &Value) -> Value {
    let payload =
        json!({ "query": query, "variables": { "input": input }, "extensions": { "idempotencyKey": key } });
    let mut socket = Subscription::open_raw(server.address(), &payload.to_string()).await;
    match socket.receive_or_close().await {
        Ok(mut message) => message["payload"].take(),
        Err(code) => json!(code),
    }
}

on_both_databases! {
    // A WebSocket has no header for each operation.
    async fn a_mutation_over_a_websocket_is_done_once(database) {
        let servers = start(&database).await;
        let (first, last) = (&servers[0], servers.last().expect("a server"));
        let (acme, other) = (json!({ "slug": "acme", "name": "Acme" }), json!({ "slug": "other", "name": "Other" }));
        let calls = (0..20).map(|number| {
            let server = &servers[number % servers.len()];
            let acme = &acme;
            async move { send_over_websocket(server, &json!("k"), REGISTER, acme).await }
        });
        let answers = join_all(calls).await;
        let done: Vec<&Value> = answers.iter().filter(|answer| answer["data"].is_object()).collect();
        let ids: BTreeSet<String> = done.iter().map(|answer| answer["data"]["registerClient"]["client"]["id"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{answers:#?}");
        let new = done.iter().filter(|answer| answer.get("extensions").is_none());
        assert_eq!(new.count(), 1, "the others were told that it was done before: {answers:#?}");
        for answer in answers.iter().filter(|answer| !answer["data"].is_object()) {
            assert_eq!(answer[0]["extensions"]["code"], "CONFLICT", "while the first one was being executed: {answer}");
        }
        let (by_header, replayed) = send(last, "k", REGISTER, &acme).await;
        assert!(replayed && by_header.contains(ids.first().expect("an id").trim_matches('"')), "{by_header}");

        let mismatch = send_over_websocket(first, &json!("k"), REGISTER, &other).await;
        assert_eq!(mismatch[0]["extensions"]["reason"], "IDEMPOTENCY_MISMATCH", "{mismatch}");
        let malformed = send_over_websocket(first, &json!("a b"), REGISTER, &other).await;
        assert_eq!(malformed[0]["extensions"]["code"], "BAD_USER_INPUT", "{malformed}");
        assert_eq!(send_over_websocket(first, &json!(7), REGISTER, &other).await, json!(4400));
        let clients = first.graphql().query("{ clients { edges { node { slug } } } }", json!({})).await;
        assert_eq!(clients["clients"]["edges"], json!([{ "node": { "slug": "acme" } }]));
    }
}
