//! What is kept of each stream's schema: the fields that every record had, and those that are not as declared.

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

const UP: &str = "ALTER TABLE stream_state ADD COLUMN schema_watch {json};";

const DOWN: &str = "ALTER TABLE stream_state DROP COLUMN schema_watch;";
