//! Records, read.

use entity::ids::{IntegrationId, RecordId};
use entity::record::{Column, Entity, Model};
use entity::{Timestamp, integration, stream_state};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Select};

use super::keyset;
use crate::access::Scope;
use crate::page::{OrderDirection, Window};

/// The stream's row and its integration's change counter, if they are in scope.
pub(crate) async fn stream(
    connection: &impl ConnectionTrait,
    scope: Scope,
    id: IntegrationId,
    stream: &str,
) -> Result<Option<(i64, i64)>, DbErr> {
    let mut visible = integration::Entity::find_by_id(id)
        .select_only()
        .column(integration::Column::ChangeCounter)
        .filter(integration::Column::DeletedAt.is_null());
    if let Scope::Client(client) = scope {
        visible = visible.filter(integration::Column::ClientId.eq(client));
    }
    let Some(counter) = visible.into_tuple::<i64>().one(connection).await? else {
        return Ok(None);
    };
    let row = stream_state::Entity::find()
        .select_only()
        .column(stream_state::Column::Id)
        .filter(stream_state::Column::IntegrationId.eq(id))
        .filter(stream_state::Column::Stream.eq(stream))
        .into_tuple::<i64>()
        .one(connection)
        .await?;
    Ok(row.map(|row| (row, counter)))
}

fn of_stream(stream: i64, include_deleted: bool) -> Select<Entity> {
    let query = Entity::find().filter(Column::StreamId.eq(stream));
    if include_deleted {
        query
    } else {
        query.filter(Column::DeletedAt.is_null())
    }
}

/// A page of a stream's records, by key.
pub(crate) async fn by_key(
    connection: &impl ConnectionTrait,
    stream: i64,
    include_deleted: bool,
    window: &Window<String>,
) -> Result<Vec<Model>, DbErr> {
    let columns = [Column::Key.into_expr()];
    let query = of_stream(stream, include_deleted);
    keyset::window(query, &columns, OrderDirection::Asc, window, |key| {
        vec![key.as_str().into()]
    })
    .all(connection)
    .await
}

/// A page of a stream's records, by their last change.
pub(crate) async fn by_change(
    connection: &impl ConnectionTrait,
    stream: i64,
    include_deleted: bool,
    changed_after: i64,
    window: &Window<i64>,
) -> Result<Vec<Model>, DbErr> {
    let columns = [Column::ChangeNumber.into_expr()];
    let query = of_stream(stream, include_deleted).filter(Column::ChangeNumber.gt(changed_after));
    keyset::window(query, &columns, OrderDirection::Asc, window, |number| {
        vec![(*number).into()]
    })
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
