//! One stream of a run: where it stands and what it did.

use sea_orm::entity::prelude::*;

use crate::ids::RunId;
use crate::words::SyncRunStatus;

/// One stream of a run: where it stands and what it did.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run_stream")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: RunId,
    /// The stream.
    #[sea_orm(primary_key, auto_increment = false)]
    pub stream: String,
    /// Where it stands.
    pub status: SyncRunStatus,
    /// HTTP requests made.
    pub requests: i64,
    /// Pages committed.
    pub pages: i64,
    /// Records that the upstream gave.
    pub records_read: i64,
    /// Of them new.
    pub records_added: i64,
    /// Of them with another content than before.
    pub records_updated: i64,
    /// Of them as they were.
    pub records_unchanged: i64,
    /// Records marked as deleted.
    pub records_deleted: i64,
    /// Records that became dead letters.
    pub records_failed: i64,
    /// Bytes of answers, decompressed.
    pub bytes_read: i64,
    /// The stream's cursor as it was last written.
    #[sea_orm(nullable)]
    pub cursor: Option<Json>,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
