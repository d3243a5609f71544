//! When an integration runs by itself.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::{IntegrationId, ScheduleId};
use crate::words::OverlapPolicy;

/// When an integration runs by itself.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule")]
pub struct Model {
    /// The schedule.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScheduleId,
    /// Whose it is; one each.
    pub integration_id: IntegrationId,
    /// Five fields, or six with seconds first.
    pub cron: String,
    /// An IANA name.
    pub timezone: String,
    /// A run begins up to this long after its due time, never before.
    pub jitter_seconds: i32,
    /// What to do while a run is active.
    pub overlap: OverlapPolicy,
    /// Missed due times this recent still run, once.
    pub catch_up_seconds: i32,
    /// The next due time; null where there is none.
    pub next_due_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
