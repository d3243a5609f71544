//! Starting, refusing to start, and the commands beside `serve`.

use serde_json::{Value, json};
use tests::{Server, ServerOptions, TestDatabase, on_both_databases, run_command, run_command_with};

on_both_databases! {
    async fn a_restart_finds_everything_again(database) {
        let server = Server::start(&database).await;
        let client = server.graphql().register_client("acme").await;
        assert_eq!(server.terminate().await, Some(0));
        let server = Server::start(&database).await;
        let found = server.graphql().query("{ client(slug: \"acme\") { id name metadata status } }", json!({})).await;
        assert_eq!(found["client"], json!({ "id": client, "name": "Client acme", "metadata": {}, "status": "ACTIVE" }));
    }

    async fn migrate_brings_an_empty_database_up_to_date(database) {
        let options = ServerOptions::default()
            .with("DATABASE_URL", database.url())
            .with("SYNCLINE_DATA_DIR", database.folder().display());
        let done = run_command_with(&["migrate"], &options).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(database.number("SELECT count(*) FROM sync_run").await, 0);
        let again = run_command_with(&["migrate"], &options).await;
        assert_eq!(again.code, Some(0), "{again:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_loopback_it_refuses_to_start_without_an_operator_key() {
    let database = TestDatabase::sqlite();
    let options = ServerOptions::default()
        .with("DATABASE_URL", database.url())
        .with("SYNCLINE_DATA_DIR", database.folder().display())
        .with("SYNCLINE_LISTEN", "0.0.0.0:0");
    let refused = run_command_with(&["serve"], &options).await;
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("SYNCLINE_OPERATOR_KEY"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_operator_key_only_its_holder_is_served() {
    let database = TestDatabase::sqlite();
    let key = "operator-key-of-at-least-32-characters";
    let server = Server::start_with(
        &database,
        ServerOptions::default().with("SYNCLINE_OPERATOR_KEY", key),
    )
    .await;
    let viewer = "{ viewer { kind } }";
    for stranger in [server.graphql(), server.graphql().with_key("wrong")] {
        let answer = stranger.answer(viewer, json!({})).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
            "{answer}"
        );
    }
    let data = server.graphql().with_key(key).query(viewer, json!({})).await;
    assert_eq!(data["viewer"]["kind"], "OPERATOR");
    assert!(!server.log_text().contains(key));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_cannot_drive_a_server_on_loopback() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database).await;
    let address = server.address();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = |host: String, origin: Option<&str>| {
        let mut request = http
            .post(format!("http://{address}/graphql"))
            .header("host", host)
            .json(&json!({ "query": "{ viewer { kind } }" }));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        async move { request.send().await.expect("an answer").status().as_u16() }
    };
    assert_eq!(ask(address.to_string(), None).await, 200);
    assert_eq!(
        ask(address.to_string(), Some(&format!("http://{address}"))).await,
        200
    );
    assert_eq!(ask(format!("localhost:{}", address.port()), None).await, 200);
    assert_eq!(ask(address.to_string(), Some("https://evil.example")).await, 403);
    assert_eq!(ask(address.to_string(), Some("null")).await, 403);
    assert_eq!(ask("evil.example".to_owned(), None).await, 403, "DNS rebinding");

    for (header, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
        let mut request = format!("ws://{address}/graphql/ws")
            .into_client_request()
            .expect("a request");
        request.headers_mut().insert(
            "sec-websocket-protocol",
            "graphql-transport-ws".parse().expect("a value"),
        );
        request
            .headers_mut()
            .insert(header, value.parse().expect("a value"));
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let refused = tokio_tungstenite::client_async(request, stream).await;
        assert!(refused.is_err(), "a WebSocket with {header}: {value} was opened");
    }

    // What a form can send without asking first is not what we take.
    let form = http
        .post(format!("http://{address}/graphql"))
        .header("content-type", "text/plain")
        .body(r#"{"query":"{ viewer { kind } }"}"#)
        .send()
        .await
        .expect("an answer");
    assert_eq!(form.status().as_u16(), 415);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_settings_are_refused_with_what_to_do() {
    let database = TestDatabase::sqlite();
    let base = || {
        ServerOptions::default()
            .with("DATABASE_URL", database.url())
            .with("SYNCLINE_DATA_DIR", database.folder().display())
            .with("SYNCLINE_LISTEN", "127.0.0.1:0")
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let held = std::net::TcpListener::bind(&taken);
    drop(held);
    for (name, value, says) in [
        ("DATABASE_URL", "mysql://localhost/x", "sqlite"),
        (
            "DATABASE_URL",
            "postgres://nobody:hunter2@127.0.0.1:1/x",
            "DATABASE_URL",
        ),
        ("SYNCLINE_LISTEN", "here", "SYNCLINE_LISTEN"),
        ("SYNCLINE_WORKERS", "many", "SYNCLINE_WORKERS"),
        ("SYNCLINE_LEASE_SECONDS", "0", "SYNCLINE_LEASE_SECONDS"),
        (
            "SYNCLINE_ALLOW_NETWORKS",
            "127.0.0.1/33",
            "SYNCLINE_ALLOW_NETWORKS",
        ),
    ] {
        let refused = run_command_with(&["serve"], &base().with(name, value)).await;
        assert!(
            refused.code.is_some_and(|code| code != 0),
            "{name}={value}: {refused:?}"
        );
        assert!(refused.stderr.contains(says), "{name}={value}: {refused:?}");
        assert!(
            !refused.stderr.contains("hunter2"),
            "a password is shown: {refused:?}"
        );
        assert!(!refused.stderr.contains("RUST_BACKTRACE"), "{refused:?}");
    }
    let split = run_command_with(&["scheduler"], &base()).await;
    assert!(
        split.code != Some(0) && split.stderr.contains("REDIS_URL"),
        "{split:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_command_prints_the_committed_schema() {
    let printed = run_command(&["schema"]).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql"))
        .expect("schema.graphql");
    assert_eq!(
        printed.stdout, committed,
        "regenerate it: cargo run -p cli -- schema > schema.graphql"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_is_wrong_and_how_to_mend_it() {
    let database = TestDatabase::sqlite();
    let options = ServerOptions::default()
        .with("DATABASE_URL", database.url())
        .with("SYNCLINE_DATA_DIR", database.folder().display())
        .with("SYNCLINE_LISTEN", "127.0.0.1:0");
    run_command_with(&["migrate"], &options).await;
    let healthy = run_command_with(&["doctor"], &options).await;
    assert_eq!(healthy.code, Some(0), "{healthy:?}");

    let broken = run_command_with(
        &["doctor"],
        &options.with("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x"),
    )
    .await;
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(
        broken.stdout.contains("127.0.0.1:1") && !broken.stdout.contains("hunter2"),
        "{broken:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_each_dependency() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database).await;
    let live = server.graphql().get("/health/live").await.expect("an answer");
    assert_eq!(live.status().as_u16(), 200);
    let ready: Value = server
        .graphql()
        .get("/health/ready")
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(ready["status"], "ready", "{ready}");
    for dependency in ["database", "coordination"] {
        let one = &ready["dependencies"][dependency];
        assert!(
            one["status"] == "up" && one["durationMs"].is_number() && one["error"].is_null(),
            "{ready}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_log_line_is_json_and_names_its_run() {
    let database = TestDatabase::sqlite();
    let upstream = tests::Upstream::start(5).await;
    let server = Server::start(&database).await;
    let api = server.graphql();
    let client = api.register_client("acme").await;
    api.install_connector("items", &tests::manifest(10)).await;
    let integration = api
        .create_integration(json!({ "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items") }))
        .await;
    let run = api.sync(&integration).await;
    tests::eventually("the run's end is logged", || async {
        server
            .log_lines()
            .iter()
            .any(|line| {
                line["run"] == run["id"]
                    && line["integration"] == integration.as_str()
                    && line["client"] == client.as_str()
            })
            .then_some(())
    })
    .await;
    assert_eq!(
        server.log_lines().len(),
        server.log_text().lines().count(),
        "a line is not JSON:\n{}",
        server.log_text()
    );
    assert!(
        server
            .log_lines()
            .iter()
            .any(|line| line["request_id"].is_string())
    );
}
