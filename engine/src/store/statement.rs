//! Raw statements, for the queue and the hot path.
//!
//! A conditional `UPDATE … RETURNING` *is* the queue's guarantee, and a reviewer should be able to read it as
//! one. So these statements are written out, with what is bound standing where it is bound; the rest of the
//! store uses SeaORM's queries. Both databases take `$n` placeholders. A statement's text depends only on
//! its shape, never on a value, so the driver prepares it once per connection.

use chrono::{DateTime, Utc};
use entity::Timestamp;
use sea_orm::{DbBackend, Statement, Value};

/// The present, in microseconds, by the clock of the PostgreSQL server, at this very statement.
const POSTGRES_NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";

/// A statement under construction.
#[derive(Debug)]
pub(crate) struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// An empty statement.
    pub(crate) fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            text: String::with_capacity(512),
            values: Vec::new(),
        }
    }

    /// The database that it is for.
    pub(crate) fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Adds text.
    #[must_use]
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds a placeholder for this value.
    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let place = self.values.len().to_string();
        self.text.push('$');
        self.text.push_str(&place);
        self
    }

    /// Binds a value that the text names itself, by its number.
    #[must_use]
    pub(crate) fn silently(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds placeholders for these values, with commas between.
    #[must_use]
    pub(crate) fn list<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        for (index, value) in values.into_iter().enumerate() {
            self = if index > 0 { self.text(", ") } else { self }.bind(value);
        }
        self
    }

    /// Adds the present by which leases are judged: on PostgreSQL the server's clock, read when the
    /// statement runs, so that no process's pause or skew lies between; on SQLite, where every process
    /// shares the machine's clock, what the caller read after it got its turn to write.
    #[must_use]
    pub(crate) fn present(self, now: DateTime<Utc>) -> Self {
        match self.backend {
            DbBackend::Postgres => self.text(POSTGRES_NOW),
            _ => self.bind(Timestamp::from(now)),
        }
    }

    /// Adds one of two texts.
    #[must_use]
    pub(crate) fn either(self, sqlite: &str, postgres: &str) -> Self {
        let text = match self.backend {
            DbBackend::Postgres => postgres,
            _ => sqlite,
        };
        self.text(text)
    }

    /// The finished statement.
    pub(crate) fn build(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}
