//! Deleting what nobody needs any more, a batch at a time.
//!
//! A batch is small enough that nobody else's writing waits long for it, and says whether there may be more.
//! The order of an integration's tables is that of their references, so a purge that is killed half-way has
//! left nothing that points nowhere.

use entity::Timestamp;
use entity::ids::IntegrationId;
use entity::{erasure, integration};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::statement::Sql;

/// How many rows one transaction deletes.
pub(crate) const BATCH: i64 = 1_000;

/// What a batch deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deleted {
    pub(crate) table: &'static str,
    pub(crate) rows: u64,
}

/// The lines of runs' logs from before then.
pub(crate) async fn logs(connection: &impl ConnectionTrait, before: Timestamp) -> Result<u64, DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        .text("DELETE FROM run_log WHERE id IN (SELECT id FROM run_log WHERE at < ")
        .bind(before)
        .text(" ORDER BY at LIMIT ")
        .bind(BATCH)
        .text(")");
    connection
        .execute_raw(sql.build())
        .await
        .map(|done| done.rows_affected())
}

/// The events from before then that have been given a sequence; never the last of all, from which the
/// sequence goes on.
pub(crate) async fn events(connection: &impl ConnectionTrait, before: Timestamp) -> Result<u64, DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        .text("DELETE FROM outbox_event WHERE id IN (SELECT id FROM outbox_event WHERE at < ")
        .bind(before)
        .text(" AND sequence < (SELECT MAX(sequence) FROM outbox_event) ORDER BY at LIMIT ")
        .bind(BATCH)
        .text(")");
    connection
        .execute_raw(sql.build())
        .await
        .map(|done| done.rows_affected())
}

/// The skipped ticks from before then.
pub(crate) async fn skipped_ticks(
    connection: &impl ConnectionTrait,
    before: Timestamp,
) -> Result<u64, DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        .text(
            "DELETE FROM skipped_tick WHERE (schedule_id, due_at) IN (\
             SELECT schedule_id, due_at FROM skipped_tick WHERE due_at < ",
        )
        .bind(before)
        .text(" LIMIT ")
        .bind(BATCH)
        .text(")");
    connection
        .execute_raw(sql.build())
        .await
        .map(|done| done.rows_affected())
}

/// A deleted integration that still has rows: itself, if nothing else. Those of a client that is being erased are left to
/// that, which counts.
pub(crate) async fn deleted_integration(
    connection: &impl ConnectionTrait,
) -> Result<Option<IntegrationId>, DbErr> {
    integration::Entity::find()
        .select_only()
        .column(integration::Column::Id)
        .filter(integration::Column::DeletedAt.is_not_null())
        .filter(
            integration::Column::ClientId.not_in_subquery(
                Query::select()
                    .column(erasure::Column::ClientId)
                    .from(erasure::Entity)
                    .to_owned(),
            ),
        )
        .order_by_asc(integration::Column::DeletedAt)
        .limit(1)
        .into_tuple()
        .one(connection)
        .await
}

/// The tables that hold an integration's rows: the name, the key, and the condition, in the order in which
/// they may be emptied.
const OF_INTEGRATION: [(&str, &str, &str); 11] = [
    (
        "record_seen",
        "stream_id, generation, record_id",
        "stream_id IN (SELECT id FROM stream_state WHERE integration_id = ",
    ),
    (
        "record",
        "id",
        "stream_id IN (SELECT id FROM stream_state WHERE integration_id = ",
    ),
    ("stream_state", "id", "(integration_id = "),
    ("dead_letter", "id", "(integration_id = "),
    (
        "run_log",
        "id",
        "run_id IN (SELECT id FROM sync_run WHERE integration_id = ",
    ),
    (
        "sync_attempt",
        "run_id, number",
        "run_id IN (SELECT id FROM sync_run WHERE integration_id = ",
    ),
    (
        "sync_run_stream",
        "run_id, stream",
        "run_id IN (SELECT id FROM sync_run WHERE integration_id = ",
    ),
    ("sync_run", "id", "(integration_id = "),
    (
        "skipped_tick",
        "schedule_id, due_at",
        "schedule_id IN (SELECT id FROM schedule WHERE integration_id = ",
    ),
    ("schedule", "id", "(integration_id = "),
    ("integration", "id", "(id = "),
];

/// A batch of a deleted integration's rows, the integration itself last.
pub(crate) async fn integration(
    connection: &impl ConnectionTrait,
    id: IntegrationId,
) -> Result<Deleted, DbErr> {
    for (table, key, condition) in OF_INTEGRATION {
        let sql = Sql::new(connection.get_database_backend())
            .text(&format!(
                "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {condition}"
            ))
            .bind(id)
            .text(") LIMIT ")
            .bind(BATCH)
            .text(")");
        let rows = connection.execute_raw(sql.build()).await?.rows_affected();
        if rows > 0 {
            return Ok(Deleted { table, rows });
        }
    }
    Ok(Deleted {
        table: "integration",
        rows: 0,
    })
}
