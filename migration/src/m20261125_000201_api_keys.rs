//! Credentials of the API, and what their holders show.

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
        sql::drop_tables(manager, &["api_key_secret", "api_key"]).await
    }
}

const UP: &str = "
CREATE TABLE api_key (
    id {uuid} NOT NULL PRIMARY KEY,
    client_id {uuid} REFERENCES client (id),
    name {word} NOT NULL,
    prefix {word} NOT NULL,
    scopes {json} NOT NULL,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint,
    created_at bigint NOT NULL
);
CREATE INDEX api_key_client ON api_key (client_id, id);
CREATE TABLE api_key_secret (
    prefix {word} NOT NULL PRIMARY KEY,
    api_key_id {uuid} NOT NULL REFERENCES api_key (id),
    hash {bytes} NOT NULL,
    valid_until bigint
) {without_row_id};
CREATE INDEX api_key_secret_key ON api_key_secret (api_key_id);
";
