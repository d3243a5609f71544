//! Dead letters.

use entity::Timestamp;
use entity::dead_letter::{ActiveModel, Column, Entity, Model};
use entity::ids::DeadLetterId;
use entity::words::DeadLetterStatus;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Select, Set,
};

use super::{integrations, keyset};
use crate::access::Scope;
use crate::deadletters::DeadLetterFilter;
use crate::page::{OrderDirection, Window};

fn condition(scope: Scope, filter: &DeadLetterFilter) -> Condition {
    let mut condition = Condition::all();
    if let Scope::Client(client) = scope {
        condition = condition.add(Column::ClientId.eq(client));
    }
    if let Some(client) = filter.client_id {
        condition = condition.add(Column::ClientId.eq(client));
    }
    if let Some(integration) = filter.integration_id {
        condition = condition.add(Column::IntegrationId.eq(integration));
    }
    if !filter.kind.is_empty() {
        condition = condition.add(Column::Kind.is_in(filter.kind.iter().copied()));
    }
    if !filter.status.is_empty() {
        condition = condition.add(Column::Status.is_in(filter.status.iter().copied()));
    }
    if let Some(stream) = &filter.stream {
        condition = condition.add(Column::Stream.eq(stream));
    }
    if let Some(slug) = &filter.connector {
        condition = condition.add(integrations::is_on(Column::IntegrationId.into_expr(), slug));
    }
    if !filter.error_kind.is_empty() {
        let kinds = filter.error_kind.iter().map(|kind| kind.as_str());
        condition = condition.add(Expr::cust("dead_letter.error ->> 'kind'").is_in(kinds));
    }
    if let Some(after) = filter.created_after {
        condition = condition.add(Column::CreatedAt.gt(Timestamp::from(after)));
    }
    if let Some(before) = filter.created_before {
        condition = condition.add(Column::CreatedAt.lt(Timestamp::from(before)));
    }
    if let Some(ids) = &filter.ids {
        condition = condition.add(Column::Id.is_in(ids.iter().copied()));
    }
    condition
}

fn matching(scope: Scope, filter: &DeadLetterFilter) -> Select<Entity> {
    Entity::find().filter(condition(scope, filter))
}

/// These dead letters, as far as they are in scope.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    scope: Scope,
    ids: &[DeadLetterId],
) -> Result<Vec<Model>, DbErr> {
    let filter = DeadLetterFilter {
        ids: Some(ids.to_vec()),
        ..DeadLetterFilter::default()
    };
    matching(scope, &filter).all(connection).await
}

/// A page of dead letters, newest first.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &DeadLetterFilter,
    window: &Window<DeadLetterId>,
) -> Result<Vec<Model>, DbErr> {
    let columns = [Column::Id.into_expr()];
    keyset::window(
        matching(scope, filter),
        &columns,
        OrderDirection::Desc,
        window,
        |id| vec![(*id).into()],
    )
    .all(connection)
    .await
}

/// How many match.
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &DeadLetterFilter,
) -> Result<u64, DbErr> {
    matching(scope, filter).count(connection).await
}

/// The open ones that match, oldest first, at most `limit`, after the one given; without what they hold.
pub(crate) async fn open_after(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &DeadLetterFilter,
    after: Option<DeadLetterId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = matching(scope, filter).filter(Column::Status.eq(DeadLetterStatus::Open));
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    query.order_by_asc(Column::Id).limit(limit).all(connection).await
}

/// Settles the open ones that match; gives how many there were.
pub(crate) async fn settle(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &DeadLetterFilter,
    status: DeadLetterStatus,
    now: Timestamp,
) -> Result<u64, DbErr> {
    let change = ActiveModel {
        status: Set(status),
        resolved_at: Set(Some(now)),
        ..ActiveModel::default()
    };
    let settled = Entity::update_many()
        .set(change)
        .filter(condition(scope, filter))
        .filter(Column::Status.eq(DeadLetterStatus::Open))
        .exec(connection)
        .await?;
    Ok(settled.rows_affected)
}
