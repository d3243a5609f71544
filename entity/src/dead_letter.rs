//! Work that could not be done and waits for a person.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::{ClientId, DeadLetterId, IntegrationId, RunId};
use crate::words::{DeadLetterKind, DeadLetterStatus};

/// Work that could not be done and waits for a person.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letter")]
pub struct Model {
    /// The dead letter.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeadLetterId,
    /// What it is.
    pub kind: DeadLetterKind,
    /// What became of it.
    pub status: DeadLetterStatus,
    /// Whose it is.
    pub client_id: ClientId,
    /// The integration.
    pub integration_id: Option<IntegrationId>,
    /// The run that left it.
    pub run_id: Option<RunId>,
    /// The stream.
    pub stream: Option<String>,
    /// What could not be done.
    pub payload: Json,
    /// Why.
    pub error: Json,
    /// How often it was tried.
    pub attempts: i32,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When it was replayed or discarded.
    pub resolved_at: Option<Timestamp>,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
