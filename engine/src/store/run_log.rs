//! A run's log: few lines, for people.

use chrono::{DateTime, Utc};
use entity::ids::RunId;
use entity::run_log::{ActiveModel, Column, Entity, Model};
use entity::words::LogLevel;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::Value;

use crate::page::Window;

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
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    run: RunId,
    min_level: LogLevel,
    window: &Window<i64>,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find()
        .filter(Column::RunId.eq(run))
        .filter(Column::Level.gte(min_level.code()));
    if let Some(after) = window.after {
        query = query.filter(Column::Id.gt(after));
    }
    if let Some(before) = window.before {
        query = query.filter(Column::Id.lt(before));
    }
    query = if window.backward {
        query.order_by_desc(Column::Id)
    } else {
        query.order_by_asc(Column::Id)
    };
    query.limit(window.limit()).all(connection).await
}
