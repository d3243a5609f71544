//! Documents that are made to cost much, sent to the real binary: each is refused with a code, and before anything that
//! could be expensive begins.
//!
//! Nothing is timed. What an attack cost is read from the metrics: that it was not let through to validation, and how
//! many tokens, values and selections were looked at to find out.

mod documents;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{GraphQl, Server, Subscription, TestDatabase};

use self::documents::{attacks, query, repeated};

/// The guard's bounds, together: tokens, values, and the selections that so many tokens can be.
const MOST_LOOKED_AT: f64 = 5_000.0 + 10_001.0 + 5_000.0;

/// What was counted so far.
async fn counted(api: &GraphQl) -> BTreeMap<String, f64> {
    let text = api
        .get("/metrics")
        .await
        .expect("metrics")
        .text()
        .await
        .expect("text");
    let series = text.lines().filter(|line| line.starts_with("syncline_graphql_"));
    series
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| {
            let name = name.trim_start_matches("syncline_graphql_").to_owned();
            (name, value.parse().expect("a number"))
        })
        .collect()
}

/// By how much each count grew since.
async fn grown(api: &GraphQl, before: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let mut now = counted(api).await;
    for (name, value) in &mut now {
        *value -= before[name];
    }
    now.retain(|_, value| *value != 0.0);
    now
}

fn refused_before_validation(name: &str, grown: &BTreeMap<String, f64>) {
    assert_eq!(
        grown.get("admitted_total"),
        None,
        "{name}: validation began: {grown:?}"
    );
    let refused: f64 = grown
        .iter()
        .filter(|(name, _)| name.starts_with("refused_total"))
        .map(|(_, count)| count)
        .sum();
    assert!((refused - 1.0).abs() < 0.1, "{name}: {grown:?}");
    let looked_at = grown.get("looked_at_total").copied().unwrap_or_default();
    assert!(looked_at <= MOST_LOOKED_AT, "{name}: {looked_at} were looked at");
}

async fn post(server: &Server, body: String) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http
        .post(format!("http://{}/graphql", server.address()))
        .header("content-type", "application/json")
        .body(body);
    let answer = request.send().await.expect("an answer");
    answer.json().await.expect("JSON")
}

fn is_coded(name: &str, error: &Value) {
    let code = error["extensions"]["code"].as_str().unwrap_or_default();
    assert!(
        ["TOO_COMPLEX", "BAD_USER_INPUT"].contains(&code),
        "{name}: {error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_cost_a_look_over_http() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database).await;
    let api = server.graphql();
    for (name, body) in attacks() {
        let before = counted(&api).await;
        let answer = post(&server, body).await;
        is_coded(name, &answer["errors"][0]);
        assert!(answer.get("data").is_none(), "{name}: {answer}");
        refused_before_validation(name, &grown(&api, &before).await);
    }
    // And the same counts do move for what is let through.
    let before = counted(&api).await;
    api.query("{ __typename }", json!({})).await;
    let grown = grown(&api, &before).await;
    assert_eq!(grown.get("admitted_total"), Some(&1.0), "{grown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_cost_a_look_over_a_websocket() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database).await;
    let api = server.graphql();
    for (name, payload) in attacks() {
        let before = counted(&api).await;
        let mut socket = Subscription::open_raw(server.address(), &payload).await;
        match socket.receive_or_close().await {
            Ok(message) => {
                assert_eq!(message["type"], "error", "{name}: {message}");
                is_coded(name, &message["payload"][0]);
            }
            // What is no message of the protocol, or longer than one may be, has no id to answer to.
            Err(code) => assert!(
                matches!(code, None | Some(4400 | 1009)),
                "{name}: closed with {code:?}"
            ),
        }
        let grown = grown(&api, &before).await;
        assert_eq!(
            grown.get("admitted_total"),
            None,
            "{name}: validation began: {grown:?}"
        );
        let looked_at = grown.get("looked_at_total").copied().unwrap_or_default();
        assert!(looked_at <= MOST_LOOKED_AT, "{name}: {looked_at} were looked at");
    }
}

/// What only the schema can tell: these pass the guard, and nothing of them is executed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_in_lists_are_refused_by_what_they_multiply_to() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database).await;
    let api = server.graphql();
    let lists = "(first: 100) { edges { node {";
    for (name, text) in [
        (
            "pages of pages",
            format!("{{ clients{lists} integrations{lists} syncRuns{lists} id }} }} }} }} }} }} }} }} }} }}"),
        ),
        (
            "many figures",
            format!(
                "{{ {} }}",
                repeated(30, |number| format!("a{number}: overview {{ running }} "))
            ),
        ),
        (
            "a subscription's pages",
            format!(
                "subscription {{ integrationUpdated {{ syncRuns{lists} logs{lists} message level }} }} }} }} }} }} }} }}"
            ),
        ),
    ] {
        let before = counted(&api).await;
        if text.starts_with("subscription") {
            let mut socket = Subscription::open(server.address(), &text, json!({})).await;
            let message = socket.receive().await.expect("a message");
            assert_eq!(message["type"], "error", "{name}: {message}");
            assert_eq!(
                message["payload"][0]["extensions"]["code"], "TOO_COMPLEX",
                "{name}: {message}"
            );
            continue;
        }
        let answer = post(&server, query(text)).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "TOO_COMPLEX",
            "{name}: {answer}"
        );
        assert!(answer.get("data").is_none(), "{name}: {answer}");
        let grown = grown(&api, &before).await;
        assert_eq!(
            grown.get("refused_total{by=\"validation\"}"),
            Some(&1.0),
            "{name}: {grown:?}"
        );
    }
}
