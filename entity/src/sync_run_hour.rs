//! How many runs ended in an hour, of all clients, and how.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::words::SyncRunStatus;

/// How many runs ended in an hour so.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run_hour")]
pub struct Model {
    /// When the hour began.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hour: Timestamp,
    /// How they ended.
    #[sea_orm(primary_key, auto_increment = false)]
    pub status: SyncRunStatus,
    /// How many.
    pub runs: i64,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
