//! A line of a run's log.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::RunId;

/// A line of a run's log.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "run_log")]
pub struct Model {
    /// The row; lines are read in its order.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The run.
    pub run_id: RunId,
    /// When.
    pub at: Timestamp,
    /// How grave: a `LogLevel`.
    pub level: i16,
    /// What happened.
    #[sea_orm(column_type = "Text")]
    pub message: String,
    /// What belongs to it; an object.
    pub fields: Json,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
