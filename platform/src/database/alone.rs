//! Being the only one who changes the tables.
//!
//! Processes that start together would each find the same migration missing, and all but one would fail in the
//! middle of it. On PostgreSQL an advisory lock makes them take turns; the second finds nothing to do. The lock
//! stands on a connection of its own: the migrations need the pool's, and a pool of one would wait for itself.
//! On SQLite there is one process.

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};

use super::DatabaseError;
use super::connect;
use crate::settings::{DatabaseLocation, DatabaseSettings};

/// Any number will do that nobody else on the server uses: the letters "syncline".
const LOCK: i64 = i64::from_be_bytes(*b"syncline");

/// The turn to change the tables, until it is dropped.
#[derive(Debug)]
pub struct Alone(Option<(DatabaseTransaction, DatabaseConnection)>);

impl Alone {
    /// Waits for the turn, however long another process migrates.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn with(settings: &DatabaseSettings) -> Result<Self, DatabaseError> {
        let DatabaseLocation::Postgres = settings.url.location() else {
            return Ok(Self(None));
        };
        let failed = |source| connect::failed(settings, source);
        let mut one = settings.clone();
        (one.max_connections, one.min_connections) = (1, 1);
        let connection = connect::postgres(&one).await.map_err(failed)?;
        let transaction = connection.begin().await.map_err(failed)?;
        // What bounds other transactions would end this one, which does nothing but wait.
        let patience = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; \
                        SET LOCAL idle_in_transaction_session_timeout = 0";
        transaction.execute_unprepared(patience).await.map_err(failed)?;
        transaction
            .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
            .await
            .map_err(failed)?;
        Ok(Self(Some((transaction, connection))))
    }

    /// Gives the turn to the next.
    pub async fn end(self) {
        if let Some((transaction, connection)) = self.0 {
            // Should either fail, the connection is gone, and the lock with it.
            let _ = transaction.rollback().await;
            let _ = connection.close().await;
        }
    }
}
