//! Keys of runs, kept for the runs that have one.
//!
//! A run is written when it is queued, claimed and settled, and each time into every index that it is in. Few
//! have a key or a schedule, and the others were in both indexes with nothing but NULL.

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
DROP INDEX sync_run_idempotency;
CREATE UNIQUE INDEX sync_run_idempotency ON sync_run (integration_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
DROP INDEX sync_run_tick;
CREATE UNIQUE INDEX sync_run_tick ON sync_run (schedule_id, scheduled_for) WHERE schedule_id IS NOT NULL;
";

const DOWN: &str = "
DROP INDEX sync_run_idempotency;
CREATE UNIQUE INDEX sync_run_idempotency ON sync_run (integration_id, idempotency_key);
DROP INDEX sync_run_tick;
CREATE UNIQUE INDEX sync_run_tick ON sync_run (schedule_id, scheduled_for);
";
