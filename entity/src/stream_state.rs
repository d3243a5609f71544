//! What is known of one stream of an integration between its runs.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::{IntegrationId, RunId};

/// What is known of one stream of an integration between its runs.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "stream_state")]
pub struct Model {
    /// The row, which records point to.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The integration.
    pub integration_id: IntegrationId,
    /// The stream.
    pub stream: String,
    /// The cursor, in the form that the reference implementation writes.
    #[sea_orm(nullable)]
    pub state: Option<Json>,
    /// Where inside a slice to go on: opaque, made and read by the connector runtime.
    #[sea_orm(nullable)]
    pub resume: Option<Json>,
    /// The run that left it; no other one resumes there.
    pub resume_run_id: Option<RunId>,
    /// Counts full refreshes.
    pub generation: i64,
    /// Whether a full refresh is under way and marks what it sees.
    pub marking: bool,
    /// What is kept of its schema: fields that every record had, and those that are not as declared.
    #[sea_orm(nullable)]
    pub schema_watch: Option<Json>,
    /// What the upstream is asked with whether the stream has changed, and what that was true of. Null while a run has
    /// written anything and has not ended.
    #[sea_orm(nullable)]
    pub validators: Option<Json>,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
