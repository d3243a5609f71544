//! Opening.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectOptions, DatabaseConnection, DbErr};
use tokio::sync::Mutex;

use super::checkpoint::Checkpointer;
use super::{Backend, Database, Reader, Turn};
use crate::settings::{DatabaseLocation, DatabaseSettings};

/// How long SQLite waits for another *process* that holds the write lock; inside this one, the turn does.
const BUSY: Duration = Duration::from_secs(10);

/// A connection unused for this long is tested before it is used: firewalls forget idle connections.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(30);

/// The longest a single PostgreSQL statement may take. The largest of ours writes one page of records.
pub(super) const STATEMENT: Duration = Duration::from_secs(60);

/// The longest a PostgreSQL statement may wait for another's lock.
const LOCK: Duration = Duration::from_secs(10);

/// The database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file's directory could not be made.
    #[error("cannot make the directory {} for the database: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database did not let us in.
    #[error("cannot open the database {location}: {source}; check DATABASE_URL")]
    Connect {
        /// Where, without its password.
        location: String,
        /// Why.
        source: DbErr,
    },
}

impl Database {
    /// Opens the database; a SQLite file and its directories are made if missing.
    ///
    /// # Errors
    /// When that is not possible; the message says where and why, without the password.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, DatabaseError> {
        let failed = |source| failed(settings, source);
        match settings.url.location() {
            DatabaseLocation::Sqlite(path) => {
                make_parent(path).await?;
                let writer = sqlite(settings, path, Role::Writer).await.map_err(failed)?;
                let readers = sqlite(settings, path, Role::Reader).await.map_err(failed)?;
                let checkpoints = sqlite(settings, path, Role::Checkpointer).await.map_err(failed)?;
                Ok(Self {
                    backend: Backend::Sqlite,
                    reader: Reader::new(readers),
                    writer,
                    turn: Some(Turn {
                        set_to: Arc::new(Mutex::new(None)),
                        checkpointer: Arc::new(Checkpointer::start(checkpoints)),
                    }),
                    acquire_timeout: settings.acquire_timeout,
                })
            }
            DatabaseLocation::Postgres => {
                let pool = postgres(settings).await.map_err(failed)?;
                Ok(Self {
                    backend: Backend::Postgres,
                    reader: Reader::new(pool.clone()),
                    writer: pool,
                    turn: None,
                    acquire_timeout: settings.acquire_timeout,
                })
            }
        }
    }
}

pub(super) fn failed(settings: &DatabaseSettings, source: DbErr) -> DatabaseError {
    DatabaseError::Connect {
        location: settings.url.to_string(),
        source,
    }
}

async fn make_parent(file: &Path) -> Result<(), DatabaseError> {
    let Some(directory) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    tokio::fs::create_dir_all(directory)
        .await
        .map_err(|source| DatabaseError::Directory {
            path: directory.to_owned(),
            source,
        })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer,
    Reader,
    Checkpointer,
}

async fn sqlite(settings: &DatabaseSettings, path: &Path, role: Role) -> Result<DatabaseConnection, DbErr> {
    let path = path.to_owned();
    // The path goes in by `filename`, not by the URL, whose percent signs and question marks mean something.
    let mut options = ConnectOptions::new("sqlite::memory:");
    common(&mut options, settings);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        let sqlite = sqlite
            .in_memory(false)
            .shared_cache(false)
            .filename(&path)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .pragma("temp_store", "MEMORY");
        match role {
            Role::Writer => sqlite
                .create_if_missing(true)
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                // In KiB. Index pages of the largest table must not be read again for each page of records. Twice
                // as much won no time: what is not here is in the system's cache.
                .pragma("cache_size", "-4096")
                // In pages: after 16 MiB of log the writer ends what the checkpointer began, and the log starts over.
                // The file is cut back after that.
                .pragma("wal_autocheckpoint", "4000")
                .pragma("journal_size_limit", "33554432"),
            Role::Checkpointer => sqlite
                .create_if_missing(false)
                .pragma("wal_autocheckpoint", "0")
                .pragma("synchronous", "NORMAL"),
            Role::Reader => sqlite.create_if_missing(false).pragma("query_only", "ON"),
        }
    });
    match role {
        // A writer that is closed for idling would forget its `synchronous`.
        Role::Writer => options
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None),
        Role::Checkpointer => options
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None),
        Role::Reader => options
            .max_connections(settings.max_connections)
            .min_connections(1),
    };
    options.test_before_acquire(false);
    sea_orm::Database::connect(options).await
}

pub(super) async fn postgres(settings: &DatabaseSettings) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(settings.url.expose());
    common(&mut options, settings);
    options
        .max_connections(settings.max_connections)
        .min_connections(settings.min_connections)
        .set_application_name("syncline")
        .test_before_acquire_if_idle_for(TEST_AFTER_IDLE);
    let idle = settings.idle_in_transaction_timeout;
    options.map_sqlx_postgres_opts(move |postgres| {
        postgres.options([
            (
                "idle_in_transaction_session_timeout",
                idle.as_millis().to_string(),
            ),
            ("statement_timeout", STATEMENT.as_millis().to_string()),
            ("lock_timeout", LOCK.as_millis().to_string()),
        ])
    });
    sea_orm::Database::connect(options).await
}

fn common(options: &mut ConnectOptions, settings: &DatabaseSettings) {
    options
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .connect_timeout(settings.acquire_timeout)
        .acquire_timeout(settings.acquire_timeout);
}
