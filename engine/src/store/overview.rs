//! The dashboard's figures and the metrics': what is counted in an index at that moment. How many runs ended is kept
//! ([`figures`](super::figures)).
//!
//! Runs that have not ended are asked for by that as well: of all runs they are few, and the index of those few is found
//! by this condition alone. By their status PostgreSQL went through every run there was.

use entity::ids::ClientId;
use entity::sync_run;
use entity::words::{SyncRunStatus, WaitReason};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Select};

use crate::access::Scope;

fn runs(scope: Scope, client: Option<ClientId>) -> Select<sync_run::Entity> {
    let mut query = sync_run::Entity::find().select_only();
    if let Scope::Client(own) = scope {
        query = query.filter(sync_run::Column::ClientId.eq(own));
    }
    if let Some(client) = client {
        query = query.filter(sync_run::Column::ClientId.eq(client));
    }
    query
}

/// How many runs have not ended, by where they stand and why they wait.
pub(crate) async fn unended(
    connection: &impl ConnectionTrait,
    scope: Scope,
    client: Option<ClientId>,
) -> Result<Vec<(SyncRunStatus, Option<WaitReason>, i64)>, DbErr> {
    runs(scope, client)
        .column(sync_run::Column::Status)
        .column(sync_run::Column::WaitReason)
        .column_as(Expr::cust("COUNT(*)"), "count")
        .filter(sync_run::Column::FinishedAt.is_null())
        .filter(sync_run::Column::Status.is_in([SyncRunStatus::Queued, SyncRunStatus::Running]))
        .group_by(sync_run::Column::Status)
        .group_by(sync_run::Column::WaitReason)
        .into_tuple()
        .all(connection)
        .await
}

/// How many runs of all clients run, and how many wait.
pub(crate) async fn unended_by_status(connection: &impl ConnectionTrait) -> Result<(u64, u64), DbErr> {
    let counts: Vec<(SyncRunStatus, i64)> = runs(Scope::All, None)
        .column(sync_run::Column::Status)
        .column_as(Expr::cust("COUNT(*)"), "count")
        .filter(sync_run::Column::FinishedAt.is_null())
        .filter(sync_run::Column::Status.is_in([SyncRunStatus::Queued, SyncRunStatus::Running]))
        .group_by(sync_run::Column::Status)
        .into_tuple()
        .all(connection)
        .await?;
    let of = |status| {
        let mut found = counts.iter().filter(|(counted, _)| *counted == status);
        found.next().map_or(0, |(_, count)| count.unsigned_abs())
    };
    Ok((of(SyncRunStatus::Running), of(SyncRunStatus::Queued)))
}
