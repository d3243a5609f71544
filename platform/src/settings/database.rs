//! `[database]`: where everything is kept.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::redact_url;
use super::sources::{Fault, Sources, within};
use super::storage::StorageSettings;
use super::worker::WorkerSettings;

const CONNECTIONS: RangeInclusive<u32> = 1..=1000;
const KEPT: RangeInclusive<u32> = 0..=1000;
const SECONDS: RangeInclusive<u64> = 1..=600;

/// The longest that an idle transaction may hold others up, however long the lease.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(15);

/// Where everything is kept, and how many connections to it there are.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `DATABASE_URL`.
    pub url: DatabaseUrl,
    /// Connections at most; on SQLite, those that read.
    pub max_connections: u32,
    /// Connections kept open.
    pub min_connections: u32,
    /// How long to wait for a connection, or for the turn to write, before giving up.
    pub acquire_timeout: Duration,
    /// When PostgreSQL ends a session that sits in a transaction doing nothing: below the lease, so that a
    /// process that was stopped there does not hold up the one that takes over its work.
    pub idle_in_transaction_timeout: Duration,
}

impl DatabaseSettings {
    /// The defaults, with this database.
    pub fn new(url: DatabaseUrl) -> Self {
        // A SQLite reader is a thread and a cache; a PostgreSQL connection is a wait for the network.
        let max_connections = if url.sqlite_path().is_some() { 4 } else { 10 };
        Self {
            url,
            max_connections,
            min_connections: 1,
            acquire_timeout: Duration::from_secs(10),
            idle_in_transaction_timeout: IDLE_IN_TRANSACTION,
        }
    }

    pub(super) fn read(
        sources: &Sources<'_>,
        storage: &StorageSettings,
        worker: &WorkerSettings,
    ) -> Result<Self, Fault> {
        let url = match sources.text("database.url")? {
            Some(text) => DatabaseUrl::parse(&text).map_err(|problem| Fault::new("database.url", problem))?,
            None => DatabaseUrl::sqlite(storage.default_database()),
        };
        let default = Self::new(url);
        let seconds = sources.number("database.acquire_timeout_seconds", SECONDS)?;
        let max_connections = sources
            .number("database.max_connections", CONNECTIONS)?
            .unwrap_or(default.max_connections);
        let min_connections = sources
            .number("database.min_connections", KEPT)?
            .unwrap_or(default.min_connections.min(max_connections));
        Ok(Self {
            max_connections,
            min_connections,
            acquire_timeout: seconds.map_or(default.acquire_timeout, Duration::from_secs),
            idle_in_transaction_timeout: (worker.lease() / 2).min(IDLE_IN_TRANSACTION),
            ..default
        })
    }

    /// Whether this can be used.
    ///
    /// # Errors
    /// The key that cannot, and why.
    pub fn validate(&self) -> Result<(), Fault> {
        within("database.max_connections", self.max_connections, &CONNECTIONS)?;
        if self.min_connections > self.max_connections {
            return Err(Fault::new(
                "database.min_connections",
                format!(
                    "is {}, must be at most database.max_connections, which is {}",
                    self.min_connections, self.max_connections
                ),
            ));
        }
        Ok(())
    }

    /// The defaults, with a SQLite file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::new(DatabaseUrl::sqlite(path))
    }
}

/// A database's address, which may hold a password and therefore never shows it.
#[derive(Clone)]
pub struct DatabaseUrl {
    whole: SecretString,
    shown: String,
    location: DatabaseLocation,
}

/// Which database an address means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseLocation {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres,
}

impl DatabaseUrl {
    /// Understands `sqlite://PATH` and `postgres://…`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write instead; it never repeats the text, which may
    /// hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            return Self::parse_sqlite(rest);
        }
        let url = Url::parse(text).map_err(|error| {
            format!("is not a URL ({error}): write sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE")
        })?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(format!(
                "has the scheme {:?}: Syncline keeps its data in sqlite://PATH or postgres://…",
                url.scheme()
            ));
        }
        if url.host_str().is_none_or(str::is_empty) && !url.query_pairs().any(|(key, _)| key == "host") {
            return Err("names no host: write postgres://USER:PASSWORD@HOST/DATABASE".to_owned());
        }
        Ok(Self {
            shown: redact_url(&url),
            whole: SecretString::from(text.to_owned()),
            location: DatabaseLocation::Postgres,
        })
    }

    fn parse_sqlite(rest: &str) -> Result<Self, String> {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
        if path == ":memory:" || path.ends_with("/:memory:") || parameters.contains("mode=memory") {
            return Err(
                "asks for an in-memory SQLite: each connection would see a database of its own, and \
                        nothing would survive a restart; write sqlite://PATH"
                    .to_owned(),
            );
        }
        if path.is_empty() {
            return Err("names no file: write sqlite://PATH, such as sqlite://data/syncline.db".to_owned());
        }
        if !parameters.is_empty() && parameters != "mode=rwc" {
            return Err(
                "has parameters after the path: Syncline sets SQLite's itself; write sqlite://PATH"
                    .to_owned(),
            );
        }
        Ok(Self::sqlite(path))
    }

    /// A SQLite file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        let path: PathBuf = path.into();
        let shown = format!("sqlite://{}", path.display());
        Self {
            whole: SecretString::from(shown.clone()),
            shown,
            location: DatabaseLocation::Sqlite(path),
        }
    }

    /// Which database it is.
    pub fn location(&self) -> &DatabaseLocation {
        &self.location
    }

    /// The file, of a SQLite.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.location {
            DatabaseLocation::Sqlite(path) => Some(path),
            DatabaseLocation::Postgres => None,
        }
    }

    /// The whole address with its password: for the driver, and for nobody else.
    pub fn expose(&self) -> &str {
        self.whole.expose_secret()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown)
    }
}
