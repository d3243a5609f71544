//! PostgreSQL: a table, a view or a query, read in pages by its key.
//!
//! A page is `WHERE (cursor, key) > (where the last one ended) ORDER BY cursor, key LIMIT n`, in a short read-only
//! transaction of its own. An offset would skip rows when others are deleted and costs more with every page; a
//! server-side cursor would hold a transaction open for as long as the read lasts. What a key costs instead is that
//! there has to be one.
//!
//! The next run begins *at* the cursor's last value and not after it: rows that got the same value later would be
//! missed, and whoever stores records by their key takes the repetition for what it is. Rows that were committed with
//! an older value are only found with a `lookback_window`.
//!
//! Rows become JSON in the server (`row_to_json`), which knows arrays, enums, composites, ranges and every type that
//! an extension brings. What JSON or a double would spoil is cast before: `numeric` to text, `bytea` to base64.

mod connection;
mod describe;
mod error;
mod meter;
mod schema;
mod sql;
mod tls;

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio_postgres::types::ToSql;

use self::connection::{Address, Connection};
use self::describe::Described;
use self::sql::{Bound, Relation};
use super::{Batch, call, leading};
use crate::http::session::{Session, display};
use crate::manifest::components::{PostgresConnection, PostgresRelation, PostgresSource, StreamPlan, Text};
use crate::read::{ErrorKind, NoteLevel, ReadError};
use crate::record::Record;

/// Rows that are asked for at once within a page, so that a page of large rows can end early.
const PORTION: i32 = 100;

/// A page ends when its records are this large, whatever its number of rows.
const PAGE_BYTES: usize = 8 << 20;

/// A stream of one database, ready for one read.
pub(crate) struct Reader {
    address: Address,
    relation: Relation,
    /// Empty: the table's primary key.
    key_columns: Vec<String>,
    /// What the manifest calls the records' key, for relations without one of their own.
    primary_key: Vec<String>,
    key_field: Option<String>,
    cursor_column: Option<String>,
    lookback: Option<String>,
    page_size: usize,
    open: Mutex<Option<Open>>,
}

/// A connection, and what was found out on it.
struct Open {
    connection: Connection,
    described: Arc<Described>,
}

/// The host that the connection goes to.
pub(super) fn host(session: &Session, connection: &PostgresConnection) -> Option<String> {
    let host = session.text(&connection.host, &[]).ok()?;
    let port = session.integer(&connection.port, &[]).ok()?;
    Some(format!("{host}:{port}"))
}

impl Reader {
    pub(super) fn new(
        session: &Arc<Session>,
        stream: &StreamPlan,
        source: &PostgresSource,
    ) -> Result<Self, ReadError> {
        let text = |text: &Text| session.text(text, &[]);
        let optional = |of: &Option<Text>| -> Result<Option<String>, ReadError> {
            Ok(of.as_ref().map(text).transpose()?.filter(|text| !text.is_empty()))
        };
        let relation = match &source.relation {
            PostgresRelation::Table { schema, table } => Relation::Table {
                schema: text(schema)?,
                table: text(table)?,
            },
            PostgresRelation::Query(query) => Relation::Query(text(query)?),
        };
        let mut key_columns = Vec::new();
        for column in &source.key_columns {
            let column = text(column)?;
            if !column.is_empty() {
                key_columns.push(column);
            }
        }
        let page_size = session.integer(&source.page_size, &[])?;
        let page_size = usize::try_from(page_size)
            .ok()
            .filter(|size| (1..=100_000).contains(size))
            .ok_or_else(|| ReadError::config("page_size has to be from 1 to 100000."))?;
        let timeout = session.number(&source.statement_timeout_seconds, &[])?;
        let key_field = source.key_field.clone();
        let primary_key = stream
            .primary_key
            .iter()
            .filter_map(|path| match path.as_slice() {
                [column] if Some(column) != key_field.as_ref() => Some(column.clone()),
                _ => None,
            })
            .collect();
        Ok(Self {
            address: Address::new(session, &source.connection, timeout)?,
            relation,
            key_columns,
            primary_key,
            key_field,
            cursor_column: optional(&source.cursor_column)?,
            lookback: optional(&source.lookback_window)?,
            page_size,
            open: Mutex::new(None),
        })
    }

    pub(super) fn keeps_state(&self) -> bool {
        self.cursor_column.is_some()
    }

    pub(super) async fn page(
        &self,
        session: &Session,
        since: Option<&Value>,
        token: Option<&Value>,
    ) -> Result<Batch, ReadError> {
        let (host, target) = (self.address.host_and_port(), self.address.shown());
        call::guarded(session, &host, &target, || self.attempt(session, since, token)).await
    }

    /// What rows look like: the server says which columns the table or the query has, and reads nothing.
    pub(super) async fn schema(&self, session: &Session) -> Result<Value, ReadError> {
        let (host, target) = (self.address.host_and_port(), self.address.shown());
        call::guarded(session, &host, &target, || async {
            let mut connection = Connection::open(session, &self.address).await?;
            connection.begin_page(session.context.limits.max_body_bytes);
            let prepared = connection.prepare(&sql::columns(&self.relation)).await;
            session.count(connection.bytes());
            match prepared {
                Ok(prepared) => Ok(schema::of(prepared.columns(), self.key_field.as_deref())),
                Err(failed) => Err(failed.classified(session, &connection)),
            }
        })
        .await
    }

    async fn attempt(
        &self,
        session: &Session,
        since: Option<&Value>,
        token: Option<&Value>,
    ) -> Result<Batch, ReadError> {
        let mut slot = self.open.lock().await;
        // Whoever breaks off in the middle leaves no connection behind that is in the middle.
        let mut open = match slot.take() {
            Some(open) if !open.connection.is_closed() => open,
            _ => self.open(session).await?,
        };
        open.connection.begin_page(session.context.limits.max_body_bytes);
        let read = self.read(session, &mut open, since, token).await;
        session.count(open.connection.bytes());
        match read {
            Ok(batch) => {
                *slot = Some(open);
                Ok(batch)
            }
            Err(failed) => Err(failed.classified(session, &open.connection)),
        }
    }

    async fn open(&self, session: &Session) -> Result<Open, ReadError> {
        let mut connection = Connection::open(session, &self.address).await?;
        connection.begin_page(session.context.limits.max_body_bytes);
        let described = describe::describe(&mut connection, &self.relation, &self.wanted()).await;
        match described {
            Ok(described) => {
                for note in &described.notes {
                    session.note(NoteLevel::Warning, note.clone());
                }
                Ok(Open {
                    connection,
                    described: Arc::new(described),
                })
            }
            Err(failed) => Err(failed.classified(session, &connection)),
        }
    }

    fn wanted(&self) -> describe::Wanted<'_> {
        describe::Wanted {
            key_columns: &self.key_columns,
            primary_key: &self.primary_key,
            cursor_column: self.cursor_column.as_deref(),
        }
    }

    /// Where the page begins.
    fn bound(
        &self,
        described: &Described,
        since: Option<&Value>,
        token: Option<&Value>,
    ) -> Result<(Bound, Vec<String>), error::Failed> {
        if let Some(token) = token {
            let values: Option<Vec<String>> = token.as_array().and_then(|values| {
                values
                    .iter()
                    .map(|value| value.as_str().map(ToOwned::to_owned))
                    .collect()
            });
            return match values {
                Some(values) if values.len() == described.order.len() => Ok((Bound::After, values)),
                _ => Err(error::Failed::config(
                    "The checkpoint's position does not fit the stream's key; start the read afresh.",
                )),
            };
        }
        let value = self
            .cursor_column
            .as_ref()
            .and_then(|column| since?.get(column))
            .filter(|value| !value.is_null());
        let Some(value) = value else {
            return Ok((Bound::None, Vec::new()));
        };
        let mut values = vec![display(value)];
        let looks_back = described.order.first().is_some_and(sql::Column::is_moment);
        match &self.lookback {
            Some(lookback) if looks_back => {
                values.push(lookback.clone());
                Ok((Bound::From { lookback: true }, values))
            }
            Some(_) => Err(error::Failed::config(
                "lookback_window needs a cursor_column that is a date or a timestamp.",
            )),
            None => Ok((Bound::From { lookback: false }, values)),
        }
    }

    async fn read(
        &self,
        session: &Session,
        open: &mut Open,
        since: Option<&Value>,
        token: Option<&Value>,
    ) -> Result<Batch, error::Failed> {
        let described = Arc::clone(&open.described);
        let (bound, values) = self.bound(&described, since, token)?;
        let statement = sql::page(&self.relation, &described, bound, self.page_size);
        let prepared = open.connection.prepare(&statement).await?;
        let most = (session.context.limits.max_body_bytes / 2).min(PAGE_BYTES);
        let transaction = open.connection.transaction().await?;
        let parameters: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let portal = transaction.bind(&prepared, &parameters).await?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        let mut last: Option<Vec<String>> = None;
        let mut ended = false;
        while !ended && records.len() < self.page_size && bytes < most {
            let rows = transaction.query_portal(&portal, PORTION).await?;
            ended = rows.len() < usize::try_from(PORTION).unwrap_or(usize::MAX);
            for row in rows {
                let width = described.order.len();
                let position = (0..width)
                    .map(|index| row.try_get::<_, Option<String>>(index))
                    .collect::<Result<Option<Vec<_>>, _>>()?;
                let Some(position) = position else {
                    return Err(error::Failed::config(format!(
                        "A row has no value in one of the columns that pages are told apart by ({}); they must not \
                         be NULL.",
                        described.names()
                    )));
                };
                let text: String = row.try_get(width)?;
                let text = self.finished(text, &described, &position);
                bytes += text.len();
                records.push(Record::from_json(&text));
                last = Some(position);
            }
        }
        transaction.commit().await?;
        let more = records.len() >= self.page_size || !ended;
        let state = match (&self.cursor_column, &last) {
            (Some(column), Some(last)) => last.first().map(|value| {
                let mut state = Map::new();
                state.insert(column.clone(), Value::String(value.clone()));
                Value::Object(state)
            }),
            _ => None,
        };
        let next = last
            .filter(|_| more)
            .map(|position| Value::Array(position.into_iter().map(Value::String).collect()));
        Ok(Batch {
            records,
            next,
            state,
            ..Batch::default()
        })
    }

    /// The row as a record: on one line, and with its key where the manifest wants it.
    fn finished(&self, row: String, described: &Described, position: &[String]) -> String {
        // Only whitespace between tokens: inside of a text they are escaped.
        let row = if row.contains(['\n', '\r', '\t']) {
            row.replace(['\n', '\r', '\t'], " ")
        } else {
            row
        };
        let Some(field) = &self.key_field else { return row };
        let mut parts = described
            .key_places
            .iter()
            .filter_map(|place| position.get(*place).cloned());
        let key = match (parts.next(), parts.next()) {
            (Some(only), None) => Value::String(only),
            (first, second) => {
                let parts: Vec<String> = first.into_iter().chain(second).chain(parts).collect();
                Value::String(Value::from(parts).to_string())
            }
        };
        leading(row, &[(field, key)])
    }
}

impl error::Failed {
    fn config(message: impl Into<String>) -> Self {
        Self::Read(ReadError::new(ErrorKind::Config, "CONFIG_INVALID", message))
    }
}
