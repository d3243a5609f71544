//! GraphQL over server-sent events, in distinct connections: byte by byte, since a browser drops what is nearly right.

use std::time::Duration;

use platform::clock::ManualClock;
use platform::secrets::SecretString;
use platform::settings::ServerSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::{Fixture, text};
use crate::wire;

const OPERATOR: &str = "Bearer a key of the operator";
const PATIENCE: Duration = Duration::from_secs(10);
const WATCH: &str = "subscription { eventPublished(types: [\"nothing.like.it\"]) { id } }";

/// What a stream says next.
#[derive(Debug, PartialEq)]
enum Said {
    Comment,
    Next(Value),
    Complete,
    /// The answer is over.
    End,
}

struct Stream {
    status: u16,
    headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    text: String,
}

impl Stream {
    async fn open(server: &Fixture, headers: &[(&str, &str)], query: &str, variables: Value) -> Self {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut head = format!(
            "POST /graphql/stream HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            server.address,
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream
            .write_all(format!("{head}\r\n{body}").as_bytes())
            .await
            .unwrap();
        let mut reader = BufReader::new(stream);
        let status = line(&mut reader)
            .await
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let mut headers = Vec::new();
        loop {
            let line = line(&mut reader).await;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Self {
            status,
            headers,
            reader,
            text: String::new(),
        }
    }

    /// Open and past its greeting.
    async fn accepted(server: &Fixture, authorization: &str, query: &str) -> Self {
        let mut stream = Self::open(server, &[("authorization", authorization)], query, json!({})).await;
        assert_eq!(stream.status, 200);
        assert_eq!(stream.say().await, Said::Comment);
        stream
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    async fn say(&mut self) -> Said {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let said = match frame.split_once('\n') {
                    None if frame.starts_with(':') => Said::Comment,
                    Some(("event: next", data)) => {
                        Said::Next(serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
                    }
                    Some(("event: complete", "data:")) => Said::Complete,
                    _ => panic!("not an event: {frame:?}"),
                };
                self.text = rest.to_owned();
                return said;
            }
            let size = usize::from_str_radix(&line(&mut self.reader).await, 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).await.unwrap();
            if size == 0 {
                assert_eq!(self.text, "", "an event broke off");
                return Said::End;
            }
            self.text.push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    }
}

async fn line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    timeout(PATIENCE, reader.read_line(&mut line))
        .await
        .expect("the server says something")
        .unwrap();
    line.trim_end().to_owned()
}

#[tokio::test]
async fn any_operation_is_an_event_and_the_end() {
    let server = Fixture::start().await;
    for query in ["{ viewer { kind } }", "mutation { __typename }"] {
        let mut stream = Stream::open(&server, &[("accept-encoding", "gzip, br")], query, json!({})).await;
        assert_eq!(stream.status, 200);
        for (name, expected) in [
            ("content-type", Some("text/event-stream; charset=utf-8")),
            ("cache-control", Some("no-store, no-transform")),
            ("x-accel-buffering", Some("no")),
            ("content-encoding", None),
        ] {
            assert_eq!(stream.header(name), expected, "{name}");
        }
        assert!(stream.header("x-request-id").is_some());
        assert_eq!(stream.say().await, Said::Comment);
        assert!(matches!(stream.say().await, Said::Next(answer) if answer["data"].is_object()));
        assert_eq!(stream.say().await, Said::Complete);
        assert_eq!(stream.say().await, Said::End);
    }
    // EventSource can only GET.
    let headers = [("accept", "text/event-stream")];
    let answer = wire::get(server.address, "/graphql/stream?query=%7B__typename%7D", &headers).await;
    let frame = "event: next\ndata: {\"data\":{\"__typename\":\"Query\"}}\n\n";
    assert!(answer.text().contains(frame), "{}", answer.text());
}

#[tokio::test]
async fn a_refused_document_is_told_as_an_event() {
    let server = Fixture::start().await;
    let bomb = format!("{{ {} }}", "__typename ".repeat(4_000));
    for (query, code) in [
        ("{", "BAD_USER_INPUT"),
        ("subscription { nothing }", "BAD_USER_INPUT"),
        ("query ($id: ID!) { node(id: $id) { id } }", "BAD_USER_INPUT"),
        (&bomb, "TOO_COMPLEX"),
    ] {
        let mut stream = Stream::open(&server, &[], query, json!({})).await;
        assert_eq!(stream.status, 200, "{query}");
        let body = match stream.header("content-length") {
            Some(length) => {
                let mut body = vec![0; length.parse().unwrap()];
                stream.reader.read_exact(&mut body).await.unwrap();
                String::from_utf8(body).unwrap()
            }
            None => {
                assert_eq!(stream.say().await, Said::Comment);
                let Said::Next(answer) = stream.say().await else {
                    panic!("{query}")
                };
                assert_eq!(stream.say().await, Said::Complete);
                format!("event: next\ndata: {answer}\n\nevent: complete\ndata:\n\n")
            }
        };
        let data = body.strip_prefix("event: next\ndata: ").unwrap();
        let (data, rest) = data.split_once("\n\n").unwrap();
        assert_eq!(rest, "event: complete\ndata:\n\n", "{query}");
        let answer: Value = serde_json::from_str(data).unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{answer}");
        assert!(answer.get("data").is_none(), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_request_for_a_stream_has_its_status() {
    let server = Fixture::guarded("a key of the operator").await;
    let query = r#"{"query":"{ __typename }"}"#;
    for (name, headers, body, status, code) in [
        (
            "wants JSON",
            vec![("accept", "application/json")],
            query,
            406,
            "BAD_USER_INPUT",
        ),
        (
            "a form",
            vec![("content-type", "text/plain")],
            query,
            415,
            "BAD_USER_INPUT",
        ),
        ("no JSON", vec![], "{", 400, "BAD_USER_INPUT"),
        (
            "no key to repeat by",
            vec![("idempotency-key", "a b")],
            r#"{"query":"mutation { __typename }","extensions":{"idempotencyKey":7}}"#,
            400,
            "BAD_USER_INPUT",
        ),
        (
            "nobody",
            vec![("authorization", "Bearer wrong")],
            query,
            401,
            "UNAUTHENTICATED",
        ),
    ] {
        let mut headers = headers;
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            headers.push(("authorization", OPERATOR));
        }
        let answer = wire::post(server.address, "/graphql/stream", &headers, body.as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{name}");
    }
    let headers = [("authorization", OPERATOR)];
    let target = "/graphql/stream?query=mutation%7B__typename%7D";
    let answer = wire::get(server.address, target, &headers).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = wire::send(server.address, "PUT", "/graphql/stream", &headers, b"").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST")));
}

#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    let server = Fixture::start().await;
    let client = server.client("acme").await;
    server.connector().await;
    let integration = server.integration(&client, "People").await;
    let run = server.run(&integration).await;
    let query = "subscription ($run: ID!) { syncRunUpdated(runId: $run) { status } }";
    let mut stream = Stream::open(&server, &[], query, json!({ "run": run })).await;
    let status = |status: &str| Said::Next(json!({ "data": { "syncRunUpdated": { "status": status } } }));
    assert_eq!(stream.say().await, Said::Comment);
    assert_eq!(stream.say().await, status("QUEUED"));
    server.cancel(&run).await;
    assert_eq!(stream.say().await, status("CANCELLED"));
    assert_eq!(stream.say().await, Said::Complete);
    assert_eq!(stream.say().await, Said::End);
}

#[tokio::test]
async fn places_are_bounded_and_whoever_goes_away_frees_one() {
    let server = Fixture::with(ServerSettings {
        operator_key: Some(SecretString::from("a key of the operator")),
        max_event_streams: 5,
        ..ServerSettings::default()
    })
    .await;
    let key = key(&server).await.bearer;
    let refused = |authorization: String| {
        let server = &server;
        async move { Stream::open(server, &[("authorization", &authorization)], WATCH, json!({})).await }
    };
    let holder = Stream::accepted(&server, &key, WATCH).await;
    assert_eq!(refused(key.clone()).await.status, 429, "a quarter of five is one");
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(Stream::accepted(&server, OPERATOR, WATCH).await);
    }
    let full = refused(OPERATOR.to_owned()).await;
    assert_eq!((full.status, full.header("retry-after")), (503, Some("5")));
    drop(holder);
    let again = async {
        while refused(key.clone()).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.expect("the place is free again");
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams_and_says_so() {
    let server = Fixture::guarded("a key of the operator").await;
    let key = key(&server).await;
    let mut held = Stream::accepted(&server, &key.bearer, WATCH).await;
    let mut stays = Stream::accepted(&server, OPERATOR, WATCH).await;
    let query = "mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { userErrors { code } } }";
    as_operator(&server, query, json!({ "id": key.id })).await;
    let Said::Next(answer) = held.say().await else {
        panic!("it is told why")
    };
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
        "{answer}"
    );
    assert_eq!(held.say().await, Said::Complete);
    assert_eq!(held.say().await, Said::End);
    server.shutdown.drain();
    assert_eq!(
        stays.say().await,
        Said::End,
        "no complete: who connects again goes on elsewhere"
    );
}

#[tokio::test]
async fn silence_is_filled_with_comments() {
    let clock = ManualClock::default();
    let server = Fixture::on(ServerSettings::default(), clock.shared()).await;
    let before = clock.sleepers();
    let mut stream = Stream::open(&server, &[], WATCH, json!({})).await;
    assert_eq!(stream.say().await, Said::Comment);
    while clock.sleepers() <= before {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(12));
    assert_eq!(stream.say().await, Said::Comment);
}

struct Key {
    id: String,
    bearer: String,
}

async fn as_operator(server: &Fixture, query: &str, variables: Value) -> Value {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let headers = [("authorization", OPERATOR)];
    wire::post(server.address, "/graphql", &headers, body.as_bytes())
        .await
        .json()
}

async fn key(server: &Fixture) -> Key {
    let query =
        "mutation { createApiKey(input: { name: \"one\", scopes: [\"*:read\"] }) { secret apiKey { id } } }";
    let answer = as_operator(server, query, json!({})).await;
    let made = &answer["data"]["createApiKey"];
    Key {
        id: text(&made["apiKey"]["id"]),
        bearer: format!("Bearer {}", text(&made["secret"])),
    }
}
