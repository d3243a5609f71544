//! How many runs ended, and how: by the hour, and by the day for each client.
//!
//! Where a run ends or goes, a trigger appends a row to the tally (the migration says why a trigger). [`fold`] takes rows
//! from the tally and adds them to the counts, in one transaction. So at any moment, the counts and the tally together are
//! the runs that have ended, and a question that reads both in one statement, which sees one moment, gets exactly what
//! counting the runs would give. Of the hour or day in which a window begins, the runs themselves are counted.
//!
//! Any number of processes may fold: each takes rows that no other has, and adds to the counts in the order of their keys.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::Timestamp;
use entity::ids::ClientId;
use entity::sync_run_tally::{Entity, Model};
use entity::words::SyncRunStatus;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryResult};

use super::statement::Sql;
use crate::access::Scope;

/// Rows of the tally in one transaction.
pub(crate) const BATCH: usize = 2_000;

/// Clients in one statement.
const CLIENTS: usize = 100;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Whose runs are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Everybodys,
    Of(ClientId),
}

impl Whose {
    /// Those that are in scope and of this client, if it is one; none where a client asks for another's.
    pub(crate) fn within(scope: Scope, client: Option<ClientId>) -> Option<Self> {
        match (scope, client) {
            (Scope::All, None) => Some(Self::Everybodys),
            (Scope::All, Some(client)) => Some(Self::Of(client)),
            (Scope::Client(own), Some(client)) if own != client => None,
            (Scope::Client(own), _) => Some(Self::Of(own)),
        }
    }
}

/// How many runs ended since then, by how.
pub(crate) async fn ended(
    connection: &impl ConnectionTrait,
    whose: Whose,
    since: Timestamp,
) -> Result<Vec<(SyncRunStatus, i64)>, DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        .text("SELECT status, CAST(SUM(runs) AS BIGINT) AS runs FROM (SELECT status, runs FROM ");
    let whole = match whose {
        Whose::Everybodys => next(since, HOUR),
        Whose::Of(_) => next(since, DAY),
    };
    let of = |sql: Sql| match whose {
        Whose::Everybodys => sql,
        Whose::Of(client) => sql.text(" AND client_id = ").bind(client),
    };
    let sql = match whose {
        Whose::Everybodys => sql.text("sync_run_hour WHERE hour >= "),
        Whose::Of(_) => sql.text("sync_run_client_day WHERE day >= "),
    };
    let sql =
        of(sql.bind(whole)).text(" UNION ALL SELECT status, runs FROM sync_run_tally WHERE finished_at >= ");
    let sql =
        of(sql.bind(whole)).text(" UNION ALL SELECT status, COUNT(*) FROM sync_run WHERE finished_at >= ");
    let sql = of(sql.bind(since).text(" AND finished_at < ").bind(whole));
    let statement = sql.text(" GROUP BY status) AS counted GROUP BY status").build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(by_status).collect()
}

/// How many runs there are of each of these, by where they stand.
pub(crate) async fn standing(
    connection: &impl ConnectionTrait,
    whose: &HashSet<Whose>,
) -> Result<HashMap<Whose, Vec<(SyncRunStatus, i64)>>, DbErr> {
    let mut found = HashMap::new();
    if whose.contains(&Whose::Everybodys) {
        found.insert(Whose::Everybodys, of_everybody(connection).await?);
    }
    let of = whose.iter().filter_map(|whose| match whose {
        Whose::Everybodys => None,
        Whose::Of(client) => Some(*client),
    });
    let clients: Vec<ClientId> = of.collect();
    for some in clients.chunks(CLIENTS) {
        for (client, status, runs) in of_clients(connection, some).await? {
            let counts: &mut Vec<_> = found.entry(Whose::Of(client)).or_default();
            counts.push((status, runs));
        }
    }
    Ok(found)
}

async fn of_everybody(connection: &impl ConnectionTrait) -> Result<Vec<(SyncRunStatus, i64)>, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text(
            "SELECT status, CAST(SUM(runs) AS BIGINT) AS runs FROM (SELECT status, runs FROM sync_run_hour \
             UNION ALL SELECT status, runs FROM sync_run_tally \
             UNION ALL SELECT status, COUNT(*) FROM sync_run WHERE finished_at IS NULL GROUP BY status) AS counted \
             GROUP BY status",
        )
        .build();
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(by_status).collect()
}

async fn of_clients(
    connection: &impl ConnectionTrait,
    clients: &[ClientId],
) -> Result<Vec<(ClientId, SyncRunStatus, i64)>, DbErr> {
    let among = |sql: Sql| {
        sql.text(" WHERE client_id IN (")
            .list(clients.iter().copied())
            .text(")")
    };
    let sql = Sql::new(connection.get_database_backend()).text(
        "SELECT client_id, status, CAST(SUM(runs) AS BIGINT) AS runs FROM \
         (SELECT client_id, status, runs FROM sync_run_client_day",
    );
    let sql = among(sql).text(" UNION ALL SELECT client_id, status, runs FROM sync_run_tally");
    let sql = among(sql).text(" UNION ALL SELECT client_id, status, COUNT(*) FROM sync_run");
    let statement = among(sql)
        .text(" AND finished_at IS NULL GROUP BY client_id, status) AS counted GROUP BY client_id, status")
        .build();
    let rows = connection.query_all_raw(statement).await?;
    let of_client = |row: &QueryResult| {
        let (status, runs) = by_status(row)?;
        Ok((row.try_get("", "client_id")?, status, runs))
    };
    rows.iter().map(of_client).collect()
}

fn by_status(row: &QueryResult) -> Result<(SyncRunStatus, i64), DbErr> {
    Ok((row.try_get("", "status")?, row.try_get("", "runs")?))
}

/// Whether the tally has rows.
pub(crate) async fn any_tallied(connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
    Ok(Entity::find().one(connection).await?.is_some())
}

/// Adds a batch of the tally to the counts; gives how many rows that were.
pub(crate) async fn fold(connection: &impl ConnectionTrait) -> Result<usize, DbErr> {
    let taken = take(connection, None).await?;
    let hours = taken
        .iter()
        .map(|row| ((start(row.finished_at, HOUR), row.status), row.runs));
    add_hours(connection, summed(hours)).await?;
    let days = taken
        .iter()
        .map(|row| ((row.client_id, start(row.finished_at, DAY), row.status), row.runs));
    add_days(connection, summed(days)).await?;
    Ok(taken.len())
}

/// Adds a batch of what the tally has of a client that is being erased to everybody's counts alone; gives how many rows that
/// were.
pub(crate) async fn forget(connection: &impl ConnectionTrait, client: ClientId) -> Result<usize, DbErr> {
    let taken = take(connection, Some(client)).await?;
    let hours = taken
        .iter()
        .map(|row| ((start(row.finished_at, HOUR), row.status), row.runs));
    add_hours(connection, summed(hours)).await?;
    Ok(taken.len())
}

/// When the hour or day began in which this is.
fn start(at: Timestamp, length: i64) -> Timestamp {
    Timestamp(at.micros() - at.micros().rem_euclid(length))
}

/// The first begin of an hour or day that is not before this.
fn next(at: Timestamp, length: i64) -> Timestamp {
    Timestamp(at.micros() + (-at.micros()).rem_euclid(length))
}

/// Takes a batch from the tally, of one client or of whomever. Rows that another transaction is taking are passed over.
async fn take(connection: &impl ConnectionTrait, client: Option<ClientId>) -> Result<Vec<Model>, DbErr> {
    let mut sql = Sql::new(connection.get_database_backend())
        .text("DELETE FROM sync_run_tally WHERE id")
        .either(" IN (", " = ANY(ARRAY(")
        .text("SELECT id FROM sync_run_tally");
    if let Some(client) = client {
        sql = sql.text(" WHERE client_id = ").bind(client);
    }
    let statement = sql
        .text(" ORDER BY id LIMIT ")
        .bind(BATCH as i64)
        .either(")", " FOR UPDATE SKIP LOCKED))")
        .text(" RETURNING *")
        .build();
    Model::find_by_statement(statement).all(connection).await
}

/// The sum for each key, in the order of the keys, without those that come to nothing.
fn summed<K: Ord>(rows: impl Iterator<Item = (K, i64)>) -> BTreeMap<K, i64> {
    let mut sums = BTreeMap::new();
    for (key, runs) in rows {
        *sums.entry(key).or_default() += runs;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

type Hour = (Timestamp, SyncRunStatus);
type ClientDay = (ClientId, Timestamp, SyncRunStatus);

async fn add_hours(connection: &impl ConnectionTrait, sums: BTreeMap<Hour, i64>) -> Result<(), DbErr> {
    if sums.is_empty() {
        return Ok(());
    }
    let sql = Sql::new(connection.get_database_backend())
        .text("INSERT INTO sync_run_hour (hour, status, runs) SELECT row.hour, row.status, row.runs FROM ");
    let rows = sums
        .iter()
        .map(|(&(hour, status), &sum)| [hour.into(), status.into(), sum.into()]);
    let statement = sql
        .rows([("hour", "bigint"), ("status", "text"), ("runs", "bigint")], rows)
        // Without a WHERE, SQLite reads the ON of the conflict as one of a join.
        .text(
            " WHERE TRUE ON CONFLICT (hour, status) DO UPDATE SET runs = sync_run_hour.runs + excluded.runs",
        )
        .build();
    connection.execute_raw(statement).await?;
    let less: Vec<Hour> = fewer(sums);
    if less.is_empty() {
        return Ok(());
    }
    let rows = less.iter().map(|&(hour, status)| [hour.into(), status.into()]);
    let statement = Sql::new(connection.get_database_backend())
        .text("DELETE FROM sync_run_hour WHERE runs = 0 AND (hour, status) IN (SELECT row.hour, row.status FROM ")
        .rows([("hour", "bigint"), ("status", "text")], rows)
        .text(")")
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

async fn add_days(connection: &impl ConnectionTrait, sums: BTreeMap<ClientDay, i64>) -> Result<(), DbErr> {
    if sums.is_empty() {
        return Ok(());
    }
    let sql = Sql::new(connection.get_database_backend()).text(
        "INSERT INTO sync_run_client_day (client_id, day, status, runs) \
         SELECT row.client_id, row.day, row.status, row.runs FROM ",
    );
    let rows = sums
        .iter()
        .map(|(&(client, day, status), &sum)| [client.into(), day.into(), status.into(), sum.into()]);
    let columns = [
        ("client_id", "uuid"),
        ("day", "bigint"),
        ("status", "text"),
        ("runs", "bigint"),
    ];
    let statement = sql
        .rows(columns, rows)
        .text(" WHERE TRUE ON CONFLICT (client_id, day, status) DO UPDATE SET runs = sync_run_client_day.runs + excluded.runs")
        .build();
    connection.execute_raw(statement).await?;
    let less: Vec<ClientDay> = fewer(sums);
    if less.is_empty() {
        return Ok(());
    }
    let rows = less
        .iter()
        .map(|&(client, day, status)| [client.into(), day.into(), status.into()]);
    let statement = Sql::new(connection.get_database_backend())
        .text(
            "DELETE FROM sync_run_client_day WHERE runs = 0 AND (client_id, day, status) IN \
             (SELECT row.client_id, row.day, row.status FROM ",
        )
        .rows(
            [("client_id", "uuid"), ("day", "bigint"), ("status", "text")],
            rows,
        )
        .text(")")
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}

/// The keys that became fewer: those may have come to nothing.
fn fewer<K>(sums: BTreeMap<K, i64>) -> Vec<K> {
    sums.into_iter()
        .filter(|(_, sum)| *sum < 0)
        .map(|(key, _)| key)
        .collect()
}
