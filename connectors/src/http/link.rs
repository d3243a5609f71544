//! The `Link` header, as `{rel: {url, rel, …}}`.

use serde_json::{Map, Value};

/// Takes the header apart; what cannot be understood is left out. Entries without a relation are found under
/// their address.
pub(crate) fn parse(header: &str) -> Value {
    let mut links = Map::new();
    let mut rest = header.trim();
    while let Some(open) = rest.find('<') {
        let Some(length) = rest[open + 1..].find('>') else {
            break;
        };
        let address = &rest[open + 1..open + 1 + length];
        let after = &rest[open + length + 2..];
        let end = end_of_entry(after);
        let mut link = Map::new();
        link.insert("url".to_owned(), Value::String(address.to_owned()));
        for parameter in after[..end].split(';') {
            if let Some((name, value)) = parameter.split_once('=') {
                let value = value.trim().trim_matches(['"', '\'']);
                link.insert(name.trim().to_owned(), Value::String(value.to_owned()));
            }
        }
        let key = link
            .get("rel")
            .and_then(Value::as_str)
            .unwrap_or(address)
            .to_owned();
        links.insert(key, Value::Object(link));
        rest = &after[end..];
    }
    Value::Object(links)
}

/// Where the comma before the next entry is; commas in quotes do not count.
fn end_of_entry(text: &str) -> usize {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_links_apart() {
        assert_eq!(
            parse(
                r#"<https://e.com/x?page=2>; rel="next"; title="a, b", <https://e.com/x?page=9>; rel=last"#
            ),
            json!({
                "next": {"url": "https://e.com/x?page=2", "rel": "next", "title": "a, b"},
                "last": {"url": "https://e.com/x?page=9", "rel": "last"},
            })
        );
        assert_eq!(parse(""), json!({}));
        assert_eq!(parse("<oops"), json!({}));
        assert_eq!(parse("<a>"), json!({"a": {"url": "a"}}));
    }
}
