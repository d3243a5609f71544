use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use engine::ids::{ClientId, IntegrationId, RunId};
use engine::integrations::CreateIntegration;
use engine::protection::Protection;
use engine::queue::{self, Claim, Claimer};
use engine::runs::{SyncMode, SyncRunStatus, WaitReason};
use engine::sync::{Ending, Settlement};
use entity::sync_run;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use crate::work::LEASE;
use crate::world::{OPERATOR, World, create, done, on_both_databases};

impl World {
    /// A client with so many integrations.
    async fn customer(&self, slug: &str, integrations: usize) -> (ClientId, Vec<IntegrationId>) {
        let client = self.client(slug).await.id;
        let mut ids = Vec::new();
        for number in 0..integrations {
            ids.push(self.integration(client, &format!("number {number}")).await.id);
        }
        (client, ids)
    }

    async fn trigger_all(&self, integrations: &[IntegrationId]) -> Vec<RunId> {
        let mut runs = Vec::new();
        for integration in integrations {
            runs.push(self.trigger(*integration, SyncMode::Incremental).await);
        }
        runs
    }

    async fn complete(&self, claim: &Claim) {
        let completed = Settlement {
            ending: Ending::Completed,
            progressed: false,
        };
        queue::settle(&self.engine, claim, &completed).await.unwrap();
    }
}

async fn running_of(world: &World) -> HashMap<ClientId, usize> {
    let running = sync_run::Entity::find()
        .filter(sync_run::Column::Status.eq(SyncRunStatus::Running))
        .all(world.engine.db.reader())
        .await
        .unwrap();
    let mut of_client = HashMap::new();
    for run in running {
        *of_client.entry(run.client_id).or_default() += 1;
    }
    of_client
}

on_both_databases! {
    async fn clients_take_turns_however_much_one_of_them_has_queued(world: World) {
        world.connector("people").await;
        let (busy, of_busy) = world.customer("busy", 6).await;
        world.trigger_all(&of_busy).await;
        let (quiet, of_quiet) = world.customer("quiet", 2).await;
        let (modest, of_modest) = world.customer("modest", 1).await;
        world.trigger_all(&of_quiet).await;
        world.trigger_all(&of_modest).await;
        let claimer = Claimer::new("worker", LEASE);
        let mut order = Vec::new();
        for _ in 0..9 {
            let claims = claimer.claim(&world.engine, 1).await.unwrap();
            assert_eq!(claims.len(), 1);
            order.push(claims[0].client_id());
            world.complete(&claims[0]).await;
        }
        assert_eq!(order, [busy, quiet, modest, busy, quiet, busy, busy, busy, busy]);
        assert!(claimer.claim(&world.engine, 1).await.unwrap().is_empty());
    }

    async fn who_used_much_of_the_workers_time_waits_until_the_others_had_as_much(world: World) {
        world.connector("people").await;
        let (slow, of_slow) = world.customer("slow", 4).await;
        let (quick, of_quick) = world.customer("quick", 8).await;
        world.trigger_all(&of_slow).await;
        world.trigger_all(&of_quick).await;
        let claimer = Claimer::new("worker", LEASE);
        let mut order = Vec::new();
        for _ in 0..8 {
            let claim = claimer.claim(&world.engine, 1).await.unwrap().remove(0);
            order.push(claim.client_id());
            let seconds = if claim.client_id() == slow { 4 } else { 1 };
            claimer.charge(claim.client_id(), std::time::Duration::from_secs(seconds));
            world.complete(&claim).await;
        }
        let of_quick = order.iter().filter(|client| **client == quick).count();
        assert_eq!((order[0], of_quick), (slow, 6), "four seconds of the one are four runs of the other: {order:?}");
    }

    async fn a_paused_client_takes_no_turn_from_anybody(world: World) {
        world.connector("people").await;
        let (_, of_paused) = world.customer("a-paused", 3).await;
        world.trigger_all(&of_paused).await;
        for integration in of_paused {
            done(world.engine.integrations().pause(&OPERATOR, integration).await.unwrap());
        }
        let (client, of_client) = world.customer("b-active", 3).await;
        world.trigger_all(&of_client).await;
        let claims = Claimer::new("worker", LEASE).claim(&world.engine, 2).await.unwrap();
        assert_eq!(claims.iter().map(Claim::client_id).collect::<Vec<_>>(), [client, client]);
    }

    async fn a_client_has_no_more_running_runs_than_its_cap(world: World) {
        let world = world.protected(Protection { runs_per_client: 3, ..Protection::default() });
        world.connector("people").await;
        let (client, integrations) = world.customer("busy", 5).await;
        let runs = world.trigger_all(&integrations).await;
        let claims = Claimer::new("worker", LEASE).claim(&world.engine, 10).await.unwrap();
        assert_eq!(claims.len(), 3);
        let (other, of_other) = world.customer("other", 1).await;
        world.trigger_all(&of_other).await;
        let more = Claimer::new("another", LEASE).claim(&world.engine, 10).await.unwrap();
        assert_eq!(more.iter().map(Claim::client_id).collect::<Vec<_>>(), [other]);

        let claimed: Vec<RunId> = claims.iter().map(Claim::id).collect();
        let waits: Vec<RunId> = runs.into_iter().filter(|run| !claimed.contains(run)).collect();
        let shown = world.shown(waits[0]).await;
        assert_eq!((shown.wait_reason, shown.wait_until), (Some(WaitReason::ConcurrencyLimit), None));
        world.complete(&claims[0]).await;
        assert_eq!(world.shown(waits[0]).await.wait_reason, Some(WaitReason::Ready));
        let next = Claimer::new("worker", LEASE).claim(&world.engine, 10).await.unwrap();
        assert_eq!(next.iter().map(Claim::client_id).collect::<Vec<_>>(), [client]);
    }

    async fn a_cap_holds_against_many_claimers_at_once(world: World) {
        let cap = 4;
        let world = world.protected(Protection { runs_per_client: cap, ..Protection::default() });
        world.connector("people").await;
        let mut all = Vec::new();
        for slug in ["one", "two"] {
            let (_, integrations) = world.customer(slug, 16).await;
            all.extend(world.trigger_all(&integrations).await);
        }
        let world = Arc::new(world);
        let claimers = (0..6).map(|number| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let claimer = Claimer::new(format!("worker {number}"), LEASE);
                let mut count = 0;
                for _ in 0..12 {
                    let claims = claimer.claim(&world.engine, 3).await.unwrap();
                    for (client, running) in running_of(&world).await {
                        assert!(running <= cap as usize, "{running} runs of {client} run");
                    }
                    for claim in &claims {
                        world.complete(claim).await;
                        count += 1;
                    }
                }
                count
            })
        });
        let mut total = 0;
        for claimer in claimers.collect::<Vec<_>>() {
            total += claimer.await.unwrap();
        }
        let claimer = Claimer::new("last", LEASE);
        loop {
            let claims = claimer.claim(&world.engine, 8).await.unwrap();
            if claims.is_empty() {
                break;
            }
            for claim in &claims {
                world.complete(claim).await;
                total += 1;
            }
        }
        assert_eq!(total, all.len());
    }

    async fn a_connector_has_no_more_running_runs_than_its_cap(world: World) {
        let world = world.protected(Protection { runs_per_connector: Some(2), ..Protection::default() });
        world.connector("people").await;
        world.connector("places").await;
        let mut runs = Vec::new();
        for slug in ["one", "two"] {
            let (client, integrations) = world.customer(slug, 2).await;
            runs.extend(world.trigger_all(&integrations).await);
            let place = CreateIntegration { connector: "places".to_owned(), ..create(client, "place") };
            let place = done(world.engine.integrations().create(&OPERATOR, place).await.unwrap());
            world.trigger_all(&[place.id]).await;
        }
        let claims = Claimer::new("worker", LEASE).claim(&world.engine, 10).await.unwrap();
        let people = claims.iter().filter(|claim| runs.contains(&claim.id())).count();
        assert_eq!((claims.len(), people), (4, 2), "two of each connector");
        let claimed: Vec<RunId> = claims.iter().map(Claim::id).collect();
        let waits = runs.iter().find(|run| !claimed.contains(run)).unwrap();
        assert_eq!(world.shown(*waits).await.wait_reason, Some(WaitReason::ConcurrencyLimit));
    }

    async fn a_wait_behind_others_is_estimated_from_what_runs_took(world: World) {
        let (_, integration) = world.furnished().await;
        let first = world.trigger(integration.id, SyncMode::Incremental).await;
        let second = world.trigger(integration.id, SyncMode::Incremental).await;
        let third = world.trigger(integration.id, SyncMode::Incremental).await;
        let shown = world.shown(third).await;
        assert_eq!((shown.wait_reason, shown.wait_until), (Some(WaitReason::QueuedBehind), None), "there is no history");

        let claim = world.claim(LEASE).await.unwrap();
        assert_eq!(claim.id(), first);
        world.complete(&claim).await;
        let ended = world.shown(first).await.finished_at.unwrap();
        let began = ended - TimeDelta::minutes(3);
        world.set_run(first, sync_run::ActiveModel { started_at: Set(Some(began.into())), ..Default::default() }).await;
        let claim = world.claim(LEASE).await.unwrap();
        assert_eq!(claim.id(), second);
        let since = world.shown(second).await.started_at.unwrap();
        let shown = world.shown(third).await;
        assert_eq!(shown.wait_until, Some(since + TimeDelta::minutes(3)));
        let fourth = world.trigger(integration.id, SyncMode::Incremental).await;
        assert_eq!(world.shown(fourth).await.wait_until, Some(since + TimeDelta::minutes(6)));
    }
}
