//! Everything that has an id.

use async_graphql::{Context, ID, Interface, Result};
use engine::ids::AnyId;

use super::{ApiKey, Client, Connector, DeadLetter, Erasure, Event, Integration, Record, SyncRun};
use crate::graphql::context::loaders;

/// Something with an id that node(id:) finds again.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "A prefix that names the type, and 26 characters: `cli_01h…`"
))]
pub(crate) enum Node {
    /// `cli_…`
    Client(Client),
    /// `con_…`
    Connector(Connector),
    /// `int_…`
    Integration(Integration),
    /// `run_…`
    SyncRun(SyncRun),
    /// `rec_…`
    Record(Record),
    /// `dlq_…`
    DeadLetter(DeadLetter),
    /// `evt_…`
    Event(Event),
    /// `key_…`
    ApiKey(ApiKey),
    /// `era_…`
    Erasure(Erasure),
}

impl Node {
    /// What has this id and may be seen by the caller.
    pub(crate) async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Self>> {
        Ok(match AnyId::parse(id) {
            Some(AnyId::ClientId(id)) => loaders(ctx).load_one(id).await?.map(|found| Client(found).into()),
            Some(AnyId::ConnectorId(id)) => loaders(ctx)
                .load_one(id)
                .await?
                .map(|found| Connector(found).into()),
            Some(AnyId::IntegrationId(id)) => loaders(ctx)
                .load_one(id)
                .await?
                .map(|found| Integration(found).into()),
            Some(AnyId::RunId(id)) => loaders(ctx)
                .load_one(id)
                .await?
                .map(|found| SyncRun(found).into()),
            Some(AnyId::RecordId(id)) => loaders(ctx).load_one(id).await?.map(|found| Record(found).into()),
            Some(AnyId::DeadLetterId(id)) => loaders(ctx)
                .load_one(id)
                .await?
                .map(|found| DeadLetter(found).into()),
            Some(AnyId::EventId(id)) => loaders(ctx).load_one(id).await?.map(|found| Event(found).into()),
            Some(AnyId::ApiKeyId(id)) => loaders(ctx).load_one(id).await?.map(|found| ApiKey(found).into()),
            Some(AnyId::ErasureId(id)) => loaders(ctx)
                .load_one(id)
                .await?
                .map(|found| Erasure(found).into()),
            Some(AnyId::ScheduleId(_)) | None => None,
        })
    }
}
