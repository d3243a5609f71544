//! PostgreSQL, on a real one: `SYNCLINE_TEST_POSTGRES_URL` names it, and every test gets a database of its own.

mod rows;
mod trouble;

use std::net::SocketAddr;

use connectors::read::{Checkpoint, Page, ReadContext, ReadError};
use platform::clock::SystemClock;
use platform::random::{SystemRandom, uuid_v7};
use serde_json::json;
use tokio_postgres::{Client, NoTls};

use crate::upstream::{connector, context, manifest, pages, request};

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

const NUMBERED: &str = "CREATE TABLE items (id bigint PRIMARY KEY, name text); \
                        INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, 25) n";

const CHANGING: &str = "CREATE TABLE items (id int PRIMARY KEY, at timestamptz); \
    INSERT INTO items SELECT n, '2024-01-01'::timestamptz + (n / 3) * interval '1 day' FROM generate_series(1, 10) n";
