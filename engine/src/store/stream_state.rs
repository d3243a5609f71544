//! What is known of a stream between runs.

use chrono::{DateTime, Utc};
use entity::Timestamp;
use entity::ids::{IntegrationId, RunId};
use entity::stream_state::{Column, Entity, Model};
use entity::words::SyncMode;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use serde_json::Value;

use super::integrations;
use super::statement::Sql;
use crate::access::Scope;

/// Opens a stream for a run, in one statement, and gives its row.
///
/// The run that had opened it last goes on where it was. Any other one starts from the state, and a full
/// refresh, which the reader starts from nothing, gets a new generation. A position inside a run is never
/// handed to another one. A refresh of a stream without records has nothing to mark: whatever it will find
/// there in the end, it has seen.
///
/// An incremental run leaves `marking` as it is, and marks what it sees too: deletions that are held then stay
/// right until somebody approves them, however many runs later.
pub(crate) async fn open(
    connection: &impl ConnectionTrait,
    integration: IntegrationId,
    stream: &str,
    run: RunId,
    mode: SyncMode,
    now: DateTime<Utc>,
) -> Result<Model, DbErr> {
    let fresh = i64::from(mode == SyncMode::FullRefresh);
    let at = Timestamp::from(now);
    let mut sql = Sql::new(connection.get_database_backend())
        .text(
            "INSERT INTO stream_state (integration_id, stream, state, resume, resume_run_id, generation, marking, updated_at) \
             VALUES (",
        )
        .bind(integration)
        .text(", ")
        .bind(stream)
        .text(", NULL, NULL, ")
        .bind(run)
        .text(", ")
        .bind(fresh)
        .text(", FALSE, ")
        .bind(at)
        .text(") ON CONFLICT (integration_id, stream) DO UPDATE SET updated_at = excluded.updated_at, resume_run_id = excluded.resume_run_id");
    let other = " = CASE WHEN stream_state.resume_run_id IS NOT NULL AND stream_state.resume_run_id = excluded.resume_run_id THEN ";
    sql = sql.text(", resume").text(other).text("stream_state.resume END");
    if mode == SyncMode::FullRefresh {
        sql = sql
            .text(", generation")
            .text(other)
            .text("stream_state.generation ELSE stream_state.generation + 1 END, marking")
            .text(other)
            .text(
                "stream_state.marking ELSE EXISTS (SELECT 1 FROM record \
                 WHERE record.stream_id = stream_state.id AND record.deleted_at IS NULL) END",
            );
    }
    let statement = sql.text(" RETURNING *").build();
    let row = Model::find_by_statement(statement).one(connection).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("stream state".to_owned()))
}

/// Moves a stream's checkpoint. Unless the stream is as it was, its validators are forgotten: what was written is more than
/// what they were given for.
pub(crate) async fn checkpoint(
    connection: &impl ConnectionTrait,
    stream: i64,
    state: Option<&Value>,
    resume: Option<&Value>,
    unchanged: bool,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let mut sql = Sql::new(connection.get_database_backend())
        .text("UPDATE stream_state SET state = ")
        .bind(state.cloned())
        .text(", resume = ")
        .bind(resume.cloned());
    if !unchanged {
        sql = sql.text(", validators = NULL");
    }
    let statement = sql
        .text(", updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE id = ")
        .bind(stream)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// Keeps what is known of a stream's schema.
pub(crate) async fn watch(
    connection: &impl ConnectionTrait,
    stream: i64,
    watch: &Value,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE stream_state SET schema_watch = ")
        .bind(watch.clone())
        .text(", updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE id = ")
        .bind(stream)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// The streams of these integrations of whose schema something is kept, in order.
pub(crate) async fn watched(
    connection: &impl ConnectionTrait,
    scope: Scope,
    integrations: &[IntegrationId],
) -> Result<Vec<Model>, DbErr> {
    let visible = integrations::by_ids(connection, scope, integrations).await?;
    Entity::find()
        .filter(Column::IntegrationId.is_in(visible.iter().map(|integration| integration.id)))
        .filter(Column::SchemaWatch.is_not_null())
        .order_by_asc(Column::Id)
        .all(connection)
        .await
}

/// Closes a stream at its end: no position inside a slice remains. Validators that it ended with are kept.
pub(crate) async fn close(
    connection: &impl ConnectionTrait,
    stream: i64,
    marking: bool,
    validators: Option<Value>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let mut sql = Sql::new(connection.get_database_backend())
        .text("UPDATE stream_state SET resume = NULL, marking = ")
        .bind(marking);
    if let Some(validators) = validators {
        sql = sql.text(", validators = ").bind(validators);
    }
    let statement = sql
        .text(", updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE id = ")
        .bind(stream)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// Ends the marking of a refresh whose held deletions were made.
pub(crate) async fn end_marking(
    connection: &impl ConnectionTrait,
    stream: i64,
    generation: i64,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE stream_state SET marking = FALSE, updated_at = ")
        .bind(Timestamp::from(now))
        .text(" WHERE id = ")
        .bind(stream)
        .text(" AND generation = ")
        .bind(generation)
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// The streams of an integration whose deletions are held.
pub(crate) async fn marking(
    connection: &impl ConnectionTrait,
    integration: IntegrationId,
) -> Result<Vec<Model>, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("SELECT * FROM stream_state WHERE marking AND integration_id = ")
        .bind(integration)
        .text(" ORDER BY id")
        .build();
    Model::find_by_statement(statement).all(connection).await
}
