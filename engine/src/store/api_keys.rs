//! API keys and their secrets.

use entity::Timestamp;
use entity::api_key::{ActiveModel, Column, Entity, Model};
use entity::api_key_secret as secret;
use entity::ids::{ApiKeyId, ClientId};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, JsonValue as Json, PaginatorTrait, QueryFilter, QuerySelect, Select, Set,
};

use super::keyset;
use super::statement::Sql;
use crate::access::{ApiKeyFilter, Scope};
use crate::page::{OrderDirection, Window};

fn within(scope: Scope) -> Select<Entity> {
    match scope {
        Scope::All => Entity::find(),
        Scope::Client(client) => Entity::find().filter(Column::ClientId.eq(client)),
    }
}

/// Writes a key.
pub(crate) async fn insert(connection: &impl ConnectionTrait, key: Model) -> Result<(), DbErr> {
    Entity::insert(key.into_active_model())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// Writes a secret.
pub(crate) async fn insert_secret(
    connection: &impl ConnectionTrait,
    row: secret::Model,
) -> Result<(), DbErr> {
    secret::Entity::insert(row.into_active_model())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// The key, if it is in scope, kept from changing until the transaction ends.
pub(crate) async fn lock(
    connection: &impl ConnectionTrait,
    scope: Scope,
    key: ApiKeyId,
) -> Result<Option<Model>, DbErr> {
    within(scope)
        .filter(Column::Id.eq(key))
        .lock(LockType::NoKeyUpdate)
        .one(connection)
        .await
}

/// Writes back a key that was locked.
pub(crate) async fn update(connection: &impl ConnectionTrait, change: ActiveModel) -> Result<Model, DbErr> {
    change.update(connection).await
}

/// These keys, as far as they are in scope.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    scope: Scope,
    keys: &[ApiKeyId],
) -> Result<Vec<Model>, DbErr> {
    within(scope)
        .filter(Column::Id.is_in(keys.iter().copied()))
        .all(connection)
        .await
}

fn matching(scope: Scope, filter: &ApiKeyFilter) -> Select<Entity> {
    let mut query = within(scope);
    if let Some(client) = filter.client_id {
        query = query.filter(Column::ClientId.eq(client));
    }
    for (column, after, before) in [
        (Column::CreatedAt, filter.created_after, filter.created_before),
        (Column::ExpiresAt, filter.expires_after, filter.expires_before),
        (Column::LastUsedAt, filter.last_used_after, None),
    ] {
        if let Some(after) = after {
            query = query.filter(column.gt(Timestamp::from(after)));
        }
        if let Some(before) = before {
            query = query.filter(column.lt(Timestamp::from(before)));
        }
    }
    if let Some(before) = filter.last_used_before {
        let never = Condition::any().add(Column::LastUsedAt.is_null());
        query = query.filter(never.add(Column::LastUsedAt.lt(Timestamp::from(before))));
    }
    query
}

/// A page of keys, newest first.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &ApiKeyFilter,
    window: &Window<ApiKeyId>,
) -> Result<Vec<Model>, DbErr> {
    let columns = [sea_orm::sea_query::Expr::col(Column::Id)];
    keyset::window(
        matching(scope, filter),
        &columns,
        OrderDirection::Desc,
        window,
        |key| vec![(*key).into()],
    )
    .all(connection)
    .await
}

/// How many keys match.
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &ApiKeyFilter,
) -> Result<u64, DbErr> {
    matching(scope, filter).count(connection).await
}

/// How many keys of this client, or of the operator's own, nobody has revoked.
pub(crate) async fn count_unrevoked(
    connection: &impl ConnectionTrait,
    client: Option<ClientId>,
) -> Result<u64, DbErr> {
    let owner = match client {
        Some(client) => Column::ClientId.eq(client),
        None => Column::ClientId.is_null(),
    };
    Entity::find()
        .filter(owner)
        .filter(Column::RevokedAt.is_null())
        .count(connection)
        .await
}

/// A secret with what matters of its key.
#[derive(FromQueryResult)]
pub(crate) struct Shown {
    pub(crate) prefix: String,
    /// The SHA-256 of the whole.
    pub(crate) hash: Vec<u8>,
    /// Until when the secret is good.
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) id: ApiKeyId,
    pub(crate) client_id: Option<ClientId>,
    pub(crate) scopes: Json,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

/// The secrets of these prefixes, with their keys, in one statement: almost every request begins with it.
pub(crate) async fn presented(
    connection: &impl ConnectionTrait,
    prefixes: &[&str],
) -> Result<Vec<Shown>, DbErr> {
    if prefixes.is_empty() {
        return Ok(Vec::new());
    }
    let sql = Sql::new(connection.get_database_backend())
        .text(
            "SELECT secret.prefix, secret.hash, secret.valid_until, key.id, key.client_id, key.scopes, key.expires_at, \
             key.last_used_at, key.revoked_at FROM api_key_secret AS secret \
             JOIN api_key AS key ON key.id = secret.api_key_id WHERE secret.prefix ",
        )
        .among(prefixes.iter().copied());
    let rows = connection.query_all_raw(sql.build()).await?;
    rows.iter().map(|row| Shown::from_query_result(row, "")).collect()
}

/// Ends a key's secrets at this time, those that do not end before it; those that have ended go.
pub(crate) async fn end_secrets(
    connection: &impl ConnectionTrait,
    key: ApiKeyId,
    at: Timestamp,
    now: Timestamp,
) -> Result<(), DbErr> {
    secret::Entity::delete_many()
        .filter(secret::Column::ApiKeyId.eq(key))
        .filter(secret::Column::ValidUntil.lte(now))
        .exec(connection)
        .await?;
    let later = Condition::any()
        .add(secret::Column::ValidUntil.is_null())
        .add(secret::Column::ValidUntil.gt(at));
    secret::Entity::update_many()
        .set(secret::ActiveModel {
            valid_until: Set(Some(at)),
            ..Default::default()
        })
        .filter(secret::Column::ApiKeyId.eq(key))
        .filter(later)
        .exec(connection)
        .await
        .map(|_| ())
}

/// Notes that a key was shown, unless that was noted since `unless_since`.
pub(crate) async fn touch(
    connection: &impl ConnectionTrait,
    key: ApiKeyId,
    now: Timestamp,
    unless_since: Timestamp,
) -> Result<(), DbErr> {
    let long_ago = Condition::any()
        .add(Column::LastUsedAt.is_null())
        .add(Column::LastUsedAt.lt(unless_since));
    Entity::update_many()
        .set(ActiveModel {
            last_used_at: Set(Some(now)),
            ..Default::default()
        })
        .filter(Column::Id.eq(key))
        .filter(long_ago)
        .exec(connection)
        .await
        .map(|_| ())
}
