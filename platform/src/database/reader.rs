//! Reading.

use std::pin::Pin;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, QueryStream, Statement,
    StreamTrait,
};

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
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.connection.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.connection.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.connection.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.connection.query_all_raw(statement).await
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
        self.connection.stream_raw(statement)
    }
}
