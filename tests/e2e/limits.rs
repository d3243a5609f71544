//! Limits that only hold if processes share them, or the database obeys them.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Redis, Server, ServerOptions, TestDatabase, eventually};

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
