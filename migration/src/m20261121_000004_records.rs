//! Where each stream stands, and its records.
//!
//! A record does not reference its stream: PostgreSQL checks a reference row by row, which doubled the time of
//! a first sync (8.8 s instead of 4.3 s for 200,000 records). Streams are only ever deleted after their records.

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
        sql::drop_tables(manager, &["record_seen", "record", "stream_state"]).await
    }
}

const UP: &str = r#"
CREATE TABLE stream_state (
    id {row},
    integration_id {uuid} NOT NULL REFERENCES integration (id),
    stream {word} NOT NULL,
    state {json},
    resume {json},
    resume_run_id {uuid},
    generation bigint NOT NULL DEFAULT 0,
    marking boolean NOT NULL DEFAULT false,
    updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX stream_state_stream ON stream_state (integration_id, stream);

CREATE TABLE record (
    id {row},
    stream_id bigint NOT NULL,
    key {word} NOT NULL,
    data text NOT NULL,
    hash {bytes} NOT NULL,
    change_number bigint NOT NULL,
    change smallint NOT NULL,
    first_seen_at bigint NOT NULL,
    changed_at bigint NOT NULL,
    deleted_at bigint
);
CREATE UNIQUE INDEX record_key ON record (stream_id, key);
CREATE INDEX record_change ON record (stream_id, change_number);

CREATE TABLE record_seen (
    stream_id bigint NOT NULL,
    generation bigint NOT NULL,
    record_id bigint NOT NULL,
    PRIMARY KEY (stream_id, generation, record_id)
) {without_row_id};
"#;
