//! A client: one customer of the operator, and the owner of integrations.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::ClientId;
use crate::words::ClientStatus;

/// A client: one customer of the operator, and the owner of integrations.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "client")]
pub struct Model {
    /// The client.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ClientId,
    /// The caller's own identifier, unique.
    pub slug: String,
    /// For people.
    pub name: String,
    /// Whatever the caller wants to keep; an object.
    pub metadata: Json,
    /// Whether it may work.
    pub status: ClientStatus,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
