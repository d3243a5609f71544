//! The two nights of the year on which a local clock shows a time twice, or not at all.

use std::time::Duration;

use chrono::{DateTime, Utc};
use engine::integrations::{OverlapPolicy, ScheduleInput, UpdateIntegration};
use engine::schedule::fire::fire_due;
use engine::{Engine, Patch, ids::IntegrationId};
use entity::{schedule, skipped_tick, sync_run};
use platform::clock::{Clock, ManualClock};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder};

use crate::world::{OPERATOR, World, done, on_both_databases};

/// A night, what two schedulers fired in it, and when the schedule is due after it.
struct Night {
    zone: &'static str,
    cron: &'static str,
    from: &'static str,
    hours: u32,
    fires: &'static [&'static str],
    then: &'static str,
}

const NIGHTS: [Night; 6] = [
    // Berlin: at 03:00 CEST it is 02:00 CET, at 01:00Z. What happens twice is due the first time.
    Night {
        zone: "Europe/Berlin",
        cron: "30 2 * * *",
        from: "2026-10-24T12:00:00Z",
        hours: 24,
        fires: &["2026-10-25T00:30:00Z"],
        then: "2026-10-26T01:30:00Z",
    },
    // What repeats goes on through both hours.
    Night {
        zone: "Europe/Berlin",
        cron: "*/30 2 * * *",
        from: "2026-10-24T12:00:00Z",
        hours: 24,
        fires: &[
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
        ],
        then: "2026-10-26T01:00:00Z",
    },
    // Berlin: at 02:00 CET it is 03:00 CEST, at 01:00Z. What is skipped is due when the clock lands.
    Night {
        zone: "Europe/Berlin",
        cron: "30 2 * * *",
        from: "2027-03-27T12:00:00Z",
        hours: 24,
        fires: &["2027-03-28T01:00:00Z"],
        then: "2027-03-29T00:30:00Z",
    },
    Night {
        zone: "Europe/Berlin",
        cron: "0 * * * *",
        from: "2027-03-27T23:30:00Z",
        hours: 3,
        fires: &[
            "2027-03-28T00:00:00Z",
            "2027-03-28T01:00:00Z",
            "2027-03-28T02:00:00Z",
        ],
        then: "2027-03-28T03:00:00Z",
    },
    // New York: at 02:00 EDT it is 01:00 EST, at 06:00Z.
    Night {
        zone: "America/New_York",
        cron: "30 1 * * *",
        from: "2026-10-31T12:00:00Z",
        hours: 24,
        fires: &["2026-11-01T05:30:00Z"],
        then: "2026-11-02T06:30:00Z",
    },
    // New York: at 02:00 EST it is 03:00 EDT, at 07:00Z.
    Night {
        zone: "America/New_York",
        cron: "30 2 * * *",
        from: "2027-03-13T12:00:00Z",
        hours: 24,
        fires: &["2027-03-14T07:00:00Z"],
        then: "2027-03-15T06:30:00Z",
    },
];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl World {
    /// Lives through the night in steps of half an hour, with two schedulers that fire at every step. Every run has
    /// ended before the next step.
    async fn live_through(&self, integration: IntegrationId, night: &Night) {
        let clock = ManualClock::at(at(night.from));
        let engine = Engine {
            clock: clock.shared(),
            ..self.engine.clone()
        };
        let schedule = ScheduleInput {
            cron: night.cron.to_owned(),
            timezone: night.zone.to_owned(),
            jitter_seconds: 0,
            overlap: OverlapPolicy::Skip,
            catch_up_seconds: 0,
        };
        let change = UpdateIntegration {
            schedule: Patch::Set(schedule),
            ..UpdateIntegration::of(integration)
        };
        done(engine.integrations().update(&OPERATOR, change).await.unwrap());
        let end = at(night.from) + chrono::TimeDelta::hours(night.hours.into());
        while clock.now() < end {
            clock.advance(Duration::from_secs(30 * 60));
            let other = engine.clone();
            let other = tokio::spawn(async move { fire_due(&other).await });
            fire_due(&engine).await.unwrap();
            other.await.unwrap().unwrap();
            let transaction = self.begin().await;
            let ended =
                "UPDATE sync_run SET status = 'SUCCEEDED', finished_at = queued_at WHERE finished_at IS NULL";
            transaction.execute_unprepared(ended).await.unwrap();
            transaction.commit().await.unwrap();
        }
    }
}

on_both_databases! {
    async fn on_the_nights_of_the_change_each_due_time_fires_once(world: World) {
        let (_, integration) = world.furnished().await;
        for night in NIGHTS {
            world.live_through(integration.id, &night).await;
            let reader = world.engine.db.reader();
            let runs = sync_run::Entity::find().order_by_asc(sync_run::Column::ScheduledFor).all(reader).await.unwrap();
            let fired: Vec<DateTime<Utc>> = runs.iter().filter_map(|run| run.scheduled_for.map(Into::into)).collect();
            let expected: Vec<_> = night.fires.iter().map(|text| at(text)).collect();
            assert_eq!(fired, expected, "{} {} from {}", night.cron, night.zone, night.from);
            assert_eq!(skipped_tick::Entity::find().all(reader).await.unwrap(), [], "{} {}", night.cron, night.zone);
            let row = schedule::Entity::find().one(reader).await.unwrap().unwrap();
            assert_eq!(row.next_due_at, Some(at(night.then).into()), "{} {}", night.cron, night.zone);
            let shown = world.engine.integrations().schedules_for(&OPERATOR, &[integration.id]).await.unwrap();
            assert_eq!(shown[&integration.id].next_due_at, Some(at(night.then)), "as the API shows it");
            let transaction = world.begin().await;
            for table in ["sync_run_stream", "sync_run"] {
                transaction.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
            }
            transaction.commit().await.unwrap();
        }
    }
}
