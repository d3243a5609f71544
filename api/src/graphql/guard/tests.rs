use std::time::Duration;

use async_graphql::Variables;
use async_graphql::parser::types::OperationType;
use platform::clock::{Clock, SystemClock};

use super::{Admitted, Code, Limits, Refusal};

fn admit(query: &str, operation: Option<&str>, variables: &Variables) -> Result<Admitted, Refusal> {
    super::admit(query, operation, variables, &Limits::default())
}

fn refused(query: &str) -> Refusal {
    admit(query, None, &Variables::default()).expect_err("this must not pass")
}

/// Fragments that each spread the next one twice: 2^levels fields from some hundred bytes.
fn bomb(levels: u32) -> String {
    let mut text = String::from("{ ...F0 }");
    for level in 0..levels {
        let next = level + 1;
        text.push_str(&format!(
            " fragment F{level} on Query {{ ...F{next} ...F{next} }}"
        ));
    }
    text.push_str(&format!(" fragment F{levels} on Query {{ __typename }}"));
    text
}

#[test]
fn a_fragment_bomb_is_refused_at_once() {
    let text = bomb(28);
    let clock = SystemClock;
    // The best of some: what else the machine does is not what is measured.
    let spent = (0..5).map(|_| {
        let before = clock.monotonic();
        assert_eq!(refused(&text).code, Code::TooComplex);
        clock.monotonic() - before
    });
    let spent = spent.min().unwrap();
    assert!(spent < Duration::from_millis(10), "took {spent:?}");
}

#[test]
fn every_way_to_be_large_is_refused() {
    let many = |unit: &str, count: usize| format!("{{ {} }}", unit.repeat(count));
    let aliases: String = (0..101).map(|number| format!("a{number}: __typename ")).collect();
    for (what, text) in [
        ("tokens", many("a ", 6_000)),
        (
            "fields",
            format!(
                "{} fragment F on Query {{ {} }}",
                many("...F ", 60),
                "a ".repeat(60)
            ),
        ),
        ("aliases", many(&aliases, 1)),
        ("depth", format!("{}{}", "{ a ".repeat(16), "}".repeat(16))),
        (
            "nesting",
            format!("{{ a(b: {}{}) }}", "[".repeat(60), "]".repeat(60)),
        ),
        ("directives", many("a @include(if: true) ", 51)),
        (
            "operations",
            (0..51)
                .map(|number| format!("query Q{number} {{ a }} "))
                .collect(),
        ),
        ("length", format!("{{ a }} #{}", "x".repeat(100_000))),
        (
            "introspection",
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".to_owned(),
        ),
    ] {
        assert_eq!(refused(&text).code, Code::TooComplex, "{what}");
    }
}

#[test]
fn what_stands_in_strings_and_comments_is_not_counted() {
    let text = format!(
        "# {}\n{{ a(b: \"{{{{ \\\" {}\", c: \"\"\"{}\"\"\") }}",
        "{".repeat(99),
        "(".repeat(99),
        "[".repeat(99)
    );
    assert!(admit(&text, None, &Variables::default()).is_ok());
}

#[test]
fn a_circle_of_fragments_is_bad_input() {
    let refusal = refused("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }");
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::BadUserInput, "Fragment \"A\" contains itself")
    );
}

#[test]
fn a_syntax_error_is_one_line_with_its_place() {
    let refusal = refused("{ a( }");
    assert_eq!(refusal.code, Code::BadUserInput);
    assert!(
        refusal.message.starts_with("Syntax error at line 1, column "),
        "{}",
        refusal.message
    );
    assert!(!refusal.message.contains('\n'), "{}", refusal.message);
    assert_eq!(refusal.locations.len(), 1);
}

#[test]
fn a_required_variable_must_come() {
    let query = "query Q($id: ID!, $first: Int! = 3) { a(id: $id, first: $first) }";
    assert_eq!(
        refused(query).message,
        "Variable \"$id\" of type \"ID!\" was not given"
    );
    let null = Variables::from_json(serde_json::json!({ "id": null }));
    assert_eq!(
        admit(query, None, &null).unwrap_err().message,
        "Variable \"$id\" of type \"ID!\" must not be null"
    );
    let given = Variables::from_json(serde_json::json!({ "id": "x" }));
    assert_eq!(
        admit(query, None, &given).unwrap().operation,
        OperationType::Query
    );
}

#[test]
fn the_operation_is_the_named_or_the_only_one() {
    let none = Variables::default();
    let two = "query A { a } mutation B { b }";
    assert_eq!(
        admit(two, Some("B"), &none).unwrap().operation,
        OperationType::Mutation
    );
    assert!(admit(two, None, &none).is_err());
    assert!(admit(two, Some("C"), &none).is_err());
    assert!(admit("{ a }", Some("A"), &none).is_err());
}

#[test]
fn a_subscription_has_one_root_also_in_a_fragment() {
    let none = Variables::default();
    for text in [
        "subscription { a b }",
        "subscription { a ...F } fragment F on Subscription { b }",
        "subscription { __typename }",
    ] {
        assert_eq!(
            admit(text, None, &none).unwrap_err().code,
            Code::BadUserInput,
            "{text}"
        );
    }
    let text = "subscription { ...F } fragment F on Subscription { a { ...G } } fragment G on A { b }";
    let admitted = admit(text, None, &none).unwrap();
    assert_eq!(
        admitted
            .document
            .fragments
            .keys()
            .map(|name| name.as_str())
            .collect::<Vec<_>>(),
        ["G"]
    );
}
