//! Addresses and query strings, as the reference builds them.
//!
//! The reference joins with Python's `urljoin` after making sure the base ends in a slash, so a path extends
//! the base, a path with a scheme replaces it, and one that begins with a slash (only a page token can; a
//! manifest's own path loses its leading slashes) starts at the host again. RFC 3986 joining is the same but
//! for one habit: Python drops empty segments in the middle of a relative join.

use std::borrow::Cow;

use url::Url;

use crate::read::ReadError;

/// Joins a base with a path; see the module.
///
/// # Errors
/// `CONFIG_INVALID` when the result is not an absolute address.
pub(crate) fn join(base: &str, path: &str) -> Result<Url, ReadError> {
    if path.is_empty() {
        return parse(base);
    }
    if let Ok(url) = Url::parse(path)
        && url.has_host()
    {
        return Ok(url);
    }
    let slashed: Cow<'_, str> = if base.ends_with('/') {
        Cow::Borrowed(base)
    } else {
        Cow::Owned(format!("{base}/"))
    };
    let base = parse(&slashed)?;
    let mut joined = base.join(path).map_err(|_| invalid())?;
    if !path.starts_with('/') && joined.path().contains("//") {
        let collapsed = collapse(joined.path());
        joined.set_path(&collapsed);
    }
    Ok(joined)
}

fn parse(text: &str) -> Result<Url, ReadError> {
    let url = Url::parse(text.trim()).map_err(|_| invalid())?;
    if url.has_host() { Ok(url) } else { Err(invalid()) }
}

/// The text itself may hold a credential, so the message does not repeat it.
fn invalid() -> ReadError {
    ReadError::config("The requester's address is not an absolute http or https URL.")
}

/// Empty segments go, except the first and the last.
fn collapse(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').collect();
    let last = segments.len().saturating_sub(1);
    segments
        .iter()
        .enumerate()
        .filter(|(index, segment)| *index == 0 || *index == last || !segment.is_empty())
        .map(|(_, segment)| *segment)
        .collect::<Vec<_>>()
        .join("/")
}

/// Adds parameters to an address. A parameter that the address already carries with the same value is left
/// out (next-page links repeat what we sent); one with another value is sent beside it.
pub(crate) fn with_query(mut url: Url, parameters: &[(String, Vec<String>)]) -> Url {
    let present: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let duplicate = |name: &str, values: &[String]| {
        present
            .iter()
            .find(|(existing, value)| existing == name && !value.is_empty())
            .is_some_and(|(_, value)| values.len() == 1 && *value == values[0])
    };
    let added: Vec<(&str, &str)> = parameters
        .iter()
        .filter(|(name, values)| !duplicate(name, values))
        .flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value.as_str())))
        .collect();
    if !added.is_empty() {
        url.query_pairs_mut().extend_pairs(added);
    }
    url
}

/// `application/x-www-form-urlencoded`.
pub(crate) fn form(fields: &[(String, Vec<String>)]) -> String {
    let mut encoder = url::form_urlencoded::Serializer::new(String::new());
    for (name, values) in fields {
        for value in values {
            encoder.append_pair(name, value);
        }
    }
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &str) -> String {
        join(base, path).unwrap().to_string()
    }

    #[test]
    fn joins_as_the_reference_does() {
        for (base, path, expected) in [
            ("https://e.com/api/", "users", "https://e.com/api/users"),
            ("https://e.com/api", "users", "https://e.com/api/users"),
            ("https://e.com/api", "", "https://e.com/api"),
            ("https://e.com/api/", "", "https://e.com/api/"),
            ("https://e.com/api", "/v2/users", "https://e.com/v2/users"),
            ("https://e.com/api", "http://o.com/x?y=1", "http://o.com/x?y=1"),
            ("https://e.com/api", "?page=2", "https://e.com/api/?page=2"),
            ("https://e.com/a//b", "c", "https://e.com/a/b/c"),
            ("https://e.com/a", "b/?x=//y", "https://e.com/a/b/?x=//y"),
            ("https://e.com/a/b", "../c", "https://e.com/a/c"),
        ] {
            assert_eq!(joined(base, path), expected, "{base} + {path}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for base in ["", "e.com/api", "mailto:x@y.z"] {
            assert_eq!(join(base, "users").unwrap_err().code, "CONFIG_INVALID");
        }
    }

    #[test]
    fn keeps_one_of_two_equal_parameters() {
        let url = Url::parse("https://e.com/x?limit=3&page=2").unwrap();
        let parameters = [
            ("limit".to_owned(), vec!["3".to_owned()]),
            ("page".to_owned(), vec!["1".to_owned()]),
            ("ids".to_owned(), vec!["1".to_owned(), "2".to_owned()]),
        ];
        assert_eq!(
            with_query(url, &parameters).as_str(),
            "https://e.com/x?limit=3&page=2&page=1&ids=1&ids=2"
        );
    }
}
