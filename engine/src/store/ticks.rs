//! Due times: found, consumed, skipped.

use chrono::{DateTime, Utc};
use entity::ids::ScheduleId;
use entity::schedule::{Column, Entity, Model};
use entity::words::SkipReason;
use entity::{Timestamp, skipped_tick};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::statement::Sql;

/// Up to `limit` schedules that are due, the longest due first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextDueAt.lte(Timestamp::from(now)))
        .order_by_asc(Column::NextDueAt)
        .limit(limit)
        .all(connection)
        .await
}

/// Moves a schedule on from this due time. False when it is not there any more: somebody else did.
pub(crate) async fn consume(
    connection: &impl ConnectionTrait,
    schedule: ScheduleId,
    due: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE schedule SET next_due_at = ")
        .bind(next.map(Timestamp::from))
        .text(", updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE id = ")
        .bind(schedule)
        .text(" AND next_due_at = ")
        .bind(Timestamp::from(due))
        .build();
    Ok(connection.execute_raw(statement).await?.rows_affected() > 0)
}

/// Ends a schedule whose integration is gone.
pub(crate) async fn consume_all(
    connection: &impl ConnectionTrait,
    schedule: ScheduleId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE schedule SET next_due_at = NULL, updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE id = ")
        .bind(schedule)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// Writes why due times did not become runs.
pub(crate) async fn skip(
    connection: &impl ConnectionTrait,
    schedule: ScheduleId,
    ticks: impl IntoIterator<Item = (DateTime<Utc>, SkipReason)>,
) -> Result<(), DbErr> {
    let rows: Vec<_> = ticks
        .into_iter()
        .map(|(due, reason)| skipped_tick::ActiveModel {
            schedule_id: Set(schedule),
            due_at: Set(due.into()),
            reason: Set(reason),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    skipped_tick::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}
