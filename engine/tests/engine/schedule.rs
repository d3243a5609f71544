use chrono::{DateTime, TimeDelta, Utc};
use engine::integrations::{OverlapPolicy, ScheduleInput, UpdateIntegration};
use engine::runs::{SyncMode, SyncRun, SyncRunFilter, SyncRunStatus, SyncTrigger, WaitReason};
use engine::schedule::fire::{Fired, fire_due};
use engine::{Engine, PageRequest, Patch, ids::IntegrationId};
use entity::words::SkipReason;
use entity::{schedule, skipped_tick};
use platform::clock::ManualClock;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QueryOrder, Set};

use crate::work::LEASE;
use crate::world::{OPERATOR, World, done, on_both_databases};

impl World {
    /// Gives the integration an hourly schedule whose last due time nobody saw to; gives that due time.
    async fn overdue(
        &self,
        integration: IntegrationId,
        overlap: OverlapPolicy,
        jitter: i32,
    ) -> DateTime<Utc> {
        self.away(integration, overlap, jitter, 1, 3600).await
    }

    /// Gives the integration an hourly schedule whose last due times nobody saw to; gives the first of them.
    async fn away(
        &self,
        integration: IntegrationId,
        overlap: OverlapPolicy,
        jitter: i32,
        hours: i64,
        catch_up_seconds: i32,
    ) -> DateTime<Utc> {
        let schedule = ScheduleInput {
            cron: "0 * * * *".to_owned(),
            timezone: "UTC".to_owned(),
            jitter_seconds: jitter,
            overlap,
            catch_up_seconds,
        };
        let change = UpdateIntegration {
            schedule: Patch::Set(schedule),
            ..UpdateIntegration::of(integration)
        };
        done(
            self.engine
                .integrations()
                .update(&OPERATOR, change)
                .await
                .unwrap(),
        );
        let row = self.schedule().await;
        let next: DateTime<Utc> = row.next_due_at.unwrap().into();
        assert!(next > self.engine.clock.now());
        let due = next - TimeDelta::hours(hours);
        let transaction = self.begin().await;
        let mut row = row.into_active_model();
        row.next_due_at = Set(Some(due.into()));
        row.update(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
        due
    }

    async fn schedule(&self) -> schedule::Model {
        schedule::Entity::find()
            .one(self.engine.db.reader())
            .await
            .unwrap()
            .unwrap()
    }

    async fn all_runs(&self) -> Vec<SyncRun> {
        let page = PageRequest::first(100);
        self.engine
            .runs()
            .list(&OPERATOR, &SyncRunFilter::default(), &page)
            .await
            .unwrap()
            .into_items()
            .collect()
    }

    async fn skips(&self) -> Vec<SkipReason> {
        let rows = skipped_tick::Entity::find()
            .order_by_asc(skipped_tick::Column::DueAt)
            .all(self.engine.db.reader())
            .await
            .unwrap();
        rows.into_iter().map(|row| row.reason).collect()
    }
}

const QUEUED: Fired = Fired {
    queued: 1,
    skipped: 0,
};
const SKIPPED: Fired = Fired {
    queued: 0,
    skipped: 1,
};

on_both_databases! {
    async fn after_a_downtime_it_fires_once_for_the_latest_due_time(world: World) {
        let (_, integration) = world.furnished().await;
        let due = world.away(integration.id, OverlapPolicy::Skip, 0, 5, 3 * 3600).await;
        assert_eq!(fire_due(&world.engine).await.unwrap(), QUEUED);
        assert_eq!(fire_due(&world.engine).await.unwrap(), Fired::default());
        let runs = world.all_runs().await;
        assert_eq!((runs.len(), runs[0].trigger), (1, SyncTrigger::Schedule));
        assert_eq!(runs[0].scheduled_for, Some(due + TimeDelta::hours(4)));
        // Three hours back from now there are two due times more; what lies before was missed.
        use SkipReason::{Coalesced, MissedOutsideCatchUp};
        assert_eq!(world.skips().await, [MissedOutsideCatchUp, MissedOutsideCatchUp, Coalesced, Coalesced]);
        let next: DateTime<Utc> = world.schedule().await.next_due_at.unwrap().into();
        assert_eq!(next, due + TimeDelta::hours(5));
    }

    async fn without_a_window_what_was_missed_is_recorded_and_not_run(world: World) {
        let (_, integration) = world.furnished().await;
        let due = world.away(integration.id, OverlapPolicy::Skip, 0, 3, 0).await;
        let later = Engine {
            clock: ManualClock::at(due + TimeDelta::minutes(150)).shared(),
            ..world.engine.clone()
        };
        let fired = fire_due(&later).await.unwrap();
        assert_eq!(fired, SKIPPED);
        assert_eq!(world.all_runs().await.len(), 0);
        assert_eq!(world.skips().await, [SkipReason::MissedOutsideCatchUp; 3]);
    }

    async fn many_schedulers_fire_one_due_time_once(world: World) {
        let (_, integration) = world.furnished().await;
        world.overdue(integration.id, OverlapPolicy::Skip, 0).await;
        let schedulers = (0..8).map(|_| {
            let engine = world.engine.clone();
            tokio::spawn(async move { fire_due(&engine).await.unwrap() })
        });
        let mut queued = 0;
        for scheduler in schedulers.collect::<Vec<_>>() {
            queued += scheduler.await.unwrap().queued;
        }
        assert_eq!((queued, world.all_runs().await.len()), (1, 1));
    }

    async fn jitter_delays(world: World) {
        let (_, integration) = world.furnished().await;
        // The due time may be up to an hour ago, so the run is late by most of a day's jitter.
        world.overdue(integration.id, OverlapPolicy::Skip, 3600).await;
        fire_due(&world.engine).await.unwrap();
        let run = world.all_runs().await.remove(0);
        if run.wait_reason == Some(WaitReason::NotDue) {
            assert!(run.wait_until.unwrap() > world.engine.clock.now());
            assert!(world.claim(LEASE).await.is_none());
        } else {
            assert_eq!(run.wait_reason, Some(WaitReason::Ready));
        }
    }

    async fn skipping_while_a_run_is_active(world: World) {
        let (_, integration) = world.furnished().await;
        world.trigger(integration.id, SyncMode::Incremental).await;
        world.overdue(integration.id, OverlapPolicy::Skip, 0).await;
        assert_eq!(fire_due(&world.engine).await.unwrap(), SKIPPED);
        assert_eq!(world.skips().await, [SkipReason::Overlap]);
    }

    async fn buffering_one(world: World) {
        let (_, integration) = world.furnished().await;
        world.trigger(integration.id, SyncMode::Incremental).await;
        world.claim(LEASE).await.unwrap();
        world.overdue(integration.id, OverlapPolicy::BufferOne, 0).await;
        assert_eq!(fire_due(&world.engine).await.unwrap(), QUEUED);
        assert_eq!(world.all_runs().await[0].wait_reason, Some(WaitReason::QueuedBehind));
        let transaction = world.begin().await;
        let mut row = world.schedule().await.into_active_model();
        row.next_due_at = Set(Some((world.engine.clock.now() - TimeDelta::hours(9)).into()));
        row.update(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(fire_due(&world.engine).await.unwrap().queued, 0, "one is buffered, not two");
    }

    async fn cancelling_what_runs(world: World) {
        let (_, integration) = world.furnished().await;
        let running = world.trigger(integration.id, SyncMode::Incremental).await;
        world.claim(LEASE).await.unwrap();
        let waiting = world.trigger(integration.id, SyncMode::Incremental).await;
        world.overdue(integration.id, OverlapPolicy::CancelRunning, 0).await;
        assert_eq!(fire_due(&world.engine).await.unwrap(), QUEUED);
        let cancelled = engine::queue::cancel_requested(&world.engine, &[running, waiting]).await.unwrap();
        assert_eq!(cancelled.len(), 2);
        assert_eq!(world.shown(waiting).await.status, SyncRunStatus::Cancelled);
        assert_eq!(world.shown(running).await.status, SyncRunStatus::Running);
    }

    async fn a_paused_integration_s_due_time_is_skipped_with_the_reason(world: World) {
        let (client, integration) = world.furnished().await;
        world.overdue(integration.id, OverlapPolicy::Skip, 0).await;
        done(world.engine.integrations().pause(&OPERATOR, integration.id).await.unwrap());
        assert_eq!(fire_due(&world.engine).await.unwrap(), SKIPPED);
        assert_eq!(world.skips().await, [SkipReason::Paused]);
        world.overdue(integration.id, OverlapPolicy::Skip, 0).await;
        let transaction = world.begin().await;
        skipped_tick::Entity::delete_many().exec(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
        done(world.engine.clients().archive(&OPERATOR, client.id).await.unwrap());
        assert_eq!(fire_due(&world.engine).await.unwrap(), SKIPPED);
        assert_eq!(world.skips().await, [SkipReason::ClientArchived]);
        assert!(world.all_runs().await.is_empty());
    }
}
