use proptest::prelude::*;
use serde_json::Value;

use super::scan::Scanner;
use super::{MAX_DEPTH, parse};

fn accepts(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.space();
    scanner.skip(0).and_then(|_| scanner.end()).is_ok()
}

/// JSON trees of moderate size.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(Value::from),
        (-1000i32..1000).prop_map(|n| Value::from(f64::from(n) / 4.0)),
        ".{0,12}".prop_map(Value::from),
        "[a-z\"\\\\/\n\u{0}é😀]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-c\"\\\\é]{0,3}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn refuses_what_is_not_json() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1,]",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "01",
        "-",
        "1.",
        "1e",
        ".5",
        "+1",
        "nul",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\n\"",
        "[1 2]",
        "1 2",
        "{}{}",
        "]",
        "<html></html>",
        "'a'",
        "NaN",
        "[1}",
        "{\"a\":1]",
    ] {
        assert!(!accepts(text), "{text:?} was taken for JSON");
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(accepts(&nested(MAX_DEPTH)));
    assert!(!accepts(&nested(MAX_DEPTH + 1)));
    assert!(!accepts(&"[".repeat(1_000_000)));
    assert!(!accepts(&"{\"a\":".repeat(1_000_000)));
    assert!(parse(&nested(100_000)).is_err());
}

#[test]
fn half_a_surrogate_pair_is_read() {
    assert_eq!(
        parse(r#"["\ud83d", "\ud83d\ude00", "\ud83dx"]"#),
        Ok(serde_json::json!(["\u{fffd}", "😀", "\u{fffd}x"]))
    );
}

#[test]
fn a_projection_has_what_is_mentioned() {
    let body = super::Body::new(&bytes::Bytes::from_static(
        br#"{"data":[{"id":1},{"id":2}],"meta":{"next":"n","total":9,"deep":{"a":1,"b":2}},"x":null,"y":[1]}"#,
    ))
    .unwrap();
    let project = |paths: &[&[&str]]| {
        let paths: Vec<Vec<String>> = paths
            .iter()
            .map(|path| path.iter().map(|&part| part.to_owned()).collect())
            .collect();
        body.project(&paths).unwrap()
    };
    assert_eq!(project(&[]), serde_json::json!({}));
    assert_eq!(
        project(&[&["meta", "next"], &["x", "z"]]),
        serde_json::json!({"meta": {"next": "n"}, "x": null})
    );
    assert_eq!(
        project(&[&["meta", "deep"], &["meta", "deep", "a"], &["y", "z"]]),
        serde_json::json!({"meta": {"deep": {"a": 1, "b": 2}}, "y": [1]})
    );
    assert_eq!(project(&[&[]]), body.to_value().unwrap());
}

proptest! {
    #[test]
    fn agrees_with_serde_json(text in "[\\[\\]{}\",:0-9eE.+\\-\\\\ truefalsn\n\u{1}é]{0,24}") {
        let theirs = serde_json::from_str::<Value>(&text).is_ok();
        let range = text.contains(['e', 'E']);
        prop_assert!(accepts(&text) == theirs || range, "{:?}", text);
    }

    #[test]
    fn reads_what_serde_json_writes(value in json()) {
        let text = value.to_string();
        prop_assert!(accepts(&text));
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert!(accepts(&pretty));
        for cut in 1..text.len().min(40) {
            if let Some(half) = text.get(..text.len() - cut) {
                let _ = accepts(half);
            }
        }
        let mut scanner = Scanner::new(&text);
        prop_assert_eq!(super::tree(&mut scanner, 0).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn never_panics(text in ".{0,64}") {
        accepts(&text);
        let _ = parse(&text);
    }
}
