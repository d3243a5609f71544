//! Installed connectors. They belong to the installation, so there is no scope: every actor may see them.

use entity::connector::{ActiveModel, Column, Entity, Model};
use entity::ids::ConnectorId;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::{contains, keyset, unless_taken};
use crate::page::{OrderDirection, Window};

/// Writes a version as the latest of its slug; false when another installation was faster.
pub(crate) async fn insert_latest(
    connection: &impl ConnectionTrait,
    connector: Model,
) -> Result<bool, DbErr> {
    Entity::update_many()
        .set(ActiveModel {
            latest: sea_orm::Set(false),
            ..ActiveModel::default()
        })
        .filter(Column::Slug.eq(&connector.slug))
        .filter(Column::Latest.eq(true))
        .exec(connection)
        .await?;
    let row = connector.into_active_model();
    unless_taken(Entity::insert(row).exec_without_returning(connection).await)
}

/// One version.
pub(crate) async fn find(connection: &impl ConnectionTrait, id: ConnectorId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(connection).await
}

/// A version's manifest.
pub(crate) async fn manifest(
    connection: &impl ConnectionTrait,
    id: ConnectorId,
) -> Result<Option<String>, DbErr> {
    Entity::find_by_id(id)
        .select_only()
        .column(Column::Manifest)
        .into_tuple()
        .one(connection)
        .await
}

/// The latest version of a slug.
pub(crate) async fn latest(connection: &impl ConnectionTrait, slug: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::Slug.eq(slug))
        .filter(Column::Latest.eq(true))
        .one(connection)
        .await
}

/// A version of a slug.
pub(crate) async fn version(
    connection: &impl ConnectionTrait,
    slug: &str,
    version: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::Slug.eq(slug))
        .filter(Column::Version.eq(version))
        .one(connection)
        .await
}

/// A page of a slug's versions, newest first.
pub(crate) async fn versions(
    connection: &impl ConnectionTrait,
    slug: &str,
    window: &Window<ConnectorId>,
) -> Result<Vec<Model>, DbErr> {
    let query = Entity::find().filter(Column::Slug.eq(slug));
    // Ids count up with time, and versions with it.
    let columns = [Column::Id.into_expr()];
    keyset::window(query, &columns, OrderDirection::Desc, window, |id| {
        vec![(*id).into()]
    })
    .all(connection)
    .await
}

/// How many versions a slug has.
pub(crate) async fn count_versions(connection: &impl ConnectionTrait, slug: &str) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::Slug.eq(slug))
        .count(connection)
        .await
}

/// The versions before these.
pub(crate) async fn before(connection: &impl ConnectionTrait, rows: &[Model]) -> Result<Vec<Model>, DbErr> {
    let mut wanted = Condition::any();
    for row in rows {
        if let Some(version) = previous(row) {
            let one = Condition::all()
                .add(Column::Slug.eq(&row.slug))
                .add(Column::Version.eq(version));
            wanted = wanted.add(one);
        }
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    Entity::find().filter(wanted).all(connection).await
}

/// The version before this one.
pub(crate) fn previous(row: &Model) -> Option<String> {
    let number: u64 = row.version.parse().ok()?;
    (number > 1).then(|| (number - 1).to_string())
}

/// These versions.
pub(crate) async fn by_ids(
    connection: &impl ConnectionTrait,
    ids: &[ConnectorId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(super::among(
            connection.get_database_backend(),
            Column::Id,
            ids.iter().copied(),
        ))
        .all(connection)
        .await
}

/// The slugs that there are, in order: at most `limit`.
pub(crate) async fn slugs(connection: &impl ConnectionTrait, limit: u64) -> Result<Vec<String>, DbErr> {
    Entity::find()
        .filter(Column::Latest.eq(true))
        .select_only()
        .column(Column::Slug)
        .order_by_asc(Column::Slug)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await
}

fn matching(search: Option<&str>) -> Select<Entity> {
    let query = Entity::find().filter(Column::Latest.eq(true));
    let Some(text) = search else { return query };
    let column = |column: Column| column.into_expr();
    query.filter(
        Condition::any()
            .add(contains(column(Column::Slug), text))
            .add(contains(column(Column::Title), text)),
    )
}

/// A page of the latest versions, by slug.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    search: Option<&str>,
    window: &Window<String>,
) -> Result<Vec<Model>, DbErr> {
    let columns = [Column::Slug.into_expr()];
    keyset::window(matching(search), &columns, OrderDirection::Asc, window, |slug| {
        vec![slug.as_str().into()]
    })
    .all(connection)
    .await
}

/// How many match.
pub(crate) async fn count(connection: &impl ConnectionTrait, search: Option<&str>) -> Result<u64, DbErr> {
    matching(search).count(connection).await
}

/// The condition that an integration is on a connector of this slug.
pub(crate) fn is_on(connector_id: impl Into<Expr>, slug: &str) -> Expr {
    let versions = QuerySelect::query(
        &mut Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Slug.eq(slug)),
    )
    .to_owned();
    connector_id.into().in_subquery(versions)
}
