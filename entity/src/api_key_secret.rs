//! What the holder of an API key shows. A key that was rotated has several while they overlap.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::ApiKeyId;

/// What the holder of an API key shows.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key_secret")]
pub struct Model {
    /// What it begins with.
    #[sea_orm(primary_key, auto_increment = false)]
    pub prefix: String,
    /// Whose secret it is.
    pub api_key_id: ApiKeyId,
    /// The SHA-256 of the whole.
    pub hash: Vec<u8>,
    /// Until when it is good; none while it is the newest.
    pub valid_until: Option<Timestamp>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
