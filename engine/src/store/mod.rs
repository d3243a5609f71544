//! Every query, one file an aggregate: functions over a connection, that know no actor and decide nothing.
//!
//! What a caller may see is an argument ([`Scope`](crate::access::Scope)) of every function that reads for one;
//! a function without it is for the engine's own work. Nothing here commits: who calls holds the transaction.

pub(crate) mod api_keys;
pub(crate) mod attempts;
pub(crate) mod batch;
pub(crate) mod claims;
pub(crate) mod clients;
pub(crate) mod connectors;
pub(crate) mod dead_letters;
pub(crate) mod deletions;
pub(crate) mod erasing;
pub(crate) mod erasures;
pub(crate) mod events;
pub(crate) mod fairness;
pub(crate) mod figures;
pub(crate) mod health;
pub(crate) mod idempotency;
pub(crate) mod integrations;
pub(crate) mod keyset;
pub(crate) mod overview;
pub(crate) mod packed;
pub(crate) mod placed;
pub(crate) mod purge;
pub(crate) mod queue;
pub(crate) mod records_read;
pub(crate) mod records_write;
pub(crate) mod rejected;
pub(crate) mod run_log;
pub(crate) mod run_streams;
pub(crate) mod runs;
pub(crate) mod schedules;
pub(crate) mod statement;
pub(crate) mod stored_json;
pub(crate) mod stream_state;
pub(crate) mod ticks;
pub(crate) mod waiting;

use entity::Timestamp;
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr};
use sea_orm::{ColumnTrait, Condition, DbBackend, DbErr, SqlErr, Value};

/// Whether a row was written, or another one has its unique key already.
///
/// Asking first whether the key is free would not do: two who ask at once are both told yes. After a false,
/// the transaction is of no more use on PostgreSQL.
pub(crate) fn unless_taken<T>(written: Result<T, DbErr>) -> Result<bool, DbErr> {
    match written {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The time that a row must still have been changed last at, where whoever changes it says so: a part of the condition
/// of the `UPDATE`, which the database decides, not a look before it.
pub(crate) fn unchanged_since(last_change: impl ColumnTrait, seen: Option<Timestamp>) -> Condition {
    Condition::all().add_option(seen.map(|seen| last_change.eq(seen)))
}

/// That a column contains this text, whatever the case of its letters; `%` and `_` mean themselves.
pub(crate) fn contains(column: impl Into<Expr>, text: &str) -> Expr {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    let lower: Expr = sea_orm::sea_query::Func::lower(column.into()).into();
    lower.like(LikeExpr::new(pattern.to_lowercase()).escape('\\'))
}

/// That a column is one of these values. PostgreSQL gets them as one array: the statement's text says nothing of how many
/// there are, so it is prepared once, and its plan is kept.
pub(crate) fn among<V: Into<Value>>(
    database: DbBackend,
    column: impl ColumnTrait,
    values: impl IntoIterator<Item = V>,
) -> Expr {
    let values: Vec<Value> = values.into_iter().map(Into::into).collect();
    match values.first() {
        Some(first) if database == DbBackend::Postgres => {
            let array = Value::Array(first.array_type(), Some(Box::new(values)));
            column.into_expr().eq(PgFunc::any(Expr::val(array)))
        }
        _ => column.is_in(values),
    }
}
