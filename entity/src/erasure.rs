//! A client's erasure: asked for, under way, or done.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::{ClientId, ErasureId};
use crate::words::ErasureStage;

/// A client's erasure: asked for, under way, or done.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure")]
pub struct Model {
    /// The erasure.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ErasureId,
    /// Whose; there is no such client any more once it is done.
    pub client_id: ClientId,
    /// Which credential asked for it.
    pub requested_by: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// What is done next.
    pub stage: ErasureStage,
    /// Rows erased so far, by table; an object.
    pub erased: Json,
    /// Who works on it.
    pub lease_owner: Option<String>,
    /// Until when that is believed.
    pub lease_until: Option<Timestamp>,
    /// When nothing was left; null before.
    pub finished_at: Option<Timestamp>,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
