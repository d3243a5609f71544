use engine::ids::IntegrationId;
use engine::integrations::SchemaDrift;
use engine::runs::{LogLevel, SyncMode, SyncRun, SyncRunStatus};
use engine::sync::DriftKind;
use engine::{Listing, PageRequest};
use entity::outbox_event;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::upstream::{Step, Upstream};
use crate::world::{OPERATOR, World, holder_of, on_both_databases};

async fn sync(world: &World, integration: IntegrationId, records: Vec<Value>) -> SyncRun {
    let upstream = Upstream::of("users", vec![Step::Page(records)]);
    world.sync(integration, SyncMode::Incremental, &upstream).await
}

fn priced(price: &Value) -> Vec<Value> {
    (1..=6).map(|id| json!({ "id": id, "price": price })).collect()
}

async fn drift(world: &World, integration: IntegrationId) -> Vec<SchemaDrift> {
    let found = world
        .engine
        .integrations()
        .schema_drift(&OPERATOR, &[integration])
        .await
        .unwrap();
    found.into_values().flatten().collect()
}

async fn warnings(world: &World, run: &SyncRun) -> Vec<String> {
    let listing = Listing::new(&(run.id, LogLevel::Warn), &PageRequest::first(50));
    let found = world.engine.runs().logs(&OPERATOR, &[listing]).await.unwrap();
    let lines = found.into_iter().next().unwrap().unwrap();
    lines.into_items().map(|line| line.message).collect()
}

async fn events(world: &World) -> u64 {
    outbox_event::Entity::find()
        .filter(outbox_event::Column::EventType.eq("integration.schema_drifted"))
        .count(world.engine.db.reader())
        .await
        .unwrap()
}

on_both_databases! {
    async fn another_type_is_said_once_and_stays_to_be_seen_until_it_is_over(world: World) {
        let (_, integration) = world.furnished().await;
        let run = sync(&world, integration.id, priced(&json!(1.5))).await;
        assert!(warnings(&world, &run).await.is_empty());
        assert!(drift(&world, integration.id).await.is_empty());

        let run = sync(&world, integration.id, priced(&json!("1.50"))).await;
        assert_eq!(run.status, SyncRunStatus::Succeeded, "drift fails nothing");
        assert_eq!(run.progress.records_updated, 6, "the records are kept as they come");
        let told = warnings(&world, &run).await;
        assert!(matches!(told.as_slice(), [one] if one.contains("price") && one.contains("string")), "{told:?}");
        let found = drift(&world, integration.id).await;
        assert_eq!(found.len(), 1);
        let field = &found[0].field;
        assert_eq!((found[0].stream.as_str(), field.field.as_str(), field.kind), ("users", "price", DriftKind::TypeChanged));
        assert_eq!((field.expected.as_str(), field.found.as_deref()), ("number", Some("string")));
        assert_eq!(events(&world).await, 1);

        let run = sync(&world, integration.id, priced(&json!("1.60"))).await;
        assert!(warnings(&world, &run).await.is_empty(), "it was said");
        assert_eq!(drift(&world, integration.id).await, found);
        assert_eq!(events(&world).await, 1);

        sync(&world, integration.id, priced(&json!(2))).await;
        assert!(drift(&world, integration.id).await.is_empty());
    }

    async fn a_field_that_all_records_had_and_none_has_is_gone(world: World) {
        let (_, integration) = world.furnished().await;
        sync(&world, integration.id, priced(&json!(1))).await;
        let without: Vec<Value> = (1..=6).map(|id| json!({ "id": id })).collect();
        let run = sync(&world, integration.id, without).await;
        let told = warnings(&world, &run).await;
        assert!(matches!(told.as_slice(), [one] if one.contains("price was in all records")), "{told:?}");
        let kinds: Vec<_> = drift(&world, integration.id).await.into_iter().map(|drift| drift.field.kind).collect();
        assert_eq!(kinds, [DriftKind::FieldVanished], "name, which no record ever had, is not missed");
    }

    async fn another_client_sees_nothing_of_it(world: World) {
        let (_, integration) = world.furnished().await;
        sync(&world, integration.id, priced(&json!("x"))).await;
        let other = holder_of(world.client("other").await.id);
        assert!(world.engine.integrations().schema_drift(&other, &[integration.id]).await.unwrap().is_empty());
        assert_eq!(drift(&world, integration.id).await.len(), 1);
    }
}
