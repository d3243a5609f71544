//! Logins and assertions: what is asked before the first request, and how often.

use axum::body::Body;
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connectors::read::{Checkpoint, ErrorKind, Page, ReadError};
use serde_json::{Value, json};

use crate::upstream::{Seen, Upstream, answer, connector, items, ok, pages, request};

fn with_authenticator(base: &str, authenticator: &str, retriever: &str) -> String {
    let indented: String = authenticator
        .lines()
        .map(|line| format!("          {line}\n"))
        .collect();
    items(base, "/items", retriever, "").replace(
        "http_method: GET\n      record_selector",
        &format!("http_method: GET\n        authenticator:\n{indented}      record_selector"),
    )
}

async fn read(upstream: &Upstream, yaml: &str, config: Value) -> Result<Vec<Page>, ReadError> {
    let stream = connector(yaml).read(&upstream.context(), request(config, Checkpoint::default()))?;
    pages(stream).await.map_err(|(_, error)| error)
}

const LEGACY: &str = r#"type: LegacySessionTokenAuthenticator
header: X-Session
session_token: "{{ config.get('token', '') }}"
validate_session_url: /user/current
login_url: /session
username: "{{ config.get('user', '') }}"
password: "{{ config.get('api_key', '') }}"
session_token_response_key: id"#;

const PAGES: &str = r"paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy: {type: PageIncrement, page_size: 1, start_from_page: 1}";

fn sessions(seen: &Seen) -> Response<Body> {
    let token = seen.header("x-session");
    match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", "/session") if seen.body.contains("s3cret") => ok(&json!({"id": "fresh-token"})),
        ("POST", "/session") => answer(401, r#"{"errors": {"password": "did not match"}}"#),
        _ if !matches!(token, Some("old-token" | "fresh-token")) => answer(401, "{}"),
        (_, "/user/current") => ok(&json!({})),
        _ if seen.number("page").unwrap_or(1) > 2 => ok(&json!({"data": []})),
        _ => ok(&json!({"data": [{"id": seen.number("page").unwrap_or(1)}]})),
    }
}

fn asked(upstream: &Upstream) -> Vec<String> {
    let line = |seen: &Seen| format!("{} {}", seen.method, seen.line());
    upstream.seen().iter().map(line).collect()
}

#[tokio::test]
async fn a_session_token_is_used_as_long_as_it_holds() {
    let upstream = Upstream::start(sessions).await;
    let yaml = with_authenticator(&upstream.base(), LEGACY, PAGES);
    read(&upstream, &yaml, json!({"token": "old-token"}))
        .await
        .unwrap();
    assert_eq!(
        asked(&upstream),
        [
            "GET /user/current",
            "GET /items",
            "GET /items?page=2",
            "GET /items?page=3"
        ],
        "it is validated once a read"
    );
}

#[tokio::test]
async fn where_it_does_not_hold_a_login_gives_one() {
    let upstream = Upstream::start(sessions).await;
    let yaml = with_authenticator(&upstream.base(), LEGACY, "");
    let config = json!({"token": "gone", "user": "me", "api_key": "s3cret"});
    read(&upstream, &yaml, config).await.unwrap();
    assert_eq!(
        asked(&upstream),
        ["GET /user/current", "POST /session", "GET /items"]
    );
    let login = &upstream.seen()[1];
    assert_eq!(
        serde_json::from_str::<Value>(&login.body).unwrap(),
        json!({"username": "me", "password": "s3cret"})
    );
    assert_eq!(login.header("content-type"), Some("application/json"));
    assert_eq!(upstream.seen()[2].header("x-session"), Some("fresh-token"));
}

#[tokio::test]
async fn a_refused_login_is_a_matter_of_credentials_and_shows_none() {
    let upstream = Upstream::start(sessions).await;
    let yaml = with_authenticator(&upstream.base(), LEGACY, "");
    let error = read(
        &upstream,
        &yaml,
        json!({"user": "me", "api_key": "wrong-password"}),
    )
    .await
    .unwrap_err();
    assert_eq!((error.kind, error.http_status), (ErrorKind::Auth, Some(401)));
    assert!(!error.to_string().contains("wrong-password"), "{error}");
    let error = read(&upstream, &yaml, json!({"token": "gone"}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Auth, "CREDENTIALS_MISSING")
    );
}

#[tokio::test]
async fn an_assertion_stands_for_the_client() {
    let upstream = Upstream::start(|seen| match seen.path.as_str() {
        "/token" => ok(&json!({"access_token": "granted", "expires_in": 3600})),
        _ if seen.number("page").unwrap_or(1) > 2 => ok(&json!({"data": []})),
        _ => ok(&json!({"data": [{"id": 1, "auth": seen.header("authorization")}]})),
    })
    .await;
    let oauth = format!(
        r#"type: OAuthAuthenticator
token_refresh_endpoint: {}/token
grant_type: urn:ietf:params:oauth:grant-type:jwt-bearer
client_id: never-sent
use_profile_assertion: "{{{{ config.get('asserts', true) }}}}"
profile_assertion:
  type: JwtAuthenticator
  secret_key: "{{{{ config['api_key'] }}}}"
  algorithm: HS256
  token_duration: 60
  jwt_payload: {{iss: me}}"#,
        upstream.base()
    );
    let yaml = with_authenticator(&upstream.base(), &oauth, PAGES);
    let read_pages = read(&upstream, &yaml, json!({"api_key": "k3y"})).await.unwrap();
    assert_eq!(crate::upstream::records(&read_pages)[0]["auth"], "Bearer granted");
    let seen = upstream.seen();
    assert_eq!(
        seen.iter().filter(|seen| seen.path == "/token").count(),
        1,
        "the token is kept"
    );
    let form: Vec<(String, String)> = url::form_urlencoded::parse(seen[0].body.as_bytes())
        .into_owned()
        .collect();
    let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["grant_type", "assertion"],
        "nothing else of the client is shown"
    );
    let payload = form[1].1.split('.').nth(1).unwrap();
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!(payload["iss"], "me");

    read(&upstream, &yaml, json!({"api_key": "k3y", "asserts": false}))
        .await
        .unwrap();
    let plain = upstream
        .seen()
        .into_iter()
        .filter(|seen| seen.path == "/token")
        .nth(1)
        .unwrap();
    assert!(
        plain.body.contains("client_id=never-sent") && !plain.body.contains("assertion="),
        "{}",
        plain.body
    );
}

#[test]
fn an_assertion_has_to_be_there_to_be_used() {
    let oauth =
        "type: OAuthAuthenticator\ntoken_refresh_endpoint: http://a/token\nuse_profile_assertion: true";
    let faults = connectors::Connector::parse(&with_authenticator("http://a", oauth, "")).unwrap_err();
    assert!(
        faults[0].message.contains("needs profile_assertion"),
        "{faults:?}"
    );
}
