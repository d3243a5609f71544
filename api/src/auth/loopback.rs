//! Who may drive a server that asks for no key.
//!
//! A page on the web can make its visitor's browser send requests to 127.0.0.1. Three headers that a page
//! cannot forge tell such a request apart: `Host` (after DNS rebinding it names the attacker's domain),
//! `Origin` (sent with every cross-site POST and WebSocket) and `Sec-Fetch-Site` (sent also with the plain GETs
//! that carry no Origin). Programs that are no browser send none of the last two, and pass.

use axum::http::{HeaderMap, Uri, header};

/// What this server calls itself.
#[derive(Debug)]
pub(crate) struct Loopback {
    /// `localhost:8000` and its like.
    hosts: Vec<String>,
    /// Origins that settings trust, beside our own.
    allowed_origins: Vec<String>,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// It was meant for another host.
    Host,
    /// It comes from another site.
    Origin,
}

impl Stranger {
    /// For the caller.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Host => {
                "This server has no operator key and answers only as localhost, 127.0.0.1 or [::1]: the Host header names another"
            }
            Self::Origin => {
                "This server has no operator key and answers no pages of other origins than its own and those in SYNCLINE_ALLOWED_ORIGINS"
            }
        }
    }
}

impl Loopback {
    pub(super) fn new(port: u16, allowed_origins: &[String]) -> Self {
        let mut hosts = Vec::new();
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            hosts.push(format!("{name}:{port}"));
            if port == 80 {
                hosts.push(name.to_owned());
            }
        }
        Self {
            hosts,
            allowed_origins: allowed_origins.to_vec(),
        }
    }

    /// Lets the request pass, or says what gives it away.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Stranger> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(header::HOST).ok_or(Stranger::Host)?;
        for name in std::iter::once(host).chain(uri.authority().map(|authority| authority.as_str())) {
            if !self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return Err(Stranger::Host);
            }
        }
        let Some(origin) = text(header::ORIGIN) else {
            // A cross-site GET without preflight: harmless to read for, but nothing of ours asks like that.
            return match text(header::HeaderName::from_static("sec-fetch-site")) {
                None | Some("same-origin" | "none") => Ok(()),
                Some(_) => Err(Stranger::Origin),
            };
        };
        let own = origin
            .strip_prefix("http://")
            .is_some_and(|name| name.eq_ignore_ascii_case(host));
        if own
            || self
                .allowed_origins
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(origin))
        {
            Ok(())
        } else {
            Err(Stranger::Origin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn check(headers: &[(&str, &str)]) -> Result<(), Stranger> {
        let map = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect();
        let trusted = ["https://console.example".to_owned()];
        Loopback::new(8000, &trusted).check(&Uri::from_static("/graphql"), &map)
    }

    #[test]
    fn programs_and_our_own_pages_pass() {
        for host in ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:8000"] {
            assert_eq!(check(&[("host", host)]), Ok(()));
            assert_eq!(
                check(&[("host", host), ("origin", &format!("http://{host}"))]),
                Ok(())
            );
        }
        assert_eq!(
            check(&[("host", "localhost:8000"), ("sec-fetch-site", "same-origin")]),
            Ok(())
        );
        assert_eq!(
            check(&[("host", "localhost:8000"), ("sec-fetch-site", "none")]),
            Ok(())
        );
        assert_eq!(
            check(&[("host", "localhost:8000"), ("origin", "https://console.example")]),
            Ok(())
        );
    }

    #[test]
    fn a_web_page_does_not() {
        for host in [
            "evil.example",
            "evil.example:8000",
            "localhost",
            "localhost:8001",
            "127.0.0.1.nip.io:8000",
            "0.0.0.0:8000",
        ] {
            assert_eq!(check(&[("host", host)]), Err(Stranger::Host), "{host}");
        }
        assert_eq!(check(&[]), Err(Stranger::Host));
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:3000",
            "http://127.0.0.1:8000",
            "https://localhost:8000",
        ] {
            assert_eq!(
                check(&[("host", "localhost:8000"), ("origin", origin)]),
                Err(Stranger::Origin),
                "{origin}"
            );
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(
                check(&[("host", "localhost:8000"), ("sec-fetch-site", site)]),
                Err(Stranger::Origin)
            );
        }
    }
}
