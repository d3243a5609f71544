//! Many schedules that are due at once, and many schedulers.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use engine::Engine;
use engine::ids::{IntegrationId, ScheduleId};
use engine::schedule::fire::{Fired, fire_due};
use entity::words::OverlapPolicy;
use entity::{Timestamp, integration, schedule, sync_run, sync_run_stream};
use platform::clock::ManualClock;
use platform::database::Backend;
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};

use crate::world::{World, new_id, on_both_databases};

const DUE: &str = "2026-03-02T06:00:00Z";
const JITTER: i32 = 60;

fn due() -> DateTime<Utc> {
    DUE.parse().unwrap()
}

impl World {
    /// This many integrations, each with a schedule that is due at [`DUE`].
    async fn herd(&self, count: usize) -> Vec<ScheduleId> {
        let (_, pattern) = self.furnished().await;
        let pattern = integration::Entity::find_by_id(pattern.id)
            .one(self.engine.db.reader())
            .await
            .unwrap()
            .unwrap();
        let at = Timestamp::from(due());
        let mut integrations = Vec::new();
        let mut schedules = Vec::new();
        for _ in 0..count {
            let id = IntegrationId::new(new_id());
            integrations.push(integration::Model {
                id,
                ..pattern.clone()
            });
            schedules.push(schedule::Model {
                id: ScheduleId::new(new_id()),
                integration_id: id,
                cron: "0 6 * * *".to_owned(),
                timezone: "UTC".to_owned(),
                jitter_seconds: JITTER,
                overlap: OverlapPolicy::Skip,
                catch_up_seconds: 3600,
                next_due_at: Some(at),
                created_at: at,
                updated_at: at,
            });
        }
        let ids = schedules.iter().map(|schedule| schedule.id).collect();
        self.insert::<_, integration::Entity>(integrations).await;
        self.insert::<_, schedule::Entity>(schedules).await;
        ids
    }

    fn at(&self, now: DateTime<Utc>) -> Engine {
        Engine {
            clock: ManualClock::at(now).shared(),
            ..self.engine.clone()
        }
    }

    async fn runs(&self) -> Vec<sync_run::Model> {
        sync_run::Entity::find()
            .all(self.engine.db.reader())
            .await
            .unwrap()
    }

    async fn change(&self, sql: String) {
        let transaction = self.begin().await;
        transaction.execute_unprepared(&sql).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

on_both_databases! {
    async fn a_thousand_due_at_once_are_fired_once_each_by_three_schedulers(world: World) {
        let herd: HashSet<_> = world.herd(1_000).await.into_iter().collect();
        let engine = world.at(due());
        let schedulers: Vec<_> = (0..3)
            .map(|_| {
                let engine = engine.clone();
                tokio::spawn(async move { fire_due(&engine).await.unwrap() })
            })
            .collect();
        let mut queued = 0;
        for scheduler in schedulers {
            queued += scheduler.await.unwrap().queued;
        }
        assert_eq!(fire_due(&engine).await.unwrap(), Fired::default(), "nothing is left");
        let runs = world.runs().await;
        assert_eq!((queued, runs.len()), (1_000, 1_000));
        let fired: HashSet<_> = runs.iter().filter_map(|run| run.schedule_id).collect();
        assert_eq!(fired, herd, "each once");
        let at = Timestamp::from(due());
        let window = i64::from(JITTER) * 1_000_000;
        let mut quarters = [0; 4];
        for run in &runs {
            assert_eq!(run.scheduled_for, Some(at));
            let late = run.not_before.micros() - at.micros();
            assert!((0..=window).contains(&late), "{late}");
            quarters[usize::try_from(late * 4 / (window + 1)).unwrap()] += 1;
        }
        // 250 expected in each; below 150 is beyond seven standard deviations.
        assert!(quarters.iter().all(|count| *count > 150), "spread by jitter: {quarters:?}");
        let correlations: HashSet<_> = runs.iter().map(|run| &run.correlation_id).collect();
        assert_eq!(correlations.len(), 1_000, "each run is told apart in the log");
        let streams = sync_run_stream::Entity::find().count(world.engine.db.reader()).await.unwrap();
        assert_eq!(streams, 2_000);
        let next: BTreeSet<_> = schedule::Entity::find().all(world.engine.db.reader()).await.unwrap()
            .into_iter().map(|schedule| schedule.next_due_at).collect();
        assert_eq!(next, BTreeSet::from([Some((due() + TimeDelta::days(1)).into())]));
    }

    async fn what_is_broken_of_a_batch_holds_up_nobody_else(world: World) {
        let herd = world.herd(250).await;
        let row = |id: ScheduleId| {
            let uuid = id.uuid();
            match world.engine.db.backend() {
                Backend::Sqlite => format!("id = x'{}'", uuid.simple()),
                Backend::Postgres => format!("id = '{uuid}'"),
            }
        };
        // A word of a newer version, an expression that no longer parses, a run that cannot be written; they come first.
        world.change(format!("UPDATE schedule SET overlap = 'SOMEHOW', next_due_at = next_due_at - 1 WHERE {}", row(herd[0]))).await;
        world.change(format!("UPDATE schedule SET cron = 'whenever', next_due_at = next_due_at - 1 WHERE {}", row(herd[1]))).await;
        world.change(format!(
            "UPDATE integration SET streams = '[\"users\", \"users\"]' WHERE id = (SELECT integration_id FROM schedule WHERE {})", row(herd[2])
        )).await;
        let engine = world.at(due());
        assert_eq!(fire_due(&engine).await.unwrap(), Fired { queued: 247, skipped: 0 });
        assert_eq!(fire_due(&engine).await.unwrap(), Fired::default());
        // What can be mended stays due, and is the lag.
        world.change("UPDATE schedule SET overlap = 'SKIP'".to_owned()).await;
        world.change("UPDATE integration SET streams = '[\"users\"]'".to_owned()).await;
        assert_eq!(fire_due(&engine).await.unwrap(), Fired { queued: 2, skipped: 0 });
        assert_eq!(world.runs().await.len(), 249);
    }
}

/// What another scheduler's transaction holds is left to it, and nobody waits for that transaction.
#[tokio::test(flavor = "multi_thread")]
async fn schedulers_on_postgresql_share_a_herd() {
    let world = World::postgres().await;
    world.herd(100).await;
    let other = world.begin().await;
    other
        .execute_unprepared("SELECT id FROM schedule ORDER BY id LIMIT 40 FOR UPDATE")
        .await
        .unwrap();
    let engine = world.at(due());
    let fired = crate::world::soon(fire_due(&engine)).await.unwrap();
    assert_eq!(fired.queued, 60);
    other.rollback().await.unwrap();
    assert_eq!(fire_due(&engine).await.unwrap().queued, 40);
}
