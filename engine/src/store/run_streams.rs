//! The streams of a run.

use entity::ids::RunId;
use entity::sync_run_stream::{ActiveModel, Column, Entity, Model};
use entity::words::SyncRunStatus;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, Set};
use serde_json::Value;

use super::queue::Hold;
use super::statement::Sql;
use crate::runs::SyncProgress;

/// Rows written by one statement: within what both databases let one bind.
const TOGETHER: usize = 1_000;

/// Writes that a run is to read these streams.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    run: RunId,
    streams: &[String],
) -> Result<(), DbErr> {
    insert_all(connection, [(run, streams)]).await
}

/// Writes which streams each of these runs is to read.
pub(crate) async fn insert_all<'a>(
    connection: &impl ConnectionTrait,
    runs: impl IntoIterator<Item = (RunId, &'a [String])>,
) -> Result<(), DbErr> {
    let rows: Vec<_> = runs
        .into_iter()
        .flat_map(|(run, streams)| streams.iter().map(move |stream| unread(run, stream)))
        .collect();
    for rows in rows.chunks(TOGETHER) {
        Entity::insert_many(rows.iter().cloned())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}

fn unread(run: RunId, stream: &str) -> ActiveModel {
    ActiveModel {
        run_id: Set(run),
        stream: Set(stream.to_owned()),
        status: Set(SyncRunStatus::Queued),
        requests: Set(0),
        pages: Set(0),
        records_read: Set(0),
        records_added: Set(0),
        records_updated: Set(0),
        records_unchanged: Set(0),
        records_deleted: Set(0),
        records_failed: Set(0),
        bytes_read: Set(0),
        cursor: Set(None),
    }
}

/// The streams of these runs.
pub(crate) async fn of_runs(connection: &impl ConnectionTrait, runs: &[RunId]) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(super::among(
            connection.get_database_backend(),
            Column::RunId,
            runs.iter().copied(),
        ))
        .all(connection)
        .await
}

/// Sets a stream's state, and gives its row.
pub(crate) async fn set_status(
    connection: &impl ConnectionTrait,
    run: RunId,
    stream: &str,
    status: SyncRunStatus,
) -> Result<(), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run_stream SET status = ")
        .bind(status)
        .text(" WHERE run_id = ")
        .bind(run)
        .text(" AND stream = ")
        .bind(stream)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// Sets the state of the streams that have not ended: of the one under way, and of those not begun.
pub(crate) async fn close(
    connection: &impl ConnectionTrait,
    run: RunId,
    under_way: SyncRunStatus,
    not_begun: SyncRunStatus,
) -> Result<(), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run_stream SET status = CASE WHEN status = 'RUNNING' THEN ")
        .bind(under_way)
        .text(" ELSE ")
        .bind(not_begun)
        .text(" END WHERE status IN ('QUEUED', 'RUNNING') AND run_id = ")
        .bind(run)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

const COUNTERS: [&str; 9] = [
    "requests",
    "pages",
    "records_read",
    "records_added",
    "records_updated",
    "records_unchanged",
    "records_deleted",
    "records_failed",
    "bytes_read",
];

const fn counts(done: &SyncProgress) -> [i64; 9] {
    [
        done.requests,
        done.pages,
        done.records_read,
        done.records_added,
        done.records_updated,
        done.records_unchanged,
        done.records_deleted,
        done.records_failed,
        done.bytes_read,
    ]
}

fn add(mut sql: Sql, done: &SyncProgress) -> Sql {
    for (index, (column, count)) in COUNTERS.into_iter().zip(counts(done)).enumerate() {
        sql = sql
            .text(if index > 0 { ", " } else { "" })
            .text(column)
            .text(" = ")
            .text(column)
            .text(" + ")
            .bind(count);
    }
    sql
}

/// Ends a stream that was read to its end.
pub(crate) async fn complete(
    connection: &impl ConnectionTrait,
    run: RunId,
    stream: &str,
) -> Result<(), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text(
            "UPDATE sync_run_stream SET status = CASE WHEN records_failed > 0 THEN 'PARTIALLY_SUCCEEDED' ELSE 'SUCCEEDED' END \
             WHERE run_id = ",
        )
        .bind(run)
        .text(" AND stream = ")
        .bind(stream)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// Adds what was done to a stream and to its run. The run is held by this transaction: the condition on the
/// fence is a second lock on the same door.
pub(crate) async fn progress(
    connection: &impl ConnectionTrait,
    hold: Hold,
    stream: &str,
    done: &SyncProgress,
    cursor: Option<&Value>,
) -> Result<(), DbErr> {
    write_progress(connection, hold, stream, done, Some(cursor)).await
}

/// As [`progress`], where the cursor stays as it is.
pub(crate) async fn spent(
    connection: &impl ConnectionTrait,
    hold: Hold,
    stream: &str,
    done: &SyncProgress,
) -> Result<(), DbErr> {
    write_progress(connection, hold, stream, done, None).await
}

async fn write_progress(
    connection: &impl ConnectionTrait,
    hold: Hold,
    stream: &str,
    done: &SyncProgress,
    cursor: Option<Option<&Value>>,
) -> Result<(), DbErr> {
    let backend = connection.get_database_backend();
    let run = add(Sql::new(backend).text("UPDATE sync_run SET "), done)
        .text(" WHERE id = ")
        .bind(hold.run)
        .text(" AND fence = ")
        .bind(hold.fence)
        .build();
    connection.execute_raw(run).await?;
    let mut of_stream = add(Sql::new(backend).text("UPDATE sync_run_stream SET "), done);
    if let Some(cursor) = cursor {
        of_stream = of_stream.text(", cursor = ").bind(cursor.cloned());
    }
    let of_stream = of_stream
        .text(" WHERE run_id = ")
        .bind(hold.run)
        .text(" AND stream = ")
        .bind(stream)
        .build();
    connection.execute_raw(of_stream).await.map(|_| ())
}
