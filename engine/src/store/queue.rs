//! The queue's transitions: each one a conditional `UPDATE` that names the state it leaves.
//!
//! Three predicates carry the guarantees, and each stands in one place: [`held`] (fence, state and lease) for
//! whoever writes as a run's worker; the conditions of [`claim`](super::claims::claim), with the partial unique index behind them,
//! for at most one running run an integration; [`expired`] for taking a run from a worker that is gone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::Timestamp;
use entity::ids::RunId;
use entity::sync_run::Model as Run;
use entity::words::{SyncRunStatus, WaitReason};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use serde_json::Value;

use super::statement::Sql;

/// What a worker holds: a run, and the fence that its claim raised. Who writes for a run names both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hold {
    pub(crate) run: RunId,
    pub(crate) fence: i64,
}

/// Adds the condition that every write of a worker has: the run is still its own. A fence that another claim
/// has raised, a run that is not RUNNING any more, and a lease that has ended are three ways of having lost
/// it; a process that was paused past its lease meets at least one of them whatever happened meanwhile.
fn held(sql: Sql, hold: Hold, now: DateTime<Utc>) -> Sql {
    let sql = sql
        .text("id = ")
        .bind(hold.run)
        .text(" AND fence = ")
        .bind(hold.fence);
    alive(sql, now)
}

/// [`held`], for the rows of each of these runs. There is at least one.
fn all_held(sql: Sql, holds: &[Hold], now: DateTime<Utc>) -> Sql {
    alive(among(sql, "id", holds), now)
}

fn alive(sql: Sql, now: DateTime<Utc>) -> Sql {
    sql.text(" AND status = 'RUNNING' AND lease_until > ")
        .present(now)
}

/// Adds the condition that the run named by this column and the fence are one of these, of which there is at
/// least one.
pub(super) fn among(sql: Sql, run: &str, holds: &[Hold]) -> Sql {
    let rows = holds.iter().map(|hold| [hold.run.into(), hold.fence.into()]);
    sql.text("(")
        .text(run)
        .text(", fence) IN (SELECT row.run, row.fence FROM ")
        .rows([("run", "uuid"), ("fence", "bigint")], rows)
        .text(")")
}

/// Adds the condition that a running run's worker is gone.
fn expired(sql: Sql, now: DateTime<Utc>) -> Sql {
    sql.text("status = 'RUNNING' AND lease_until <= ").present(now)
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(super) async fn all(connection: &impl ConnectionTrait, statement: Statement) -> Result<Vec<Run>, DbErr> {
    Run::find_by_statement(statement).all(connection).await
}

async fn one(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<Run>, DbErr> {
    Run::find_by_statement(statement).one(connection).await
}

async fn any(connection: &impl ConnectionTrait, sql: Sql) -> Result<bool, DbErr> {
    Ok(connection
        .query_one_raw(sql.text(" LIMIT 1").build())
        .await?
        .is_some())
}

/// Whether a running run's lease has ended.
pub(crate) async fn any_expired(
    connection: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let sql = Sql::new(connection.get_database_backend()).text("SELECT 1 FROM sync_run WHERE ");
    any(connection, expired(sql, now)).await
}

/// Which of these runs somebody asked to cancel.
pub(crate) async fn cancel_requested(
    connection: &impl ConnectionTrait,
    runs: &[RunId],
) -> Result<Vec<RunId>, DbErr> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let statement = Sql::new(connection.get_database_backend())
        .text("SELECT id FROM sync_run WHERE cancel_requested AND id IN (")
        .list(runs.iter().copied())
        .text(")")
        .build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// When the next queued run that waits for a time may run; none where none waits.
pub(crate) async fn next_not_before(
    connection: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("SELECT MIN(not_before) AS at FROM sync_run WHERE status = 'QUEUED' AND not_before > ")
        .bind(Timestamp::from(now))
        .build();
    let Some(row) = connection.query_one_raw(statement).await? else {
        return Ok(None);
    };
    let at: Option<i64> = row.try_get("", "at")?;
    Ok(at.map(|at| Timestamp(at).into()))
}

/// Extends the leases of these runs, and gives those that are still held, each with whether somebody asked
/// to cancel it. A lease that has ended is not renewed: its run may be anybody's by now.
pub(crate) async fn renew(
    connection: &impl ConnectionTrait,
    holds: &[Hold],
    lease: Duration,
    now: DateTime<Utc>,
) -> Result<Vec<(RunId, bool)>, DbErr> {
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    let sql = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET lease_until = ")
        .present(now)
        .text(" + ")
        .bind(micros(lease))
        .text(" WHERE ");
    let statement = all_held(sql, holds, now)
        .text(" RETURNING id, cancel_requested")
        .build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "id")?, row.try_get("", "cancel_requested")?)))
        .collect()
}

/// Locks the run for this transaction, as the first statement of everything that a worker writes. None when
/// the run is not the worker's any more: it must roll back and stop. Otherwise whether somebody asked to
/// cancel it.
pub(crate) async fn hold(
    connection: &impl ConnectionTrait,
    hold: Hold,
    now: DateTime<Utc>,
) -> Result<Option<bool>, DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE ");
    let statement = held(sql, hold, now).text(" RETURNING cancel_requested").build();
    connection
        .query_one_raw(statement)
        .await?
        .map(|row| row.try_get("", "cancel_requested"))
        .transpose()
}

/// How a held run goes back to the queue.
#[derive(Debug)]
pub(crate) struct Requeue<'a> {
    /// Whether the attempt is spent.
    pub(crate) spend: bool,
    /// Whether it earned another one.
    pub(crate) earned: bool,
    pub(crate) not_before: DateTime<Utc>,
    pub(crate) reason: Option<WaitReason>,
    pub(crate) error: Option<&'a Value>,
}

/// RUNNING → QUEUED. None when the run is not held any more, or somebody asked to cancel it.
pub(crate) async fn requeue(
    connection: &impl ConnectionTrait,
    hold: Hold,
    how: Requeue<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DbErr> {
    let mut sql = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET status = 'QUEUED', lease_owner = NULL, lease_until = NULL, attempt = attempt + ")
        .bind(i32::from(how.spend))
        .text(", max_attempts = max_attempts + ")
        .bind(i32::from(how.earned))
        .text(", not_before = ")
        .bind(Timestamp::from(how.not_before))
        .text(", wait_reason = ")
        .bind(how.reason);
    if let Some(error) = how.error {
        sql = sql.text(", error = ").bind(error.clone());
    }
    let sql = sql
        .text(", updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE NOT cancel_requested AND ");
    one(connection, held(sql, hold, now).text(" RETURNING *").build()).await
}

/// RUNNING → SUCCEEDED, or PARTIALLY_SUCCEEDED, for each of these runs that is held still. Gives those.
pub(crate) async fn complete(
    connection: &impl ConnectionTrait,
    holds: &[Hold],
    now: DateTime<Utc>,
) -> Result<Vec<Run>, DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        // What became a dead letter is counted in the row, over all attempts.
        .text(
            "UPDATE sync_run SET status = CASE WHEN records_failed > 0 THEN 'PARTIALLY_SUCCEEDED' ELSE 'SUCCEEDED' END, \
             error = NULL",
        );
    let sql = ended(sql, now);
    all(connection, all_held(sql, holds, now).text(" RETURNING *").build()).await
}

/// RUNNING → another end. None when the run is not held any more.
pub(crate) async fn finish(
    connection: &impl ConnectionTrait,
    hold: Hold,
    status: SyncRunStatus,
    error: Option<&Value>,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET status = ")
        .bind(status)
        .text(", error = ")
        .bind(error.cloned());
    let sql = ended(sql, now);
    one(connection, held(sql, hold, now).text(" RETURNING *").build()).await
}

fn ended(sql: Sql, now: DateTime<Utc>) -> Sql {
    sql.text(", lease_owner = NULL, lease_until = NULL, wait_reason = NULL, finished_at = ")
        .bind(Timestamp::from(now))
        .text(", updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE ")
}

/// Takes up to `limit` runs from workers whose lease has ended: back to the queue with an attempt spent, or
/// to their end where that was the last one or somebody had asked to cancel. Rows that another transaction
/// has locked are passed over: their worker may be about to commit.
pub(crate) async fn take_back(
    connection: &impl ConnectionTrait,
    error: &Value,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Run>, DbErr> {
    let at = Timestamp::from(now);
    let sql = Sql::new(connection.get_database_backend())
        .text(
            "UPDATE sync_run SET \
             status = CASE WHEN cancel_requested THEN 'CANCELLED' WHEN attempt >= max_attempts THEN 'FAILED' ELSE 'QUEUED' END, \
             attempt = CASE WHEN cancel_requested OR attempt >= max_attempts THEN attempt ELSE attempt + 1 END, \
             finished_at = CASE WHEN cancel_requested OR attempt >= max_attempts THEN ",
        )
        .bind(at)
        .text(" END, not_before = ")
        .bind(at)
        .text(", lease_owner = NULL, lease_until = NULL, wait_reason = NULL, error = ")
        .bind(error.clone())
        .text(", updated_at = ")
        .bind(at)
        .text(" WHERE ");
    let sql = expired(sql, now)
        .either(" AND id IN (", " AND id = ANY(ARRAY(")
        .text("SELECT id FROM sync_run WHERE ");
    let statement = expired(sql, now)
        .text(" ORDER BY lease_until LIMIT ")
        .bind(limit)
        .either(") RETURNING *", " FOR UPDATE SKIP LOCKED)) RETURNING *")
        .build();
    all(connection, statement).await
}

/// QUEUED → CANCELLED. None when the run is not queued.
pub(crate) async fn cancel_queued(
    connection: &impl ConnectionTrait,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DbErr> {
    let at = Timestamp::from(now);
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET status = 'CANCELLED', cancel_requested = TRUE, wait_reason = NULL, finished_at = ")
        .bind(at)
        .text(", updated_at = ")
        .bind(at)
        .text(" WHERE status = 'QUEUED' AND id = ")
        .bind(run)
        .text(" RETURNING *")
        .build();
    one(connection, statement).await
}

/// Asks the worker of a running run to stop. None when the run is not running.
pub(crate) async fn request_cancel(
    connection: &impl ConnectionTrait,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<Option<Run>, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET cancel_requested = TRUE, updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE status = 'RUNNING' AND id = ")
        .bind(run)
        .text(" RETURNING *")
        .build();
    one(connection, statement).await
}
