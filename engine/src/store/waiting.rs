//! What keeps queued runs from running, as far as rows say it, and what is known about how long that lasts.

use entity::ids::RunId;
use entity::words::ClientStatus;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::statement::Sql;

/// What keeps a queued run from running. Times are microseconds.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Waiting {
    pub(crate) id: RunId,
    pub(crate) paused: bool,
    pub(crate) credential: bool,
    /// Queued runs of the integration that come before it.
    pub(crate) ahead: i64,
    /// Since when another run of the integration runs.
    pub(crate) running_since: Option<i64>,
    pub(crate) client_running: i64,
    pub(crate) connector_running: i64,
    /// Since when the oldest of the client's running runs runs.
    pub(crate) client_since: Option<i64>,
    /// How long the integration's last runs took.
    pub(crate) usual: Option<i64>,
}

/// Of how many runs the usual time is the mean.
const LAST_RUNS: i32 = 5;

/// For each of these queued runs, what keeps it from running.
pub(crate) async fn waiting(
    connection: &impl ConnectionTrait,
    runs: &[RunId],
) -> Result<Vec<Waiting>, DbErr> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let statement = Sql::new(connection.get_database_backend())
        .text(
            "SELECT run.id, (integration.paused_manually OR integration.paused_for_failure OR client.status <> ",
        )
        .bind(ClientStatus::Active)
        .text(
            ") AS paused, integration.paused_for_credential AS credential, \
             (SELECT COUNT(*) FROM sync_run AS other WHERE other.integration_id = run.integration_id \
                 AND other.status = 'QUEUED' AND (other.started_at IS NULL, other.queued_at, other.id) \
                 < (run.started_at IS NULL, run.queued_at, run.id)) AS ahead, \
             (SELECT other.started_at FROM sync_run AS other WHERE other.integration_id = run.integration_id \
                 AND other.status = 'RUNNING') AS running_since, \
             (SELECT COUNT(*) FROM sync_run AS other WHERE other.client_id = run.client_id \
                 AND other.status = 'RUNNING') AS client_running, \
             (SELECT MIN(other.started_at) FROM sync_run AS other WHERE other.client_id = run.client_id \
                 AND other.status = 'RUNNING') AS client_since, \
             (SELECT COUNT(*) FROM sync_run AS other JOIN integration AS theirs ON theirs.id = other.integration_id \
                 JOIN connector AS version ON version.id = theirs.connector_id \
                 WHERE other.status = 'RUNNING' AND version.slug = connector.slug) AS connector_running, \
             (SELECT CAST(AVG(took) AS BIGINT) FROM (SELECT other.finished_at - other.started_at AS took \
                 FROM sync_run AS other WHERE other.integration_id = run.integration_id \
                 AND other.finished_at IS NOT NULL AND other.started_at IS NOT NULL \
                 ORDER BY other.id DESC LIMIT ",
        )
        .bind(LAST_RUNS)
        .text(
            ") AS last) AS usual \
             FROM sync_run AS run JOIN integration ON integration.id = run.integration_id \
             JOIN connector ON connector.id = integration.connector_id \
             JOIN client ON client.id = run.client_id WHERE run.id IN (",
        )
        .list(runs.iter().copied())
        .text(")")
        .build();
    Waiting::find_by_statement(statement).all(connection).await
}
