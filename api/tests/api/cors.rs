//! Web pages of other origins: none may call unless settings list it, over any of the transports.

use platform::secrets::SecretString;
use platform::settings::ServerSettings;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::fixture::Fixture;
use crate::wire::{Answer, post, send};

const QUERY: &[u8] = br#"{"query":"{ viewer { kind } }"}"#;
const BEARER: (&str, &str) = ("authorization", "Bearer a key of the operator");
const LISTED: &str = "https://app.example";
const FOREIGN: &str = "https://evil.example";
const PATHS: [&str; 2] = ["/graphql", "/graphql/stream"];

async fn server(key: bool, allowed: &[&str]) -> Fixture {
    Fixture::with(ServerSettings {
        operator_key: key.then(|| SecretString::from("a key of the operator")),
        allowed_origins: allowed.iter().map(ToString::to_string).collect(),
        ..ServerSettings::default()
    })
    .await
}

async fn preflight(server: &Fixture, path: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    send(server.address, "OPTIONS", path, &headers, b"").await
}

#[tokio::test]
async fn a_listed_page_may_ask_and_read_and_no_other() {
    for with_key in [true, false] {
        let server = server(with_key, &["https://first.example", LISTED]).await;
        let credential = with_key.then_some(BEARER);
        for path in PATHS {
            let allowed = preflight(&server, path, LISTED).await;
            assert_eq!(allowed.status, 200, "{path}");
            for (name, expected) in [
                ("access-control-allow-origin", Some(LISTED)),
                ("access-control-allow-methods", Some("GET,POST")),
                ("access-control-allow-headers", Some("authorization,content-type")),
                ("access-control-max-age", Some("7200")),
                ("access-control-allow-credentials", None),
            ] {
                assert_eq!(allowed.header(name), expected, "{path} {name}");
            }
            let refused = preflight(&server, path, FOREIGN).await;
            assert_eq!(refused.header("access-control-allow-origin"), None, "{path}");

            let headers: Vec<_> = [("origin", LISTED)].into_iter().chain(credential).collect();
            let answer = post(server.address, path, &headers, QUERY).await;
            assert_eq!(
                (answer.status, answer.header("access-control-allow-origin")),
                (200, Some(LISTED))
            );
            assert!(answer.text().contains("viewer"), "{path}");
            let readable = answer.header("access-control-expose-headers").unwrap();
            assert!(readable.contains("x-request-id"), "{readable}");
            // Who keeps answers must not give one page what was allowed another.
            let varies = |(name, value): &(String, String)| name == "vary" && value.contains("origin");
            assert!(answer.headers.iter().any(varies), "{answer:?}");
            let headers: Vec<_> = [("origin", FOREIGN)].into_iter().chain(credential).collect();
            let answer = post(server.address, path, &headers, QUERY).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }
}

#[tokio::test]
async fn a_listed_page_can_read_why_it_was_refused() {
    let server = server(true, &[LISTED]).await;
    let answer = post(server.address, "/graphql", &[("origin", LISTED)], QUERY).await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (401, Some(LISTED))
    );
}

#[tokio::test]
async fn nobody_is_listed_unless_somebody_says_so() {
    let server = server(true, &[]).await;
    for path in PATHS {
        for origin in [LISTED, "null"] {
            let answer = preflight(&server, path, origin).await;
            assert_eq!(answer.status, 405, "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
            let answer = post(server.address, path, &[("origin", origin), BEARER], QUERY).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }
}

/// Which no browser asks about first: the server has to say no by itself.
#[tokio::test]
async fn a_websocket_is_opened_for_the_same_pages() {
    for with_key in [true, false] {
        let server = server(with_key, &[LISTED]).await;
        let own = format!("http://{}", server.address);
        for (origin, opens) in [
            (LISTED, true),
            (own.as_str(), true),
            (FOREIGN, false),
            ("null", false),
        ] {
            let mut request = format!("ws://{}/graphql/ws", server.address)
                .into_client_request()
                .unwrap();
            let headers = request.headers_mut();
            headers.insert("origin", HeaderValue::from_str(origin).unwrap());
            headers.insert(
                "sec-websocket-protocol",
                HeaderValue::from_static("graphql-transport-ws"),
            );
            match tokio_tungstenite::connect_async(request).await {
                Ok(_) => assert!(opens, "{origin}"),
                Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                    assert_eq!((opens, answer.status().as_u16()), (false, 403), "{origin}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}
