//! Answers that are given again to whoever repeats a request under its key.

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
        sql::drop_tables(manager, &["idempotency_answer"]).await
    }
}

const UP: &str = "
CREATE TABLE idempotency_answer (
    scope {word} NOT NULL,
    key {word} NOT NULL,
    input_hash {bytes} NOT NULL,
    owner {uuid} NOT NULL,
    claimed_until bigint NOT NULL,
    answer {bytes},
    created_at bigint NOT NULL,
    PRIMARY KEY (scope, key)
) {without_row_id};
CREATE INDEX idempotency_answer_age ON idempotency_answer (created_at);
";
