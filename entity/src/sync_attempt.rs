//! One attempt at a run.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::RunId;

/// One attempt at a run.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_attempt")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: RunId,
    /// 1 for the first.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    /// The fence that it held.
    pub fence: i64,
    /// When a worker took it.
    pub started_at: Timestamp,
    /// When it ended; null while it runs.
    pub finished_at: Option<Timestamp>,
    /// Who ran it.
    pub worker: String,
    /// Why it failed.
    #[sea_orm(nullable)]
    pub error: Option<Json>,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
