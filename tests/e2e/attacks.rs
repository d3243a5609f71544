//! Documents that are made to cost much, sent to the real binary: each is refused with a code, and before anything that
//! could be expensive begins.
//!
//! Nothing is timed. What an attack cost is read from the metrics: that it was not let through to validation, and how
//! many tokens, values and selections were looked at to find out.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{GraphQl, Server, Subscription, TestDatabase};

/// The guard's bounds, together: tokens, values, and the selections that so many tokens can be.
const MOST_LOOKED_AT: f64 = 5_000.0 + 10_001.0 + 5_000.0;

fn query(query: String) -> String {
    json!({ "query": query }).to_string()
}

fn with_variables(variables: Value) -> String {
    json!({ "query": "query ($x: JSON) { node(id: $x) { id } }", "variables": variables }).to_string()
}

fn repeated(count: usize, unit: impl Fn(usize) -> String) -> String {
    (0..count).map(unit).collect()
}

/// Fragments that each spread the next one twice.
fn bomb(levels: usize) -> String {
    let fragments = repeated(levels, |level| {
        let next = level + 1;
        format!(" fragment F{level} on Query {{ ...F{next} ...F{next} }}")
    });
    format!("{{ ...F0 }}{fragments} fragment F{levels} on Query {{ __typename }}")
}

/// Every attack, as the text of a request.
fn attacks() -> Vec<(&'static str, String)> {
    let nest = |open: &str, inner: &str, close: &str, depth| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let operations = repeated(1_000, |number| format!("query Q{number} {{ __typename }} "));
    let batch: Vec<Value> = vec![json!({ "query": "{ __typename }" }); 1_000];
    vec![
        (
            "alias overloading",
            query(format!(
                "{{ {} }}",
                repeated(1_000, |number| format!("a{number}: __typename "))
            )),
        ),
        (
            "aliases of a costly field",
            query(format!(
                "{{ {} }}",
                repeated(101, |number| format!("a{number}: overview {{ running }} "))
            )),
        ),
        (
            "directive overloading",
            query(format!("{{ __typename {} }}", "@include(if: true) ".repeat(900))),
        ),
        (
            "unknown directives",
            query(format!("{{ __typename {} }}", "@a".repeat(2_000))),
        ),
        (
            "field duplication",
            query(format!("{{ {} }}", "__typename ".repeat(4_000))),
        ),
        (
            "duplication in fragments",
            query(format!(
                "{{ {} }} fragment F on Query {{ {} }}",
                "...F ".repeat(100),
                "__typename ".repeat(100)
            )),
        ),
        (
            "a fragment that spreads itself",
            query("{ ...A } fragment A on Query { ...A }".to_owned()),
        ),
        (
            "circular fragments",
            query("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned()),
        ),
        (
            "a long circle of fragments",
            query(format!(
                "{{ ...F0 }} {}",
                repeated(400, |number| format!(
                    "fragment F{number} on Query {{ ...F{} }} ",
                    (number + 1) % 400
                ))
            )),
        ),
        ("a fragment bomb", query(bomb(28))),
        (
            "a fragment bomb that nothing spreads",
            query(format!(
                "{{ __typename }} {}",
                bomb(28).split_once('}').expect("fragments").1
            )),
        ),
        ("deep nesting", query(nest("{ a ", "", "}", 2_000))),
        (
            "nesting beyond the levels alone",
            query(nest("{ a ", "", "}", 20)),
        ),
        (
            "deep inline fragments",
            query(nest("{ ... ", "{ __typename }", "}", 500)),
        ),
        (
            "a deep list",
            query(format!("{{ node(id: {}) {{ id }} }}", nest("[", "1", "]", 2_000))),
        ),
        (
            "a deep object",
            query(format!(
                "{{ node(id: {}) {{ id }} }}",
                nest("{a:", "1", "}", 2_000)
            )),
        ),
        (
            "deep types of variables",
            query(format!(
                "query ($x: {}) {{ __typename }}",
                nest("[", "Int", "]", 2_000)
            )),
        ),
        (
            "circular introspection",
            query(
                "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
                    .to_owned(),
            ),
        ),
        (
            "circular introspection by name",
            query(
                "{ __type(name: \"Query\") { fields { type { fields { type { fields { name } } } } } } }"
                    .to_owned(),
            ),
        ),
        ("a batch", Value::from(batch).to_string()),
        ("many operations", query(operations)),
        ("a long name", query(format!("{{ {} }}", "a".repeat(90_000)))),
        (
            "a long text",
            query(format!("{{ node(id: \"{}\") {{ id }} }}", "a".repeat(150_000))),
        ),
        (
            "escapes",
            query(format!("{{ node(id: \"{}\") {{ id }} }}", "\\\"".repeat(75_000))),
        ),
        (
            "white space",
            query(format!("{{ {} __typename }}", " \n".repeat(100_000))),
        ),
        (
            "comments",
            query(format!("{} {{ __typename }}", "#\n".repeat(45_000))),
        ),
        (
            "a long comment",
            query(format!("#{}\n{{ __typename }}", "x".repeat(150_000))),
        ),
        (
            "commas",
            query(format!("{{ {} __typename }}", ",".repeat(120_000))),
        ),
        (
            "many arguments",
            query(format!("{{ node({}) {{ id }} }}", "id: 1 ".repeat(2_000))),
        ),
        (
            "many definitions of variables",
            query(format!(
                "query ({}) {{ __typename }}",
                repeated(1_500, |number| format!("$v{number}: Int "))
            )),
        ),
        (
            "a list of many values",
            query(format!("{{ nodes(ids: [{}]) {{ id }} }}", "1 ".repeat(6_000))),
        ),
        (
            "huge variables",
            with_variables(json!({ "x": "x".repeat(3 * 1024 * 1024) })),
        ),
        (
            "a huge list in variables",
            with_variables(json!({ "x": vec![1; 50_000] })),
        ),
        (
            "a list that fills the body",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{"x":[{}1]}}}}"#,
                "1,".repeat(1_000_000)
            ),
        ),
        (
            "objects that fill the body",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{"x":[{}1]}}}}"#,
                "{},".repeat(600_000)
            ),
        ),
        (
            "keys that fill the body",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{{}"z":1}}}}"#,
                repeated(150_000, |number| format!("\"{number}\":1,"))
            ),
        ),
        (
            "deep JSON in variables",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{"x":{}}}}}"#,
                nest("[", "1", "]", 90_000)
            ),
        ),
        (
            "JSON just too deep",
            format!(
                r#"{{"query":"{{ __typename }}","variables":{{"x":{}}}}}"#,
                nest("{\"a\":", "1", "}", 200)
            ),
        ),
        (
            "values in extensions",
            format!(
                r#"{{"query":"{{ __typename }}","extensions":{{"x":[{}1]}}}}"#,
                "1,".repeat(120_000)
            ),
        ),
    ]
}

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
