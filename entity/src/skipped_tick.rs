//! A due time that did not become a run.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::ScheduleId;
use crate::words::SkipReason;

/// A due time that did not become a run.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "skipped_tick")]
pub struct Model {
    /// The schedule.
    #[sea_orm(primary_key, auto_increment = false)]
    pub schedule_id: ScheduleId,
    /// The due time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub due_at: Timestamp,
    /// Why there is no run.
    pub reason: SkipReason,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
