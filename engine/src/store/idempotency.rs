//! Keys that requests came with, and their answers.

use entity::Timestamp;
use entity::idempotency_answer::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::purge::BATCH;
use super::statement::Sql;

/// What is known under a key.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    scope: &str,
    key: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((scope.to_owned(), key.to_owned()))
        .one(connection)
        .await
}

/// Takes the key for this request. False when it is taken: by a request that is answered or awaits its answer, unless
/// that was before `expired`. One whose answer is overdue gives way to an equal one.
pub(crate) async fn claim(
    connection: &impl ConnectionTrait,
    new: &Model,
    expired: Timestamp,
) -> Result<bool, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("INSERT INTO idempotency_answer (scope, key, input_hash, owner, claimed_until, created_at) VALUES (")
        .bind(new.scope.clone())
        .text(", ")
        .bind(new.key.clone())
        .text(", ")
        .bind(new.input_hash.clone())
        .text(", ")
        .bind(new.owner)
        .text(", ")
        .bind(new.claimed_until)
        .text(", ")
        .bind(new.created_at)
        .text(
            ") ON CONFLICT (scope, key) DO UPDATE SET input_hash = excluded.input_hash, owner = excluded.owner, \
             claimed_until = excluded.claimed_until, answer = NULL, created_at = excluded.created_at \
             WHERE idempotency_answer.created_at <= ",
        )
        .bind(expired)
        .text(
            " OR (idempotency_answer.answer IS NULL AND idempotency_answer.input_hash = excluded.input_hash \
             AND idempotency_answer.claimed_until <= ",
        )
        .bind(new.created_at)
        .text(") RETURNING owner")
        .build();
    Ok(connection.query_one_raw(statement).await?.is_some())
}

/// Keeps the answer, if the key is still this request's.
pub(crate) async fn answer(
    connection: &impl ConnectionTrait,
    scope: &str,
    key: &str,
    owner: Uuid,
    answer: Vec<u8>,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Answer, sea_orm::sea_query::Expr::value(answer))
        .filter(Column::Scope.eq(scope))
        .filter(Column::Key.eq(key))
        .filter(Column::Owner.eq(owner))
        .exec(connection)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Gives the key back, if it is still this request's and was not answered.
pub(crate) async fn release(
    connection: &impl ConnectionTrait,
    scope: &str,
    key: &str,
    owner: Uuid,
) -> Result<(), DbErr> {
    Entity::delete_many()
        .filter(Column::Scope.eq(scope))
        .filter(Column::Key.eq(key))
        .filter(Column::Owner.eq(owner))
        .filter(Column::Answer.is_null())
        .exec(connection)
        .await
        .map(|_| ())
}

/// A batch of those from before then.
pub(crate) async fn purge(connection: &impl ConnectionTrait, before: Timestamp) -> Result<u64, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text(
            "DELETE FROM idempotency_answer WHERE (scope, key) IN \
             (SELECT scope, key FROM idempotency_answer WHERE created_at <= ",
        )
        .bind(before)
        .text(" LIMIT ")
        .bind(BATCH)
        .text(")")
        .build();
    connection
        .execute_raw(statement)
        .await
        .map(|done| done.rows_affected())
}
