//! Runs that are settled together. The first settlement is held up, so that the others gather behind it.

use chrono::TimeDelta;
use engine::ids::RunId;
use engine::queue::{self, Claim, Claimer, Settler};
use engine::runs::{SyncMode, SyncRunStatus};
use engine::sync::{Ending, Settlement};
use entity::{Timestamp, integration, outbox_event, sync_attempt, sync_run};
use futures::future::{join, join_all};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Set};

use crate::work::LEASE;
use crate::world::{World, on_both_databases, soon};

const DONE: Settlement = Settlement {
    ending: Ending::Completed,
    progressed: false,
};

impl World {
    /// This many claimed runs, each of an integration of its own.
    async fn claimed(&self, many: usize) -> Vec<Claim> {
        let (client, _) = self.furnished().await;
        for number in 0..many {
            let integration = self.integration(client.id, &format!("number {number}")).await;
            self.trigger(integration.id, SyncMode::Incremental).await;
        }
        let claims = Claimer::new("worker", LEASE)
            .claim(&self.engine, many)
            .await
            .unwrap();
        assert_eq!(claims.len(), many);
        claims
    }

    /// Settles them: the first alone, the others together.
    async fn settle_together(&self, claims: &[Claim]) {
        let settler = Settler::new(self.engine.clone());
        let held_up = self.begin().await;
        // On PostgreSQL this row's lock is what the first one waits for, on SQLite the turn to write.
        let row = sync_run::ActiveModel {
            id: Set(claims[0].id()),
            updated_at: Set(self.engine.timestamp()),
            ..Default::default()
        };
        row.update(&held_up).await.unwrap();
        let settled = join_all(claims.iter().map(|claim| settler.settle(claim, &DONE)));
        // Polled in this order: every run is ready before the first one's way is free.
        let (settled, freed) = soon(join(settled, held_up.commit())).await;
        freed.unwrap();
        for outcome in settled {
            outcome.unwrap();
        }
    }

    async fn status(&self, run: RunId) -> SyncRunStatus {
        let row = sync_run::Entity::find_by_id(run)
            .one(self.engine.db.reader())
            .await
            .unwrap();
        row.unwrap().status
    }

    /// How many attempts and events say that the run ended.
    async fn said_to_have_ended(&self, run: RunId) -> (u64, u64) {
        let reader = self.engine.db.reader();
        let attempts = sync_attempt::Entity::find()
            .filter(sync_attempt::Column::RunId.eq(run))
            .filter(sync_attempt::Column::FinishedAt.is_not_null());
        let events = outbox_event::Entity::find()
            .filter(outbox_event::Column::Subject.eq(run.to_string()))
            .filter(outbox_event::Column::EventType.eq("sync_run.succeeded"));
        (
            attempts.count(reader).await.unwrap(),
            events.count(reader).await.unwrap(),
        )
    }

    async fn only_this_one_was_left(&self, claims: &[Claim], left: RunId) {
        for claim in claims {
            let run = claim.id();
            let (status, said) = (self.status(run).await, self.said_to_have_ended(run).await);
            let expected = if run == left {
                (SyncRunStatus::Running, (0, 0))
            } else {
                (SyncRunStatus::Succeeded, (1, 1))
            };
            assert_eq!((status, said), expected, "{run}");
        }
    }
}

on_both_databases! {
    async fn what_follows_from_an_end_follows_for_each_of_many(world: World) {
        let claims = world.claimed(5).await;
        let failing = integration::ActiveModel {
            id: Set(claims[3].integration_id()), consecutive_failures: Set(4), ..Default::default()
        };
        let partly = sync_run::ActiveModel { records_failed: Set(1), ..Default::default() };
        world.set_run(claims[4].id(), partly).await;
        let transaction = world.begin().await;
        failing.update(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
        world.settle_together(&claims).await;
        for claim in &claims[..4] {
            assert_eq!(world.status(claim.id()).await, SyncRunStatus::Succeeded);
            assert_eq!(world.said_to_have_ended(claim.id()).await, (1, 1));
        }
        assert_eq!(world.status(claims[4].id()).await, SyncRunStatus::PartiallySucceeded);
        for claim in &claims {
            let row = integration::Entity::find_by_id(claim.integration_id()).one(world.engine.db.reader()).await.unwrap();
            let row = row.unwrap();
            assert_eq!((row.consecutive_failures, row.last_run_status), (0, Some(world.status(claim.id()).await)));
        }
    }

    async fn a_stale_fence_in_a_group_changes_nothing(world: World) {
        let claims = world.claimed(5).await;
        let again = sync_run::ActiveModel { fence: Set(claims[2].fence() + 1), ..Default::default() };
        world.set_run(claims[2].id(), again).await;
        world.settle_together(&claims).await;
        world.only_this_one_was_left(&claims, claims[2].id()).await;
    }

    async fn a_lease_that_ended_in_a_group_changes_nothing(world: World) {
        let claims = world.claimed(5).await;
        let past = Timestamp::from(world.engine.clock.now() - TimeDelta::seconds(1));
        world.set_run(claims[2].id(), sync_run::ActiveModel { lease_until: Set(Some(past)), ..Default::default() }).await;
        world.settle_together(&claims).await;
        world.only_this_one_was_left(&claims, claims[2].id()).await;
    }

    async fn one_that_fails_its_group_does_not_take_the_others_with_it(world: World) {
        let claims = world.claimed(5).await;
        let transaction = world.begin().await;
        // An end that cannot be written, whoever's turn it is.
        forbid_the_end_of(&transaction, claims[2].id()).await;
        transaction.commit().await.unwrap();
        let settler = Settler::new(world.engine.clone());
        let settled = soon(join_all(claims.iter().map(|claim| settler.settle(claim, &DONE)))).await;
        let failed: Vec<bool> = settled.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, true, false, false]);
        world.only_this_one_was_left(&claims, claims[2].id()).await;
    }

    async fn a_renewal_finds_out_which_are_lost(world: World) {
        let claims = world.claimed(3).await;
        let again = sync_run::ActiveModel { fence: Set(claims[0].fence() + 1), ..Default::default() };
        world.set_run(claims[0].id(), again).await;
        world.set_run(claims[1].id(), sync_run::ActiveModel { cancel_requested: Set(true), ..Default::default() }).await;
        let keys: Vec<_> = claims.iter().map(Claim::key).collect();
        let mut kept = queue::renew(&world.engine, &keys, LEASE).await.unwrap();
        kept.sort_by_key(|renewed| renewed.run);
        let mut expected = [(claims[1].id(), true), (claims[2].id(), false)];
        expected.sort_unstable();
        assert_eq!(kept.iter().map(|renewed| (renewed.run, renewed.cancel_requested)).collect::<Vec<_>>(), expected);
    }
}

async fn forbid_the_end_of(connection: &impl sea_orm::ConnectionTrait, run: RunId) {
    let id = run.uuid().simple().to_string();
    let statements = match connection.get_database_backend() {
        sea_orm::DbBackend::Postgres => vec![
            format!(
                "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN IF NEW.id = '{id}' AND NEW.finished_at IS NOT NULL THEN RAISE EXCEPTION 'forbidden'; END IF; RETURN NEW; END $$"
            ),
            "CREATE TRIGGER forbid BEFORE UPDATE ON sync_run FOR EACH ROW EXECUTE FUNCTION forbid()"
                .to_owned(),
        ],
        _ => vec![format!(
            "CREATE TRIGGER forbid BEFORE UPDATE ON sync_run WHEN NEW.id = X'{id}' AND NEW.finished_at IS NOT NULL \
             BEGIN SELECT RAISE(ABORT, 'forbidden'); END"
        )],
    };
    for statement in statements {
        connection.execute_unprepared(&statement).await.unwrap();
    }
}
