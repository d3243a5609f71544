//! Marking as deleted what a full refresh no longer saw.

use chrono::{DateTime, Utc};
use entity::Timestamp;
use entity::ids::RunId;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::statement::Sql;

/// Adds the rows of a stream that are there, after row `after`, and that the refresh has not seen.
///
/// PostgreSQL is asked for a difference of sets, which it hashes. For `NOT EXISTS` it chose to go through all
/// marks for each record, because the marks of a refresh under way are too young for it to have statistics:
/// a minute for 30,000 records. SQLite goes through the index for each record and can stop at the limit.
fn unseen(sql: Sql, (stream, generation): (i64, i64), after: i64) -> Sql {
    let sql = sql
        .text(
            "SELECT record.id AS row_id FROM record WHERE record.deleted_at IS NULL AND record.stream_id = ",
        )
        .bind(stream)
        .text(" AND record.id > ")
        .bind(after)
        .either(
            " AND NOT EXISTS (SELECT 1",
            " EXCEPT (SELECT record_seen.record_id",
        )
        .text(" FROM record_seen WHERE record_seen.stream_id = ")
        .bind(stream)
        .text(" AND record_seen.generation = ")
        .bind(generation);
    match sql.backend() {
        DbBackend::Postgres => sql.text(" AND record_seen.record_id > ").bind(after),
        _ => sql.text(" AND record_seen.record_id = record.id"),
    }
    .text(")")
}

/// How many records a stream has that are not deleted, and how many of them the refresh has seen. What it has
/// seen is there: nobody deletes while it runs.
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    stream: i64,
    generation: i64,
) -> Result<(i64, i64), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("SELECT (SELECT COUNT(*) FROM record WHERE deleted_at IS NULL AND stream_id = ")
        .bind(stream)
        .text(") AS live, (SELECT COUNT(*) FROM record_seen WHERE stream_id = ")
        .bind(stream)
        .text(" AND generation = ")
        .bind(generation)
        .text(") AS seen")
        .build();
    let row = connection.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("count".to_owned()))?;
    Ok((row.try_get("", "live")?, row.try_get("", "seen")?))
}

/// Marks up to `limit` unseen records after row `after` as deleted; `first` is the first of as many change
/// numbers. Gives how many there were, and the last row.
pub(crate) async fn delete(
    connection: &impl ConnectionTrait,
    refresh: (i64, i64),
    after: i64,
    limit: i64,
    first: i64,
    now: DateTime<Utc>,
) -> Result<(i64, i64), DbErr> {
    let at = Timestamp::from(now);
    let sql = Sql::new(connection.get_database_backend())
        .text("UPDATE record SET change = 2, deleted_at = ")
        .bind(at)
        .text(", changed_at = ")
        .bind(at)
        .text(", change_number = ")
        .bind(first)
        .text(" + doomed.place - 1 FROM (SELECT row_id, ROW_NUMBER() OVER (ORDER BY row_id) AS place FROM (");
    let statement = unseen(sql, refresh, after)
        .text(" ORDER BY row_id LIMIT ")
        .bind(limit)
        .text(") AS unseen) AS doomed WHERE record.id = doomed.row_id RETURNING record.id AS deleted")
        .build();
    let rows = connection.query_all_raw(statement).await?;
    let mut last = after;
    for row in &rows {
        last = last.max(row.try_get("", "deleted")?);
    }
    Ok((i64::try_from(rows.len()).unwrap_or(i64::MAX), last))
}

/// Forgets up to `limit` marks of this generation and older ones, and says how many there were.
pub(crate) async fn forget(
    connection: &impl ConnectionTrait,
    stream: i64,
    generation: i64,
    limit: i64,
) -> Result<u64, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text(
            "DELETE FROM record_seen WHERE (stream_id, generation, record_id) IN \
             (SELECT stream_id, generation, record_id FROM record_seen WHERE stream_id = ",
        )
        .bind(stream)
        .text(" AND generation <= ")
        .bind(generation)
        .text(" LIMIT ")
        .bind(limit)
        .text(")")
        .build();
    Ok(connection.execute_raw(statement).await?.rows_affected())
}

/// Adds to the deletions that a run holds back.
pub(crate) async fn hold_back(
    connection: &impl ConnectionTrait,
    run: RunId,
    count: i64,
) -> Result<(), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET held_deletions = COALESCE(held_deletions, 0) + ")
        .bind(count)
        .text(" WHERE id = ")
        .bind(run)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// Counts approved deletions in the run that had held them back.
pub(crate) async fn approve(
    connection: &impl ConnectionTrait,
    run: RunId,
    stream: &str,
    deleted: i64,
) -> Result<(), DbErr> {
    for (table, of_stream) in [("sync_run", false), ("sync_run_stream", true)] {
        let sql = Sql::new(connection.get_database_backend())
            .text("UPDATE ")
            .text(table)
            .text(" SET records_deleted = records_deleted + ")
            .bind(deleted);
        let sql = if of_stream {
            sql.text(" WHERE run_id = ")
                .bind(run)
                .text(" AND stream = ")
                .bind(stream)
        } else {
            sql.text(" WHERE id = ").bind(run)
        };
        connection.execute_raw(sql.build()).await?;
    }
    Ok(())
}

/// Ends the holding back. False when somebody else did.
pub(crate) async fn approved(
    connection: &impl ConnectionTrait,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET held_deletions = NULL, deletions_approved = TRUE, updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE held_deletions IS NOT NULL AND NOT deletions_approved AND id = ")
        .bind(run)
        .build();
    Ok(connection.execute_raw(statement).await?.rows_affected() > 0)
}
