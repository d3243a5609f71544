use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{PathPart, Record, find, fnmatch, get, select};
use crate::json::Body;

fn cut(body: &str, path: &[&str]) -> Vec<String> {
    let path: Vec<_> = path.iter().map(|part| PathPart::new(part)).collect();
    let body = Body::new(&Bytes::copy_from_slice(body.as_bytes())).unwrap();
    select(&body, &path)
        .unwrap()
        .iter()
        .map(|record| record.json().to_owned())
        .collect()
}

#[test]
fn finds_records_as_the_reference_does() {
    for (body, path, records) in [
        (
            r#"[{"a":1}, {"a":2}]"#,
            &[][..],
            &[r#"{"a":1}"#, r#"{"a":2}"#][..],
        ),
        (
            r#"{"data":{"items":[ 1 ,null, "x"]}}"#,
            &["data", "items"],
            &["1", "null", "\"x\""],
        ),
        (r#"{"data":{"a":1}}"#, &["data"], &[r#"{"a":1}"#]),
        (r#"{"a":1}"#, &[], &[r#"{"a":1}"#]),
        (r#"{"a":1}"#, &["b"], &[]),
        (r#"{"a":1}"#, &["a", "b"], &[]),
        (r#"{"a":{ }}"#, &["a"], &[]),
        (r#"{"a":null}"#, &["a"], &[]),
        (r#"{"a":0.0}"#, &["a"], &[]),
        ("[]", &[], &[]),
        ("[[1,2],[3]]", &[], &["1", "2", "3"]),
        (r#"[null,{},{"a":1}]"#, &[], &[r#"{"a":1}"#]),
        (r#"[{"d":[1]},{"d":[2,3]},{}]"#, &["d"], &["1", "2", "3"]),
        (r#"{"a":[1],"a":[2]}"#, &["a"], &["2"]),
        (r#"{"\u0061":[1]}"#, &["a"], &["1"]),
        (
            r#"{"d":{"x":{"i":1},"y":{"i":2}}}"#,
            &["d", "*"],
            &[r#"{"i":1}"#, r#"{"i":2}"#],
        ),
        (
            r#"{"d":[{"i":[1,2]},{"i":3},{"j":4}]}"#,
            &["d", "*", "i"],
            &["[1,2]", "3"],
        ),
        (r#"{"d":[[1],[2]]}"#, &["d", "1"], &["2"]),
        (r#"{"d":[[1],[2]]}"#, &["d", "-1"], &["2"]),
        (r#"{"page_1":[1]}"#, &["page_?"], &["1"]),
    ] {
        assert_eq!(cut(body, path), records, "{body} {path:?}");
    }
}

#[test]
fn broken_bodies_are_errors_wherever_they_break() {
    let whole = r#"{"meta":{"n":[1,2]},"data":[{"id":1,"t":"a\"b"},{"id":2}],"next":null}"#;
    let path = [PathPart::new("data")];
    for end in 0..whole.len() {
        let body = Body::new(&Bytes::copy_from_slice(&whole.as_bytes()[..end])).unwrap();
        let error = select(&body, &path).unwrap_err();
        assert!(error.offset <= end);
    }
    assert!(select(&Body::new(&Bytes::from_static(b"<html>")).unwrap(), &path).is_err());
    assert!(Body::new(&Bytes::from_static(b"\"\xff\"")).is_err());
    assert_eq!(cut("\u{feff}{\"data\":[1]}", &["data"]), ["1"]);
}

#[test]
fn gets_fields() {
    let record = Record::from_json(r#"{"id": 7, "a": {"b": [10, {"c": "x"}]}, "a.b": 1}"#);
    assert_eq!(get(&record, &["id"]), Some("7"));
    assert_eq!(get(&record, &["a", "b", "1", "c"]), Some("\"x\""));
    assert_eq!(get(&record, &["a", "b", "-2"]), Some("10"));
    assert_eq!(get(&record, &["a", "b", "2"]), None);
    assert_eq!(get(&record, &["a.b"]), Some("1"));
    assert_eq!(get(&record, &["id", "x"]), None);
    assert_eq!(find("{\"a\":1,\"a\":2}", &["a"]), Some("1"));
    assert!(record.is_object());
}

#[test]
fn shell_patterns() {
    for (pattern, text, fits) in [
        ("*", "", true),
        ("a*c", "abbc", true),
        ("a*c", "abbd", false),
        ("a?c", "abc", true),
        ("[ab]x", "bx", true),
        ("[!ab]x", "bx", false),
        ("[a-c]*", "cat", true),
        ("[", "[", true),
        ("[]]", "]", true),
        ("**", "ab", true),
    ] {
        assert_eq!(fnmatch(pattern, text), fits, "{pattern} {text}");
    }
}

proptest! {
    #[test]
    fn select_is_what_a_tree_gives(items in prop::collection::vec(crate::json::tests::json(), 0..5), pretty: bool) {
        let document = json!({"meta": {"items": [0]}, "items": items, "other": [1]});
        let text = if pretty { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() };
        let cut = cut(&text, &["items"]);
        let parsed: Vec<Value> = cut.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let reread: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Value::from(parsed), reread["items"].clone());
    }

    #[test]
    fn never_panics(text in "[\\[\\]{}\",:0-9e.\\-\\\\a ]{0,40}", path in prop::collection::vec("[a*?\\[\\]0\\-]{0,3}", 0..3)) {
        let path: Vec<_> = path.iter().map(|part| PathPart::new(part)).collect();
        if let Ok(body) = Body::new(&Bytes::from(text.clone().into_bytes())) {
            let _ = select(&body, &path);
        }
        let _ = find(&text, &["a", "0"]);
    }
}
