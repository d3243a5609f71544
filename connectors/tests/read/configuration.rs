//! What a manifest does to a configuration, as the upstream and the person see it.

use connectors::read::{Checkpoint, ErrorKind};
use serde_json::{Value, json};

use crate::upstream::{Upstream, connector, items, ok, pages, request};

/// A manifest with these rules, whose request shows the configuration.
fn with_rules(upstream: &Upstream, rules: &str) -> String {
    let yaml = items(&upstream.base(), "/items", "", "");
    let shown = "http_method: GET\n        request_parameters: {shown: \"{{ config | tojson }}\"}\n      record_selector";
    let yaml = yaml.replace("http_method: GET\n      record_selector", shown);
    let indented: String = rules.lines().map(|line| format!("    {line}\n")).collect();
    yaml.replace("spec:\n  type: Spec\n", &format!("spec:\n  type: Spec\n  config_normalization_rules:\n    type: ConfigNormalizationRules\n{indented}"))
}

async fn read(rules: &str, config: Value) -> Result<Value, connectors::error::ReadError> {
    let upstream = Upstream::start(|_| ok(&json!({"data": []}))).await;
    let connector = connector(&with_rules(&upstream, rules));
    let read = connector.read(&upstream.context(), request(config, Checkpoint::default()))?;
    pages(read).await.map_err(|(_, error)| error)?;
    let seen = upstream.seen();
    Ok(serde_json::from_str(seen[0].get("shown").unwrap()).unwrap())
}

#[tokio::test]
async fn rules_run_in_order_before_anything_reads_the_configuration() {
    let rules = r#"
config_migrations:
  - type: ConfigMigration
    transformations:
      - type: ConfigAddFields
        condition: "{{ config.get('old') is not none and value }}"
        fields:
          - {type: AddedFieldDefinition, path: [credentials, key], value: "{{ config['old'] }}"}
          - {type: AddedFieldDefinition, path: [copy], value: "{{ config['credentials']['key'] }}", value_type: string}
      - {type: ConfigRemoveFields, field_pointers: [[old], [lists, "*", gone]]}
transformations:
  - {type: ConfigRemapField, field_path: [region], map: {eu: "https://{{ config['copy'] }}.eu", us: x}}
  - {type: ConfigRemapField, field_path: [credentials, kind], map: "{{ config['kinds'] }}"}
  - type: ConfigRemoveFields
    condition: "{{ config['region'] == 'nowhere' }}"
    field_pointers: [[region]]"#;
    let config = json!({
        "old": "7", "region": "eu", "kinds": {"a": "b"}, "credentials": {"kind": "a"}, "lists": {"x": {"gone": 1, "stays": 2}},
    });
    let expected = json!({
        "copy": "7", "region": "https://7.eu", "kinds": {"a": "b"}, "credentials": {"kind": "b", "key": 7},
        "lists": {"x": {"stays": 2}},
    });
    assert_eq!(read(rules, config).await.unwrap(), expected);
    // What is migrated already stays as it is.
    assert_eq!(
        read(rules, expected.clone()).await.unwrap(),
        json!({
            "copy": "7", "region": "https://7.eu", "kinds": {"a": "b"}, "credentials": {"kind": "b", "key": 7},
            "lists": {"x": {"stays": 2}},
        })
    );
}

#[tokio::test]
async fn validations_name_the_field_and_never_its_value() {
    let rules = r#"
validations:
  - type: DpathValidator
    field_path: [report]
    validation_strategy:
      type: ValidateAdheresToSchema
      base_schema: '{"type": "object", "required": ["name"]}'
  - type: DpathValidator
    field_path: [reports, "*", size]
    validation_strategy: {type: ValidateAdheresToSchema, base_schema: {type: integer, minimum: 1}}
  - type: PredicateValidator
    value: "{{ config.get('parts', []) }}"
    validation_strategy: {type: ValidateAdheresToSchema, base_schema: "{{ {'type': 'array', 'maxItems': 1} }}"}"#;
    for good in [
        json!({}),
        json!({"report": "{\"name\": 1}", "reports": [{"size": 1}, {"size": "2"}], "parts": [1]}),
    ] {
        read(rules, good).await.unwrap();
    }
    for (bad, named) in [
        (
            json!({"report": "{secret"}),
            "The configuration's report has to hold JSON",
        ),
        (
            json!({"report": {"title": "secret"}}),
            "The configuration's report is not as",
        ),
        (
            json!({"reports": [{"size": 1}, {"size": 0}]}),
            "The configuration's reports.*.size",
        ),
        (
            json!({"parts": ["secret", 2]}),
            "A value that the manifest computes",
        ),
    ] {
        let error = read(rules, bad).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Config);
        assert!(
            error.message.starts_with(named) && !error.message.contains("secret"),
            "{}",
            error.message
        );
    }
}

#[tokio::test]
async fn a_check_is_of_the_migrated_configuration() {
    let rules = r#"
transformations:
  - type: ConfigAddFields
    fields: [{type: AddedFieldDefinition, path: [start], value: "{{ config['begin'] }}", value_type: string}]"#;
    let upstream = Upstream::start(|_| ok(&json!({"data": [{"id": 1}]}))).await;
    let yaml = with_rules(&upstream, rules).replace(
        "    properties:\n      api_key",
        "    required: [start]\n    properties:\n      api_key",
    );
    let connector = connector(&yaml);
    connector
        .check(&upstream.context(), &json!({"begin": "2026-01-01"}))
        .await
        .unwrap();
}
