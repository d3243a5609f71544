//! The upstream's own words about an error, made fit to show.
//!
//! The reference looks for the first of a dozen usual keys; so do we, because manifests match on that text
//! (`error_message_contains`). What is *shown* of it is another matter: one line, short, without control
//! characters, and with the configuration's secrets taken out, since an upstream may repeat a token it
//! rejects.

use serde_json::Value;

use super::session::is_truthy;

/// The keys under which APIs explain themselves, in the order in which the reference tries them.
const KEYS: [&str; 12] = [
    "message",
    "messages",
    "error",
    "errors",
    "failures",
    "failure",
    "detail",
    "err",
    "error_message",
    "msg",
    "reason",
    "status_message",
];

/// An error page of more than this is not an explanation.
const SHOWN: usize = 200;

/// The explanation in a JSON answer, or the answer's text where it is not JSON.
pub(crate) fn error_message(body: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => explain(&value, 0),
        Err(_) => std::str::from_utf8(body).ok().map(ToOwned::to_owned),
    }
}

fn explain(value: &Value, depth: usize) -> Option<String> {
    if depth > 16 {
        return None;
    }
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(
            items
                .iter()
                .filter_map(|item| explain(item, depth + 1))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        Value::Object(fields) => {
            let found = KEYS
                .iter()
                .find_map(|key| fields.get(*key).filter(|value| is_truthy(value)))?;
            explain(found, depth + 1)
        }
        _ => None,
    }
}

/// One short printable line of somebody else's text, or nothing where it is markup or empty.
pub(crate) fn presentable(text: &str) -> Option<String> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.starts_with('<') {
        return None;
    }
    let mut shown = String::new();
    for word in trimmed.split_whitespace() {
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.extend(word.chars().filter(|character| !character.is_control()));
        if shown.chars().count() > SHOWN {
            let mut cut: String = shown.chars().take(SHOWN).collect();
            cut.push('…');
            return Some(cut);
        }
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_usual_keys() {
        let message = |text: &str| error_message(text.as_bytes());
        assert_eq!(
            message(r#"{"error":{"message":"no such thing"}}"#).as_deref(),
            Some("no such thing")
        );
        assert_eq!(
            message(r#"{"message":"","errors":[{"detail":"a"},{"msg":"b"}]}"#).as_deref(),
            Some("a, b")
        );
        assert_eq!(message(r#"{"code":7}"#), None);
        assert_eq!(message("plain text").as_deref(), Some("plain text"));
    }

    #[test]
    fn shows_one_short_line() {
        assert_eq!(presentable("<html><body>x"), None);
        assert_eq!(presentable("  "), None);
        assert_eq!(presentable("a\n\u{7}b\tc").as_deref(), Some("a b c"));
        assert_eq!(
            presentable(&"x".repeat(5_000)).unwrap().chars().count(),
            SHOWN + 1
        );
    }
}
