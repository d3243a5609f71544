//! Erasures of clients: the request, how far it has come, and what remains as the proof that it happened.
//!
//! The client's id is no reference, since the row outlives the client. A client's events get an index, by which they are
//! found to be erased and to be listed.

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
        sql::run(manager, DOWN).await
    }
}

const UP: &str = "
CREATE TABLE erasure (
    id {uuid} NOT NULL PRIMARY KEY,
    client_id {uuid} NOT NULL,
    requested_by text NOT NULL,
    requested_at bigint NOT NULL,
    stage text NOT NULL,
    erased {json} NOT NULL,
    lease_owner text,
    lease_until bigint,
    finished_at bigint
);
CREATE UNIQUE INDEX erasure_client ON erasure (client_id);
CREATE INDEX erasure_unfinished ON erasure (id) WHERE finished_at IS NULL;
CREATE INDEX outbox_event_client ON outbox_event (client_id, sequence) WHERE client_id IS NOT NULL;
";

const DOWN: &str = "
DROP INDEX outbox_event_client;
DROP TABLE erasure;
";
