//! Which web pages may call, beside our own.
//!
//! A browser asks before it lets a page of another origin read an answer (CORS), and what it is told comes from this
//! list. It asks nothing before a WebSocket: there the server has to look at `Origin` itself, and looks at the same list.
//! A page that may not read an answer over HTTP must not get it over a socket either.
//!
//! No credential of ours is one that a browser sends by itself (there are no cookies), so with a key this is the second
//! lock and not the first. Programs that are no browser send no `Origin`, and are not meant.

use axum::http::{HeaderMap, HeaderName, header};

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The pages that settings trust.
#[derive(Debug)]
pub(crate) struct Origins(Vec<String>);

impl Origins {
    pub(super) fn new(allowed: &[String]) -> Self {
        Self(allowed.to_vec())
    }

    pub(crate) fn allowed(&self) -> &[String] {
        &self.0
    }

    /// Whether a socket may be opened for whoever sends these headers.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else { return false };
        self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) || is_own(origin, headers)
    }
}

/// Whether the page came from where the socket goes. A proxy that ends TLS and names another host to us says in
/// X-Forwarded-Host which one the browser sees; a page cannot set either header on a WebSocket.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let Some((_, host)) = origin.split_once("://") else {
        return false;
    };
    [header::HOST, FORWARDED_HOST]
        .iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_pages_and_those_of_the_list_may_open_a_socket() {
        let origins = Origins::new(&["https://app.example".to_owned()]);
        for (headers, expected) in [
            (&[("host", "api.example")][..], true),
            (
                &[("host", "api.example"), ("origin", "https://app.example")],
                true,
            ),
            (
                &[("host", "api.example"), ("origin", "https://api.example")],
                true,
            ),
            (
                &[
                    ("host", "10.0.0.7:8000"),
                    ("x-forwarded-host", "api.example"),
                    ("origin", "https://api.example"),
                ],
                true,
            ),
            (
                &[("host", "api.example"), ("origin", "https://evil.example")],
                false,
            ),
            (
                &[
                    ("host", "api.example"),
                    ("origin", "https://app.example.evil.example"),
                ],
                false,
            ),
            (
                &[("host", "api.example"), ("origin", "http://app.example")],
                false,
            ),
            (&[("host", "api.example"), ("origin", "null")], false),
        ] {
            let map = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            assert_eq!(origins.admit(&map), expected, "{headers:?}");
        }
    }
}
