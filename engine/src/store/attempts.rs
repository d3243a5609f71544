//! Attempts.

use chrono::{DateTime, Utc};
use entity::Timestamp;
use entity::ids::RunId;
use entity::sync_attempt::{Column, Entity, Model};
use entity::sync_run::Model as Run;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};
use serde_json::Value;

use super::queue::{Hold, among};
use super::statement::Sql;

/// Writes that these runs were claimed. An attempt that a drain interrupted goes on under its number.
pub(crate) async fn begin(
    connection: &impl ConnectionTrait,
    runs: &[Run],
    worker: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if runs.is_empty() {
        return Ok(());
    }
    let rows = runs
        .iter()
        .map(|run| [run.id.into(), run.attempt.into(), run.fence.into()]);
    let statement = Sql::new(connection.get_database_backend())
        .text("INSERT INTO sync_attempt (run_id, number, fence, started_at, worker) SELECT row.run, row.number, row.fence, ")
        .bind(Timestamp::from(now))
        .text(", ")
        .bind(worker)
        .text(" FROM ")
        .rows([("run", "uuid"), ("number", "int"), ("fence", "bigint")], rows)
        // Without a WHERE, SQLite reads the ON of the conflict as one of a join.
        .text(
            " WHERE TRUE ON CONFLICT (run_id, number) DO UPDATE SET fence = excluded.fence, worker = excluded.worker, \
             finished_at = NULL, error = NULL",
        )
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// Writes that the attempts with these fences have ended, and well. There is at least one.
pub(crate) async fn end_well(
    connection: &impl ConnectionTrait,
    holds: &[Hold],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_attempt SET finished_at = ")
        .bind(Timestamp::from(now))
        .text(", error = NULL WHERE finished_at IS NULL AND ");
    let statement = among(sql, "run_id", holds).build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// Writes that the attempt with this fence has ended.
pub(crate) async fn end(
    connection: &impl ConnectionTrait,
    hold: Hold,
    error: Option<&Value>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_attempt SET finished_at = ")
        .bind(Timestamp::from(now))
        .text(", error = ")
        .bind(error.cloned())
        .text(" WHERE finished_at IS NULL AND run_id = ")
        .bind(hold.run)
        .text(" AND fence = ")
        .bind(hold.fence)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// The attempts at these runs, the first of each run first.
pub(crate) async fn of_runs(connection: &impl ConnectionTrait, runs: &[RunId]) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(super::among(
            connection.get_database_backend(),
            Column::RunId,
            runs.iter().copied(),
        ))
        .order_by_asc(Column::RunId)
        .order_by_asc(Column::Number)
        .all(connection)
        .await
}
