//! How many runs of a client ended on a day, by UTC, and how.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::ClientId;
use crate::words::SyncRunStatus;

/// How many runs of a client ended on a day so.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run_client_day")]
pub struct Model {
    /// The client.
    #[sea_orm(primary_key, auto_increment = false)]
    pub client_id: ClientId,
    /// When the day began.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Timestamp,
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
