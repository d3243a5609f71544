//! Dead letters, the logs of runs, and the outbox.

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
        sql::drop_tables(manager, &["outbox_event", "run_log", "dead_letter"]).await
    }
}

const UP: &str = r#"
CREATE TABLE dead_letter (
    id {uuid} NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    status text NOT NULL,
    client_id {uuid} NOT NULL REFERENCES client (id),
    integration_id {uuid},
    run_id {uuid},
    stream {word},
    payload {json} NOT NULL,
    error {json} NOT NULL,
    attempts integer NOT NULL,
    created_at bigint NOT NULL,
    resolved_at bigint
);
CREATE INDEX dead_letter_client ON dead_letter (client_id, id);
CREATE INDEX dead_letter_integration ON dead_letter (integration_id, id);
CREATE INDEX dead_letter_open ON dead_letter (client_id) WHERE status = 'OPEN';

CREATE TABLE run_log (
    id {row},
    run_id {uuid} NOT NULL,
    at bigint NOT NULL,
    level smallint NOT NULL,
    message text NOT NULL,
    fields {json} NOT NULL
);
CREATE INDEX run_log_run ON run_log (run_id, id);
CREATE INDEX run_log_at ON run_log (at);

CREATE TABLE outbox_event (
    id {uuid} NOT NULL PRIMARY KEY,
    sequence bigint,
    type text NOT NULL,
    subject text NOT NULL,
    client_id {uuid},
    correlation_id text NOT NULL,
    at bigint NOT NULL,
    data {json} NOT NULL
);
CREATE UNIQUE INDEX outbox_event_sequence ON outbox_event (sequence);
CREATE INDEX outbox_event_at ON outbox_event (at);
CREATE INDEX outbox_event_unsequenced ON outbox_event (id) WHERE sequence IS NULL;
"#;
