//! Due times: found, taken, consumed, skipped.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::ids::{ClientId, IntegrationId, ScheduleId};
use entity::schedule::Model;
use entity::words::{ClientStatus, SkipReason};
use entity::{Timestamp, client, integration, skipped_tick};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Set,
};

use super::statement::Sql;

/// Rows written by one statement: within what both databases let one bind.
const TOGETHER: usize = 5_000;

/// Which schedules are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    /// All but these.
    Herd(&'a [ScheduleId]),
    /// This one alone.
    One(ScheduleId),
}

/// Schedules that are due.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) schedules: Vec<Model>,
    /// Those whose row cannot be read: a newer version may have written a word that this one does not know.
    pub(crate) unreadable: Vec<ScheduleId>,
}

fn due(sql: Sql, which: Which<'_>, now: DateTime<Utc>) -> Sql {
    let sql = sql
        .text(" FROM schedule WHERE next_due_at <= ")
        .bind(Timestamp::from(now));
    match which {
        Which::Herd([]) => sql,
        Which::Herd(but) => sql.text(" AND id NOT IN (").list(but.iter().copied()).text(")"),
        Which::One(id) => sql.text(" AND id = ").bind(id),
    }
}

/// The longest due of them, up to `limit`.
pub(crate) async fn due_ids(
    connection: &impl ConnectionTrait,
    which: Which<'_>,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<ScheduleId>, DbErr> {
    let sql = Sql::new(connection.get_database_backend()).text("SELECT id");
    let statement = due(sql, which, now)
        .text(" ORDER BY next_due_at LIMIT ")
        .bind(i64::from(limit))
        .build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// Takes up to `limit` schedules that are due, the longest due first, for this transaction. On PostgreSQL it locks
/// them and passes over what another scheduler has locked, so that several share a herd; that is speed, and
/// [`move_on`] is the safety. On SQLite the transaction is the only one that writes.
pub(crate) async fn take(
    connection: &impl ConnectionTrait,
    which: Which<'_>,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Due, DbErr> {
    let sql = Sql::new(connection.get_database_backend()).text("SELECT *");
    let statement = due(sql, which, now)
        .text(" ORDER BY next_due_at LIMIT ")
        .bind(i64::from(limit))
        .either("", " FOR NO KEY UPDATE SKIP LOCKED")
        .build();
    let mut due = Due::default();
    for row in connection.query_all_raw(statement).await? {
        match Model::from_query_result(&row, "") {
            Ok(schedule) => due.schedules.push(schedule),
            Err(error) => {
                let id = row.try_get("", "id")?;
                tracing::debug!(schedule = %id, %error, "a schedule's row cannot be read");
                due.unreadable.push(id);
            }
        }
    }
    Ok(due)
}

/// Where a schedule moves on to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) schedule: ScheduleId,
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: Option<DateTime<Utc>>,
}

/// Moves schedules on from their due times, and gives those that were still there: from the others somebody else
/// did.
pub(crate) async fn move_on(
    connection: &impl ConnectionTrait,
    moves: &[Move],
    now: DateTime<Utc>,
) -> Result<HashSet<ScheduleId>, DbErr> {
    if moves.is_empty() {
        return Ok(HashSet::new());
    }
    let mut sql = Sql::new(connection.get_database_backend())
        .text("UPDATE schedule SET updated_at = ")
        .bind(Timestamp::from(now))
        .text(", next_due_at = moved.column3 FROM (VALUES ");
    for (index, step) in moves.iter().enumerate() {
        sql = sql
            .text(if index > 0 { ", (" } else { "(" })
            .bind(step.schedule)
            .text(", ")
            .bind(Timestamp::from(step.from))
            .text(", ")
            .bind(step.to.map(Timestamp::from))
            .text(")");
    }
    let statement = sql
        .text(") AS moved WHERE schedule.id = moved.column1 AND schedule.next_due_at = moved.column2 RETURNING id")
        .build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// What a schedule fires for.
pub(crate) type Owner = (integration::Model, ClientStatus);

/// These integrations, each with its client's status; those that were deleted are missing.
pub(crate) async fn owners(
    connection: &impl ConnectionTrait,
    integrations: &[IntegrationId],
) -> Result<HashMap<IntegrationId, Owner>, DbErr> {
    let found = integration::Entity::find()
        .filter(integration::Column::Id.is_in(integrations.iter().copied()))
        .filter(integration::Column::DeletedAt.is_null())
        .all(connection)
        .await?;
    let ids: HashSet<ClientId> = found.iter().map(|integration| integration.client_id).collect();
    let clients: HashMap<ClientId, ClientStatus> = client::Entity::find()
        .select_only()
        .columns([client::Column::Id, client::Column::Status])
        .filter(client::Column::Id.is_in(ids))
        .into_tuple()
        .all(connection)
        .await?
        .into_iter()
        .collect();
    let owned = found.into_iter().filter_map(|integration| {
        let status = *clients.get(&integration.client_id)?;
        Some((integration.id, (integration, status)))
    });
    Ok(owned.collect())
}

/// A due time that did not become a run, and why.
pub(crate) type Skipped = (ScheduleId, DateTime<Utc>, SkipReason);

/// Writes why due times did not become runs.
pub(crate) async fn skip(connection: &impl ConnectionTrait, ticks: &[Skipped]) -> Result<(), DbErr> {
    for ticks in ticks.chunks(TOGETHER) {
        let rows = ticks
            .iter()
            .map(|&(schedule, due, reason)| skipped_tick::ActiveModel {
                schedule_id: Set(schedule),
                due_at: Set(due.into()),
                reason: Set(reason),
            });
        skipped_tick::Entity::insert_many(rows)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(connection)
            .await?;
    }
    Ok(())
}
