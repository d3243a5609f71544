//! What an upstream is asked with whether a stream has changed since it was read whole.

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

const UP: &str = "ALTER TABLE stream_state ADD COLUMN validators {json};";

const DOWN: &str = "ALTER TABLE stream_state DROP COLUMN validators;";
