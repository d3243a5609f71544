//! Refusals, cuts, cancellation, bounds and the gate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use connectors::read::{Ask, Checkpoint, ErrorKind, Gate, HeldBack, ReadContext, RetryMode, Seen, Told};
use futures::StreamExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Database, NUMBERED, stream};
use crate::upstream::{connector, context, ids, kept, pages, request};

#[tokio::test]
async fn refusals_have_their_kinds() {
    let database = Database::new(NUMBERED).await;
    let plain = Database::new(
        "CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1); \
         CREATE FUNCTION write() RETURNS int LANGUAGE sql AS 'INSERT INTO items VALUES (2) RETURNING id'",
    )
    .await;
    for (database, fields, kind, code, retryable) in [
        (
            &database,
            "table: nothing",
            ErrorKind::Config,
            "POSTGRES_42P01",
            false,
        ),
        (
            &database,
            "table: items\nkey_columns: [idd]",
            ErrorKind::Config,
            "CONFIG_INVALID",
            false,
        ),
        (
            &database,
            "query: SELECT idd FROM items\nprimary_key: id",
            ErrorKind::Config,
            "POSTGRES_42703",
            false,
        ),
        (
            &database,
            "query: SELECT 1 AS id; DROP TABLE items\nprimary_key: id",
            ErrorKind::Config,
            "POSTGRES_42601",
            false,
        ),
        (
            &plain,
            "query: SELECT write() AS id\nprimary_key: id",
            ErrorKind::Config,
            "POSTGRES_25006",
            false,
        ),
        (
            &database,
            "query: SELECT id, pg_sleep(5) FROM items\nprimary_key: id\nstatement_timeout_seconds: 0.05",
            ErrorKind::Timeout,
            "POSTGRES_57014",
            true,
        ),
    ] {
        let error = database.error(fields).await;
        assert_eq!(
            (error.kind, error.code.as_str(), error.retryable),
            (kind, code, retryable),
            "{fields}: {error}"
        );
        assert_eq!(
            error.url,
            Some(format!("postgres://{}/{}", database.address, database.name))
        );
    }
    let gone = stream(database.address, "no_such_database", "table: items");
    let read = |yaml: String, context: ReadContext| async move {
        let stream = connector(&yaml).read(&context, request(json!({}), Checkpoint::default()));
        pages(stream.unwrap()).await.unwrap_err().1
    };
    let error = read(gone, database.context()).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Config, "POSTGRES_3D000")
    );
    let nobody = database
        .manifest("table: items")
        .replace("username: syncline", "username: nobody");
    let error = read(nobody, database.context()).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Auth, "POSTGRES_28000")
    );
    let secure = database
        .manifest("table: items")
        .replace("tls_mode: disable", "tls_mode: verify");
    let error = read(secure, database.context()).await;
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Config, "TLS"));
    let yaml = database.manifest("table: items");
    let error = read(yaml.clone(), context(Vec::new())).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Config, "BLOCKED_ADDRESS")
    );
    let name = yaml.replace("host: \"127.0.0.1\"", "host: localhost");
    let error = read(name, context(Vec::new())).await;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Config, "BLOCKED_ADDRESS")
    );
}

/// PostgreSQL's refusal of a connection, on the wire.
fn refusal(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
    [b"E".as_slice(), &length, fields.as_bytes()].concat()
}

/// A server that answers whoever connects with these bytes.
async fn server(answer: Vec<u8>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1024]).await;
            let _ = socket.write_all(&answer).await;
        }
    });
    address
}

#[tokio::test]
async fn a_server_may_refuse_a_password_be_starting_or_be_something_else() {
    for (answer, kind, code, retryable) in [
        (
            refusal("28P01", "wrong: s3cret-pw"),
            ErrorKind::Auth,
            "POSTGRES_28P01",
            false,
        ),
        (
            refusal("57P03", "the database system is starting up"),
            ErrorKind::Network,
            "POSTGRES_57P03",
            true,
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            ErrorKind::Network,
            "CONNECTION_LOST",
            true,
        ),
        (Vec::new(), ErrorKind::Network, "CONNECTION_LOST", true),
    ] {
        let address = server(answer).await;
        let stream = connector(&stream(address, "db", "table: items")).read(
            &context(vec![address]),
            request(json!({"api_key": "s3cret-pw"}), Checkpoint::default()),
        );
        let error = pages(stream.unwrap()).await.unwrap_err().1;
        assert_eq!(
            (error.kind, error.code.as_str(), error.retryable),
            (kind, code, retryable),
            "{error}"
        );
        assert!(!error.to_string().contains("s3cret-pw"), "{error}");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let stream = connector(&stream(address, "db", "table: items"))
        .read(&context(vec![address]), request(json!({}), Checkpoint::default()));
    let error = pages(stream.unwrap()).await.unwrap_err().1;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Network, "CONNECTION_REFUSED")
    );
}

#[tokio::test]
async fn a_cut_connection_is_a_fault_that_a_repetition_mends() {
    let database = Database::new(NUMBERED).await;
    let fields = "table: items\npage_size: 1";
    let connector = connector(&database.manifest(fields));
    let mut context = database.context();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'syncline' \
                AND datname = current_database()";
    let mut stream = connector
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let mut got = vec![stream.next().await.unwrap().unwrap()];
    database.run(kill).await;
    let error = loop {
        match stream.next().await {
            Some(Ok(page)) => got.push(page),
            Some(Err(error)) => break Some(error),
            // Between two pages the reader noticed, and opened another connection.
            None => break None,
        }
    };
    if let Some(error) = &error {
        assert_eq!(
            (error.kind, error.retryable),
            (ErrorKind::Network, true),
            "{error}"
        );
    }
    let mut all = ids(&got);
    if error.is_some() {
        let rest = database
            .read(fields, kept(&got.last().unwrap().checkpoint))
            .await
            .unwrap();
        all.extend(ids(&rest));
    }
    assert_eq!(all, (1..=25).collect::<Vec<_>>());

    // A read by hand repeats by itself.
    context.retry = RetryMode::AsReference;
    let mut stream = connector
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let mut got = vec![stream.next().await.unwrap().unwrap()];
    database.run(kill).await;
    got.extend(pages(stream).await.unwrap());
    assert_eq!(ids(&got), (1..=25).collect::<Vec<_>>());
}

#[tokio::test]
async fn cancelling_ends_the_statement_at_the_server() {
    let database = Database::new(NUMBERED).await;
    let fields =
        "query: SELECT id, pg_sleep(600) FROM items\nprimary_key: id\nstatement_timeout_seconds: 3600";
    let context = database.context();
    let stream = connector(&database.manifest(fields))
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'syncline' \
                    AND datname = current_database() AND state = 'active' AND wait_event = 'PgSleep'";
    let count = async |sql: &str| -> i64 { database.sql.query_one(sql, &[]).await.unwrap().get(0) };
    let reading = tokio::spawn(async move { pages(stream).await.unwrap_err().1 });
    while count(sleeping).await == 0 {
        tokio::task::yield_now().await;
    }
    context.cancel.cancel();
    assert_eq!(reading.await.unwrap().kind, ErrorKind::Cancelled);
    let ended = async {
        while count(sleeping).await != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended)
        .await
        .unwrap();
}

#[tokio::test]
async fn large_rows_end_a_page_early_and_huge_ones_are_refused() {
    let database = Database::new(
        "CREATE TABLE items (id int PRIMARY KEY, large text); \
         INSERT INTO items SELECT n, repeat('x', 10000) FROM generate_series(1, 350) n",
    )
    .await;
    let fields = "table: items\npage_size: 1000";
    let mut context = database.context();
    context.limits.max_body_bytes = 2_400_000;
    let read = |context: ReadContext| {
        let stream =
            connector(&database.manifest(fields)).read(&context, request(json!({}), Checkpoint::default()));
        pages(stream.unwrap())
    };
    let got = read(context.clone()).await.unwrap();
    assert_eq!(
        got.iter().map(|page| page.records.len()).collect::<Vec<_>>(),
        [200, 150]
    );
    assert_eq!(ids(&got), (1..=350).collect::<Vec<_>>());

    database
        .run("INSERT INTO items VALUES (0, repeat('x', 3000000))")
        .await;
    let error = read(context).await.unwrap_err().1;
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Malformed, "BODY_TOO_LARGE")
    );
    assert!(!error.retryable);
}

#[derive(Default)]
struct Counting {
    admitted: AtomicUsize,
    worked: AtomicUsize,
}

#[async_trait]
impl Gate for Counting {
    async fn admit(&self, ask: &Ask<'_>) -> Result<(), HeldBack> {
        let host = ask.host;
        assert!(host.starts_with("127.0.0.1:"), "{host}");
        self.admitted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn seen(&self, _: &Ask<'_>, seen: Seen, _: Told) {
        if seen == (Seen::Works { patience: None }) {
            self.worked.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn every_page_passes_the_gate() {
    let database = Database::new(NUMBERED).await;
    let gate = Arc::new(Counting::default());
    let mut context = database.context();
    context.gate = Some(gate.clone());
    let connector = connector(&database.manifest("table: items\npage_size: 10"));
    let stream = connector.read(&context, request(json!({}), Checkpoint::default()));
    pages(stream.unwrap()).await.unwrap();
    assert_eq!(gate.admitted.load(Ordering::SeqCst), 3);
    assert_eq!(gate.worked.load(Ordering::SeqCst), 3);
    let hosts = connector.hosts(&context, &json!({}), &["items".to_owned()]);
    assert_eq!(
        hosts.into_iter().collect::<Vec<_>>(),
        [database.address.to_string()]
    );
}
