//! Erasures: their own rows, and whose they are to work on. What they delete is [`erasing`](super::erasing)'s.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::Timestamp;
use entity::erasure::{Column, Entity, Model};
use entity::ids::{ClientId, ErasureId};
use entity::words::ErasureStage;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IntoActiveModel, PaginatorTrait,
    QueryFilter,
};
use serde_json::Value;

use super::keyset;
use super::queue::micros;
use super::statement::Sql;
use crate::page::{OrderDirection, Window};

/// Writes an erasure.
pub(crate) async fn insert(connection: &impl ConnectionTrait, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// One erasure.
pub(crate) async fn find(connection: &impl ConnectionTrait, id: ErasureId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(connection).await
}

/// These erasures.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    ids: &[ErasureId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .all(connection)
        .await
}

/// The erasure of this client.
pub(crate) async fn of_client(
    connection: &impl ConnectionTrait,
    client: ClientId,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::ClientId.eq(client))
        .one(connection)
        .await
}

/// A page of erasures, newest first.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    window: &Window<ErasureId>,
) -> Result<Vec<Model>, DbErr> {
    let columns = [Column::Id.into_expr()];
    keyset::window(Entity::find(), &columns, OrderDirection::Desc, window, |id| {
        vec![(*id).into()]
    })
    .all(connection)
    .await
}

/// How many erasures there are.
pub(crate) async fn count(connection: &impl ConnectionTrait) -> Result<u64, DbErr> {
    Entity::find().count(connection).await
}

/// Takes an unfinished erasure that nobody works on, the oldest first.
pub(crate) async fn claim(
    connection: &impl ConnectionTrait,
    worker: &str,
    lease: Duration,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let free = |sql: Sql| {
        sql.text("finished_at IS NULL AND (lease_until IS NULL OR lease_until <= ")
            .present(now)
            .text(")")
    };
    let sql = lease_of(Sql::new(connection.get_database_backend()), worker, lease, now).text(" WHERE ");
    let sql = free(sql).text(" AND id = (SELECT id FROM erasure WHERE ");
    let statement = free(sql)
        .either(
            " ORDER BY id LIMIT 1)",
            " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)",
        )
        .text(" RETURNING *")
        .build();
    Model::find_by_statement(statement).one(connection).await
}

/// Renews the lease, and keeps the row until the transaction ends. None when the erasure is not this worker's any more.
pub(crate) async fn hold(
    connection: &impl ConnectionTrait,
    id: ErasureId,
    worker: &str,
    lease: Duration,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let statement = lease_of(Sql::new(connection.get_database_backend()), worker, lease, now)
        .text(" WHERE finished_at IS NULL AND id = ")
        .bind(id)
        .text(" AND lease_owner = ")
        .bind(worker)
        .text(" AND lease_until > ")
        .present(now)
        .text(" RETURNING *")
        .build();
    Model::find_by_statement(statement).one(connection).await
}

fn lease_of(sql: Sql, worker: &str, lease: Duration, now: DateTime<Utc>) -> Sql {
    sql.text("UPDATE erasure SET lease_owner = ")
        .bind(worker)
        .text(", lease_until = ")
        .present(now)
        .text(" + ")
        .bind(micros(lease))
}

/// Gives an erasure back.
pub(crate) async fn release(
    connection: &impl ConnectionTrait,
    id: ErasureId,
    worker: &str,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(Option::<i64>::None))
        .filter(Column::Id.eq(id))
        .filter(Column::LeaseOwner.eq(worker))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Goes on to a stage.
pub(crate) async fn enter(
    connection: &impl ConnectionTrait,
    id: ErasureId,
    stage: ErasureStage,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Stage, Expr::value(stage))
        .filter(Column::Id.eq(id))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Writes what was erased so far.
pub(crate) async fn count_erased(
    connection: &impl ConnectionTrait,
    id: ErasureId,
    erased: &Value,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Erased, Expr::value(erased.clone()))
        .filter(Column::Id.eq(id))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Writes that nothing is left.
pub(crate) async fn finish(
    connection: &impl ConnectionTrait,
    id: ErasureId,
    erased: &Value,
    now: Timestamp,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Erased, Expr::value(erased.clone()))
        .col_expr(Column::FinishedAt, Expr::value(now))
        .col_expr(Column::LeaseUntil, Expr::value(Option::<i64>::None))
        .filter(Column::Id.eq(id))
        .exec(connection)
        .await
        .map(|_| ())
}
