//! What fair claims look for: clients that wait, and how many runs of each are running.
//!
//! The index that found queued runs held the whole history too, and every transition of a run wrote into it.

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
CREATE INDEX sync_run_waiting_client ON sync_run (client_id, not_before) WHERE status = 'QUEUED';
CREATE INDEX sync_run_running_client ON sync_run (client_id) WHERE status = 'RUNNING';
CREATE INDEX sync_run_due ON sync_run (not_before) WHERE status = 'QUEUED';
DROP INDEX sync_run_claimable;
";

const DOWN: &str = "
CREATE INDEX sync_run_claimable ON sync_run (status, not_before);
DROP INDEX sync_run_due;
DROP INDEX sync_run_running_client;
DROP INDEX sync_run_waiting_client;
";
