//! That a full refresh has seen a record. Rows live as long as the refresh.

use sea_orm::entity::prelude::*;

/// That a full refresh has seen a record. Rows live as long as the refresh.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "record_seen")]
pub struct Model {
    /// The stream.
    #[sea_orm(primary_key, auto_increment = false)]
    pub stream_id: i64,
    /// The refresh.
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i64,
    /// The record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub record_id: i64,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
