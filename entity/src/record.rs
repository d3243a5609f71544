//! A record of a stream, as the upstream last gave it.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// A record of a stream, as the upstream last gave it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "record")]
pub struct Model {
    /// The row.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The stream.
    pub stream_id: i64,
    /// The primary key's value as text; of a composite one, a JSON array of its parts.
    #[sea_orm(column_type = "Text")]
    pub key: String,
    /// The record: JSON, as text.
    #[sea_orm(column_type = "Text")]
    pub data: String,
    /// Hash of the record's canonical form.
    #[sea_orm(column_type = "Blob")]
    pub hash: Vec<u8>,
    /// Position of its last change among all of the integration.
    pub change_number: i64,
    /// What that was: a `ChangeKind`.
    pub change: i16,
    /// When it first came.
    pub first_seen_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// When it was marked as deleted.
    pub deleted_at: Option<Timestamp>,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
