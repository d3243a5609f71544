//! A credential of the API.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::{ApiKeyId, ClientId};

/// A credential of the API.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    /// The client that it is bound to; none where it is the operator's own.
    pub client_id: Option<ClientId>,
    /// For people.
    pub name: String,
    /// What its newest secret begins with.
    pub prefix: String,
    /// What it is for; an array of texts.
    pub scopes: Json,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last shown, to some minutes.
    pub last_used_at: Option<Timestamp>,
    /// When somebody ended it.
    pub revoked_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
