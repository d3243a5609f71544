//! Reading.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, QueryStream, Statement, StreamTrait, TransactionTrait,
};

use super::connect::STATEMENT;
use super::errand;

/// An end that is no further from the session's limit is not worth its round trips.
const NEARLY: Duration = Duration::from_secs(1);
/// Whoever waits is to be told by their own clock, not by an error of the database.
const AFTER: Duration = Duration::from_millis(250);

/// Connections that read. On SQLite they refuse to write; on PostgreSQL they share the pool, and the type
/// is the reminder.
///
/// A [`ConnectionTrait`] has `execute` whether one wants it or not. There is no `begin` here, and none of
/// the writing helpers of the store accepts a reader.
#[derive(Debug, Clone)]
pub struct Reader {
    connection: DatabaseConnection,
}

impl Reader {
    pub(super) fn new(connection: DatabaseConnection) -> Self {
        Self { connection }
    }

    pub(super) async fn ping(&self) -> Result<(), DbErr> {
        self.connection.ping().await
    }

    pub(super) async fn close(&self) -> Result<(), DbErr> {
        self.connection.close_by_ref().await
    }

    /// The statement that bounds those of the caller's [errand](super::Errand); none where they end anyway.
    fn bound(&self) -> Result<Option<String>, DbErr> {
        let bound = bound()?;
        Ok(bound.filter(|_| self.connection.get_database_backend() == DbBackend::Postgres))
    }

    /// A transaction whose statements are bounded. Boxed, for it is rare and its future large, and every statement would
    /// carry it about.
    fn bounded(&self, bound: String) -> BoxFuture<'_, Result<DatabaseTransaction, DbErr>> {
        async move {
            let transaction = self.connection.begin().await?;
            transaction.execute_unprepared(&bound).await?;
            Ok(transaction)
        }
        .boxed()
    }
}

/// PostgreSQL's statement that bounds those after it to the end of the caller's errand, where the session's limit does not.
pub(super) fn bound() -> Result<Option<String>, DbErr> {
    let Some(left) = errand::left() else {
        return Ok(None);
    };
    if left.is_zero() {
        return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
    }
    let near_enough = left + NEARLY >= STATEMENT;
    let bounded = left + AFTER;
    Ok((!near_enough).then(|| format!("SET LOCAL statement_timeout = {}", bounded.as_millis())))
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        errand::count();
        self.connection.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        errand::count();
        self.connection.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        errand::count();
        let Some(bound) = self.bound()? else {
            return self.connection.query_one_raw(statement).await;
        };
        let bounded = self.bounded(bound).await?;
        let found = bounded.query_one_raw(statement).await?;
        bounded.commit().boxed().await?;
        Ok(found)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        errand::count();
        let Some(bound) = self.bound()? else {
            return self.connection.query_all_raw(statement).await;
        };
        let bounded = self.bounded(bound).await?;
        let found = bounded.query_all_raw(statement).await?;
        bounded.commit().boxed().await?;
        Ok(found)
    }
}

impl StreamTrait for Reader {
    type Stream<'a> = QueryStream;

    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        errand::count();
        self.connection.stream_raw(statement)
    }
}
