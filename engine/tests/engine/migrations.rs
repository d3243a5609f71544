use std::collections::BTreeSet;

use engine::runs::SyncRunStatus::Running;
use entity::sync_run::ActiveModel;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, Set, SqlErr, Statement};

use crate::world::{World, on_both_databases};

async fn tables(world: &World) -> BTreeSet<String> {
    let reader = world.engine.db.reader();
    let sql = match reader.get_database_backend() {
        DbBackend::Postgres => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
        _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    };
    let rows = reader
        .query_all_raw(Statement::from_string(reader.get_database_backend(), sql))
        .await
        .unwrap();
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

on_both_databases! {
    async fn down_and_up_again(world: World) {
        let there = tables(&world).await;
        assert!(there.contains("sync_run") && there.contains("outbox_event"), "{there:?}");
        let connection = world.engine.db.for_migration();
        Migrator::down(connection, None).await.unwrap();
        assert_eq!(tables(&world).await, BTreeSet::from(["seaql_migrations".to_owned()]));
        Migrator::up(connection, None).await.unwrap();
        assert_eq!(tables(&world).await, there);
        Migrator::up(connection, None).await.unwrap();
    }

    async fn one_running_run_an_integration(world: World) {
        let (_, integration) = world.furnished().await;
        let (first, second) = (world.run(integration.id).await, world.run(integration.id).await);
        world.set_run(first, ActiveModel { status: Set(Running), ..Default::default() }).await;
        let transaction = world.begin().await;
        let another = ActiveModel { id: Set(second), status: Set(Running), ..Default::default() };
        let error = another.update(&transaction).await.unwrap_err();
        assert!(matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))), "{error}");
    }
}
