//! QUEUED → RUNNING: which runs, and for whom.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::ids::ClientId;
use entity::sync_run::Model as Run;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::queue::{all, micros};
use super::statement::Sql;

/// Who claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claiming<'a> {
    pub(crate) worker: &'a str,
    pub(crate) lease: Duration,
    pub(crate) now: DateTime<Utc>,
}

/// Takes runs that may run now: of each client up to its share, the longest due first, at most one of an integration
/// (one that has begun already before all others, else the first that was queued: another one in between would take
/// its stream's position away, and one that was queued earlier may have been committed later), none of the
/// connectors named.
///
/// The inner queries choose, and on PostgreSQL lock what they chose and pass over what others have locked;
/// that keeps claimers out of each other's way. What makes a claim safe is the outer condition on the state
/// and the partial unique index on running runs, whose violation is the caller's sign to try again.
pub(crate) async fn claim(
    connection: &impl ConnectionTrait,
    who: Claiming<'_>,
    shares: &[(ClientId, u32)],
    not_of: &[String],
) -> Result<Vec<Run>, DbErr> {
    if shares.is_empty() {
        return Ok(Vec::new());
    }
    let Claiming { worker, lease, now } = who;
    let mut sql = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET status = 'RUNNING', fence = fence + 1, lease_owner = ")
        .bind(worker)
        .text(", lease_until = ")
        .present(now)
        .text(" + ")
        .bind(micros(lease))
        .text(", wait_reason = NULL, started_at = COALESCE(started_at, ")
        .present(now)
        .text("), updated_at = ")
        .present(now)
        // An array is computed once. A subquery under IN may be run again for each row on PostgreSQL, and
        // would then lock and return more than its limit.
        .either(
            " WHERE status = 'QUEUED' AND id IN (",
            " WHERE status = 'QUEUED' AND id = ANY(ARRAY(",
        );
    if sql.backend() == DbBackend::Postgres {
        // One text for any number of clients: planning a branch for each took longer than running it.
        let turns = shares
            .iter()
            .map(|(client, share)| [(*client).into(), i64::from(*share).into()]);
        sql = sql
            .text("SELECT chosen.id FROM ")
            .rows([("client", "uuid"), ("share", "bigint")], turns)
            .text(" CROSS JOIN LATERAL (");
        let client = |sql: Sql| sql.text("row.client");
        sql = of_client(sql, client, not_of, now).text("row.share FOR UPDATE OF run SKIP LOCKED) AS chosen");
        return all(connection, sql.text(")) RETURNING *").build()).await;
    }
    for (index, (client, share)) in shares.iter().enumerate() {
        sql = sql.text(if index > 0 {
            " UNION ALL SELECT id FROM ("
        } else {
            "SELECT id FROM ("
        });
        sql = of_client(sql, |sql| sql.bind(*client), not_of, now)
            .bind(i64::from(*share))
            .text(") AS chosen");
    }
    all(connection, sql.text(") RETURNING *").build()).await
}

/// Adds the query for runs of a client that may run now, up to the limit that has to follow.
fn of_client(sql: Sql, client: impl Fn(Sql) -> Sql, not_of: &[String], now: DateTime<Utc>) -> Sql {
    let sql = sql.text(
        "SELECT run.id FROM sync_run AS run \
             JOIN integration ON integration.id = run.integration_id \
             JOIN client ON client.id = run.client_id \
             WHERE run.status = 'QUEUED' AND run.client_id = ",
    );
    let mut sql = client(sql)
        .text(" AND run.not_before <= (SELECT ")
        .present(now)
        .text(
            ") AND client.status = 'ACTIVE' AND integration.deleted_at IS NULL AND NOT integration.paused_manually \
             AND NOT integration.paused_for_credential AND NOT integration.paused_for_failure \
             AND NOT EXISTS (SELECT 1 FROM sync_run AS other \
                 WHERE other.integration_id = run.integration_id AND other.status = 'RUNNING') \
             AND NOT EXISTS (SELECT 1 FROM sync_run AS other \
                 WHERE other.integration_id = run.integration_id AND other.status = 'QUEUED' \
                 AND (other.started_at IS NULL, other.queued_at, other.id) \
                     < (run.started_at IS NULL, run.queued_at, run.id))",
        );
    if !not_of.is_empty() {
        sql = sql
            .text(" AND NOT EXISTS (SELECT 1 FROM connector WHERE connector.id = integration.connector_id AND slug IN (")
            .list(not_of.iter().cloned())
            .text("))");
    }
    sql.text(" ORDER BY run.not_before, run.id LIMIT ")
}
