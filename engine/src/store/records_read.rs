//! Records, read.

use std::collections::HashMap;

use entity::ids::{IntegrationId, RecordId};
use entity::record::{Column, Entity, Model};
use entity::{Timestamp, integration, stream_state};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::keyset;
use crate::access::Scope;
use crate::page::{OrderDirection, Window};
use crate::records::KeyPlace;

/// A stream of an integration, as a listing finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The stream's row.
    pub(crate) stream: i64,
    /// The integration's change counter.
    pub(crate) counter: i64,
}

/// The streams of these names of these integrations, as far as they are there and in scope.
pub(crate) async fn streams(
    connection: &impl ConnectionTrait,
    scope: Scope,
    integrations: impl IntoIterator<Item = IntegrationId>,
    names: impl IntoIterator<Item = &str>,
) -> Result<HashMap<(IntegrationId, String), Place>, DbErr> {
    let mut query = stream_state::Entity::find()
        .select_only()
        .column(stream_state::Column::IntegrationId)
        .column(stream_state::Column::Stream)
        .column(stream_state::Column::Id)
        .column(integration::Column::ChangeCounter)
        .join(
            JoinType::InnerJoin,
            stream_state::Entity::belongs_to(integration::Entity)
                .from(stream_state::Column::IntegrationId)
                .to(integration::Column::Id)
                .into(),
        )
        .filter(stream_state::Column::IntegrationId.is_in(integrations))
        .filter(stream_state::Column::Stream.is_in(names))
        .filter(integration::Column::DeletedAt.is_null());
    if let Scope::Client(client) = scope {
        query = query.filter(integration::Column::ClientId.eq(client));
    }
    let rows = query.into_tuple::<(IntegrationId, String, i64, i64)>();
    let found = rows.all(connection).await?.into_iter();
    Ok(found
        .map(|(integration, name, stream, counter)| ((integration, name), Place { stream, counter }))
        .collect())
}

/// The names of an integration's streams, if it is there and in scope.
pub(crate) async fn names(
    connection: &impl ConnectionTrait,
    scope: Scope,
    integration: IntegrationId,
) -> Result<Vec<String>, DbErr> {
    if super::integrations::find(connection, scope, integration)
        .await?
        .is_none()
    {
        return Ok(Vec::new());
    }
    stream_state::Entity::find()
        .select_only()
        .column(stream_state::Column::Stream)
        .filter(stream_state::Column::IntegrationId.eq(integration))
        .order_by_asc(stream_state::Column::Stream)
        .into_tuple()
        .all(connection)
        .await
}

/// A stream's records, or those of them with these keys.
pub(crate) fn of_stream(stream: i64, include_deleted: bool, keys: Option<&[String]>) -> Select<Entity> {
    let mut query = Entity::find().filter(Column::StreamId.eq(stream));
    if let Some(keys) = keys {
        query = query.filter(Column::Key.is_in(keys));
    }
    if include_deleted {
        query
    } else {
        query.filter(Column::DeletedAt.is_null())
    }
}

/// A page of these records, by key.
pub(crate) fn by_key(records: Select<Entity>, window: &Window<KeyPlace>) -> Select<Entity> {
    let columns = [Column::Key.into_expr()];
    keyset::window(records, &columns, OrderDirection::Asc, window, |place| {
        vec![place.0.as_str().into()]
    })
}

/// A page of these records, by their last change.
pub(crate) fn by_change(records: Select<Entity>, changed_after: i64, window: &Window<i64>) -> Select<Entity> {
    let columns = [Column::ChangeNumber.into_expr()];
    let query = records
        .filter(Column::ChangeNumber.gt(changed_after))
        // The index holds what is over 0, and a database takes it only where that is said.
        .filter(Expr::cust("change_number > 0"));
    keyset::window(query, &columns, OrderDirection::Asc, window, |number| {
        vec![(*number).into()]
    })
}

/// The next records of a stream in the order of their last changes, of those in this range: after the first number, and
/// up to the second.
pub(crate) async fn changes(
    connection: &impl ConnectionTrait,
    stream: i64,
    include_deleted: bool,
    (after, until): (i64, i64),
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    of_stream(stream, include_deleted, None)
        .filter(Column::ChangeNumber.gt(after))
        .filter(Column::ChangeNumber.lte(until))
        .filter(Expr::cust("change_number > 0"))
        .order_by_asc(Column::ChangeNumber)
        .limit(limit)
        .all(connection)
        .await
}

/// These records with their streams, as far as they are in scope and the ids are whole.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    scope: Scope,
    ids: &[RecordId],
) -> Result<Vec<(Model, stream_state::Model)>, DbErr> {
    let rows = Entity::find()
        .filter(Column::Id.is_in(ids.iter().map(|id| id.row)))
        .all(connection)
        .await?;
    let whole = |row: &Model| {
        ids.contains(&RecordId {
            first_seen_micros: Timestamp::micros(row.first_seen_at),
            row: row.id,
        })
    };
    let rows: Vec<Model> = rows.into_iter().filter(whole).collect();
    let mut visible = Query::select();
    visible
        .column(integration::Column::Id)
        .from(integration::Entity)
        .and_where(integration::Column::DeletedAt.is_null());
    if let Scope::Client(client) = scope {
        visible.and_where(integration::Column::ClientId.eq(client));
    }
    let streams = stream_state::Entity::find()
        .filter(stream_state::Column::Id.is_in(rows.iter().map(|row| row.stream_id)))
        .filter(stream_state::Column::IntegrationId.in_subquery(visible))
        .all(connection)
        .await?;
    let stream_of = |row: Model| {
        let stream = streams.iter().find(|stream| stream.id == row.stream_id)?.clone();
        Some((row, stream))
    };
    Ok(rows.into_iter().filter_map(stream_of).collect())
}
