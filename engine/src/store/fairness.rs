//! What claims are shared by: who waits, who runs, and the locks under which caps are counted.
//!
//! A cap counts running runs, and a count is only worth something while nobody else may add to it. SQLite has one
//! writer. On PostgreSQL a claim holds an advisory lock on each client whose runs it counts, until it commits; a
//! client whose lock another claim holds is left to that one, unless there is nobody else to claim for. These locks
//! are about caps alone: that a run is claimed once, and one at a time of an integration, rests on the claim's own
//! conditions.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entity::ids::ClientId;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::statement::Sql;

/// The number is ours alone among PostgreSQL's advisory locks of two numbers.
const CLIENTS: i32 = 730_580_441;
/// Claims that count what runs of a connector, one at a time.
const CONNECTORS: i64 = 7_305_804_402_566_331;

/// Up to `limit` clients behind this one that have a queued run whose time has come, in the order of their ids. It may
/// still have to wait for something else.
///
/// Reads one entry of the index a client, however many runs a client has waiting.
pub(crate) async fn waiting_clients(
    connection: &impl ConnectionTrait,
    behind: Option<ClientId>,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Vec<ClientId>, DbErr> {
    let due = |sql: Sql| {
        // In a subquery of its own the present is computed once, and the index can be searched by it.
        sql.text(" AND not_before <= (SELECT ")
            .present(now)
            .text(") ORDER BY client_id LIMIT 1")
    };
    let mut sql = Sql::new(connection.get_database_backend()).text(
        "WITH RECURSIVE waiting (client_id, place) AS (\
         SELECT client_id, 1 FROM (SELECT client_id FROM sync_run WHERE status = 'QUEUED'",
    );
    if let Some(behind) = behind {
        sql = sql.text(" AND client_id > ").bind(behind);
    }
    sql = due(sql).text(
        ") AS first UNION ALL SELECT (SELECT client_id FROM sync_run WHERE status = 'QUEUED' \
         AND client_id > waiting.client_id",
    );
    let statement = due(sql)
        .text("), place + 1 FROM waiting WHERE waiting.client_id IS NOT NULL AND place < ")
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .text(") SELECT client_id FROM waiting WHERE client_id IS NOT NULL ORDER BY place")
        .build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "client_id")).collect()
}

/// Takes the locks of these clients for this transaction; gives those that were free, and at least one.
pub(crate) async fn lock_clients(
    connection: &impl ConnectionTrait,
    clients: &[ClientId],
) -> Result<Vec<ClientId>, DbErr> {
    if connection.get_database_backend() != DbBackend::Postgres || clients.is_empty() {
        return Ok(clients.to_vec());
    }
    // A row each and nothing beside it, so that the function is called once for each.
    let statement = Sql::new(DbBackend::Postgres)
        .text("SELECT id FROM ")
        .rows([("id", "uuid")], clients.iter().map(|client| [(*client).into()]))
        .text(" WHERE pg_try_advisory_xact_lock(")
        .bind(CLIENTS)
        .text(", hashtext(id::text))")
        .build();
    let rows = connection.query_all_raw(statement).await?;
    let mut locked: Vec<ClientId> = rows
        .iter()
        .map(|row| row.try_get("", "id"))
        .collect::<Result<_, _>>()?;
    if let (true, Some(first)) = (locked.is_empty(), clients.first()) {
        let statement = Sql::new(DbBackend::Postgres)
            .text("SELECT pg_advisory_xact_lock(")
            .bind(CLIENTS)
            .text(", hashtext(")
            .bind(*first)
            .text("::text))")
            .build();
        connection.execute_raw(statement).await?;
        locked.push(*first);
    }
    Ok(locked)
}

/// How many runs of these clients run; those of whom none does are left out.
pub(crate) async fn running(
    connection: &impl ConnectionTrait,
    clients: &[ClientId],
) -> Result<HashMap<ClientId, u32>, DbErr> {
    if clients.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = Sql::new(connection.get_database_backend())
        .text("SELECT client_id, COUNT(*) AS running FROM ")
        .rows(
            [("client", "uuid")],
            clients.iter().map(|client| [(*client).into()]),
        )
        .text(" JOIN sync_run ON sync_run.client_id = row.client WHERE status = 'RUNNING' GROUP BY client_id")
        .build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let running: i64 = row.try_get("", "running")?;
            Ok((
                row.try_get("", "client_id")?,
                u32::try_from(running).unwrap_or(u32::MAX),
            ))
        })
        .collect()
}

/// Takes the lock under which the runs of connectors are counted, for this transaction.
pub(crate) async fn lock_connectors(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let statement = Sql::new(DbBackend::Postgres)
            .text("SELECT pg_advisory_xact_lock(")
            .bind(CONNECTORS)
            .text(")")
            .build();
        connection.execute_raw(statement).await?;
    }
    Ok(())
}

/// The connectors of which so many runs run, or more.
pub(crate) async fn connectors_at(connection: &impl ConnectionTrait, cap: u32) -> Result<Vec<String>, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text(
            "SELECT connector.slug AS slug FROM sync_run JOIN integration ON integration.id = sync_run.integration_id \
             JOIN connector ON connector.id = integration.connector_id WHERE sync_run.status = 'RUNNING' \
             GROUP BY connector.slug HAVING COUNT(*) >= ",
        )
        .bind(i64::from(cap))
        .build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "slug")).collect()
}
