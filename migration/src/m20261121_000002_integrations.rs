//! Integrations and when they run by themselves.

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
        sql::drop_tables(manager, &["skipped_tick", "schedule", "integration"]).await
    }
}

const UP: &str = r#"
CREATE TABLE integration (
    id {uuid} NOT NULL PRIMARY KEY,
    client_id {uuid} NOT NULL REFERENCES client (id),
    connector_id {uuid} NOT NULL REFERENCES connector (id),
    name {word} NOT NULL,
    config {json} NOT NULL,
    secrets {bytes},
    streams {json} NOT NULL,
    paused_manually boolean NOT NULL DEFAULT false,
    paused_for_credential boolean NOT NULL DEFAULT false,
    paused_for_failure boolean NOT NULL DEFAULT false,
    retry {json} NOT NULL,
    requests_per_minute integer,
    consecutive_failures integer NOT NULL DEFAULT 0,
    last_run_status text,
    change_counter bigint NOT NULL DEFAULT 0,
    deleted_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE INDEX integration_client ON integration (client_id, id);
CREATE INDEX integration_connector ON integration (connector_id);
CREATE INDEX integration_name ON integration (name, id);
CREATE INDEX integration_deleted ON integration (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE schedule (
    id {uuid} NOT NULL PRIMARY KEY,
    integration_id {uuid} NOT NULL REFERENCES integration (id),
    cron text NOT NULL,
    timezone text NOT NULL,
    jitter_seconds integer NOT NULL,
    overlap text NOT NULL,
    catch_up_seconds integer NOT NULL,
    next_due_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX schedule_integration ON schedule (integration_id);
CREATE INDEX schedule_due ON schedule (next_due_at) WHERE next_due_at IS NOT NULL;

CREATE TABLE skipped_tick (
    schedule_id {uuid} NOT NULL REFERENCES schedule (id),
    due_at bigint NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (schedule_id, due_at)
) {without_row_id};
"#;
