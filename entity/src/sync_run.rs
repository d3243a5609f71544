//! One synchronisation: a row of the queue while it waits, of the history when it has ended.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::{ClientId, IntegrationId, RunId, ScheduleId};
use crate::words::{SyncMode, SyncRunStatus, SyncTrigger, WaitReason};

/// One synchronisation: a row of the queue while it waits, of the history when it has ended.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RunId,
    /// Whose it is: the integration's client, copied for the scope of lists.
    pub client_id: ClientId,
    /// The integration.
    pub integration_id: IntegrationId,
    /// What made it.
    pub trigger: SyncTrigger,
    /// How much it reads.
    pub mode: SyncMode,
    /// Where it stands.
    pub status: SyncRunStatus,
    /// The names of the streams that it reads.
    pub streams: Json,
    /// The caller's key; unique in the integration.
    pub idempotency_key: Option<String>,
    /// Hash of the input that came with the key.
    #[sea_orm(column_type = "Blob", nullable)]
    pub input_hash: Option<Vec<u8>>,
    /// Joins a run to the request that made it.
    pub correlation_id: String,
    /// 1 for the first.
    pub attempt: i32,
    /// The last attempt's number.
    pub max_attempts: i32,
    /// Raised by every claim; who writes names the fence that it holds.
    pub fence: i64,
    /// The worker that holds it.
    pub lease_owner: Option<String>,
    /// When the lease ends unless it is renewed.
    pub lease_until: Option<Timestamp>,
    /// No worker takes it earlier.
    pub not_before: Timestamp,
    /// Why it waits, as far as a row can say it.
    pub wait_reason: Option<WaitReason>,
    /// Somebody asked to stop it.
    pub cancel_requested: bool,
    /// The schedule that made it.
    pub schedule_id: Option<ScheduleId>,
    /// The due time that it stands for.
    pub scheduled_for: Option<Timestamp>,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When its first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
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
    /// The last attempt's error.
    #[sea_orm(nullable)]
    pub error: Option<Json>,
    /// Records that a full refresh would delete, and does not until it is approved.
    pub held_deletions: Option<i64>,
    /// Whether somebody approved that.
    pub deletions_approved: bool,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
