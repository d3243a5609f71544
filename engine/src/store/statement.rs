//! Raw statements, for the queue and the hot path.
//!
//! A conditional `UPDATE … RETURNING` *is* the queue's guarantee, and a reviewer should be able to read it as
//! one. So these statements are written out, with what is bound standing where it is bound; the rest of the
//! store uses SeaORM's queries. Both databases take `$n` placeholders. A statement's text depends only on
//! its shape, never on a value, so the driver prepares it once per connection.

use chrono::{DateTime, Utc};
use entity::Timestamp;
use sea_orm::sea_query::ArrayType;
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

    /// Adds that what stands before is one of these values, of which there is at least one. PostgreSQL gets an array, so that
    /// the text does not say how many there are.
    #[must_use]
    pub(crate) fn among<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Self {
        if self.backend != DbBackend::Postgres {
            return self.text("IN (").list(values).text(")");
        }
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let of = values.first().map_or(ArrayType::Int, Value::array_type);
        self.text("= ANY(")
            .bind(Value::Array(of, Some(Box::new(values))))
            .text(")")
    }

    /// Adds the table `row` of these rows, of which there is at least one and which hold no NULL; of a column
    /// its name and PostgreSQL's type.
    ///
    /// PostgreSQL gets an array a column: the text does not say how many rows there are, so a statement about
    /// three rows and one about two hundred are prepared once. SQLite has no arrays and gets every value.
    #[must_use]
    pub(crate) fn rows<const N: usize>(
        mut self,
        columns: [(&str, &str); N],
        rows: impl IntoIterator<Item = [Value; N]>,
    ) -> Self {
        if self.backend != DbBackend::Postgres {
            self = self.text("(SELECT ");
            for (place, (name, _)) in columns.iter().enumerate() {
                let comma = if place > 0 { ", " } else { "" };
                self = self.text(&format!("{comma}column{} AS {name}", place + 1));
            }
            self = self.text(" FROM (VALUES ");
            for (place, row) in rows.into_iter().enumerate() {
                self = self.text(if place > 0 { ", (" } else { "(" }).list(row).text(")");
            }
            return self.text(")) AS row");
        }
        let mut arrays = [const { Vec::new() }; N];
        for row in rows {
            for (array, value) in arrays.iter_mut().zip(row) {
                array.push(value);
            }
        }
        self = self.text("UNNEST(");
        for (place, (array, (_, kind))) in arrays.into_iter().zip(columns).enumerate() {
            let of = array.first().map_or(ArrayType::Int, Value::array_type);
            self = self
                .text(if place > 0 { ", CAST(" } else { "CAST(" })
                .bind(Value::Array(of, Some(Box::new(array))))
                .text(" AS ")
                .text(kind)
                .text("[])");
        }
        let names = columns.map(|(name, _)| name).join(", ");
        self.text(") AS row(").text(&names).text(")")
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
