//! Runs: the queue and the history in one table.

use sea_orm_migration::prelude::*;

use crate::sql;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        sql::drop_tables(manager, &["sync_run_stream", "sync_attempt", "sync_run"]).await
    }
}

const UP: &str = r#"
CREATE TABLE sync_run (
    id {uuid} NOT NULL PRIMARY KEY,
    client_id {uuid} NOT NULL REFERENCES client (id),
    integration_id {uuid} NOT NULL REFERENCES integration (id),
    trigger text NOT NULL,
    mode text NOT NULL,
    status text NOT NULL,
    streams {json} NOT NULL,
    idempotency_key {word},
    input_hash {bytes},
    correlation_id text NOT NULL,
    attempt integer NOT NULL,
    max_attempts integer NOT NULL,
    fence bigint NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until bigint,
    not_before bigint NOT NULL,
    wait_reason text,
    cancel_requested boolean NOT NULL DEFAULT false,
    schedule_id {uuid},
    scheduled_for bigint,
    queued_at bigint NOT NULL,
    started_at bigint,
    finished_at bigint,
    requests bigint NOT NULL DEFAULT 0,
    pages bigint NOT NULL DEFAULT 0,
    records_read bigint NOT NULL DEFAULT 0,
    records_added bigint NOT NULL DEFAULT 0,
    records_updated bigint NOT NULL DEFAULT 0,
    records_unchanged bigint NOT NULL DEFAULT 0,
    records_deleted bigint NOT NULL DEFAULT 0,
    records_failed bigint NOT NULL DEFAULT 0,
    bytes_read bigint NOT NULL DEFAULT 0,
    error {json},
    held_deletions bigint,
    deletions_approved boolean NOT NULL DEFAULT false,
    updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX sync_run_idempotency ON sync_run (integration_id, idempotency_key);
CREATE UNIQUE INDEX sync_run_one_running ON sync_run (integration_id) WHERE status = 'RUNNING';
CREATE INDEX sync_run_waiting ON sync_run (integration_id, queued_at, id) WHERE status = 'QUEUED';
CREATE UNIQUE INDEX sync_run_tick ON sync_run (schedule_id, scheduled_for);
CREATE INDEX sync_run_claimable ON sync_run (status, not_before);
CREATE INDEX sync_run_client ON sync_run (client_id, id);
CREATE INDEX sync_run_integration ON sync_run (integration_id, id);
CREATE INDEX sync_run_lease ON sync_run (lease_until) WHERE status = 'RUNNING';
CREATE INDEX sync_run_unfinished ON sync_run (integration_id) WHERE finished_at IS NULL;
CREATE INDEX sync_run_finished ON sync_run (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE sync_attempt (
    run_id {uuid} NOT NULL REFERENCES sync_run (id),
    number integer NOT NULL,
    fence bigint NOT NULL,
    started_at bigint NOT NULL,
    finished_at bigint,
    worker text NOT NULL,
    error {json},
    PRIMARY KEY (run_id, number)
);

CREATE TABLE sync_run_stream (
    run_id {uuid} NOT NULL REFERENCES sync_run (id),
    stream {word} NOT NULL,
    status text NOT NULL,
    requests bigint NOT NULL DEFAULT 0,
    pages bigint NOT NULL DEFAULT 0,
    records_read bigint NOT NULL DEFAULT 0,
    records_added bigint NOT NULL DEFAULT 0,
    records_updated bigint NOT NULL DEFAULT 0,
    records_unchanged bigint NOT NULL DEFAULT 0,
    records_deleted bigint NOT NULL DEFAULT 0,
    records_failed bigint NOT NULL DEFAULT 0,
    bytes_read bigint NOT NULL DEFAULT 0,
    cursor {json},
    PRIMARY KEY (run_id, stream)
);
"#;
