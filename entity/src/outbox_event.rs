//! Something that happened, written in the transaction that made it happen.

use sea_orm::entity::prelude::*;

use crate::Timestamp;
use crate::ids::{ClientId, EventId};

/// Something that happened, written in the transaction that made it happen.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox_event")]
pub struct Model {
    /// The event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// Its place among all events; given by the relay, since transactions commit out of the order of their ids.
    pub sequence: Option<i64>,
    /// For example `client.registered`.
    #[sea_orm(column_name = "type")]
    pub event_type: String,
    /// The id of what it is about.
    pub subject: String,
    /// Whose it is; null where it is nobody's.
    pub client_id: Option<ClientId>,
    /// Joins it to the request that caused it.
    pub correlation_id: String,
    /// When.
    pub at: Timestamp,
    /// What belongs to it; an object.
    pub data: Json,
}

/// Relations are written as joins in the store; none is declared here.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
