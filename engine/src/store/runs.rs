//! Runs as a caller sees them: made, found, listed, counted.

use std::collections::HashSet;

use entity::ids::{IntegrationId, RunId};
use entity::sync_run::{ActiveModel, Column, Entity, Model};
use entity::words::{SyncMode, SyncRunStatus};
use entity::{Timestamp, client, integration};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, JoinType, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select,
};

use super::{among, keyset, placed};
use crate::access::Scope;
use crate::page::{OrderDirection, Window};
use crate::runs::SyncRunFilter;

/// Writes a run. False when one with its idempotency key, or for its due time, is there already.
pub(crate) async fn insert(connection: &impl ConnectionTrait, run: ActiveModel) -> Result<bool, DbErr> {
    let inserted = Entity::insert(run)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    Ok(inserted > 0)
}

/// Writes runs. None when all of them were written, else which: those that are missing have their idempotency
/// key, or their due time, taken.
pub(crate) async fn insert_all(
    connection: &impl ConnectionTrait,
    runs: Vec<ActiveModel>,
) -> Result<Option<HashSet<RunId>>, DbErr> {
    if runs.is_empty() {
        return Ok(None);
    }
    let ids: Vec<RunId> = runs
        .iter()
        .filter_map(|run| run.id.try_as_ref().copied())
        .collect();
    let inserted = Entity::insert_many(runs)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(connection)
        .await?;
    if inserted == ids.len() as u64 {
        return Ok(None);
    }
    let written = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.is_in(ids))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(Some(written.into_iter().collect()))
}

/// The run that a key made.
pub(crate) async fn find_by_key(
    connection: &impl ConnectionTrait,
    integration: IntegrationId,
    key: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::IntegrationId.eq(integration))
        .filter(Column::IdempotencyKey.eq(key))
        .one(connection)
        .await
}

fn within(scope: Scope) -> Select<Entity> {
    match scope {
        Scope::All => Entity::find(),
        Scope::Client(client) => Entity::find().filter(Column::ClientId.eq(client)),
    }
}

/// The runs that match.
pub(crate) fn matching(scope: Scope, filter: &SyncRunFilter) -> Select<Entity> {
    let mut query = within(scope);
    if let Some(client) = filter.client_id {
        query = query.filter(Column::ClientId.eq(client));
    }
    if let Some(integration) = filter.integration_id {
        query = query.filter(Column::IntegrationId.eq(integration));
    }
    if !filter.status.is_empty() {
        query = query.filter(Column::Status.is_in(filter.status.iter().copied()));
        // What tells those few apart in an index (see `overview`).
        if !filter.status.iter().any(|status| status.is_terminal()) {
            query = query.filter(Column::FinishedAt.is_null());
        }
    }
    if !filter.trigger.is_empty() {
        query = query.filter(Column::Trigger.is_in(filter.trigger.iter().copied()));
    }
    if let Some(after) = filter.queued_after {
        query = query.filter(Column::QueuedAt.gt(Timestamp::from(after)));
    }
    if let Some(before) = filter.queued_before {
        query = query.filter(Column::QueuedAt.lt(Timestamp::from(before)));
    }
    if let Some(after) = filter.finished_after {
        query = query.filter(Column::FinishedAt.gt(Timestamp::from(after)));
    }
    if let Some(before) = filter.finished_before {
        query = query.filter(Column::FinishedAt.lt(Timestamp::from(before)));
    }
    if let Some(slug) = &filter.connector {
        query = query.filter(super::integrations::is_on(
            Column::IntegrationId.into_expr(),
            slug,
        ));
    }
    if !filter.error_kind.is_empty() {
        let kinds = filter.error_kind.iter().map(|kind| kind.as_str());
        query = query.filter(Expr::cust("sync_run.error ->> 'kind'").is_in(kinds));
    }
    query
}

/// One run, if it is in scope.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    scope: Scope,
    run: RunId,
) -> Result<Option<Model>, DbErr> {
    placed::one(connection, within(scope).filter(Column::Id.eq(run))).await
}

/// These runs, as far as they are in scope.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    scope: Scope,
    runs: &[RunId],
) -> Result<Vec<Model>, DbErr> {
    let these = among(
        connection.get_database_backend(),
        Column::Id,
        runs.iter().copied(),
    );
    placed::all(connection, within(scope).filter(these)).await
}

/// A page of runs, newest first.
pub(crate) fn page(scope: Scope, filter: &SyncRunFilter, window: &Window<RunId>) -> Select<Entity> {
    let columns = [Column::Id.into_expr()];
    keyset::window(
        matching(scope, filter),
        &columns,
        OrderDirection::Desc,
        window,
        |id| vec![(*id).into()],
    )
}

/// A run that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub(crate) struct Active {
    pub(crate) id: RunId,
    pub(crate) integration_id: IntegrationId,
    pub(crate) status: SyncRunStatus,
}

/// The runs of these integrations that have not ended, the first to run first.
pub(crate) async fn active(
    connection: &impl ConnectionTrait,
    integrations: &[IntegrationId],
) -> Result<Vec<Active>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::Id, Column::IntegrationId, Column::Status])
        .filter(Column::IntegrationId.is_in(integrations.iter().copied()))
        .filter(Column::Status.is_in([SyncRunStatus::Queued, SyncRunStatus::Running]))
        .order_by_asc(Column::QueuedAt)
        .order_by_asc(Column::Id)
        .into_model()
        .all(connection)
        .await
}

/// The names of the streams of these runs, in the order in which they are read.
pub(crate) async fn stream_order(
    connection: &impl ConnectionTrait,
    runs: &[RunId],
) -> Result<Vec<(RunId, serde_json::Value)>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Id)
        .column(Column::Streams)
        .filter(Column::Id.is_in(runs.iter().copied()))
        .into_tuple()
        .all(connection)
        .await
}

/// Takes the idempotency key from a run, so that it is free for another one.
pub(crate) async fn release_key(connection: &impl ConnectionTrait, run: RunId) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::IdempotencyKey, Expr::value(None::<String>))
        .filter(Column::Id.eq(run))
        .exec(connection)
        .await
        .map(|_| ())
}

/// Whether a full refresh of the integration began after this run was made.
pub(crate) async fn refreshed_since(connection: &impl ConnectionTrait, run: &Model) -> Result<bool, DbErr> {
    let later = Entity::find()
        .filter(Column::IntegrationId.eq(run.integration_id))
        .filter(Column::Mode.eq(SyncMode::FullRefresh))
        .filter(Column::Id.ne(run.id))
        .filter(Column::StartedAt.gt(run.started_at))
        .count(connection)
        .await?;
    Ok(later > 0)
}

/// An integration that is not deleted, with its client, if it is in scope.
pub(crate) async fn integration(
    connection: &impl ConnectionTrait,
    scope: Scope,
    id: IntegrationId,
) -> Result<Option<(integration::Model, client::Model)>, DbErr> {
    let owner = integration::Entity::belongs_to(client::Entity)
        .from(integration::Column::ClientId)
        .to(client::Column::Id);
    let mut query = integration::Entity::find_by_id(id)
        .join(JoinType::InnerJoin, owner.into())
        .select_also(client::Entity)
        .filter(integration::Column::DeletedAt.is_null());
    if let Scope::Client(client) = scope {
        query = query.filter(integration::Column::ClientId.eq(client));
    }
    let found = query.one(connection).await?;
    Ok(found.and_then(|(found, owner)| owner.map(|owner| (found, owner))))
}
