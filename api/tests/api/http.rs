//! GraphQL over HTTP.

use serde_json::json;

use crate::fixture::Fixture;
use crate::wire::{get, post, send};

const NEWER: &str = "application/graphql-response+json";
const QUERY: &[u8] = br#"{"query":"{ __typename }"}"#;

#[tokio::test]
async fn the_answer_s_type_is_what_was_asked_for() {
    let server = Fixture::start().await;
    for (accept, expected) in [
        (None, "application/json; charset=utf-8"),
        (Some("*/*"), "application/json; charset=utf-8"),
        (Some("application/json"), "application/json; charset=utf-8"),
        (Some(NEWER), "application/graphql-response+json; charset=utf-8"),
        (
            Some("application/graphql-response+json, application/json;q=0.9"),
            "application/graphql-response+json; charset=utf-8",
        ),
    ] {
        let headers: Vec<_> = accept.iter().map(|accept| ("accept", *accept)).collect();
        let answer = post(server.address, "/graphql", &headers, QUERY).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some(expected)),
            "{accept:?}"
        );
        assert_eq!(answer.text(), r#"{"data":{"__typename":"Query"}}"#);
        assert!(
            answer
                .header("vary")
                .unwrap()
                .to_ascii_lowercase()
                .contains("accept")
        );
    }
    let answer = post(server.address, "/graphql", &[("accept", "text/html")], QUERY).await;
    assert_eq!((answer.status, answer.code().as_str()), (406, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn only_json_is_read() {
    let server = Fixture::start().await;
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
        "-",
    ] {
        let answer = post(server.address, "/graphql", &[("content-type", wrong)], QUERY).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (415, "BAD_USER_INPUT"),
            "{wrong}"
        );
    }
    let answer = post(
        server.address,
        "/graphql",
        &[("content-type", "application/json; charset=UTF-8")],
        QUERY,
    )
    .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_body_that_is_no_request_is_400() {
    let server = Fixture::start().await;
    for body in [
        "",
        "{",
        "null",
        "7",
        r#""query""#,
        "[]",
        r#"[{"query":"{ __typename }"}]"#,
        "{}",
        r#"{"query":7}"#,
        r#"{"query":null}"#,
        r#"{"query":"{ __typename }","operationName":7}"#,
        r#"{"query":"{ __typename }","variables":[]}"#,
        r#"{"query":"{ __typename }","variables":"x"}"#,
        r#"{"query":"{ __typename }","extensions":[]}"#,
    ] {
        let answer = post(server.address, "/graphql", &[], body.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "BAD_USER_INPUT"),
            "{body}"
        );
        let answer = answer.json();
        assert!(answer.get("data").is_none(), "{body}");
        assert!(
            !answer["errors"][0]["message"]
                .as_str()
                .unwrap()
                .contains("Error("),
            "{answer}"
        );
    }
    let invalid = post(
        server.address,
        "/graphql",
        &[],
        b"{\"query\":\"{ __typename \xff}\"}",
    )
    .await;
    assert_eq!(invalid.status, 400);
    let nulls = br#"{"query":"{ __typename }","operationName":null,"variables":null,"extensions":null}"#;
    assert_eq!(post(server.address, "/graphql", &[], nulls).await.status, 200);
}

#[tokio::test]
async fn a_body_has_a_largest_size() {
    let server = Fixture::start().await;
    let body = vec![b' '; 3 * 1024 * 1024];
    let answer = post(server.address, "/graphql", &[], &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn a_refused_document_has_no_data_and_the_status_of_its_type() {
    let server = Fixture::start().await;
    for query in [
        "{",
        "{ nothing }",
        "query ($id: ID!) { node(id: $id) { id } }",
        "query A { __typename } query B { __typename }",
    ] {
        let body = json!({ "query": query }).to_string();
        for (accept, status) in [("application/json", 200), (NEWER, 400)] {
            let answer = post(server.address, "/graphql", &[("accept", accept)], body.as_bytes()).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (status, "BAD_USER_INPUT"),
                "{query} {accept}"
            );
            let answer = answer.json();
            assert!(answer.get("data").is_none(), "{answer}");
            assert!(
                answer["errors"][0]["extensions"]["correlationId"].is_string(),
                "{answer}"
            );
        }
    }
}

#[tokio::test]
async fn an_execution_error_keeps_its_data() {
    let server = Fixture::start().await;
    let body = json!({ "query": "{ clients(first: 0) { totalCount } }" }).to_string();
    let answer = post(server.address, "/graphql", &[("accept", NEWER)], body.as_bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "BAD_USER_INPUT"));
    let answer = answer.json();
    assert_eq!(
        (answer.get("data"), &answer["errors"][0]["path"]),
        (Some(&json!(null)), &json!(["clients"]))
    );
}

#[tokio::test]
async fn get_is_for_queries() {
    let server = Fixture::start().await;
    let query = |text: &str| {
        format!(
            "/graphql?query={}",
            text.replace(' ', "%20").replace('{', "%7B").replace('}', "%7D")
        )
    };
    let answer = get(server.address, &query("{ __typename }"), &[]).await;
    assert_eq!(
        (answer.status, answer.text()),
        (200, r#"{"data":{"__typename":"Query"}}"#)
    );
    let named = format!(
        "{}&operationName=B&variables=%7B%22id%22%3A%22x%22%7D",
        query("query A { viewer { name } } query B($id: ID!) { node(id: $id) { id } }")
    );
    assert_eq!(
        get(server.address, &named, &[]).await.text(),
        r#"{"data":{"node":null}}"#
    );
    let mutation = get(server.address, &query("mutation { __typename }"), &[]).await;
    assert_eq!((mutation.status, mutation.header("allow")), (405, Some("POST")));
    for wrong in [
        "/graphql",
        "/graphql?query=%7B__typename%7D&variables=7",
        "/graphql?query=%7B__typename%7D&variables=%7B",
        "/graphql?query=%7Ba%7D&query=%7Bb%7D",
    ] {
        assert_eq!(get(server.address, wrong, &[]).await.status, 400, "{wrong}");
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = send(
            server.address,
            method,
            "/graphql",
            &[("content-type", "application/json")],
            QUERY,
        )
        .await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET, POST")),
            "{method}"
        );
    }
    let subscription = post(
        server.address,
        "/graphql",
        &[],
        br#"{"query":"subscription { syncRunUpdated { id } }"}"#,
    )
    .await;
    assert_eq!(subscription.status, 400);
}

#[tokio::test]
async fn the_request_id_comes_in_and_goes_out() {
    let server = Fixture::start().await;
    let answer = post(
        server.address,
        "/graphql",
        &[("x-request-id", "abc-123")],
        br#"{"query":"{"}"#,
    )
    .await;
    assert_eq!(answer.header("x-request-id"), Some("abc-123"));
    assert_eq!(
        answer.json()["errors"][0]["extensions"]["correlationId"],
        "abc-123"
    );
    for unsound in ["a b", "<script>", &"x".repeat(200)] {
        let answer = post(server.address, "/graphql", &[("x-request-id", unsound)], QUERY).await;
        let id = answer.header("x-request-id").unwrap();
        assert!(id != unsound && !id.is_empty(), "{id}");
    }
}

#[tokio::test]
async fn a_trace_gives_its_id_where_the_caller_gave_none() {
    let server = Fixture::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let answer = post(
        server.address,
        "/graphql",
        &[("traceparent", &parent)],
        br#"{"query":"{"}"#,
    )
    .await;
    assert_eq!(answer.header("x-request-id"), Some(trace));
    assert_eq!(answer.json()["errors"][0]["extensions"]["correlationId"], trace);
    let both = [("traceparent", parent.as_str()), ("x-request-id", "abc-123")];
    let answer = post(server.address, "/graphql", &both, QUERY).await;
    assert_eq!(answer.header("x-request-id"), Some("abc-123"));
    let broken = format!("00-{trace}-00f067aa0ba902b7");
    let answer = post(server.address, "/graphql", &[("traceparent", &broken)], QUERY).await;
    assert_ne!(answer.header("x-request-id"), Some(trace));
}

#[tokio::test]
async fn a_long_answer_is_compressed_for_whoever_takes_it() {
    let server = Fixture::start().await;
    let query = json!({ "query": include_str!("introspection.graphql") }).to_string();
    for (accepted, encoding) in [("gzip, deflate", Some("gzip")), ("identity", None)] {
        let headers = [("accept-encoding", accepted)];
        let answer = post(server.address, "/graphql", &headers, query.as_bytes()).await;
        assert_eq!(answer.header("content-encoding"), encoding);
        let gzip = answer.body.windows(3).any(|bytes| bytes == [0x1f, 0x8b, 8]);
        assert_eq!(gzip, encoding.is_some());
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_in_json() {
    let server = Fixture::start().await;
    let answer = get(server.address, "/nothing", &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn a_key_opens_and_nothing_else_does() {
    let server = Fixture::guarded("a key of the operator").await;
    for headers in [
        &[][..],
        &[("authorization", "Bearer wrong")],
        &[("authorization", "Basic a key of the operator")],
    ] {
        let answer = post(server.address, "/graphql", headers, QUERY).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHENTICATED"));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let body = br#"{"query":"{ viewer { kind client { id } } }"}"#;
    let answer = post(
        server.address,
        "/graphql",
        &[("authorization", "Bearer a key of the operator")],
        body,
    )
    .await;
    assert_eq!(
        answer.json(),
        json!({ "data": { "viewer": { "kind": "OPERATOR", "client": null } } })
    );
}

#[tokio::test]
async fn beyond_loopback_it_does_not_listen_without_a_key() {
    let server = Fixture::start().await;
    let settings = platform::settings::ServerSettings {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..Default::default()
    };
    let refused = api::Server::bind(
        server.engine.clone(),
        &settings,
        platform::shutdown::Shutdown::new(),
    )
    .await;
    assert!(matches!(refused, Err(api::ServerError::KeyRequired(_))));
}
