//! The database, with the reader and the writer as different types.
//!
//! SQLite has one writer. A pool that hides this gives "database is locked" under load (507 of 800
//! transactions, measured), and a helper that quietly takes a second connection inside a transaction waits
//! for itself for ever. So a [`WriteTransaction`] is the only thing that writes, there is one at a time,
//! those who wait for it wait in a first-come queue instead of polling, and it begins `IMMEDIATE`: it
//! cannot start as a reader and fail to become a writer. A [`Reader`] cannot write, by its connections'
//! `query_only` pragma. On PostgreSQL the same two types stand over one pool.
//!
//! # Two durabilities
//! See [`Durability`]. There is one SQLite writer connection whose `synchronous` pragma is changed when the
//! next transaction needs the other one, not a connection for each: two would throw each other's page cache
//! away at every change of hands, and the page that follows a lease renewal would start cold. What brings the
//! log home has one of its own (see [`checkpoint`]).
//!
//! # Rejected
//! An actor that owns the connection and takes closures: it serialises as well, but every store function
//! would need to be `'static` and boxed, and could not be written over `&impl ConnectionTrait`.

mod alone;
mod checkpoint;
mod connect;
mod errand;
mod reader;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnAcquireErr, DatabaseConnection, DbErr};
use tokio::sync::Mutex;

use checkpoint::Checkpointer;
use transaction::Taken;

pub use alone::Alone;
pub use connect::DatabaseError;
pub use errand::Errand;
pub use reader::Reader;
pub use transaction::WriteTransaction;

/// Which database this is: for the few statements that must differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file, with one writer.
    Sqlite,
    /// A server.
    Postgres,
}

/// What must survive of a commit when the machine loses power.
///
/// On SQLite this is the difference between an fsync each commit and one each checkpoint of the log. Losing
/// the last pages is safe there, because the machine that lost them has also lost whoever read them, and a
/// page commits together with its checkpoint. On PostgreSQL both wait for the server's disk: there the
/// server can lose its last commits and come back while the worker lives on, and would go on after a page
/// that no longer exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk before the caller is told: what somebody was promised.
    Accepted,
    /// In order, and on disk soon: what would simply be read again.
    Page,
}

/// The durability that SQLite's writing connection is set to; unknown while it is being changed, since
/// whoever changes it may be cancelled before the answer.
type SetTo = Option<Durability>;

/// SQLite's turn to write, and who brings home what was written.
#[derive(Debug, Clone)]
struct Turn {
    set_to: Arc<Mutex<SetTo>>,
    checkpointer: Arc<Checkpointer>,
}

/// An open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Database {
    backend: Backend,
    reader: Reader,
    writer: DatabaseConnection,
    /// SQLite's.
    turn: Option<Turn>,
    acquire_timeout: Duration,
}

impl Database {
    /// Which database this is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// For reading, as much at once as there are connections.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Waits for the turn to write, and takes it. Do not wait for anything outside the database while
    /// holding one: on SQLite everybody else's writing waits for it.
    ///
    /// # Errors
    /// When the turn does not come within the acquire timeout, or the database is away.
    pub async fn begin(&self, durability: Durability) -> Result<WriteTransaction, DbErr> {
        match &self.turn {
            None => WriteTransaction::begin(&self.writer, None).await,
            Some(turn) => {
                let coming = Arc::clone(&turn.set_to).lock_owned();
                let set_to = tokio::time::timeout(self.acquire_timeout, coming)
                    .await
                    .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
                let taken = Taken {
                    set_to,
                    durability,
                    checkpointer: Arc::clone(&turn.checkpointer),
                };
                WriteTransaction::begin(&self.writer, Some(taken)).await
            }
        }
    }

    /// Whether the database answers a query.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.reader.ping().await
    }

    /// The writing connection, unguarded: for migrations at start-up, before anybody else writes.
    pub fn for_migration(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Closes every connection, after what they are doing.
    ///
    /// # Errors
    /// When a connection cannot be closed.
    pub async fn close(self) -> Result<(), DbErr> {
        if let Some(turn) = &self.turn {
            turn.checkpointer.close().await?;
        }
        self.reader.close().await?;
        self.writer.close_by_ref().await
    }
}
