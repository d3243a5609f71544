use chrono::TimeDelta;
use engine::runs::LogLevel;
use entity::{Timestamp, integration, outbox_event, record, run_log, stream_state, sync_run};
use platform::clock::{Clock, SystemClock};
use sea_orm::{EntityTrait, NotSet, PaginatorTrait, Set};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::{OPERATOR, done, on_both_databases};

on_both_databases! {
    async fn old_lines_go(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.run(integration.id).await;
        let now = SystemClock.now();
        let before = run_log::Entity::find().count(world.engine.db.reader()).await.unwrap();
        let line = |index: i64| run_log::ActiveModel {
            id: NotSet,
            run_id: Set(run),
            at: Set(Timestamp::from(now - TimeDelta::days(if index < 2_500 { 40 } else { 1 }))),
            level: Set(LogLevel::Info.code()),
            message: Set("page".to_owned()),
            fields: Set(json!({})),
        };
        world.insert::<_, run_log::Entity>((0..2_600).map(line).collect()).await;
        let stop = CancellationToken::new();
        let purged = world.engine.retention().purge_logs(now - TimeDelta::days(30), &stop).await.unwrap();
        assert_eq!(purged, 2_500);
        assert_eq!(run_log::Entity::find().count(world.engine.db.reader()).await.unwrap(), before + 100);
    }

    async fn the_sequence_goes_on(world: World) {
        for slug in ["a", "b", "c"] {
            world.client(slug).await;
        }
        world.engine.events().relay().await.unwrap();
        world.client("unrelayed").await;
        let stop = CancellationToken::new();
        let future = SystemClock.now() + TimeDelta::days(1);
        assert_eq!(world.engine.retention().purge_events(future, &stop).await.unwrap(), 2);
        assert_eq!(outbox_event::Entity::find().count(world.engine.db.reader()).await.unwrap(), 2);
        world.engine.events().relay().await.unwrap();
        let events = world.engine.events().list_after(&OPERATOR, 0, &[], 10).await.unwrap();
        assert_eq!(events.iter().filter_map(|event| event.sequence).collect::<Vec<_>>(), [3, 4]);
    }

    async fn everything_of_a_deleted_integration_goes(world: World) {
        let (client, integration) = world.furnished().await;
        let kept = world.integration(client.id, "kept").await;
        for id in [integration.id, kept.id] {
            let stream = world.stream(id, "users").await;
            world.record(id, stream, "a", 1).await;
            world.run(id).await;
        }
        done(world.engine.integrations().delete(&OPERATOR, integration.id).await.unwrap());
        let stop = CancellationToken::new();
        assert!(world.engine.retention().purge_deleted_integrations(&stop).await.unwrap() >= 4);
        assert_eq!(world.engine.retention().purge_deleted_integrations(&stop).await.unwrap(), 0);
        let reader = world.engine.db.reader();
        assert_eq!(integration::Entity::find().all(reader).await.unwrap().len(), 1);
        assert_eq!(stream_state::Entity::find().all(reader).await.unwrap()[0].integration_id, kept.id);
        assert_eq!(record::Entity::find().count(reader).await.unwrap(), 1);
        assert_eq!(sync_run::Entity::find().all(reader).await.unwrap()[0].integration_id, kept.id);
    }
}
