//! What an upstream can do wrong, and the typed error each of it becomes; the process unharmed, the next run working.

use serde_json::{Value, json};
use tests::{GraphQl, Server, ServerOptions, TestDatabase, Upstream, manifest, on_both_databases};

struct Bench {
    server: Server,
    upstream: Upstream,
    client: String,
}

impl Bench {
    async fn new() -> (TestDatabase, Self) {
        let database = TestDatabase::sqlite();
        let options = ServerOptions::default()
            .file("[network]\nconnect_timeout_seconds = 3\nrequest_timeout_seconds = 3\nmax_pages = 50\n");
        let server = Server::start_with(&database, options).await;
        let api = server.graphql();
        let client = api.register_client("acme").await;
        api.install_connector("items", &manifest(10)).await;
        let upstream = Upstream::start(25).await;
        (
            database,
            Self {
                server,
                upstream,
                client,
            },
        )
    }

    fn api(&self) -> GraphQl {
        self.server.graphql()
    }

    async fn integration(&self, connector: &str, path: &str) -> String {
        self.api()
            .create_integration(json!({
                "clientId": self.client, "connector": connector, "name": format!("Items from {path}"),
                "config": self.upstream.config(path), "retry": { "maxAttempts": 2, "baseDelaySeconds": 0.01 },
            }))
            .await
    }

    /// Runs against a path that misbehaves; the run must fail, and one against `/items` must then succeed.
    async fn fails(&self, path: &str) -> Value {
        let run = self.api().sync(&self.integration("items", path).await).await;
        assert_eq!(run["status"], "FAILED", "{path}: {run:#}");
        let message = run["error"]["message"].as_str().expect("a message");
        assert!(
            !message.contains("s3cret-token") && !run["error"]["url"].to_string().contains("s3cret-token")
        );
        let next = self.api().sync(&self.integration("items", "/items").await).await;
        assert_eq!(
            (&next["status"], &next["progress"]["recordsRead"]),
            (&json!("SUCCEEDED"), &json!(25.0)),
            "after {path}"
        );
        run["error"].clone()
    }
}

fn kind_and_code(error: &Value) -> (&str, &str) {
    (
        error["kind"].as_str().expect("a kind"),
        error["code"].as_str().expect("a code"),
    )
}

macro_rules! fault {
    ($name:ident, $path:literal, $kind:literal, $code:literal, retryable: $retryable:literal) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (_database, bench) = Bench::new().await;
            let error = bench.fails($path).await;
            assert_eq!(kind_and_code(&error), ($kind, $code), "{error:#}");
            assert_eq!(error["retryable"], $retryable, "{error:#}");
        }
    };
}

fault!(unauthorised_is_auth, "/status/401", "AUTH", "HTTP_401", retryable: false);
fault!(not_found_is_config, "/status/404", "CONFIG", "HTTP_404", retryable: false);
fault!(too_many_requests_is_rate_limited, "/status/429", "RATE_LIMITED", "HTTP_429", retryable: true);
fault!(a_server_error_is_upstream, "/status/500", "UPSTREAM", "HTTP_500", retryable: true);
fault!(html_is_malformed, "/html", "MALFORMED", "NOT_JSON", retryable: true);
fault!(an_empty_answer_is_malformed, "/empty", "MALFORMED", "NOT_JSON", retryable: true);
fault!(half_a_body_is_a_cut_connection, "/half", "NETWORK", "BODY_TRUNCATED", retryable: true);
fault!(no_answer_at_all_is_network, "/nothing", "NETWORK", "HTTP_FAILURE", retryable: true);
fault!(silence_is_a_timeout, "/silent", "TIMEOUT", "TIMEOUT", retryable: true);
fault!(two_gigabytes_are_too_many, "/huge", "MALFORMED", "BODY_TOO_LARGE", retryable: false);
fault!(a_gzip_bomb_is_not_unpacked, "/bomb", "MALFORMED", "BODY_TOO_LARGE", retryable: false);
fault!(endless_pages_stop_at_the_cap, "/endless", "UPSTREAM", "PAGE_LIMIT", retryable: false);
fault!(a_redirect_to_a_private_address_is_blocked, "/redirect", "CONFIG", "BLOCKED_ADDRESS", retryable: false);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_page_token_is_an_error_not_an_endless_run() {
    let (_database, bench) = Bench::new().await;
    let cursor = manifest(10).replace(
        "type: OffsetIncrement",
        "type: CursorPagination\n          cursor_value: \"{{ response['next'] }}\"",
    );
    bench.api().install_connector("tokens", &cursor).await;
    let run = bench
        .api()
        .sync(&bench.integration("tokens", "/same-token").await)
        .await;
    assert_eq!(
        kind_and_code(&run["error"]),
        ("UPSTREAM", "REPEATED_PAGE_TOKEN"),
        "{run:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_connection_is_network() {
    let (_database, bench) = Bench::new().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let integration = bench
        .api()
        .create_integration(json!({
            "clientId": bench.client, "connector": "items", "name": "Nobody listens", "retryPolicy": "no_retry",
            "config": { "base_url": format!("http://{free}"), "path": "/items", "token": "x" },
        }))
        .await;
    let run = bench.api().sync(&integration).await;
    assert_eq!(
        kind_and_code(&run["error"]),
        ("NETWORK", "CONNECTION_REFUSED"),
        "{run:#}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_address_is_blocked_unless_the_operator_allows_it() {
    let database = TestDatabase::sqlite();
    let upstream = Upstream::start(1).await;
    let server = Server::start_with(
        &database,
        ServerOptions::default().with("SYNCLINE_ALLOW_NETWORKS", "192.0.2.0/24"),
    )
    .await;
    let api = server.graphql();
    let client = api.register_client("acme").await;
    api.install_connector("items", &manifest(10)).await;
    let port = upstream.url().rsplit(':').next().expect("a port").to_owned();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "user@127.0.0.1",
    ] {
        let integration = api
            .create_integration(json!({
                "clientId": client, "connector": "items", "name": host,
                "config": { "base_url": format!("http://{host}:{port}"), "path": "/items", "token": "x" },
            }))
            .await;
        let run = api.sync(&integration).await;
        assert_eq!(
            kind_and_code(&run["error"]),
            ("CONFIG", "BLOCKED_ADDRESS"),
            "{host}: {run:#}"
        );
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_fail_pause_the_integration_until_it_is_resumed() {
    let (_database, bench) = Bench::new().await;
    let integration = bench.integration("items", "/status/401").await;
    bench.api().sync(&integration).await;
    let state = "query($id: ID!) { integration(id: $id) { status pauseReasons health } }";
    let shown = bench.api().query(state, json!({ "id": integration })).await["integration"].take();
    assert_eq!(
        (&shown["status"], &shown["pauseReasons"]),
        (&json!("PAUSED"), &json!(["CREDENTIAL"])),
        "{shown}"
    );
    bench
        .api()
        .accepted(
            "resumeIntegration",
            "ResumeIntegrationInput",
            json!({ "integrationId": integration }),
            "integration { status }",
        )
        .await;
    let shown = bench.api().query(state, json!({ "id": integration })).await["integration"].take();
    assert_eq!(shown["pauseReasons"], json!([]));
}

on_both_databases! {
    async fn transient_failures_are_retried_and_the_run_succeeds(database) {
        let upstream = Upstream::start(35).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let client = api.register_client("acme").await;
        api.install_connector("items", &manifest(10)).await;
        let integration = api
            .create_integration(json!({
                "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"),
                "retry": { "maxAttempts": 4, "baseDelaySeconds": 0.01 },
            }))
            .await;
        upstream.fail_next(1, 500);
        upstream.fail_next(1, 429);
        let run = api.sync(&integration).await;
        assert_eq!((&run["status"], &run["attempt"]), (&json!("SUCCEEDED"), &json!(3)), "{run:#}");
        assert_eq!(run["error"], Value::Null);
        let kinds: Vec<_> = run["attempts"].as_array().expect("attempts").iter().map(|one| one["error"]["kind"].clone()).collect();
        assert_eq!(kinds, [json!("UPSTREAM"), json!("RATE_LIMITED"), Value::Null]);
        assert_eq!(run["progress"]["recordsAdded"], 35.0);
    }

    async fn a_record_that_cannot_be_mapped_becomes_a_dead_letter(database) {
        let upstream = Upstream::start(1).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let client = api.register_client("acme").await;
        api.install_connector("items", &manifest(10)).await;
        let integration = api
            .create_integration(json!({ "clientId": client, "connector": "items", "name": "Mixed", "config": upstream.config("/mixed") }))
            .await;
        let run = api.sync(&integration).await;
        assert_eq!(run["status"], "PARTIALLY_SUCCEEDED", "{run:#}");
        assert_eq!((&run["progress"]["recordsAdded"], &run["progress"]["recordsFailed"]), (&json!(4.0), &json!(1.0)));
        let letters = api
            .query(
                "query($id: ID!) { deadLetters(filter: { integrationId: $id }) { totalCount edges { node { kind status stream payload error { kind code message } run { id } } } } }",
                json!({ "id": integration }),
            )
            .await["deadLetters"]
            .take();
        assert_eq!(letters["totalCount"], 1);
        let letter = &letters["edges"][0]["node"];
        assert_eq!((&letter["kind"], &letter["status"], &letter["stream"]), (&json!("RECORD"), &json!("OPEN"), &json!("items")));
        assert_eq!(letter["payload"]["name"], "no id");
        assert_eq!(letter["run"]["id"], run["id"]);
    }
}
