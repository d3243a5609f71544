//! Dead letters of records and runs, as a run leaves them.

use entity::dead_letter::{ActiveModel, Entity};
use entity::ids::DeadLetterId;
use entity::sync_run::Model as Run;
use entity::words::{DeadLetterKind, DeadLetterStatus};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set};
use serde_json::{Value, json};

use super::stored_json::storable;
use crate::Engine;
use crate::runs::SyncError;

/// Rows in one statement: twelve values each, under SQLite's 32,766.
const ROWS: usize = 1_000;

/// Leaves records that could not be mapped.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    run: &Run,
    stream: &str,
    records: Vec<(Value, SyncError)>,
) -> Result<(), DbErr> {
    let mut rows = Vec::with_capacity(records.len().min(ROWS));
    for (payload, error) in records {
        rows.push(ActiveModel {
            kind: Set(DeadLetterKind::Record),
            stream: Set(Some(stream.to_owned())),
            payload: Set(storable(payload)),
            error: Set(storable(json!(error))),
            attempts: Set(1),
            ..letter(engine, run)
        });
        if rows.len() == ROWS {
            Entity::insert_many(std::mem::take(&mut rows))
                .exec_without_returning(connection)
                .await?;
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    Entity::insert_many(rows)
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// Leaves a run that has spent its attempts.
pub(crate) async fn insert_run(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    run: &Run,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        kind: Set(DeadLetterKind::Run),
        stream: Set(None),
        payload: Set(json!({ "mode": run.mode, "streams": run.streams, "trigger": run.trigger })),
        error: Set(run.error.clone().unwrap_or_default()),
        attempts: Set(run.attempt),
        ..letter(engine, run)
    };
    Entity::insert(row)
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

fn letter(engine: &Engine, run: &Run) -> ActiveModel {
    ActiveModel {
        id: Set(DeadLetterId::new(engine.new_uuid())),
        status: Set(DeadLetterStatus::Open),
        client_id: Set(run.client_id),
        integration_id: Set(Some(run.integration_id)),
        run_id: Set(Some(run.id)),
        created_at: Set(engine.timestamp()),
        resolved_at: Set(None),
        ..ActiveModel::default()
    }
}
