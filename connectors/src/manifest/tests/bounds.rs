//! Nothing that anybody writes may take a load down, or for long.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::load;
use super::{RETRIEVER, around};

#[test]
fn a_billion_laughs_by_anchors_is_refused() {
    let mut yaml = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(yaml, "a{level}: &a{level} [{inner}]").expect("writing to a text");
    }
    let faults = load(&yaml).expect_err("ten to the twelfth");
    assert_eq!(faults[0].component, "YAML");
}

#[test]
fn a_billion_laughs_by_references_is_refused_where_it_is_expanded() {
    let mut definitions = "definitions:\n  a0: { type: array, items: { type: string } }\n".to_owned();
    for level in 1..40 {
        let inner = (0..10)
            .map(|n| format!("k{n}: '#/definitions/a{}'", level - 1))
            .collect::<Vec<_>>()
            .join(", ");
        writeln!(
            definitions,
            "  a{level}: {{ type: object, properties: {{ {inner} }} }}"
        )
        .expect("writing to a text");
    }
    let schema = "    schema_loader:\n      type: InlineSchemaLoader\n      schema: '#/definitions/a39'\n";
    let faults =
        load(&format!("{}{schema}{definitions}", around(RETRIEVER))).expect_err("ten to the fortieth");
    assert!(
        faults
            .iter()
            .any(|fault| fault.message.contains("expands to more")),
        "{faults:#?}"
    );

    let mut components =
        "definitions:\n  r0: { type: CompositeErrorHandler, error_handlers: [] }\n".to_owned();
    for level in 1..40 {
        let inner = vec![format!("'#/definitions/r{}'", level - 1); 10].join(", ");
        writeln!(
            components,
            "  r{level}: {{ type: CompositeErrorHandler, error_handlers: [{inner}] }}"
        )
        .expect("writing to a text");
    }
    let handler = RETRIEVER.replace(
        "path: /things",
        "path: /things\n  error_handler: '#/definitions/r39'",
    );
    let faults = load(&format!("{}{components}", around(&handler))).expect_err("ten to the fortieth");
    assert!(
        faults
            .iter()
            .any(|fault| fault.message.contains("more than can be loaded")),
        "{faults:#?}"
    );
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    for yaml in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert!(load(&yaml).is_err());
    }
}

#[test]
fn long_reference_chains_do_not_overflow() {
    let mut yaml = around(&RETRIEVER.replace("path: /things", "path: '#/definitions/p0'"));
    yaml.push_str("definitions:\n");
    for n in 0..20_000 {
        writeln!(yaml, "  p{n}: '#/definitions/p{}'", n + 1).expect("writing to a text");
    }
    yaml.push_str("  p20000: /things\n");
    let faults = load(&yaml).expect_err("too deep");
    assert!(
        faults.iter().any(|fault| fault.message.contains("deeper than")),
        "{:#?}",
        &faults[..1]
    );
}

/// Documents that look like manifests, with everything in the wrong place.
fn document() -> impl Strategy<Value = serde_json::Value> {
    let words = prop::sample::select(vec![
        "type",
        "streams",
        "check",
        "spec",
        "retriever",
        "requester",
        "$ref",
        "$parameters",
        "name",
        "path",
        "definitions",
        "#/definitions/a",
        "#/streams/0",
        "#/",
        "a",
        "SimpleRetriever",
        "HttpRequester",
        "DeclarativeStream",
        "CheckStream",
        "DpathExtractor",
        "RecordSelector",
        "CursorPagination",
        "DefaultPaginator",
        "{{ config['a'] }}",
        "{% if",
        "object",
        "connection_specification",
        "authenticator",
        "error_handler",
        "paginator",
        "version",
        "7.0.0",
        "incremental_sync",
        "DatetimeBasedCursor",
        "partition_router",
        "SubstreamPartitionRouter",
        "OAuthAuthenticator",
        "",
        "𝄞",
    ]);
    let leaf = prop_oneof![
        words.clone().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(8, 128, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::vec((words.clone(), inner), 0..8).prop_map(|pairs| {
                pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,400}") {
        let _ = load(&text);
    }

    #[test]
    fn no_yaml_shaped_text_panics(text in "([a-z$]{1,8}|[-:?&*!|>'\"%@`{}\\[\\],# \n]|\\{\\{|#/a){0,120}") {
        let _ = load(&text);
    }

    #[test]
    fn no_document_panics(document in document()) {
        let _ = load(&document.to_string());
    }

    #[test]
    fn no_change_of_a_good_manifest_panics(at in 0_usize..400, with in document()) {
        let mut yaml = around(RETRIEVER);
        let at = (0..=at.min(yaml.len())).rev().find(|at| yaml.is_char_boundary(*at)).unwrap_or(0);
        let end = yaml[at..].find('\n').map_or(yaml.len(), |end| at + end);
        yaml.replace_range(at..end, &with.to_string());
        let _ = load(&yaml);
    }
}
