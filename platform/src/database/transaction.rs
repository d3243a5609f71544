//! Writing.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::OwnedMutexGuard;

use super::checkpoint::Checkpointer;
use super::errand;
use super::reader::bound;
use super::{Durability, SetTo};

/// SQLite's turn, taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) set_to: OwnedMutexGuard<SetTo>,
    pub(super) durability: Durability,
    pub(super) checkpointer: Arc<Checkpointer>,
}

/// The turn to write. Dropped without [`WriteTransaction::commit`], it leaves nothing behind.
///
/// The order of the fields is the order of their end: the transaction hands its rollback to the connection
/// before the turn is given up, and the connection does what it is handed in order, so the next writer
/// begins after it.
#[derive(Debug)]
pub struct WriteTransaction {
    inner: DatabaseTransaction,
    turn: Option<Taken>,
}

impl WriteTransaction {
    pub(super) async fn begin(writer: &DatabaseConnection, turn: Option<Taken>) -> Result<Self, DbErr> {
        let Some(mut turn) = turn else {
            let inner = writer.begin().await?;
            if let Some(bound) = bound()? {
                inner.execute_unprepared(&bound).await?;
            }
            return Ok(Self { inner, turn: None });
        };
        if *turn.set_to != Some(turn.durability) {
            *turn.set_to = None;
            writer.execute_unprepared(synchronous(turn.durability)).await?;
            *turn.set_to = Some(turn.durability);
        }
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(Self {
            inner: writer.begin_with_options(options).await?,
            turn: Some(turn),
        })
    }

    /// Makes it so.
    ///
    /// # Errors
    /// When the database refuses; nothing was written then.
    pub async fn commit(self) -> Result<(), DbErr> {
        let Self { inner, turn } = self;
        inner.commit().await?;
        if let Some(turn) = turn.filter(|turn| turn.durability == Durability::Page) {
            turn.checkpointer.written();
        }
        Ok(())
    }

    /// Leaves it as it was, and says when that failed.
    ///
    /// # Errors
    /// When the connection was lost; nothing was written then either.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let Self { inner, turn } = self;
        let rolled_back = inner.rollback().await;
        drop(turn);
        rolled_back
    }
}

fn synchronous(durability: Durability) -> &'static str {
    match durability {
        Durability::Accepted => "PRAGMA synchronous = FULL",
        Durability::Page => "PRAGMA synchronous = NORMAL",
    }
}

#[async_trait]
impl ConnectionTrait for WriteTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        errand::count();
        self.inner.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        errand::count();
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        errand::count();
        self.inner.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        errand::count();
        self.inner.query_all_raw(statement).await
    }
}
