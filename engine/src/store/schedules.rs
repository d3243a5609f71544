//! Schedules, and the due times that did not become runs.

use entity::ids::IntegrationId;
use entity::schedule::{Column, Entity, Model};
use entity::{Timestamp, integration, skipped_tick};
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, Select,
};

use super::keyset;
use crate::access::Scope;
use crate::page::{OrderDirection, Window};

/// Writes an integration's schedule, in the place of the one it may have: that one's id stays.
pub(crate) async fn put(connection: &impl ConnectionTrait, schedule: Model) -> Result<(), DbErr> {
    let new = [
        Column::Cron,
        Column::Timezone,
        Column::JitterSeconds,
        Column::Overlap,
        Column::CatchUpSeconds,
        Column::NextDueAt,
        Column::UpdatedAt,
    ];
    Entity::insert(schedule.into_active_model())
        .on_conflict(
            OnConflict::column(Column::IntegrationId)
                .update_columns(new)
                .to_owned(),
        )
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// Takes an integration's schedule away, and what it skipped.
pub(crate) async fn remove(
    connection: &impl ConnectionTrait,
    integration: IntegrationId,
) -> Result<(), DbErr> {
    skipped_tick::Entity::delete_many()
        .filter(skipped_tick::Column::ScheduleId.in_subquery(schedules_of(integration)))
        .exec(connection)
        .await?;
    Entity::delete_many()
        .filter(Column::IntegrationId.eq(integration))
        .exec(connection)
        .await
        .map(|_| ())
}

fn schedules_of(integration: IntegrationId) -> sea_orm::sea_query::SelectStatement {
    Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::IntegrationId.eq(integration))
        .to_owned()
}

/// The integrations that this scope may see, as a subquery.
fn visible(scope: Scope) -> sea_orm::sea_query::SelectStatement {
    let mut visible = Query::select();
    visible
        .column(integration::Column::Id)
        .from(integration::Entity)
        .and_where(integration::Column::DeletedAt.is_null());
    if let Scope::Client(client) = scope {
        visible.and_where(integration::Column::ClientId.eq(client));
    }
    visible
}

/// The schedules of these integrations, as far as they are in scope.
pub(crate) async fn of_integrations(
    connection: &impl ConnectionTrait,
    scope: Scope,
    integrations: &[IntegrationId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(super::among(
            connection.get_database_backend(),
            Column::IntegrationId,
            integrations.iter().copied(),
        ))
        .filter(Column::IntegrationId.in_subquery(visible(scope)))
        .all(connection)
        .await
}

/// A page of an integration's skipped ticks, newest first, if it is in scope.
pub(crate) fn skipped(scope: Scope, id: IntegrationId, window: &Window<i64>) -> Select<skipped_tick::Entity> {
    let schedules = schedules_of(id)
        .and_where(Column::IntegrationId.in_subquery(visible(scope)))
        .to_owned();
    let query = skipped_tick::Entity::find().filter(skipped_tick::Column::ScheduleId.in_subquery(schedules));
    let columns = [skipped_tick::Column::DueAt.into_expr()];
    keyset::window(query, &columns, OrderDirection::Desc, window, |due| {
        vec![Timestamp(*due).into()]
    })
}

/// The earliest due time, of integrations in scope: the first that nobody has seen to yet, or the next.
pub(crate) async fn earliest_due(
    connection: &impl ConnectionTrait,
    scope: Scope,
) -> Result<Option<Timestamp>, DbErr> {
    let mut query = Entity::find()
        .select_only()
        .column_as(Column::NextDueAt.min(), "due");
    // Who may see all needs no join: the end of an index answers.
    if scope != Scope::All {
        query = query.filter(Column::IntegrationId.in_subquery(visible(scope)));
    }
    query
        .into_tuple::<Option<Timestamp>>()
        .one(connection)
        .await
        .map(Option::flatten)
}
