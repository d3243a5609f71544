//! A run's log: few lines, for people.

use chrono::{DateTime, Utc};
use entity::ids::RunId;
use entity::run_log::{ActiveModel, Column, Entity};
use entity::words::LogLevel;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Select, Set};
use serde_json::Value;

use super::keyset;
use crate::page::{OrderDirection, Window};

/// A line to be written.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    pub(crate) level: LogLevel,
    pub(crate) message: String,
    pub(crate) fields: Value,
}

impl LogLine {
    /// A line with what belongs to it: a JSON object.
    pub(crate) fn new(level: LogLevel, message: impl Into<String>, fields: Value) -> Self {
        Self {
            level,
            message: message.into(),
            fields,
        }
    }
}

/// Writes lines.
pub(crate) async fn append(
    connection: &impl ConnectionTrait,
    run: RunId,
    lines: impl IntoIterator<Item = LogLine>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let rows: Vec<ActiveModel> = lines
        .into_iter()
        .map(|line| ActiveModel {
            run_id: Set(run),
            at: Set(now.into()),
            level: Set(line.level.code()),
            message: Set(line.message),
            fields: Set(line.fields),
            ..ActiveModel::default()
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    Entity::insert_many(rows)
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// A page of a run's log, oldest first.
pub(crate) fn page(run: RunId, min_level: LogLevel, window: &Window<i64>) -> Select<Entity> {
    let query = Entity::find()
        .filter(Column::RunId.eq(run))
        .filter(Column::Level.gte(min_level.code()));
    let columns = [Column::Id.into_expr()];
    keyset::window(query, &columns, OrderDirection::Asc, window, |id| {
        vec![(*id).into()]
    })
}
