//! Clients.

use entity::Timestamp;
use entity::client::{Column, Entity, Model};
use entity::ids::ClientId;
use entity::words::ClientStatus;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    PaginatorTrait, QueryFilter, QuerySelect, Select, Value,
};
use serde::{Deserialize, Serialize};

use super::{among, contains, keyset, placed, unchanged_since, unless_taken};
use crate::access::Scope;
use crate::clients::{ClientFilter, ClientOrder, ClientOrderField};
use crate::page::Window;

/// A client's place in a list: what the list is ordered by, then its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Key(pub(crate) Option<String>, pub(crate) ClientId);

impl Key {
    pub(crate) fn of(client: &Model, field: ClientOrderField) -> Self {
        let first = match field {
            ClientOrderField::CreatedAt => None,
            ClientOrderField::Name => Some(client.name.clone()),
            ClientOrderField::Slug => Some(client.slug.clone()),
        };
        Self(first, client.id)
    }

    fn values(&self) -> Vec<Value> {
        let first = self.0.as_deref().map(Value::from);
        first.into_iter().chain([self.1.into()]).collect()
    }
}

/// Writes a client; false when its slug is taken.
pub(crate) async fn insert(connection: &impl ConnectionTrait, client: Model) -> Result<bool, DbErr> {
    let row = client.into_active_model();
    unless_taken(Entity::insert(row).exec_without_returning(connection).await)
}

fn within(scope: Scope) -> Select<Entity> {
    match scope {
        Scope::All => Entity::find(),
        Scope::Client(client) => Entity::find_by_id(client),
    }
}

/// The client, if it is in scope, kept from changing until the transaction ends.
pub(crate) async fn lock(
    connection: &impl ConnectionTrait,
    scope: Scope,
    client: ClientId,
) -> Result<Option<Model>, DbErr> {
    within(scope)
        .filter(Column::Id.eq(client))
        .lock(LockType::NoKeyUpdate)
        .one(connection)
        .await
}

/// Writes back a client, unless it is not any more as it was last changed when somebody saw it; whether it was written.
pub(crate) async fn update(
    connection: &impl ConnectionTrait,
    client: Model,
    seen: Option<Timestamp>,
) -> Result<bool, DbErr> {
    let id = client.id;
    let written = Entity::update_many()
        .set(client.into_active_model().reset_all())
        .filter(Column::Id.eq(id))
        .filter(unchanged_since(Column::UpdatedAt, seen))
        .exec(connection)
        .await?;
    Ok(written.rows_affected > 0)
}

/// These clients, as far as they are in scope.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    scope: Scope,
    clients: &[ClientId],
) -> Result<Vec<Model>, DbErr> {
    let these = among(
        connection.get_database_backend(),
        Column::Id,
        clients.iter().copied(),
    );
    placed::all(connection, within(scope).filter(these)).await
}

/// The client with this slug, if it is in scope.
pub(crate) async fn by_slug(
    connection: &impl ConnectionTrait,
    scope: Scope,
    slug: &str,
) -> Result<Option<Model>, DbErr> {
    within(scope).filter(Column::Slug.eq(slug)).one(connection).await
}

fn matching(scope: Scope, filter: &ClientFilter) -> Select<Entity> {
    let mut query = within(scope);
    if let Some(status) = filter.status {
        query = query.filter(Column::Status.eq(status));
    }
    if let Some(after) = filter.created_after {
        query = query.filter(Column::CreatedAt.gt(Timestamp::from(after)));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(Column::CreatedAt.lt(Timestamp::from(before)));
    }
    if let Some(text) = &filter.search {
        let column = |column: Column| column.into_expr();
        let found = Condition::any()
            .add(contains(column(Column::Slug), text))
            .add(contains(column(Column::Name), text));
        query = query.filter(found);
    }
    query
}

/// A page of clients. By creation means by id: both grow together, and the id is the primary key.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &ClientFilter,
    order: ClientOrder,
    window: &Window<Key>,
) -> Result<Vec<Model>, DbErr> {
    let id = Column::Id.into_expr();
    let columns = match order.field {
        ClientOrderField::CreatedAt => vec![id],
        ClientOrderField::Name => vec![Column::Name.into_expr(), id],
        ClientOrderField::Slug => vec![Column::Slug.into_expr(), id],
    };
    keyset::window(
        matching(scope, filter),
        &columns,
        order.direction,
        window,
        Key::values,
    )
    .all(connection)
    .await
}

/// How many clients match.
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &ClientFilter,
) -> Result<u64, DbErr> {
    matching(scope, filter).count(connection).await
}

/// A client as it is first written.
pub(crate) fn row(
    id: ClientId,
    slug: String,
    name: String,
    metadata: serde_json::Value,
    now: Timestamp,
) -> Model {
    Model {
        id,
        slug,
        name,
        metadata,
        status: ClientStatus::Active,
        created_at: now,
        updated_at: now,
    }
}
