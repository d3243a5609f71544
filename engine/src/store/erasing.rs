//! What an erasure ends and deletes, a batch at a time.

use entity::ids::{ApiKeyId, ClientId, IntegrationId, RunId};
use entity::{Timestamp, api_key, client, idempotency_answer, integration};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;

use super::purge::{self, BATCH, Deleted};
use super::statement::Sql;

/// Answers that are opened in one transaction.
const OPENED: u64 = 100;
/// Runs that are ended in one transaction.
const RUNS: i64 = 500;

/// Ends what a client has: from here on nothing of it is found or begins.
pub(crate) async fn end_everything(
    connection: &impl ConnectionTrait,
    client: ClientId,
    now: Timestamp,
) -> Result<(), DbErr> {
    let statements = [
        Sql::new(connection.get_database_backend())
            .text("UPDATE schedule SET next_due_at = NULL WHERE integration_id IN (SELECT id FROM integration WHERE client_id = ")
            .bind(client)
            .text(")"),
        Sql::new(connection.get_database_backend())
            .text("UPDATE integration SET secrets = NULL, paused_manually = TRUE, deleted_at = COALESCE(deleted_at, ")
            .bind(now)
            .text(") WHERE client_id = ")
            .bind(client),
        Sql::new(connection.get_database_backend())
            .text("UPDATE api_key SET revoked_at = ")
            .bind(now)
            .text(" WHERE revoked_at IS NULL AND client_id = ")
            .bind(client),
    ];
    for statement in statements {
        connection.execute_raw(statement.build()).await?;
    }
    Ok(())
}

/// Ends a batch of the client's runs that wait; and of those that run, where somebody gave up waiting for them: with the
/// fence raised, their workers' writes match no row. Gives which.
pub(crate) async fn end_runs(
    connection: &impl ConnectionTrait,
    client: ClientId,
    also_running: bool,
    now: Timestamp,
) -> Result<Vec<RunId>, DbErr> {
    let states = if also_running {
        "('QUEUED', 'RUNNING')"
    } else {
        "('QUEUED')"
    };
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET status = 'CANCELLED', fence = fence + 1, cancel_requested = TRUE, lease_owner = NULL, ")
        .text("lease_until = NULL, wait_reason = NULL, finished_at = ")
        .bind(now)
        .text(", updated_at = ")
        .bind(now)
        .text(" WHERE status IN ")
        .text(states)
        .text(" AND id IN (SELECT id FROM sync_run WHERE client_id = ")
        .bind(client)
        .text(" AND status IN ")
        .text(states)
        .text(" LIMIT ")
        .bind(RUNS)
        .text(") RETURNING id")
        .build();
    ids(connection, statement).await
}

/// Asks the workers of the client's running runs to stop; gives those that were not asked before.
pub(crate) async fn ask_runs_to_stop(
    connection: &impl ConnectionTrait,
    client: ClientId,
    now: Timestamp,
) -> Result<Vec<RunId>, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE sync_run SET cancel_requested = TRUE, updated_at = ")
        .bind(now)
        .text(" WHERE status = 'RUNNING' AND NOT cancel_requested AND client_id = ")
        .bind(client)
        .text(" RETURNING id")
        .build();
    ids(connection, statement).await
}

async fn ids(connection: &impl ConnectionTrait, statement: sea_orm::Statement) -> Result<Vec<RunId>, DbErr> {
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// Whether a run of the client runs, or waits again.
pub(crate) async fn any_running(connection: &impl ConnectionTrait, client: ClientId) -> Result<bool, DbErr> {
    any(
        connection,
        "sync_run WHERE status IN ('QUEUED', 'RUNNING') AND client_id = ",
        client,
    )
    .await
}

async fn any(connection: &impl ConnectionTrait, of: &str, client: ClientId) -> Result<bool, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("SELECT 1 FROM ")
        .text(of)
        .bind(client)
        .text(" LIMIT 1")
        .build();
    Ok(connection.query_one_raw(statement).await?.is_some())
}

/// A batch of the answers that the client's own credentials got.
pub(crate) async fn delete_own_answers(
    connection: &impl ConnectionTrait,
    client: ClientId,
) -> Result<Deleted, DbErr> {
    let keys: Vec<ApiKeyId> = api_key::Entity::find()
        .select_only()
        .column(api_key::Column::Id)
        .filter(api_key::Column::ClientId.eq(client))
        .into_tuple()
        .all(connection)
        .await?;
    let batch = || {
        Sql::new(connection.get_database_backend()).text(
            "DELETE FROM idempotency_answer WHERE (scope, key) IN (SELECT scope, key FROM idempotency_answer WHERE ",
        )
    };
    // A token's scope has its client in it; a key's is the key.
    let tokens = batch().text("scope LIKE ").bind(format!("token:%:{client}:%"));
    let keys = keys.chunks(500).map(|keys| {
        let scopes = keys.iter().map(ToString::to_string);
        batch().text("scope IN (").list(scopes).text(")")
    });
    let mut rows = 0;
    for sql in std::iter::once(tokens).chain(keys) {
        let sql = sql.text(" LIMIT ").bind(BATCH).text(")");
        rows = connection.execute_raw(sql.build()).await?.rows_affected();
        if rows > 0 {
            break;
        }
    }
    Ok(Deleted {
        table: "idempotency_answer",
        rows,
    })
}

/// A walk through the answers that are left, in the memory of who works: after a crash it begins anew, and finds less.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    names: Option<Vec<String>>,
    after: Option<(String, String)>,
}

impl Answers {
    /// What an answer about the client has in it: an id, its slug, its name.
    pub(crate) async fn names(
        &mut self,
        connection: &impl ConnectionTrait,
        of: ClientId,
    ) -> Result<Vec<String>, DbErr> {
        if let Some(names) = &self.names {
            return Ok(names.clone());
        }
        let mut names = vec![of.to_string()];
        if let Some(row) = client::Entity::find_by_id(of).one(connection).await? {
            // As JSON has them, and not so short that they are in every answer.
            let texts = [row.slug, row.name].map(|text| Value::String(text).to_string());
            names.extend(texts.into_iter().filter(|text| text.chars().count() > 5));
        }
        let integrations: Vec<IntegrationId> = integration::Entity::find()
            .select_only()
            .column(integration::Column::Id)
            .filter(integration::Column::ClientId.eq(of))
            .into_tuple()
            .all(connection)
            .await?;
        names.extend(integrations.iter().map(ToString::to_string));
        self.names = Some(names.clone());
        Ok(names)
    }

    /// The next of the answers from before then.
    pub(crate) async fn page(
        &mut self,
        connection: &impl ConnectionTrait,
        before: Timestamp,
    ) -> Result<Vec<idempotency_answer::Model>, DbErr> {
        use idempotency_answer::Column as Answer;
        let mut query = idempotency_answer::Entity::find()
            .filter(Answer::CreatedAt.lt(before))
            .filter(Answer::Answer.is_not_null());
        if let Some((scope, key)) = &self.after {
            let later = Condition::all()
                .add(Answer::Scope.eq(scope.clone()))
                .add(Answer::Key.gt(key.clone()));
            query = query.filter(Condition::any().add(Answer::Scope.gt(scope.clone())).add(later));
        }
        let page = query
            .order_by_asc(Answer::Scope)
            .order_by_asc(Answer::Key)
            .limit(OPENED)
            .all(connection)
            .await?;
        if let Some(last) = page.last() {
            self.after = Some((last.scope.clone(), last.key.clone()));
        }
        Ok(page)
    }
}

/// Takes an answer away and leaves its key taken; how many rows that were.
pub(crate) async fn forget_answer(
    connection: &impl ConnectionTrait,
    kept: &idempotency_answer::Model,
) -> Result<u64, DbErr> {
    use idempotency_answer::Column as Answer;
    let done = idempotency_answer::Entity::update_many()
        .col_expr(Answer::Answer, Expr::value(Vec::<u8>::new()))
        .filter(Answer::Scope.eq(kept.scope.clone()))
        .filter(Answer::Key.eq(kept.key.clone()))
        .filter(Answer::Owner.eq(kept.owner))
        .exec(connection)
        .await?;
    Ok(done.rows_affected)
}

/// The tables that hold a client's rows beside its integrations', with the key and the condition, in the order in which
/// they may be emptied.
const OF_CLIENT: [(&str, &str, &str); 4] = [
    ("sync_run_client_day", "client_id, day, status", "(client_id = "),
    ("dead_letter", "id", "(client_id = "),
    (
        "api_key_secret",
        "prefix",
        "api_key_id IN (SELECT id FROM api_key WHERE client_id = ",
    ),
    ("api_key", "id", "(client_id = "),
];

/// A batch of a client's rows; no rows when there are none but events and the client.
pub(crate) async fn delete_rows(
    connection: &impl ConnectionTrait,
    client: ClientId,
) -> Result<Deleted, DbErr> {
    let integration: Option<IntegrationId> = integration::Entity::find()
        .select_only()
        .column(integration::Column::Id)
        .filter(integration::Column::ClientId.eq(client))
        .limit(1)
        .into_tuple()
        .one(connection)
        .await?;
    if let Some(integration) = integration {
        return purge::integration(connection, integration).await;
    }
    for (table, key, condition) in OF_CLIENT {
        let sql = Sql::new(connection.get_database_backend())
            .text(&format!(
                "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {condition}"
            ))
            .bind(client)
            .text(") LIMIT ")
            .bind(BATCH)
            .text(")");
        let rows = connection.execute_raw(sql.build()).await?.rows_affected();
        if rows > 0 {
            return Ok(Deleted { table, rows });
        }
    }
    Ok(Deleted {
        table: "client",
        rows: 0,
    })
}

/// A batch of the events about a client that are not the last of all.
pub(crate) async fn delete_events(
    connection: &impl ConnectionTrait,
    client: ClientId,
) -> Result<Deleted, DbErr> {
    let sql = Sql::new(connection.get_database_backend())
        .text("DELETE FROM outbox_event WHERE id IN (SELECT id FROM outbox_event WHERE client_id = ")
        .bind(client)
        .text(" AND sequence < (SELECT MAX(sequence) FROM outbox_event) LIMIT ")
        .bind(BATCH)
        .text(")");
    let rows = connection.execute_raw(sql.build()).await?.rows_affected();
    Ok(Deleted {
        table: "outbox_event",
        rows,
    })
}

/// Keeps the client from being changed until the transaction ends.
pub(crate) async fn lock_client(connection: &impl ConnectionTrait, client: ClientId) -> Result<(), DbErr> {
    client::Entity::find_by_id(client)
        .lock(LockType::Update)
        .one(connection)
        .await
        .map(|_| ())
}

/// Whether anything refers to the client still.
pub(crate) async fn any_left(connection: &impl ConnectionTrait, client: ClientId) -> Result<bool, DbErr> {
    for table in [
        "integration",
        "sync_run",
        // Before what is made of it.
        "sync_run_tally",
        "sync_run_client_day",
        "dead_letter",
        "api_key",
        "outbox_event",
    ] {
        if any(connection, &format!("{table} WHERE client_id = "), client).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes the client itself.
pub(crate) async fn delete_client(
    connection: &impl ConnectionTrait,
    client: ClientId,
) -> Result<Deleted, DbErr> {
    let done = client::Entity::delete_by_id(client).exec(connection).await?;
    Ok(Deleted {
        table: "client",
        rows: done.rows_affected,
    })
}
