//! A client's connection to one API.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::{ClientId, ConnectorId, IntegrationId};
use crate::words::SyncRunStatus;

/// A client's connection to one API.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "integration")]
pub struct Model {
    /// The integration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IntegrationId,
    /// Whose it is.
    pub client_id: ClientId,
    /// The version of the connector that it runs on.
    pub connector_id: ConnectorId,
    /// For people.
    pub name: String,
    /// The configuration, with a mask in the place of every secret.
    pub config: Json,
    /// The secret part of the configuration, sealed; opens only for this row.
    #[sea_orm(column_type = "Blob", nullable)]
    pub secrets: Option<Vec<u8>>,
    /// The names of the streams that it reads, in the order of the connector.
    pub streams: Json,
    /// Somebody paused it.
    pub paused_manually: bool,
    /// The upstream refused its credential.
    pub paused_for_credential: bool,
    /// It failed too often in a row.
    pub paused_for_failure: bool,
    /// The retry policy: name, attempts, delays.
    pub retry: Json,
    /// The most that it may ask of the upstream; none where null.
    pub requests_per_minute: Option<i32>,
    /// Failed runs since the last one that did not fail.
    pub consecutive_failures: i32,
    /// How the last run ended that was not cancelled; null where there is none.
    pub last_run_status: Option<SyncRunStatus>,
    /// The last change number given to a record of this integration.
    pub change_counter: i64,
    /// When it was deleted; its rows follow in the background.
    pub deleted_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the row last changed.
    pub updated_at: Timestamp,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
