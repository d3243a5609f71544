//! What went wrong and was not the caller's doing.

use sea_orm::{DbErr, RuntimeErr};

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer. What the caller could have done better is an [`Outcome`](crate::Outcome) instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the engine stands on is away for the moment; trying again may help.
    #[error("unavailable")]
    Unavailable(#[source] Source),
    /// The actor may not do this at all; the text says what is lacking.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// A cursor that this list did not give.
    #[error("bad cursor")]
    BadCursor,
    /// An argument of a query that cannot be; the text says which and what would do.
    #[error("bad input: {0}")]
    BadInput(String),
    /// A fault of ours.
    #[error("internal error")]
    Internal(#[source] Source),
}

impl Error {
    /// A fault of ours, with its cause.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// What somebody outside may read of it. The rest is for the log.
    #[must_use]
    pub fn outsider_message(&self) -> &str {
        match self {
            Self::Unavailable(_) => "The service is unavailable for the moment; try again soon.",
            Self::BadCursor => {
                "The cursor is not one that this list gave; pass back an endCursor or startCursor unchanged, with the same order."
            }
            Self::Forbidden(message) | Self::BadInput(message) => message,
            Self::Internal(_) => "Something went wrong on our side; the correlation id finds it in the log.",
        }
    }

    /// The error and all its causes, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

impl From<DbErr> for Error {
    /// A database that cannot be reached is away; one that refuses a statement of ours is our fault.
    fn from(error: DbErr) -> Self {
        if matches!(error, DbErr::ConnectionAcquire(_)) {
            Self::Unavailable(NoConnection(error).into())
        } else if is_away(&error) {
            Self::Unavailable(error.into())
        } else {
            Self::Internal(error.into())
        }
    }
}

/// "Pool timed out" has two causes that look alike from inside, and neither is the pool.
#[derive(Debug, thiserror::Error)]
#[error(
    "no connection to the database within the acquire timeout: either the database is away (`syncline doctor` says), or \
     more is asked at once than SYNCLINE_DATABASE_MAX_CONNECTIONS lets through"
)]
struct NoConnection(#[source] DbErr);

fn is_away(error: &DbErr) -> bool {
    use sea_orm::sqlx::Error as Sqlx;
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match &**error {
                Sqlx::Io(_) | Sqlx::Tls(_) | Sqlx::PoolTimedOut | Sqlx::PoolClosed | Sqlx::WorkerCrashed => {
                    true
                }
                // Class 57P: the server is shutting down or starting; 55P03, 57014 and 25P03: it gave up waiting
                // for a lock, on a statement or on us; 5 and 13: SQLite is busy in another process, or its disk is full.
                Sqlx::Database(error) => error.code().is_some_and(|code| {
                    code.starts_with("57P")
                        || matches!(&*code, "53300" | "55P03" | "57014" | "25P03" | "5" | "13")
                }),
                _ => false,
            }
        }
        _ => false,
    }
}
