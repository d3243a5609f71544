//! Clients and the connectors they may use.

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
        sql::drop_tables(manager, &["connector", "client"]).await
    }
}

const UP: &str = r#"
CREATE TABLE client (
    id {uuid} NOT NULL PRIMARY KEY,
    slug {word} NOT NULL,
    name {word} NOT NULL,
    metadata {json} NOT NULL,
    status text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX client_slug ON client (slug);
CREATE INDEX client_name ON client (name, id);

CREATE TABLE connector (
    id {uuid} NOT NULL PRIMARY KEY,
    slug {word} NOT NULL,
    version text NOT NULL,
    title text NOT NULL,
    manifest text NOT NULL,
    manifest_hash {bytes} NOT NULL,
    shipped boolean NOT NULL,
    latest boolean NOT NULL,
    created_at bigint NOT NULL
);
CREATE UNIQUE INDEX connector_version ON connector (slug, version);
CREATE UNIQUE INDEX connector_latest ON connector (slug) WHERE latest;
"#;
