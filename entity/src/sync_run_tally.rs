//! A run that ended, or is gone, and is not in the counts by the hour and the day yet. A trigger writes it.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::ClientId;
use crate::words::SyncRunStatus;

/// A run that ended, or is gone, and is not in the counts yet.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run_tally")]
pub struct Model {
    /// Of no meaning but the order.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose run.
    pub client_id: ClientId,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub status: SyncRunStatus,
    /// 1 for a run that ended, -1 for one that is gone.
    pub runs: i64,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
