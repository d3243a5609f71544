//! `reference.json` holds what airbyte-cdk 7.39.1 made of some six hundred templates (time standing at
//! 2026-06-15T12:00Z): as a value, as an entry of request parameters, as text, as a condition.

use platform::clock::ManualClock;
use platform::random::SeededRandom;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Reads, Scope, SliceView, Template, TemplateError, ValidTypes, Variable};

pub(crate) fn with_scope<T>(given: &Value, act: impl FnOnce(Scope<'_>) -> T) -> T {
    let clock = ManualClock::at("2026-06-15T12:00:00Z".parse().unwrap());
    let random = SeededRandom::new(1);
    let empty = json!({});
    let none = Map::new();
    let given = given.as_object().unwrap();
    let or_empty = |name: &str| given.get(name).unwrap_or(&empty);
    let mut scope = Scope::new(&clock, &random, or_empty("config"), or_empty("parameters"));
    for name in [
        "next_page_token",
        "record",
        "response",
        "headers",
        "last_record",
        "last_page_size",
    ] {
        if let Some(value) = given.get(name) {
            scope.bind(name, Variable::Json(value));
        }
    }
    if let Some(Value::Object(fields)) = given.get("stream_slice") {
        let slice = SliceView {
            fields,
            partition: fields,
            cursor_slice: &none,
            extra_fields: &none,
        };
        scope.bind("stream_slice", Variable::Slice(slice));
    }
    act(scope)
}

pub(crate) fn outcome(result: Result<Value, TemplateError>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(TemplateError::Undefined(_)) => "undefined".into(),
        Err(_) => "error".into(),
    }
}

#[test]
fn evaluates_as_the_reference() {
    let reference: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let mut different = Vec::new();
    for case in reference["cases"].as_array().unwrap() {
        let source = case["t"].as_str().unwrap();
        let Ok(template) = Template::parse(source) else {
            if case["value"] != "parse" {
                different.push(format!("{source:?} does not parse"));
            }
            continue;
        };
        with_scope(&reference["scope"], |scope| {
            let value = outcome(template.evaluate(&scope));
            let entry = outcome(template.evaluate_entry(&scope, ValidTypes::REQUEST));
            let text = outcome(template.evaluate_str(&scope).map(Value::from));
            let holds = match outcome(template.evaluate_bool(&scope).map(Value::from)) {
                Value::Object(ok) => ok["ok"].clone(),
                fail => fail,
            };
            for (way, ours, theirs) in [
                ("value", value, &case["value"]),
                ("entry", entry, case.get("entry").unwrap_or(&case["value"])),
                ("text", text, case.get("text").unwrap_or(&case["value"])),
                ("bool", holds, &case["bool"]),
            ] {
                // As text: to a comparison of trees 1 and 1.0 differ, and members have no order.
                let (ours, theirs) = (ours.to_string(), theirs.to_string());
                if ours != theirs {
                    different.push(format!("{source:?} as {way}: {ours}, not {theirs}"));
                }
            }
        });
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn evaluated(source: &str) -> Result<Value, TemplateError> {
    let scope = json!({"config": {"n": 3, "l": [1, 2], "s": "x"}, "response": {"a": 1}});
    with_scope(&scope, |scope| {
        Template::parse(source).unwrap().evaluate(&scope.fuel(10_000))
    })
}

#[test]
fn fuel_and_sizes_are_bounded() {
    let digits = "{% for b in '0123456789' %}";
    let endless = digits.repeat(7) + "x" + &"{% endfor %}".repeat(7);
    assert_eq!(evaluated(&endless), Err(TemplateError::OutOfFuel));
    for source in [
        "{{ 'x' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 'x'.zfill(1000000000) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
        "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'|regex_search('(?=(a+)+$)(b)') }}",
    ] {
        assert!(
            evaluated(source).is_err() || evaluated(source) == Ok("".into()),
            "{source}"
        );
    }
}

#[test]
fn nesting_is_bounded() {
    for source in [
        "{{ ".to_owned() + &"(".repeat(10_000) + "1" + &")".repeat(10_000) + " }}",
        "{{ ".to_owned() + &"[".repeat(10_000) + " }}",
        "{{ ".to_owned() + &"not ".repeat(10_000) + "1 }}",
        "{{ ".to_owned() + &"-".repeat(10_000) + "1 }}",
        "{{ 1".to_owned() + &" + 1".repeat(10_000) + " }}",
        "{{ x".to_owned() + &".x".repeat(10_000) + " }}",
        "{{ 1".to_owned() + &" if 1 else 1".repeat(10_000) + " }}",
        "{% if 1 %}".repeat(10_000),
    ] {
        assert!(Template::parse(&source).is_err(), "{}", &source[..20]);
    }
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    assert_eq!(evaluated(&deep), Ok(deep.into()));
    let nested = format!("{{{{ {}1{} }}}}", "(1 + ".repeat(40), ")".repeat(40));
    assert_eq!(evaluated(&nested), Ok(json!(41)));
}

#[test]
fn faults_have_a_place() {
    for (source, offset) in [
        ("abc {{ 1 + }}", 11),
        ("{{ x | nofilter }}", 7),
        ("{% nope %}", 3),
        ("ab {{ 'x }}", 6),
    ] {
        assert_eq!(Template::parse(source).unwrap_err().offset, offset, "{source}");
    }
}

#[test]
fn tells_what_it_reads() {
    let reads = |source: &str| Template::parse(source).unwrap().reads("response");
    let paths = |paths: &[&[&str]]| {
        Reads::Paths(
            paths
                .iter()
                .map(|path| path.iter().map(|&part| part.to_owned()).collect())
                .collect(),
        )
    };
    assert_eq!(reads("{{ config.x }} response"), Reads::Nothing);
    assert_eq!(reads("{{ response }}"), Reads::Whole);
    assert_eq!(reads("{{ response.meta.next }}"), paths(&[&["meta", "next"]]));
    assert_eq!(
        reads("{{ response.get('meta', {}).get('next') is none }}"),
        paths(&[&["meta", "next"]])
    );
    assert_eq!(reads("{{ response['data'][-1].id }}"), paths(&[&["data"]]));
    assert_eq!(
        reads("{{ response.data|length == 0 and response.total }}"),
        paths(&[&["total"], &["data"]])
    );
    assert_eq!(reads("{{ 'a' in response }}"), Reads::Whole);
    assert_eq!(reads("{{ response.items() }}"), Reads::Whole);
    assert_eq!(reads("{{ response[config.key] }}"), Reads::Whole);
    let slice = Template::parse("{{ stream_partition.id }}").unwrap();
    assert!(slice.mentions("stream_slice") && slice.mentions("stream_interval") && !slice.mentions("config"));
}

#[test]
fn special_variables() {
    let clock = ManualClock::at("2026-06-15T12:00:00Z".parse().unwrap());
    let random = SeededRandom::new(1);
    let config = json!({});
    let headers = json!({"X-Next": "2", "link": {"next": {"url": "u"}}});
    let (fields, extra) = (json!({"id": 1}), json!({"name": "n"}));
    let none = Map::new();
    let slice = SliceView {
        fields: fields.as_object().unwrap(),
        partition: fields.as_object().unwrap(),
        cursor_slice: &none,
        extra_fields: extra.as_object().unwrap(),
    };
    let scope = Scope::new(&clock, &random, &config, &config)
        .with("headers", Variable::Headers(headers.as_object().unwrap()))
        .with("stream_slice", Variable::Slice(slice))
        .with("last_page_size", Variable::Int(5));
    let text = |source: &str| Template::parse(source).unwrap().evaluate_str(&scope);
    assert_eq!(
        text("{{ headers['x-next'] }}{{ headers.get('X-NEXT') }}").as_deref(),
        Ok("22")
    );
    assert_eq!(
        text("{{ stream_partition.extra_fields.name }}/{{ stream_slice.id }}").as_deref(),
        Ok("n/1")
    );
    assert_eq!(text("{{ last_page_size + 1 }}").as_deref(), Ok("6"));
    assert_eq!(text("{{ generate_uuid() }}").unwrap().len(), 36);
    let unknown = text("{{ records }}").unwrap_err().to_string();
    assert!(
        unknown.contains("records") && unknown.contains("stream_slice"),
        "{unknown}"
    );
    let condition = Template::parse("{{ config.a.b }}")
        .unwrap()
        .evaluate_condition(&scope)
        .unwrap();
    assert!(!condition.holds && condition.undefined.is_some());
}

proptest! {
    #[test]
    fn never_panics_on_text(source in ".{0,40}") {
        if let Ok(template) = Template::parse(&source) {
            let _ = with_scope(&json!({"config": {"a": 1}}), |scope| template.evaluate(&scope));
        }
    }

    #[test]
    fn never_panics_on_templates(
        parts in prop::collection::vec(prop::sample::select(vec![
            "config", ".", "a", "[", "]", "(", ")", "|", "'x'", "1", "-", "+", "*", "/", "%", "~", "length", "join",
            "is", "defined", "not", "in", "if", "else", "{", "}", ":", ",", "0", "2.5", "none", "split", "now_utc",
            "duration", "'P1M'", "'%5.2f'", "format", "'{:>3}'", "==", "<", "sort", "map", "first", "and", "**", "//",
        ]), 0..14),
        statement: bool,
    ) {
        let inner = parts.join(" ");
        let source = if statement { format!("{{% if {inner} %}}x{{% endif %}}") } else { format!("{{{{ {inner} }}}}") };
        if let Ok(template) = Template::parse(&source) {
            let given = json!({"config": {"a": [1, "é", {"b": null}]}, "record": {"a": 2}});
            let _ = with_scope(&given, |scope| {
                let _ = template.evaluate_entry(&scope, ValidTypes::REQUEST);
                let _ = template.evaluate_bool(&scope);
                template.evaluate_str(&scope)
            });
        }
    }

    #[test]
    fn literals_read_what_they_print(value in crate::json::tests::json()) {
        let given = json!({"config": {"v": value}});
        // As a part of a text the value is printed; the text is then read back.
        let template = Template::parse("{{ config.v }} ").unwrap();
        let read = with_scope(&given, |scope| template.evaluate(&scope)).unwrap();
        if !value.is_string() {
            prop_assert_eq!(read, given["config"]["v"].clone());
        }
    }

    #[test]
    fn never_panics_on_literals(text in "[\\[\\]{}()\"',:0-9eEjJx._+\\-\\\\ TrueNons#\n]{0,24}") {
        let _ = super::literal::evaluate(&text);
    }
}
