//! What is kept of ended runs is what counting them gives, whatever became of them.

use std::time::Duration;

use chrono::TimeDelta;
use engine::Engine;
use engine::erasure::EraseClient;
use engine::ids::{ClientId, IntegrationId};
use engine::overview::Window;
use engine::queue;
use engine::runs::SyncRunStatus::{Cancelled, Failed, PartiallySucceeded, Queued, Succeeded};
use engine::runs::{ErrorKind, SyncError, SyncMode, SyncRunFilter, SyncRunStatus};
use engine::sync::{Ending, Settlement};
use entity::{Timestamp, sync_run, sync_run_client_day, sync_run_hour, sync_run_tally};
use migration::{Migrator, MigratorTrait};
use platform::clock::ManualClock;
use sea_orm::{EntityTrait, PaginatorTrait, Set};
use tokio_util::sync::CancellationToken;

use crate::work::LEASE;
use crate::world::{OPERATOR, World, done, holder_of, on_both_databases};

const WINDOWS: [(Window, i64); 4] = [
    (Window::LastHour, 1),
    (Window::Last24Hours, 24),
    (Window::Last7Days, 7 * 24),
    (Window::Last30Days, 30 * 24),
];

/// The same numbers every time, each less than `below`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

impl World {
    pub(crate) async fn fold(&self) -> u64 {
        let stop = CancellationToken::new();
        self.engine.overview().fold(&stop).await.unwrap()
    }

    /// Holds everything that is kept against the runs.
    async fn compare(&self, clients: &[ClientId], when: &str) {
        let (engine, now) = (&self.engine, self.engine.clock.now());
        let rows = sync_run::Entity::find().all(engine.db.reader()).await.unwrap();
        for client in std::iter::once(None).chain(clients.iter().copied().map(Some)) {
            let of = |row: &&sync_run::Model| client.is_none_or(|client| row.client_id == client);
            for (window, hours) in WINDOWS {
                let since = Timestamp::from(now - TimeDelta::hours(hours));
                let ended = rows
                    .iter()
                    .filter(of)
                    .filter(|row| row.finished_at.is_some_and(|at| at >= since));
                let ended: Vec<_> = ended.filter(|row| row.status != Cancelled).collect();
                let well = ended.iter().filter(|row| row.status == Succeeded).count();
                let share = (!ended.is_empty()).then(|| well as f64 / ended.len() as f64);
                let expected = (ended.len() as u64, share);
                let figures = engine
                    .overview()
                    .figures(&OPERATOR, window, client)
                    .await
                    .unwrap();
                assert_eq!(
                    (figures.syncs_executed, figures.success_rate),
                    expected,
                    "{when}: {window:?} of {client:?}"
                );
                if let Some(client) = client {
                    let own = engine
                        .overview()
                        .figures(&holder_of(client), window, None)
                        .await
                        .unwrap();
                    assert_eq!(
                        (own.syncs_executed, own.success_rate),
                        expected,
                        "{when}: {window:?} of {client}"
                    );
                }
            }
        }
        let mut filters = Vec::new();
        for client_id in std::iter::once(None).chain(clients.iter().copied().map(Some)) {
            for status in [
                vec![],
                vec![Succeeded],
                vec![Failed, Cancelled],
                vec![Queued, PartiallySucceeded],
            ] {
                filters.push(SyncRunFilter {
                    client_id,
                    status,
                    ..SyncRunFilter::default()
                });
            }
        }
        // One that is not kept, among those that are.
        let counted = SyncRunFilter {
            queued_after: Some(now - TimeDelta::days(2)),
            ..SyncRunFilter::default()
        };
        filters.insert(1, counted);
        let counts = engine.runs().counts(&OPERATOR, &filters).await.unwrap();
        for (filter, count) in filters.iter().zip(counts) {
            let expected = rows.iter().filter(|row| {
                filter.client_id.is_none_or(|client| row.client_id == client)
                    && (filter.status.is_empty() || filter.status.contains(&row.status))
                    && filter
                        .queued_after
                        .is_none_or(|after| row.queued_at > Timestamp::from(after))
            });
            assert_eq!(count, expected.count() as u64, "{when}: {filter:?}");
        }
        let (own, other) = (clients[0], clients[1]);
        let another = SyncRunFilter {
            client_id: Some(other),
            ..SyncRunFilter::default()
        };
        assert_eq!(
            engine.runs().counts(&holder_of(own), &[another]).await.unwrap(),
            [0],
            "a filter widens no scope"
        );
    }

    /// A run of one of these integrations, from its trigger to some end.
    async fn live(&self, integration: IntegrationId, dice: &mut Dice) {
        let run = self.trigger(integration, SyncMode::Incremental).await;
        let error = |retryable| SyncError {
            kind: ErrorKind::Upstream,
            code: "BROKEN".to_owned(),
            message: "It is broken.".to_owned(),
            retryable,
            stream: None,
            http_status: None,
            url: None,
        };
        let what = dice.roll(8);
        if what == 0 {
            done(self.engine.runs().cancel(&OPERATOR, run).await.unwrap());
            return;
        }
        if what == 1 {
            // Its worker is gone: back into the queue, or at its end.
            if self.claim(Duration::ZERO).await.is_some() {
                assert_eq!(queue::requeue_lost(&self.engine).await.unwrap(), 1);
            }
            return;
        }
        let Some(claim) = self.claim(LEASE).await else {
            return;
        };
        let ending = match what {
            2 => Ending::Failed {
                error: error(false),
                retry_after: None,
            },
            3 => Ending::Failed {
                error: error(true),
                retry_after: None,
            },
            4 => Ending::Drained,
            _ => Ending::Completed,
        };
        if what == 5 {
            let change = sync_run::ActiveModel {
                records_failed: Set(1),
                ..Default::default()
            };
            self.set_run(claim.id(), change).await;
        }
        let settlement = Settlement {
            ending,
            progressed: false,
        };
        queue::settle(&self.engine, &claim, &settlement).await.unwrap();
    }
}

fn with_clock(world: World, clock: &ManualClock) -> World {
    let mut world = world;
    world.engine = Engine {
        clock: clock.shared(),
        ..world.engine.clone()
    };
    world
}

on_both_databases! {
    async fn what_is_kept_is_what_counting_gives(world: World) {
        let clock = ManualClock::at("2026-03-02T05:59:00Z".parse().unwrap());
        let world = with_clock(world, &clock);
        world.connector("people").await;
        let (mut clients, mut integrations) = (Vec::new(), Vec::new());
        for slug in ["one", "two"] {
            let client = world.client(slug).await.id;
            clients.push(client);
            for name in ["first", "second"] {
                let integration = world.integration(client, name).await.id;
                world.retrying(integration, if name == "first" { 1 } else { 3 }).await;
                integrations.push(integration);
            }
        }
        let mut dice = Dice(7);
        for step in 0..80 {
            let which = dice.roll(integrations.len() as u64) as usize;
            world.live(integrations[which], &mut dice).await;
            let minutes = [0, 1, 7, 40, 200, 1_500][dice.roll(6) as usize];
            clock.advance(Duration::from_secs(minutes * 60) + Duration::from_micros(dice.roll(1_000_000)));
            if dice.roll(4) == 0 {
                world.fold().await;
            }
            if step % 4 == 0 {
                world.compare(&clients, &format!("after step {step}")).await;
            }
            if step == 40 {
                done(world.engine.integrations().delete(&OPERATOR, integrations[0]).await.unwrap());
                integrations[0] = world.integration(clients[0], "third").await.id;
                let stop = CancellationToken::new();
                while world.engine.retention().purge_deleted_integrations(&stop).await.unwrap() > 0 {}
                world.compare(&clients, "after an integration was purged").await;
            }
        }
        world.fold().await;
        let reader = world.engine.db.reader();
        assert_eq!(sync_run_tally::Entity::find().count(reader).await.unwrap(), 0);
        let ends = [Succeeded, PartiallySucceeded, Failed, Cancelled];
        let hours = sync_run_hour::Entity::find().all(reader).await.unwrap();
        for status in ends {
            assert!(hours.iter().any(|hour| hour.status == status), "the history has no {status}");
        }
        world.compare(&clients, "when all is folded").await;

        let waits = world.trigger(integrations[2], SyncMode::Incremental).await;
        let erase = EraseClient { client_id: clients[1], confirm_slug: "two".to_owned() };
        done(world.engine.erasures().request(&OPERATOR, erase).await.unwrap());
        clock.advance(Duration::from_secs(60));
        world.engine.erasures().work("worker", &CancellationToken::new()).await.unwrap();
        assert!(world.engine.runs().find(&OPERATOR, waits).await.unwrap().is_none());
        assert_eq!(sync_run_tally::Entity::find().count(reader).await.unwrap(), 0);
        world.compare(&clients, "after a client was erased").await;
        let days = sync_run_client_day::Entity::find().all(reader).await.unwrap();
        assert!(days.iter().all(|day| day.client_id == clients[0] && day.runs > 0), "{days:?}");
        let hours = sync_run_hour::Entity::find().all(reader).await.unwrap();
        assert!(hours.iter().all(|hour| hour.runs > 0), "{hours:?}");
    }

    /// At the first microsecond of a window and the last before it, and at those of an hour and a day.
    async fn a_window_begins_at_its_microsecond(world: World) {
        let clock = ManualClock::at("2026-03-02T05:59:00.000007Z".parse().unwrap());
        let world = with_clock(world, &clock);
        let (client, integration) = world.furnished().await;
        let other = world.client("other").await;
        let now = Timestamp::from(world.engine.clock.now()).micros();
        let (hour, day) = (3_600_000_000, 86_400_000_000);
        let mut at = vec![now, now + 1, now + hour];
        for (_, hours) in WINDOWS {
            let since = now - hours * hour;
            let (whole_hour, whole_day) = (since - since % hour, since - since % day);
            at.extend([since, whole_hour, whole_hour + hour, whole_day, whole_day + day].map(|at| [at - 1, at, at + 1]).concat());
        }
        for at in at {
            let run = world.run(integration.id).await;
            let change = sync_run::ActiveModel {
                status: Set(Succeeded), finished_at: Set(Some(Timestamp(at))), ..Default::default()
            };
            world.set_run(run, change).await;
        }
        let clients = [client.id, other.id];
        world.compare(&clients, "before folding").await;
        assert!(world.fold().await > 60);
        world.compare(&clients, "after folding").await;
        // On the hour and on midnight.
        clock.set("2026-03-02T06:00:00Z".parse().unwrap());
        world.compare(&clients, "on the hour").await;
        clock.set("2026-03-03T00:00:00Z".parse().unwrap());
        world.compare(&clients, "at midnight").await;
    }

    /// Two that fold at once, while runs end, take nothing twice and leave nothing.
    async fn any_number_may_fold(world: World) {
        let (client, integration) = world.furnished().await;
        let other = world.client("other").await;
        for _ in 0..60 {
            let run = world.run(integration.id).await;
            let at = world.engine.timestamp();
            let change = sync_run::ActiveModel { status: Set(Failed), finished_at: Set(Some(at)), ..Default::default() };
            let (_, one, another) = futures::join!(world.set_run(run, change), world.fold(), world.fold());
            assert!(one + another <= 2, "a row was added twice: {one}, {another}");
        }
        world.fold().await;
        assert_eq!(sync_run_tally::Entity::find().count(world.engine.db.reader()).await.unwrap(), 0);
        world.compare(&[client.id, other.id], "after all").await;
    }

    async fn what_ended_before_there_were_figures_is_in_them(world: World) {
        let (client, integration) = world.furnished().await;
        let other = world.client("other").await;
        let now = world.engine.clock.now();
        let ends: [(SyncRunStatus, i64); 6] =
            [(Succeeded, 0), (Failed, 1), (Cancelled, 30), (Succeeded, 200), (PartiallySucceeded, 700), (Succeeded, 5_000)];
        for (status, hours_ago) in ends {
            let run = world.run(integration.id).await;
            let at = Timestamp::from(now - TimeDelta::hours(hours_ago));
            let change = sync_run::ActiveModel { status: Set(status), finished_at: Set(Some(at)), ..Default::default() };
            world.set_run(run, change).await;
        }
        world.run(integration.id).await;
        let migrations = Migrator::migrations();
        let place = migrations.iter().position(|migration| migration.name().ends_with("kept_figures")).unwrap();
        let steps = u32::try_from(migrations.len() - place).unwrap();
        Migrator::down(world.engine.db.for_migration(), Some(steps)).await.unwrap();
        Migrator::up(world.engine.db.for_migration(), None).await.unwrap();
        assert_eq!(sync_run_tally::Entity::find().count(world.engine.db.reader()).await.unwrap(), 0);
        world.compare(&[client.id, other.id], "after the migration").await;
    }
}
