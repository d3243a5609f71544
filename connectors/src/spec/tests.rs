use serde_json::{Value, json};

use super::Spec;

fn spec() -> Spec {
    Spec::new(
        json!({
            "title": "Shop Spec",
            "type": "object",
            "required": ["start_date", "credentials"],
            "additionalProperties": false,
            "properties": {
                "start_date": { "type": "string", "title": "Start date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "examples": ["2024-01-31"] },
                "pages": { "type": "integer", "minimum": 1, "description": "How many pages. Not more." },
                "region": { "type": "string", "enum": ["eu", "us"] },
                "hooks": { "type": "array", "items": { "type": "object", "properties": {
                    "url": { "type": "string" }, "key": { "type": "string", "airbyte_secret": true } } } },
                "credentials": {
                    "type": "object",
                    "oneOf": [
                        { "title": "Token", "required": ["kind", "token"], "properties": {
                            "kind": { "type": "string", "const": "token" },
                            "token": { "type": "string", "airbyte_secret": true } } },
                        { "title": "OAuth", "required": ["kind", "client"], "properties": {
                            "kind": { "type": "string", "const": "oauth" },
                            "client": { "type": "object", "required": ["secret"], "properties": {
                                "id": { "type": "string" },
                                "secret": { "type": "string", "minLength": 8, "airbyte_secret": true } } } } }
                    ]
                }
            }
        }),
        None,
    )
    .expect("it is a schema")
}

fn faults(config: &Value) -> Vec<String> {
    spec().validate(config).iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_configuration_has_no_faults() {
    let config = json!({ "start_date": "2024-01-31", "credentials": { "kind": "token", "token": "s3cret" } });
    assert_eq!(faults(&config), Vec::<String>::new());
}

#[test]
fn each_fault_names_its_field_and_what_to_do() {
    let config = json!({
        "start_date": "yesterday", "pages": "many", "region": "mars", "regoin": "eu",
        "credentials": { "kind": "token", "token": "x" }
    });
    let mut found = faults(&config);
    found.sort();
    assert_eq!(
        found,
        [
            "pages: has to be a whole number, not a text (How many pages)",
            "region: has to be one of \"eu\", \"us\"",
            "regoin: is not a field of this connector; did you mean region?",
            "start_date: has to match the pattern ^[0-9]{4}-[0-9]{2}-[0-9]{2}$, such as 2024-01-31 (Start date)",
        ]
    );
}

#[test]
fn what_is_missing_is_named_with_an_example() {
    assert_eq!(
        faults(&json!({})),
        [
            "start_date: is required (Start date): give a text, such as 2024-01-31",
            "credentials: is required: give an object"
        ]
    );
}

#[test]
fn of_alternatives_the_one_that_was_meant_is_checked_and_no_secret_is_told() {
    let config = json!({ "start_date": "2024-01-31", "credentials": { "kind": "oauth", "client": { "id": "a", "secret": "hunter2" } } });
    assert_eq!(
        faults(&config),
        ["credentials.client.secret: needs at least 8 characters"]
    );
    let config = json!({ "start_date": "2024-01-31", "credentials": { "kind": "magic" } });
    assert_eq!(
        faults(&config),
        [
            "credentials: fits none of the alternatives; write one of: Token (kind: \"token\"), or OAuth (kind: \"oauth\")"
        ]
    );
}

#[test]
fn secrets_are_found_in_alternatives_and_lists() {
    assert_eq!(
        spec().secret_paths(),
        [
            vec!["credentials", "client", "secret"],
            vec!["credentials", "token"],
            vec!["hooks", "*", "key"]
        ]
    );
}

fn full() -> Value {
    json!({
        "start_date": "2024-01-31",
        "hooks": [{ "url": "u", "key": "k1" }, { "url": "v" }],
        "credentials": { "kind": "oauth", "client": { "id": "a", "secret": "hunter22" } }
    })
}

#[test]
fn masking_hides_secrets_and_nothing_else() {
    assert_eq!(
        spec().mask(&full()),
        json!({
            "start_date": "2024-01-31",
            "hooks": [{ "url": "u", "key": "******" }, { "url": "v" }],
            "credentials": { "kind": "oauth", "client": { "id": "a", "secret": "******" } }
        })
    );
}

#[test]
fn what_is_split_merges_back() {
    let (public, secret) = spec().split(&full());
    assert!(
        !public.to_string().contains("hunter22") && !public.to_string().contains("k1"),
        "{public}"
    );
    assert_eq!(
        secret,
        json!({ "hooks": [{ "key": "k1" }, null], "credentials": { "client": { "secret": "hunter22" } } })
    );
    assert_eq!(Spec::merge(public, secret), full());
}

#[test]
fn a_mask_that_comes_back_keeps_the_secret() {
    let mut new = spec().mask(&full());
    new["start_date"] = json!("2025-01-01");
    let kept = spec().keep_masked(&full(), &new);
    assert_eq!(kept["credentials"]["client"]["secret"], "hunter22");
    assert_eq!(kept["hooks"][0]["key"], "k1");
    assert_eq!(kept["start_date"], "2025-01-01");
    let without = spec().keep_masked(
        &json!({}),
        &json!({ "credentials": { "kind": "token", "token": "******" } }),
    );
    assert_eq!(
        without,
        json!({ "credentials": { "kind": "token" } }),
        "a mask never becomes a secret"
    );
}

#[test]
fn the_title_loses_its_last_word() {
    assert_eq!(spec().title(), Some("Shop"));
    assert_eq!(Spec::default().title(), None);
}
