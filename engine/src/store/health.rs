//! What the end of a run writes into its integration.

use entity::sync_run::Model as Run;
use sea_orm::{ConnectionTrait, DbErr};

use super::statement::Sql;

/// Writes how a run ended. It is not a change of the integration (`updated_at`): somebody who mends the configuration
/// of one that fails every minute must not be told each time that another was faster.
///
/// None when there is no such integration any more; otherwise the reason for which
/// this paused it, if it did.
pub(crate) async fn record(
    connection: &impl ConnectionTrait,
    run: &Run,
    failed: bool,
    refused: bool,
    most: i32,
) -> Result<Option<Option<&'static str>>, DbErr> {
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE integration SET last_run_status = ")
        .bind(run.status)
        .text(", consecutive_failures = CASE WHEN ")
        .bind(failed)
        .text(" THEN consecutive_failures + 1 ELSE 0 END, paused_for_credential = paused_for_credential OR ")
        .bind(refused)
        .text(", paused_for_failure = paused_for_failure OR (")
        .bind(failed && !refused)
        .text(" AND consecutive_failures + 1 >= ")
        .bind(most)
        .text(") WHERE id = ")
        .bind(run.integration_id)
        .text(" RETURNING consecutive_failures")
        .build();
    let Some(row) = connection.query_one_raw(statement).await? else {
        return Ok(None);
    };
    let failures: i32 = row.try_get("", "consecutive_failures")?;
    let reason = match (refused, failed) {
        (true, _) => Some("CREDENTIAL"),
        (false, true) if failures == most => Some("REPEATED_FAILURE"),
        _ => None,
    };
    Ok(Some(reason))
}

/// Writes that these runs ended well, of which there is at least one, and no two of one integration. An
/// integration that was well already is not written.
pub(crate) async fn record_well(connection: &impl ConnectionTrait, runs: &[Run]) -> Result<(), DbErr> {
    let rows = runs
        .iter()
        .map(|run| [run.integration_id.into(), run.status.into()]);
    let statement = Sql::new(connection.get_database_backend())
        .text("UPDATE integration SET last_run_status = row.status, consecutive_failures = 0 FROM ")
        .rows([("id", "uuid"), ("status", "text")], rows)
        .text(
            " WHERE integration.id = row.id \
             AND (integration.last_run_status IS DISTINCT FROM row.status OR integration.consecutive_failures <> 0)",
        )
        .build();
    connection.execute_raw(statement).await.map(|_| ())
}
