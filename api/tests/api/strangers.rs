//! Without a key: the operator's own programs may call, somebody else's web page may not.

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::fixture::Fixture;
use crate::wire::{get, post};

const QUERY: &[u8] = br#"{"query":"{ viewer { kind } }"}"#;

#[tokio::test]
async fn a_program_on_this_machine_is_an_operator() {
    let server = Fixture::start().await;
    let own = format!("http://{}", server.address);
    for headers in [
        &[][..],
        &[("origin", own.as_str()), ("sec-fetch-site", "same-origin")],
    ] {
        let answer = post(server.address, "/graphql", headers, QUERY).await;
        assert_eq!(
            answer.text(),
            r#"{"data":{"viewer":{"kind":"ANONYMOUS_LOOPBACK"}}}"#
        );
    }
}

#[tokio::test]
async fn a_rebound_name_and_a_foreign_origin_are_refused() {
    let server = Fixture::start().await;
    let rebound = format!("evil.example:{}", server.address.port());
    for headers in [
        [("host", rebound.as_str()), ("accept", "*/*")],
        [("origin", "https://evil.example"), ("accept", "*/*")],
        [("origin", "null"), ("accept", "*/*")],
        [("sec-fetch-site", "cross-site"), ("accept", "*/*")],
    ] {
        let answer = post(server.address, "/graphql", &headers, QUERY).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "FORBIDDEN"),
            "{headers:?}"
        );
        let answer = get(server.address, "/graphql?query=%7B__typename%7D", &headers).await;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
}

#[tokio::test]
async fn a_page_s_websocket_is_refused_before_the_upgrade() {
    let server = Fixture::start().await;
    let mut request = format!("ws://{}/graphql/ws", server.address)
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("origin", HeaderValue::from_static("https://evil.example"));
    headers.insert(
        "sec-websocket-protocol",
        HeaderValue::from_static("graphql-transport-ws"),
    );
    let refused = tokio_tungstenite::connect_async(request).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(answer)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(answer.status(), 403);
}
