//! One form for one meaning, against a slow and obvious version of the same.

use proptest::prelude::*;
use serde_json::Value;

use super::{canonicalise, hash};
use crate::json::MAX_DEPTH;

fn naive(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| (Value::from(name.as_str()).to_string(), naive(value)))
                .collect();
            members.sort();
            let members: Vec<_> = members
                .into_iter()
                .map(|(name, value)| format!("{name}:{value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(elements) => {
            format!("[{}]", elements.iter().map(naive).collect::<Vec<_>>().join(","))
        }
        Value::Number(number) if number.is_f64() => (number.as_f64().unwrap() + 0.0).to_string(),
        other => other.to_string(),
    }
}

#[test]
fn one_form_for_one_meaning() {
    for (text, form) in [
        (r#" { "b" : 1 , "a" : [ ] } "#, r#"{"a":[],"b":1}"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        (
            r#"{"b":{"z":1,"y":{"x":1,"w":2}},"a":[{"d":1,"c":2}]}"#,
            r#"{"a":[{"c":2,"d":1}],"b":{"y":{"w":2,"x":1},"z":1}}"#,
        ),
        ("[3.0, 3, 30e-1, 0.3E1, -0, -0.0, 0.0e5]", "[3,3,3,3,0,0,0]"),
        (
            "[1.10, 100.00, 0.5, 1e2, 1E-7, 12345678901234567890123]",
            "[1.1,100,0.5,100,0.0000001,12345678901234567890123]",
        ),
        (
            r#""\u0041\/\u00e9\n\u0001\ud83d\ude00\ud83d""#,
            "\"A/é\\n\\u0001😀\\ud83d\"",
        ),
        (r#"{"\u0061":1,"a":2}"#, r#"{"a":2}"#),
        ("1e999", "1e999"),
    ] {
        assert_eq!(canonicalise(text).as_deref(), Ok(form), "{text}");
    }
}

/// The key of the published test vectors.
const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

#[test]
fn hash_is_of_the_form() {
    assert_eq!(
        hash(r#"{"b":1.0,"a":"x"}"#, &KEY),
        hash(r#"{ "a":"\u0078", "b":1 }"#, &KEY)
    );
    assert_ne!(hash("{}", &KEY), hash("{}", &[0; 16]));
    assert_ne!(hash(r#"{"a":1}"#, &KEY), hash(r#"{"a":"1"}"#, &KEY));
    // Hashes are kept in databases: this one must never change.
    assert_eq!(hash("{}", &KEY).unwrap()[..4], [120, 118, 118, 157]);
}

#[test]
fn bad_text_and_depth_are_errors() {
    for text in ["", "{", "{\"a\"", "[1,", "{}x", "tru"] {
        assert!(hash(text, &KEY).is_err(), "{text}");
    }
    assert!(hash(&"[".repeat(MAX_DEPTH + 2), &KEY).is_err());
    assert!(hash(&"{\"a\":".repeat(100_000), &KEY).is_err());
}

proptest! {
    #[test]
    fn like_the_tree(value in crate::json::tests::json()) {
        let form = canonicalise(&value.to_string()).unwrap();
        prop_assert_eq!(&form, &naive(&value));
        prop_assert_eq!(canonicalise(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), form.clone());
        prop_assert_eq!(canonicalise(&form).unwrap(), form);
    }

    #[test]
    fn never_panics(text in "[\\[\\]{}\",:0-9eE.\\-\\\\ud]{0,32}") {
        let _ = hash(&text, &KEY);
    }
}
