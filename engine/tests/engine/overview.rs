use std::time::Duration;

use engine::integrations::{OverlapPolicy, ScheduleInput, UpdateIntegration};
use engine::overview::Window;
use engine::runs::{SyncRunStatus, WaitReason};
use engine::schedule::fire::fire_due;
use engine::{Actor, Engine, Patch};
use entity::{Timestamp, sync_run};
use platform::clock::ManualClock;
use sea_orm::Set;

use crate::world::{OPERATOR, done, on_both_databases};

on_both_databases! {
    async fn counts_what_there_is(world: World) {
        let (client, integration) = world.furnished().await;
        let now = world.engine.timestamp();
        let long_ago = Timestamp(now.micros() - 2 * 3_600 * 1_000_000);
        use SyncRunStatus::{Cancelled, Failed, Queued, Running, Succeeded};
        for (status, finished_at, wait_reason) in [
            (Succeeded, Some(now), None), (Succeeded, Some(now), None), (Succeeded, Some(now), None), (Failed, Some(now), None),
            (Cancelled, Some(now), None), (Failed, Some(long_ago), None), (Running, None, None),
            (Queued, None, Some(WaitReason::Backoff)), (Queued, None, None),
        ] {
            let run = world.run(integration.id).await;
            let change = sync_run::ActiveModel {
                status: Set(status), finished_at: Set(finished_at), wait_reason: Set(wait_reason), ..Default::default()
            };
            world.set_run(run, change).await;
        }
        let figures = world.engine.overview().figures(&OPERATOR, Window::LastHour, None).await.unwrap();
        assert_eq!((figures.syncs_executed, figures.success_rate), (4, Some(0.75)));
        assert_eq!((figures.running, figures.queued, figures.retrying, figures.failing), (1, 2, 1, 0));
        assert_eq!(figures.scheduler_lag_seconds, None, "nothing is scheduled");
        let day = world.engine.overview().figures(&OPERATOR, Window::Last24Hours, Some(client.id)).await.unwrap();
        assert_eq!(day.syncs_executed, 5);
        let other = crate::world::holder_of(world.client("other").await.id);
        let none = world.engine.overview().figures(&other, Window::Last30Days, None).await.unwrap();
        assert_eq!((none.syncs_executed, none.queued, none.success_rate), (0, 0, None));
        let crossed = world.engine.overview().figures(&other, Window::Last30Days, Some(client.id)).await.unwrap();
        assert_eq!(crossed, none, "a filter widens no scope");
    }

    async fn the_lag_is_the_age_of_the_first_due_time_that_nobody_saw_to(world: World) {
        let (client, integration) = world.furnished().await;
        let clock = ManualClock::at("2026-03-02T05:59:00Z".parse().unwrap());
        let engine = Engine { clock: clock.shared(), ..world.engine.clone() };
        let schedule = ScheduleInput {
            cron: "0 * * * *".to_owned(), timezone: "UTC".to_owned(), jitter_seconds: 0, overlap: OverlapPolicy::Skip,
            catch_up_seconds: 0,
        };
        let later = world.integration(client.id, "in January").await;
        for (integration, cron) in [(integration.id, "0 * * * *"), (later.id, "0 0 1 1 *")] {
            let schedule = ScheduleInput { cron: cron.to_owned(), ..schedule.clone() };
            let change = UpdateIntegration { schedule: Patch::Set(schedule), ..UpdateIntegration::of(integration) };
            done(engine.integrations().update(&OPERATOR, change).await.unwrap());
        }
        let lag = async |actor: &Actor| {
            let figures = engine.overview().figures(actor, Window::LastHour, None).await.unwrap();
            assert_eq!(figures.scheduler_lag_seconds.unwrap_or(0.0), match actor.client() {
                Some(id) if id != client.id => 0.0,
                _ => engine.overview().gauges().await.unwrap().scheduler_lag_seconds,
            });
            figures.scheduler_lag_seconds
        };
        assert_eq!(lag(&OPERATOR).await, Some(0.0), "not due yet");
        clock.advance(Duration::from_secs(60 + 90));
        assert_eq!(lag(&OPERATOR).await, Some(90.0));
        assert_eq!(lag(&crate::world::holder_of(client.id)).await, Some(90.0));
        assert_eq!(lag(&crate::world::holder_of(world.client("other").await.id)).await, None);
        clock.advance(Duration::from_secs(3 * 3600));
        assert_eq!(lag(&OPERATOR).await, Some(3.0 * 3600.0 + 90.0), "of the first, not of the latest");
        fire_due(&engine).await.unwrap();
        assert_eq!(lag(&OPERATOR).await, Some(0.0));
    }
}
