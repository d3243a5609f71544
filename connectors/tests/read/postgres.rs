//! PostgreSQL, on a real one: `SYNCLINE_TEST_POSTGRES_URL` names it, and every test gets a database of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use connectors::catalog;
use connectors::read::{
    Ask, Checkpoint, ErrorKind, Gate, HeldBack, Page, ReadContext, ReadError, ReadRequest, RetryMode, Seen,
    Told,
};
use futures::StreamExt;
use platform::clock::SystemClock;
use platform::random::{SystemRandom, uuid_v7};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::{Client, NoTls};

use crate::upstream::{connector, context, ids, manifest, pages, records, request};

struct Database {
    address: SocketAddr,
    name: String,
    sql: Client,
}

impl Database {
    #[expect(clippy::disallowed_methods, reason = "the one setting of the tests")]
    async fn new(setup: &str) -> Self {
        let server = std::env::var("SYNCLINE_TEST_POSTGRES_URL").expect(
            "SYNCLINE_TEST_POSTGRES_URL names no PostgreSQL: run `scripts/test`, or `scripts/with-services cargo test`",
        );
        let mut url: url::Url = server.parse().unwrap();
        let name = format!(
            "test_{}",
            uuid_v7(SystemClock::shared().now(), &*SystemRandom::shared()).simple()
        );
        let admin = client(&url).await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        url.set_path(&name);
        let sql = client(&url).await;
        sql.batch_execute(setup).await.unwrap();
        let address = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        Self {
            address: address.parse().unwrap(),
            name,
            sql,
        }
    }

    fn context(&self) -> ReadContext {
        context(vec![self.address])
    }

    /// A manifest of the stream `items` with these fields.
    fn manifest(&self, fields: &str) -> String {
        stream(self.address, &self.name, fields)
    }

    async fn run(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }

    async fn read(&self, fields: &str, checkpoint: Checkpoint) -> Result<Vec<Page>, (Vec<Page>, ReadError)> {
        let connector = connector(&self.manifest(fields));
        pages(
            connector
                .read(&self.context(), request(json!({}), checkpoint))
                .unwrap(),
        )
        .await
    }

    async fn all(&self, fields: &str) -> Vec<Page> {
        self.read(fields, Checkpoint::default()).await.unwrap()
    }

    async fn error(&self, fields: &str) -> ReadError {
        self.read(fields, Checkpoint::default()).await.unwrap_err().1
    }
}

async fn client(url: &url::Url) -> Client {
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn stream(address: SocketAddr, database: &str, fields: &str) -> String {
    let fields: String = fields.lines().map(|line| format!("    {line}\n")).collect();
    let streams = format!(
        r#"streams:
  - type: PostgresStream
    name: items
    connection:
      host: "{}"
      port: {}
      database: {database}
      username: syncline
      password: "{{{{ config['api_key'] }}}}"
      tls_mode: disable
{fields}
"#,
        address.ip(),
        address.port()
    );
    manifest("http://unused.example", &streams, "items")
}

/// As a database would keep it.
fn kept(checkpoint: &Checkpoint) -> Checkpoint {
    let through_text = |value: &Option<Value>| {
        value
            .as_ref()
            .map(|value| serde_json::from_str(&value.to_string()).unwrap())
    };
    Checkpoint {
        state: through_text(&checkpoint.state),
        resume: through_text(&checkpoint.resume),
    }
}

const NUMBERED: &str = "CREATE TABLE items (id bigint PRIMARY KEY, name text); \
                        INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, 25) n";

#[tokio::test]
async fn a_table_is_read_in_pages_by_its_primary_key() {
    let database = Database::new(NUMBERED).await;
    let read = database.all("table: items\npage_size: 10").await;
    assert_eq!(ids(&read), (1..=25).collect::<Vec<_>>());
    assert_eq!(
        read.iter().map(|page| page.records.len()).collect::<Vec<_>>(),
        [10, 10, 5]
    );
    assert!(
        read.iter()
            .all(|page| page.stats.requests == 1 && page.stats.bytes > 100)
    );
    assert_eq!(records(&read)[0], json!({"id": 1, "name": "item 1"}));
    assert!(read[2].last && read[2].checkpoint.resume.is_none());

    // Every cut goes on where it was, on a new connection, whatever was deleted before it.
    for cut in 0..2 {
        let mut got = ids(&read[..=cut]);
        let rest = database
            .read("table: items\npage_size: 10", kept(&read[cut].checkpoint))
            .await
            .unwrap();
        got.extend(ids(&rest));
        assert_eq!(got, (1..=25).collect::<Vec<_>>(), "cut after page {cut}");
    }
    database.run("DELETE FROM items WHERE id < 10").await;
    let rest = database
        .read("table: items\npage_size: 10", kept(&read[0].checkpoint))
        .await
        .unwrap();
    assert_eq!(ids(&rest), (11..=25).collect::<Vec<_>>());
}

#[tokio::test]
async fn values_lose_nothing_on_their_way_to_json() {
    let database = Database::new(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); \
         CREATE DOMAIN amount AS numeric(30, 10); \
         CREATE TABLE \"Odd \"\"Table\" (id int PRIMARY KEY, \"Mixed Case\" text, n numeric, d amount, ns numeric[], \
           big bigint, f float8, b boolean, t timestamptz, l timestamp, day date, raw bytea, j json, jb jsonb, \
           u uuid, m mood, p pair, tags text[], span interval, nothing text); \
         SET timezone = 'Asia/Tokyo'; \
         INSERT INTO \"Odd \"\"Table\" VALUES (1, E'tab\\t\"quote\" \\u00e9', 12345678901234567890.12345678901234567890, \
           0.1000000000, ARRAY[1.10, 2], 9007199254740993, 0.1, true, '2024-05-01 09:00:00.123456+09', \
           '2024-05-01 09:00:00', '2024-05-01', '\\x00ff10', E'{\"b\": 1,\\n \"a\": [1, 2]}', '{\"x\": null}', \
           '00000000-0000-0000-0000-00000000002a', 'ok', ROW(1, 'x'), ARRAY['a', NULL, 'c'], '1 day 02:00', NULL)",
    )
    .await;
    database
        .run(&format!("ALTER DATABASE {} SET timezone = 'America/New_York'; ALTER DATABASE {} SET datestyle = 'SQL, DMY'", database.name, database.name))
        .await;
    let read = database.all("table: 'Odd \"Table'").await;
    let text = read[0].records[0].json();
    assert!(!text.contains('\n'), "a record is one line: {text}");
    assert!(text.contains("9007199254740993"), "{text}");
    assert_eq!(
        records(&read),
        [json!({
            "id": 1, "Mixed Case": "tab\t\"quote\" é",
            "n": "12345678901234567890.12345678901234567890", "d": "0.1000000000", "ns": ["1.10", "2"],
            "big": 9_007_199_254_740_993_i64, "f": 0.1, "b": true,
            "t": "2024-05-01T00:00:00.123456+00:00", "l": "2024-05-01T09:00:00", "day": "2024-05-01",
            "raw": "AP8Q", "j": {"b": 1, "a": [1, 2]}, "jb": {"x": null},
            "u": "00000000-0000-0000-0000-00000000002a", "m": "ok", "p": {"a": 1, "b": "x"},
            "tags": ["a", null, "c"], "span": "P1DT2H", "nothing": null,
        })]
    );
}

#[tokio::test]
async fn keys_of_every_kind_tell_pages_apart() {
    let database = Database::new(
        "CREATE TABLE items (region char(3), at timestamptz, id uuid, n int, PRIMARY KEY (region, at, id)); \
         INSERT INTO items SELECT (ARRAY['a', 'ab', 'abc'])[1 + n % 3], '2024-01-01'::timestamptz + n / 4 * interval '1 us', \
           md5(n::text)::uuid, n FROM generate_series(1, 50) n",
    )
    .await;
    let read = database
        .all("table: items\npage_size: 7\nkey_field: _key\nprimary_key: _key")
        .await;
    let rows = database
        .sql
        .query("SELECT n FROM items ORDER BY region, at, id", &[])
        .await
        .unwrap();
    let expected: Vec<i64> = rows.iter().map(|row| i64::from(row.get::<_, i32>(0))).collect();
    let read = records(&read);
    let got: Vec<i64> = read.iter().map(|record| record["n"].as_i64().unwrap()).collect();
    assert_eq!(got, expected);
    let key: Vec<String> = serde_json::from_str(read[0]["_key"].as_str().unwrap()).unwrap();
    assert_eq!(key.len(), 3);
    assert_eq!(key[0].trim_end(), "a");
    assert_eq!(key[2], read[0]["id"].as_str().unwrap());
}

const CHANGING: &str = "CREATE TABLE items (id int PRIMARY KEY, at timestamptz); \
    INSERT INTO items SELECT n, '2024-01-01'::timestamptz + (n / 3) * interval '1 day' FROM generate_series(1, 10) n";

#[tokio::test]
async fn a_cursor_column_reads_on_from_the_state() {
    let database = Database::new(CHANGING).await;
    let fields = "table: items\ncursor_column: at\npage_size: 4";
    let first = database.all(fields).await;
    assert_eq!(ids(&first), (1..=10).collect::<Vec<_>>());
    let state = |page: &Page| page.checkpoint.state.clone().unwrap();
    assert_eq!(state(&first[0]), json!({"at": "2024-01-02T00:00:00+00:00"}));
    assert_eq!(state(&first[2]), json!({"at": "2024-01-04T00:00:00+00:00"}));

    // What has the last value again is read again: another row may have got it later.
    database
        .run(
            "INSERT INTO items VALUES (11, '2024-01-04'), (12, '2024-02-01'); \
             UPDATE items SET at = '2024-03-01' WHERE id = 2; INSERT INTO items VALUES (13, '2023-12-31')",
        )
        .await;
    let after = Checkpoint {
        state: first[2].checkpoint.state.clone(),
        resume: None,
    };
    let second = database.read(fields, kept(&after)).await.unwrap();
    assert_eq!(ids(&second), [9, 10, 11, 12, 2]);
    assert_eq!(
        state(second.last().unwrap()),
        json!({"at": "2024-03-01T00:00:00+00:00"})
    );
    let cut = database.read(fields, kept(&second[0].checkpoint)).await.unwrap();
    assert_eq!(ids(&cut), [2]);

    let back = database
        .read(
            &format!("{fields}\nlookback_window: P3M"),
            kept(&second.last().unwrap().checkpoint),
        )
        .await
        .unwrap();
    assert_eq!(ids(&back).len(), 13);

    // Nothing new, and nothing at all, keep the state.
    database.run("DELETE FROM items").await;
    let none = database.read(fields, kept(&after)).await.unwrap();
    assert_eq!(ids(&none), [0_i64; 0]);
    assert_eq!(none[0].checkpoint.state, after.state);
    assert_eq!(none[0].checkpoint.resume, None);

    let mut afresh = request(json!({}), kept(&after));
    afresh.full_refresh = true;
    database.run("INSERT INTO items VALUES (1, '2020-01-01')").await;
    let stream = connector(&database.manifest(fields)).read(&database.context(), afresh);
    assert_eq!(ids(&pages(stream.unwrap()).await.unwrap()), [1]);
}

#[tokio::test]
async fn rows_without_a_cursor_or_a_key_are_said() {
    let database = Database::new(CHANGING).await;
    database.run("INSERT INTO items VALUES (20, NULL)").await;
    let read = database
        .all("table: items\ncursor_column: at\npage_size: 100")
        .await;
    assert_eq!(ids(&read), (1..=10).collect::<Vec<_>>());
    assert!(
        read[0].notes[0].message.contains("\"at\" are not read"),
        "{:?}",
        read[0].notes
    );

    let error = database
        .error("query: SELECT * FROM items\nkey_columns: [at]")
        .await;
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("key column \"at\""), "{error}");
    database.run("CREATE VIEW seen AS SELECT * FROM items").await;
    let error = database.error("table: seen").await;
    assert!(error.message.contains("key_columns"), "{error}");
    assert_eq!(ids(&database.all("table: seen\nprimary_key: id").await).len(), 11);
}

#[tokio::test]
async fn a_query_is_read_as_it_is_written() {
    let database = Database::new(NUMBERED).await;
    let fields = "query: |\n  SELECT id, count(*) OVER () AS total FROM items -- all of them\n  ;\nprimary_key: id\npage_size: 10";
    let read = database.all(fields).await;
    assert_eq!(records(&read)[24], json!({"id": 25, "total": 25}));
    let transformed =
        format!("{fields}\ntransformations:\n  - type: RemoveFields\n    field_pointers: [[total]]");
    assert_eq!(records(&database.all(&transformed).await)[0], json!({"id": 1}));
}

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
        match stream.next().await.unwrap() {
            Ok(page) => got.push(page),
            Err(error) => break error,
        }
    };
    assert_eq!(
        (error.kind, error.retryable),
        (ErrorKind::Network, true),
        "{error}"
    );
    let rest = database
        .read(fields, kept(&got.last().unwrap().checkpoint))
        .await
        .unwrap();
    let mut all = ids(&got);
    all.extend(ids(&rest));
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

#[tokio::test]
async fn the_shipped_connector_reads_a_table_of_the_configurations() {
    let database = Database::new(CHANGING).await;
    let yaml = catalog::shipped()
        .iter()
        .find(|manifest| manifest.slug == "postgres")
        .unwrap()
        .yaml;
    let connector = connector(yaml);
    let mut config = json!({
        "host": database.address.ip().to_string(), "port": database.address.port(), "database": database.name,
        "username": "syncline", "password": "s3cret-pw", "tls_mode": "disable", "table": "items",
    });
    assert_eq!(connector.spec().validate(&config), []);
    let read = |config: Value, checkpoint: Checkpoint| {
        let request = ReadRequest {
            stream: "rows".to_owned(),
            ..request(config, checkpoint)
        };
        pages(connector.read(&database.context(), request).unwrap())
    };
    connector.check(&database.context(), &config).await.unwrap();
    let whole = read(config.clone(), Checkpoint::default()).await.unwrap();
    let keys: Vec<Value> = records(&whole)
        .iter()
        .map(|record| record["_key"].clone())
        .collect();
    assert_eq!(keys[..3], ["1", "2", "3"]);

    config["cursor_column"] = json!("at");
    let first = read(config.clone(), Checkpoint::default()).await.unwrap();
    assert_eq!(ids(&first).len(), 10);
    let second = read(config.clone(), kept(&first.last().unwrap().checkpoint))
        .await
        .unwrap();
    assert_eq!(ids(&second), [9, 10]);

    config["table"] = json!("nothing");
    let error = connector.check(&database.context(), &config).await.unwrap_err();
    assert_eq!(error.code, "POSTGRES_42P01");
    config.as_object_mut().unwrap().remove("table");
    let error = connector.check(&database.context(), &config).await.unwrap_err();
    assert_eq!(error.code, "CONFIG_INVALID");
}
