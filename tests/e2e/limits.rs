//! Limits that only hold if processes share them, or the database obeys them.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Redis, Server, ServerOptions, Subscription, TestDatabase, eventually};

const OPERATOR: &str = "the key of the operator of the tests";

async fn post(server: &Server, key: &str, query: &str) -> reqwest::Response {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    http.post(format!("http://{}/graphql", server.address()))
        .bearer_auth(key)
        .json(&json!({ "query": query }))
        .send()
        .await
        .expect("an answer")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_count_one_budget_and_one_guesser() {
    let redis = Redis::start().await;
    let database = TestDatabase::postgresql().await.with_redis(redis.url());
    let options = || {
        ServerOptions::role("api")
            .with("SYNCLINE_OPERATOR_KEY", OPERATOR)
            .with("SYNCLINE_API_REQUESTS_PER_MINUTE", 6)
            .with("SYNCLINE_FAILED_LOGINS_PER_MINUTE", 4)
    };
    let first = Server::start_with(&database, options()).await;
    let second = Server::start_with(&database, options()).await;

    let mut left = Vec::new();
    for server in [&first, &second, &first, &second] {
        let answer = post(server, OPERATOR, "{ __typename }").await;
        assert_eq!(answer.status(), StatusCode::OK);
        let header = answer.headers()["ratelimit"].to_str().expect("text").to_owned();
        left.push(header.split(';').nth(1).expect("what is left").to_owned());
    }
    assert_eq!(left, ["r=5", "r=4", "r=3", "r=2"]);
    // One comes back every ten seconds, so some of ten are refused however slow this machine is.
    let mut refused = None;
    for server in [&first, &second].iter().cycle().take(10) {
        let answer = post(server, OPERATOR, "{ __typename }").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("a budget of six is spent by fourteen");
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .expect("text")
        .parse()
        .expect("seconds");
    assert!((1..=10).contains(&wait), "{wait}");
    let answer: Value = refused.json().await.expect("JSON");
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "RATE_LIMITED",
        "{answer}"
    );

    let mut answers = Vec::new();
    for server in [&first, &second].iter().cycle().take(10) {
        answers.push(post(server, "a guess", "{ __typename }").await.status());
    }
    assert_eq!(answers[..4], [StatusCode::UNAUTHORIZED; 4], "{answers:?}");
    assert!(answers.contains(&StatusCode::TOO_MANY_REQUESTS), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_takes_too_long_ends_in_the_database_too() {
    let database = TestDatabase::postgresql().await;
    let server = Server::start_with(
        &database,
        ServerOptions::default()
            .with("SYNCLINE_OPERATOR_KEY", OPERATOR)
            .with("SYNCLINE_REQUEST_SECONDS", 1),
    )
    .await;
    let api = server.graphql().with_key(OPERATOR);
    let client = api.register_client("acme").await;
    // A table that answers after ten minutes: what a bad plan on a large one is like.
    database.execute("ALTER TABLE client RENAME TO client_rows").await;
    database
        .execute("CREATE VIEW client AS SELECT client_rows.* FROM client_rows, pg_sleep(600)")
        .await;
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND state = 'active' AND query LIKE '%client%' AND pid <> pg_backend_pid()";

    let in_a_batch = format!("{{ node(id: \"{client}\") {{ id }} }}");
    for query in ["{ clients(first: 1) { edges { node { slug } } } }", &in_a_batch] {
        let answer = post(&server, OPERATOR, query).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{query}");
        let answer: Value = answer.json().await.expect("JSON");
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{answer}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains("longer than the 1 s"), "{message}");
        // The session's own limit is a minute.
        let ended = eventually("the statement ends", || async {
            (database.number(running).await == 0).then_some(())
        });
        tokio::time::timeout(Duration::from_secs(20), ended)
            .await
            .unwrap_or_else(|_| panic!("the database computes on: {query}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_are_so_many_for_a_process_and_for_a_key() {
    let database = TestDatabase::sqlite();
    let server = Server::start_with(
        &database,
        ServerOptions::default()
            .with("SYNCLINE_OPERATOR_KEY", OPERATOR)
            .with("SYNCLINE_WEB_SOCKETS", 4)
            .with("SYNCLINE_WEB_SOCKETS_PER_CREDENTIAL", 2),
    )
    .await;
    let api = server.graphql().with_key(OPERATOR);
    let mut keys = Vec::new();
    for name in ["one", "other"] {
        let input = json!({ "name": name, "scopes": ["*:read"] });
        let made = api
            .accepted("createApiKey", "CreateApiKeyInput", input, "secret")
            .await;
        keys.push(made["secret"].as_str().expect("a secret").to_owned());
    }
    let open = |key: &str| {
        let (address, key) = (server.address(), key.to_owned());
        async move { Subscription::try_connect(address, Some(&key)).await }
    };
    let refused = |opened: Result<Subscription, u16>| opened.err();

    let first = open(&keys[0]).await.expect("the first of two");
    let _second = open(&keys[0]).await.expect("the second of two");
    assert_eq!(refused(open(&keys[0]).await), Some(4429), "a key has two");
    // Its place goes back when the connection has ended, which is a moment after it was told so.
    let third = eventually("another key has its own", || async { open(&keys[1]).await.ok() }).await;
    eventually("nobody has the place that is left", || async {
        (refused(open("wrong").await) == Some(4403)).then_some(())
    })
    .await;
    let _fourth = eventually("the operator has no share but the whole", || async {
        open(OPERATOR).await.ok()
    })
    .await;
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let full = http
        .get(format!("http://{}/graphql/ws", server.address()))
        .headers(upgrade())
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (full.status(), full.headers()["retry-after"].as_bytes()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"5"[..])
    );
    let answer: Value = full.json().await.expect("JSON");
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "UNAVAILABLE",
        "{answer}"
    );
    assert_eq!(refused(open(OPERATOR).await), Some(503), "all four are taken");

    drop(third);
    let _fifth = eventually("its place is free", || async { open(OPERATOR).await.ok() }).await;
    assert_eq!(refused(open(&keys[0]).await), Some(503));
    drop(first);
    let _sixth = eventually("the key's place is free", || async { open(&keys[0]).await.ok() }).await;
    let metrics = http
        .get(format!("http://{}/metrics", server.address()))
        .bearer_auth(OPERATOR)
        .send()
        .await
        .expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    let counted = metrics
        .lines()
        .find(|line| line.starts_with("syncline_graphql_refused_total{by=\"connections\"}"));
    assert!(counted.is_some_and(|line| !line.ends_with(" 0")), "{counted:?}");
}

/// What a WebSocket begins with.
fn upgrade() -> reqwest::header::HeaderMap {
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "graphql-transport-ws"),
    ];
    headers
        .into_iter()
        .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
        .collect()
}
