//! A database of a test's own, on either kind, and a view of its rows.

use std::collections::BTreeMap;
use std::path::Path;

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use tempfile::TempDir;

/// One test's database. SQLite: a file in a folder that goes with the test. PostgreSQL: a fresh database on the
/// cluster that `scripts/with-services` started, beside a Redis.
pub struct TestDatabase {
    url: String,
    redis: Option<Redis>,
    folder: TempDir,
}

/// The Redis that the processes on this database hear one another through.
struct Redis {
    url: String,
    prefix: String,
}

/// Every row of every table that a sync writes, as text: two dumps are equal when not one row changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Dump(BTreeMap<&'static str, Vec<String>>);

const DUMPED: [(&str, &str); 8] = [
    ("sync_run", "id"),
    ("sync_attempt", "run_id, number"),
    ("sync_run_stream", "run_id, stream"),
    ("stream_state", "id"),
    ("record", "id"),
    ("dead_letter", "id"),
    ("run_log", "id"),
    ("integration", "id"),
];

impl TestDatabase {
    /// A SQLite file that does not exist yet.
    #[must_use]
    pub fn sqlite() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("syncline.db").display());
        Self {
            url,
            redis: None,
            folder,
        }
    }

    /// A fresh PostgreSQL database, and a prefix of its own on a Redis.
    ///
    /// # Panics
    /// When one of them is not there: a missing server is a failure, never a skip.
    pub async fn postgresql() -> Self {
        let admin = std::env::var("SYNCLINE_TEST_POSTGRES_URL").expect(
            "SYNCLINE_TEST_POSTGRES_URL names no PostgreSQL: run `scripts/test`, or `scripts/with-services cargo test`",
        );
        let redis = std::env::var("SYNCLINE_TEST_REDIS_URL").expect(
            "SYNCLINE_TEST_REDIS_URL names no Redis: run `scripts/test`, or `scripts/with-services cargo test`",
        );
        Self::on(&admin, redis).await
    }

    /// A fresh database on this PostgreSQL, and a prefix of its own on this Redis.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn on(admin: &str, redis: String) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let unique = folder
            .path()
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a folder name");
        let name = format!(
            "e2e_{}",
            unique
                .replace(|c: char| !c.is_ascii_alphanumeric(), "")
                .to_lowercase()
        );
        let server = Database::connect(admin).await.expect("the test cluster answers");
        server
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a fresh database");
        let mut url = url::Url::parse(admin).expect("a URL");
        url.set_path(&name);
        Self {
            url: url.to_string(),
            redis: Some(Redis {
                url: redis,
                prefix: format!("{name}:"),
            }),
            folder,
        }
    }

    /// What a process on this database is told: where it is, and through what it hears the others. SQLite goes with
    /// coordination in process, PostgreSQL with Redis.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut environment = vec![("DATABASE_URL".to_owned(), self.url.clone())];
        if let Some(redis) = &self.redis {
            environment.push(("REDIS_URL".to_owned(), redis.url.clone()));
            environment.push(("SYNCLINE_REDIS_PREFIX".to_owned(), redis.prefix.clone()));
        }
        environment
    }

    /// With another Redis, of the test's own.
    #[must_use]
    pub fn with_redis(mut self, url: String) -> Self {
        if let Some(redis) = &mut self.redis {
            redis.url = url;
        }
        self
    }

    /// What `DATABASE_URL` is set to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The test's folder; also the server's data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether this is SQLite.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    /// A connection of the test's own, beside the server's.
    ///
    /// # Panics
    /// When the database cannot be reached.
    pub async fn connect(&self) -> DatabaseConnection {
        let url = if self.is_sqlite() {
            format!("{}?mode=rwc", self.url)
        } else {
            self.url.clone()
        };
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options)
            .await
            .expect("the test's database answers")
    }

    /// One number from one row.
    ///
    /// # Panics
    /// When the statement fails or gives no number.
    pub async fn number(&self, sql: &str) -> i64 {
        let connection = self.connect().await;
        let row = connection
            .query_one_raw(Statement::from_string(self.backend(), sql))
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
            .unwrap_or_else(|| panic!("{sql}: no row"));
        row.try_get_by_index::<i64>(0)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// One text a row.
    ///
    /// # Panics
    /// When the statement fails.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let connection = self.connect().await;
        connection
            .query_all_raw(Statement::from_string(self.backend(), sql))
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
            .iter()
            .map(|row| {
                row.try_get_by_index::<String>(0)
                    .unwrap_or_else(|error| panic!("{sql}: {error}"))
            })
            .collect()
    }

    /// Executes a statement the server does not know of.
    ///
    /// # Panics
    /// When it fails.
    pub async fn execute(&self, sql: &str) {
        let connection = self.connect().await;
        connection
            .execute_unprepared(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Executes a statement the server does not know of; gives how many rows it changed.
    ///
    /// # Errors
    /// When the database refuses it.
    pub async fn try_execute(&self, sql: &str) -> Result<u64, DbErr> {
        let connection = self.connect().await;
        let statement = Statement::from_string(self.backend(), sql);
        Ok(connection.execute_raw(statement).await?.rows_affected())
    }

    /// Every row that a sync can write.
    ///
    /// # Panics
    /// When a table cannot be read.
    pub async fn dump(&self) -> Dump {
        let mut tables = BTreeMap::new();
        for (table, order) in DUMPED {
            tables.insert(table, self.table(table, order).await);
        }
        Dump(tables)
    }

    /// Every row of every table as text, the tables by name.
    ///
    /// # Panics
    /// When a table cannot be read.
    pub async fn rows(&self) -> BTreeMap<String, Vec<String>> {
        let names = if self.is_sqlite() {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        } else {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
        };
        let mut tables = BTreeMap::new();
        for name in self.texts(names).await {
            let rows = self.table(&name, "1").await;
            tables.insert(name, rows);
        }
        tables
    }

    async fn table(&self, table: &str, order: &str) -> Vec<String> {
        let sql = if self.is_sqlite() {
            let columns = self
                .texts(&format!("SELECT name FROM pragma_table_info('{table}')"))
                .await
                .iter()
                .map(|column| format!("quote(\"{column}\")"))
                .collect::<Vec<_>>()
                .join(" || ',' || ");
            format!("SELECT {columns} FROM {table} ORDER BY {order}")
        } else {
            format!("SELECT row_to_json(\"{table}\")::text FROM \"{table}\" ORDER BY {order}")
        };
        self.texts(&sql).await
    }

    fn backend(&self) -> DbBackend {
        if self.is_sqlite() {
            DbBackend::Sqlite
        } else {
            DbBackend::Postgres
        }
    }
}
