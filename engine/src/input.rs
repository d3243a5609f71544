//! What a caller's texts and objects must be before they reach a table.
//!
//! Each check adds its refusal to a list instead of stopping at the first: who fills in a form wants to hear
//! of every mistake at once.

use serde_json::Value;

use crate::outcome::Refusal;
use crate::store::stored_json::has_nul;

/// The longest name, in characters.
pub(crate) const LONGEST_NAME: usize = 200;
/// The largest JSON object that a caller may have kept, in bytes of its text.
pub(crate) const LARGEST_OBJECT: usize = 64 * 1024;

const LONGEST_SLUG: usize = 63;

/// `[a-z0-9][a-z0-9-]{0,62}`.
pub(crate) fn is_slug(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= LONGEST_SLUG
        && text.bytes().next().is_some_and(letter)
        && text.bytes().all(|byte| letter(byte) || byte == b'-')
}

/// Refuses what is no slug.
pub(crate) fn check_slug(slug: &str, field: &str, refusals: &mut Vec<Refusal>) {
    if !is_slug(slug) {
        let message =
            "A slug is 1 to 63 small letters, digits and hyphens, and begins with a letter or a digit.";
        refusals.push(Refusal::invalid(message, [field]));
    }
}

/// A name without the white space around it; refuses an empty, an overlong and an unprintable one.
pub(crate) fn check_name(name: &str, field: &str, refusals: &mut Vec<Refusal>) -> String {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let message = format!("A name is 1 to {LONGEST_NAME} characters, without control characters.");
        refusals.push(Refusal::invalid(message, [field]));
    }
    name.to_owned()
}

/// Refuses what is no object, or too large, or holds a NUL, which PostgreSQL cannot keep.
pub(crate) fn check_object(value: &Value, field: &str, refusals: &mut Vec<Refusal>) {
    let fault = if !value.is_object() {
        "It must be a JSON object.".to_owned()
    } else if has_nul(value) {
        "Texts in it must not contain the character U+0000.".to_owned()
    } else if value.to_string().len() > LARGEST_OBJECT {
        format!("It must not be larger than {LARGEST_OBJECT} bytes of JSON.")
    } else {
        return;
    };
    refusals.push(Refusal::invalid(fault, [field]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        for good in ["a", "0", "acme", "acme-2", "a-", &"a".repeat(63)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-a", "Acme", "a_b", "a b", "é", &"a".repeat(64), "a\n"] {
            assert!(!is_slug(bad), "{bad}");
        }
    }

    #[test]
    fn a_name_loses_its_edges() {
        let mut refusals = Vec::new();
        assert_eq!(check_name("  Acme Ltd ", "name", &mut refusals), "Acme Ltd");
        assert!(refusals.is_empty());
        for bad in ["", "   ", "a\0b", &"a".repeat(201)] {
            let before = refusals.len();
            check_name(bad, "name", &mut refusals);
            assert_eq!(refusals.len(), before + 1, "{bad:?}");
        }
    }
}
