//! Integrations. One that is deleted is found by no function here but those that say so.

use std::collections::HashMap;

use entity::Timestamp;
use entity::ids::{ClientId, IntegrationId, RunId};
use entity::integration::{Column, Entity, Model};
use entity::sync_run;
use entity::words::SyncRunStatus;
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select, Value,
};
use serde::{Deserialize, Serialize};

use super::statement::Sql;
use super::{among, connectors, contains, keyset, placed, unchanged_since};
use crate::access::Scope;
use crate::integrations::{
    FAILING_AFTER, Health, IntegrationFilter, IntegrationOrder, IntegrationOrderField, IntegrationStatus,
};
use crate::page::Window;

/// An integration's place in a list: what the list is ordered by, then its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Key(pub(crate) OrderValue, pub(crate) IntegrationId);

/// What a list is ordered by.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum OrderValue {
    /// A due time in microseconds.
    Due(i64),
    /// A name.
    Name(String),
    /// The id alone.
    None(()),
}

impl Key {
    fn values(&self) -> Vec<Value> {
        let first = match &self.0 {
            OrderValue::None(()) => None,
            OrderValue::Name(name) => Some(name.as_str().into()),
            OrderValue::Due(due) => Some((*due).into()),
        };
        first.into_iter().chain([self.1.into()]).collect()
    }
}

/// What stands in the place of a due time where there is none: later than any.
pub(crate) const NEVER: i64 = i64::MAX;

/// Writes an integration.
pub(crate) async fn insert(connection: &impl ConnectionTrait, integration: Model) -> Result<(), DbErr> {
    Entity::insert(integration.into_active_model())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// Writes these columns of an integration that was locked.
pub(crate) async fn update(
    connection: &impl ConnectionTrait,
    change: entity::integration::ActiveModel,
) -> Result<Model, DbErr> {
    change.update(connection).await
}

/// Writes these columns of an integration, unless it is not any more as it was last changed when somebody saw it.
pub(crate) async fn update_seen(
    connection: &impl ConnectionTrait,
    id: IntegrationId,
    change: entity::integration::ActiveModel,
    seen: Option<Timestamp>,
) -> Result<Option<Model>, DbErr> {
    let written = Entity::update_many()
        .set(change)
        .filter(Column::Id.eq(id))
        .filter(unchanged_since(Column::UpdatedAt, seen))
        .exec_with_returning(connection)
        .await?;
    Ok(written.into_iter().next())
}

fn within(scope: Scope) -> Select<Entity> {
    let query = Entity::find().filter(Column::DeletedAt.is_null());
    match scope {
        Scope::All => query,
        Scope::Client(client) => query.filter(Column::ClientId.eq(client)),
    }
}

/// The newest that has sealed secrets: what a master key has to be able to open.
pub(crate) async fn newest_sealed(connection: &impl ConnectionTrait) -> Result<Option<Model>, DbErr> {
    within(Scope::All)
        .filter(Column::Secrets.is_not_null())
        .order_by_desc(Column::Id)
        .one(connection)
        .await
}

/// The integration, if it is in scope, kept from changing until the transaction ends.
pub(crate) async fn lock(
    connection: &impl ConnectionTrait,
    scope: Scope,
    id: IntegrationId,
) -> Result<Option<Model>, DbErr> {
    within(scope)
        .filter(Column::Id.eq(id))
        .lock(LockType::NoKeyUpdate)
        .one(connection)
        .await
}

/// The integration, if it is in scope.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    scope: Scope,
    id: IntegrationId,
) -> Result<Option<Model>, DbErr> {
    placed::one(connection, within(scope).filter(Column::Id.eq(id))).await
}

/// These integrations, as far as they are in scope.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    scope: Scope,
    ids: &[IntegrationId],
) -> Result<Vec<Model>, DbErr> {
    let these = among(connection.get_database_backend(), Column::Id, ids.iter().copied());
    placed::all(connection, within(scope).filter(these)).await
}

fn failing() -> Condition {
    Condition::any()
        .add(Column::PausedForCredential.eq(true))
        .add(Column::ConsecutiveFailures.gte(FAILING_AFTER))
}

fn fares(health: Health) -> Condition {
    let well = Condition::all()
        .add(Column::LastRunStatus.eq(SyncRunStatus::Succeeded))
        .add(Column::ConsecutiveFailures.eq(0));
    match health {
        Health::Failing => failing(),
        Health::Unknown => Condition::all()
            .add(failing().not())
            .add(Column::LastRunStatus.is_null()),
        Health::Healthy => Condition::all().add(failing().not()).add(well),
        Health::Degraded => Condition::all()
            .add(failing().not())
            .add(Column::LastRunStatus.is_not_null())
            .add(well.not()),
    }
}

fn paused() -> Condition {
    Condition::any()
        .add(Column::PausedManually.eq(true))
        .add(Column::PausedForCredential.eq(true))
        .add(Column::PausedForFailure.eq(true))
}

/// That an integration is on one of the versions of this connector.
pub(crate) fn is_on(integration_id: impl Into<Expr>, slug: &str) -> Expr {
    let on = Query::select()
        .column((Entity, Column::Id))
        .from(Entity)
        .and_where(connectors::is_on(Expr::col((Entity, Column::ConnectorId)), slug))
        .to_owned();
    integration_id.into().in_subquery(on)
}

/// The integrations that match.
pub(crate) fn matching(scope: Scope, filter: &IntegrationFilter) -> Select<Entity> {
    let mut query = within(scope);
    if let Some(client) = filter.client_id {
        query = query.filter(Column::ClientId.eq(client));
    }
    if let Some(slug) = &filter.connector {
        query = query.filter(connectors::is_on(Column::ConnectorId.into_expr(), slug));
    }
    match filter.status {
        Some(IntegrationStatus::Paused) => query = query.filter(paused()),
        Some(IntegrationStatus::Active) => query = query.filter(paused().not()),
        None => {}
    }
    if let Some(health) = filter.health {
        query = query.filter(fares(health));
    }
    if let Some(text) = &filter.search {
        query = query.filter(contains(Column::Name.into_expr(), text));
    }
    if let Some(after) = filter.created_after {
        query = query.filter(Column::CreatedAt.gt(Timestamp::from(after)));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(Column::CreatedAt.lt(Timestamp::from(before)));
    }
    query
}

fn due() -> Expr {
    use entity::schedule as plan;
    let next = Query::select()
        .column((plan::Entity, plan::Column::NextDueAt))
        .from(plan::Entity)
        .and_where(Expr::col((plan::Entity, plan::Column::IntegrationId)).eq(Expr::col((Entity, Column::Id))))
        .to_owned();
    let next = Expr::SubQuery(None, Box::new(next.into()));
    sea_orm::sea_query::Func::coalesce([next, Expr::val(NEVER)]).into()
}

/// A page of integrations. By creation means by id: both grow together, and the id is the primary key.
pub(crate) fn page(
    scope: Scope,
    filter: &IntegrationFilter,
    order: IntegrationOrder,
    window: &Window<Key>,
) -> Select<Entity> {
    let id = Column::Id.into_expr();
    let columns = match order.field {
        IntegrationOrderField::CreatedAt => vec![id],
        IntegrationOrderField::Name => vec![Column::Name.into_expr(), id],
        IntegrationOrderField::NextRunAt => vec![due(), id],
    };
    keyset::window(
        matching(scope, filter),
        &columns,
        order.direction,
        window,
        Key::values,
    )
}

/// How many integrations are failing.
pub(crate) async fn count_failing(
    connection: &impl ConnectionTrait,
    scope: Scope,
    client: Option<ClientId>,
) -> Result<u64, DbErr> {
    let filter = IntegrationFilter {
        client_id: client,
        health: Some(Health::Failing),
        ..IntegrationFilter::default()
    };
    matching(scope, &filter).count(connection).await
}

/// Clients in one statement.
const CLIENTS: usize = 500;

/// How many integrations of each of these clients match; those that have none are left out.
pub(crate) async fn counts_by_client(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &IntegrationFilter,
    clients: &[ClientId],
) -> Result<HashMap<ClientId, u64>, DbErr> {
    let mut found = HashMap::new();
    for some in clients.chunks(CLIENTS) {
        let counts: Vec<(ClientId, i64)> = matching(scope, filter)
            .select_only()
            .column(Column::ClientId)
            .column_as(Expr::cust("COUNT(*)"), "count")
            .filter(Column::ClientId.is_in(some.iter().copied()))
            .group_by(Column::ClientId)
            .into_tuple()
            .all(connection)
            .await?;
        found.extend(
            counts
                .into_iter()
                .map(|(client, count)| (client, count.unsigned_abs())),
        );
    }
    Ok(found)
}

/// For each of these integrations, the run that is running or else comes next.
pub(crate) async fn active_runs(
    connection: &impl ConnectionTrait,
    scope: Scope,
    ids: &[IntegrationId],
) -> Result<Vec<RunId>, DbErr> {
    let wanted = "run.finished_at IS NULL AND run.status IN ('RUNNING', 'QUEUED') \
                  ORDER BY CASE run.status WHEN 'RUNNING' THEN 0 ELSE 1 END, run.queued_at, run.id";
    one_run_each(connection, scope, ids, wanted).await
}

/// For each of these integrations, the run that ended last.
pub(crate) async fn last_runs(
    connection: &impl ConnectionTrait,
    scope: Scope,
    ids: &[IntegrationId],
) -> Result<Vec<RunId>, DbErr> {
    one_run_each(
        connection,
        scope,
        ids,
        "run.finished_at IS NOT NULL ORDER BY run.id DESC",
    )
    .await
}

async fn one_run_each(
    connection: &impl ConnectionTrait,
    scope: Scope,
    ids: &[IntegrationId],
    wanted: &str,
) -> Result<Vec<RunId>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(connection.get_database_backend())
        .text("SELECT (SELECT run.id FROM sync_run AS run WHERE run.integration_id = integration.id AND ")
        .text(wanted)
        .text(" LIMIT 1) AS id FROM integration WHERE integration.id ")
        .among(ids.iter().copied());
    if let Scope::Client(client) = scope {
        sql = sql.text(" AND integration.client_id = ").bind(client);
    }
    let rows = connection.query_all_raw(sql.build()).await?;
    let runs: Result<Vec<Option<RunId>>, _> = rows.iter().map(|row| row.try_get("", "id")).collect();
    Ok(runs?.into_iter().flatten().collect())
}

/// The runs of this integration that have not ended.
pub(crate) async fn unfinished_runs(
    connection: &impl ConnectionTrait,
    id: IntegrationId,
) -> Result<Vec<RunId>, DbErr> {
    unfinished(sync_run::Column::IntegrationId.eq(id))
        .all(connection)
        .await
}

/// The runs of this client that have not ended.
pub(crate) async fn unfinished_runs_of_client(
    connection: &impl ConnectionTrait,
    client: ClientId,
) -> Result<Vec<RunId>, DbErr> {
    unfinished(sync_run::Column::ClientId.eq(client))
        .all(connection)
        .await
}

fn unfinished(whose: Expr) -> sea_orm::Selector<sea_orm::SelectGetableTuple<RunId>> {
    sync_run::Entity::find()
        .select_only()
        .column(sync_run::Column::Id)
        .filter(whose)
        .filter(sync_run::Column::FinishedAt.is_null())
        .filter(sync_run::Column::Status.is_in([SyncRunStatus::Queued, SyncRunStatus::Running]))
        .into_tuple()
}
