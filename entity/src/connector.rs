//! One version of an installed connector. A version never changes; installing again makes another.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::ConnectorId;

/// One version of an installed connector. A version never changes; installing again makes another.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "connector")]
pub struct Model {
    /// The version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ConnectorId,
    /// The connector's name.
    pub slug: String,
    /// Counts up by one with every installation: "1", "2", …
    pub version: String,
    /// For people.
    pub title: String,
    /// The manifest as it was given, comments included.
    #[sea_orm(column_type = "Text")]
    pub manifest: String,
    /// SHA-256 of the manifest: the same text is not installed twice.
    #[sea_orm(column_type = "Blob")]
    pub manifest_hash: Vec<u8>,
    /// Whether it came with the program.
    pub shipped: bool,
    /// Whether new integrations get this version; one a slug.
    pub latest: bool,
    /// When the row was made.
    pub created_at: Timestamp,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
