//! A request that came with an idempotency key, and its answer once there is one.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// A request that came with an idempotency key, and its answer once there is one.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_answer")]
pub struct Model {
    /// Whose keys they are.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    /// The caller's key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Hash of what was asked.
    #[sea_orm(column_type = "Blob")]
    pub input_hash: Vec<u8>,
    /// Who answers it: one request of one process.
    pub owner: Uuid,
    /// Until when an answer is awaited.
    pub claimed_until: Timestamp,
    /// The answer, sealed; null until there is one.
    #[sea_orm(column_type = "Blob", nullable)]
    pub answer: Option<Vec<u8>>,
    /// When it was asked.
    pub created_at: Timestamp,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
