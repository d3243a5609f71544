//! Documents that cost too much, as an attacker would send them.

use serde_json::json;

use crate::fixture::Fixture;

fn bomb(levels: u32) -> String {
    let mut text = String::from("{ ...F0 }");
    for level in 0..levels {
        let next = level + 1;
        text.push_str(&format!(
            " fragment F{level} on Query {{ ...F{next} ...F{next} }}"
        ));
    }
    text + &format!(" fragment F{levels} on Query {{ __typename }}")
}

/// None of these is timed: without the guard, the first alone would not end within minutes.
#[tokio::test]
async fn attacks_are_refused_before_they_cost_anything() {
    let server = Fixture::start().await;
    let aliases: String = (0..2_000)
        .map(|number| format!("a{number}: __typename "))
        .collect();
    let attacks = [
        ("fragment bomb", bomb(28)),
        ("circular fragments", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }".to_owned()),
        ("aliases", format!("{{ {aliases} }}")),
        ("field duplication", format!("{{ {} }}", "__typename ".repeat(4_000))),
        ("directive overload", format!("{{ __typename {} }}", "@include(if: true) ".repeat(900))),
        ("deep nesting", format!("{}{}", "{ a ".repeat(2_000), "}".repeat(2_000))),
        ("deep list value", format!("{{ node(id: {}1{}) {{ id }} }}", "[".repeat(2_000), "]".repeat(2_000))),
        (
            "circular introspection",
            "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }".to_owned(),
        ),
        (
            "page sizes",
            "{ clients(first: 100) { edges { node { integrations(first: 100) { edges { node { syncRuns(first: 100) { edges { node { id } } } } } } } } } }"
                .to_owned(),
        ),
    ];
    for (name, query) in attacks {
        let body = json!({ "query": query });
        let answer = server.post(&body).await;
        assert!(
            matches!(answer.code().as_str(), "TOO_COMPLEX" | "BAD_USER_INPUT"),
            "{name}: {answer:?}"
        );
        assert!(answer.json().get("data").is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_page_is_not_larger_than_a_hundred() {
    let server = Fixture::start().await;
    for arguments in [
        "first: 101",
        "last: 101",
        "first: -1",
        "first: 1, last: 1",
        "first: 3, after: \"nonsense\"",
    ] {
        let answer = server
            .post(&json!({ "query": format!("{{ clients({arguments}) {{ totalCount }} }}") }))
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (200, "BAD_USER_INPUT"),
            "{arguments}"
        );
    }
}

#[tokio::test]
async fn an_unreadable_value_is_bad_input() {
    let server = Fixture::start().await;
    let query = "query ($after: DateTime) { syncRuns(filter: { queuedAfter: $after }) { totalCount } }";
    for (query, variables) in [
        (query, json!({ "after": "yesterday" })),
        (query, json!({ "after": 7 })),
        (
            "query ($first: Int) { clients(first: $first) { totalCount } }",
            json!({ "first": 5_000_000_000_i64 }),
        ),
        ("{ clients(first: 5000000000) { totalCount } }", json!({})),
    ] {
        let answer = server
            .post(&json!({ "query": query, "variables": variables }))
            .await;
        assert_eq!(
            answer.code(),
            "BAD_USER_INPUT",
            "{query} {variables}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn graphiql_s_introspection_passes() {
    let server = Fixture::start().await;
    let data = server
        .data(include_str!("introspection.graphql"), json!({}))
        .await;
    assert!(data["__schema"]["types"].as_array().unwrap().len() > 60);
}
