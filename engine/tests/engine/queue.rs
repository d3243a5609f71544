use std::collections::HashSet;
use std::time::Duration;

use chrono::TimeDelta;
use engine::integrations::PauseReason;
use engine::queue::{self, Claimer};
use engine::runs::{ErrorKind, SyncMode, SyncRunFilter, SyncRunStatus, TriggerSync, WaitReason};
use engine::sync::{Ending, Settlement, StopSignals};
use engine::{PageRequest, RefusalCode};
use entity::Timestamp;
use entity::words::{DeadLetterKind, DeadLetterStatus};
use entity::{dead_letter, outbox_event, sync_attempt, sync_run};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Set};

use crate::upstream::{Step, Upstream, nothing_stops, rate_limited, unauthorized, unavailable, users};
use crate::work::{BRIEF, LEASE, request};
use crate::world::{OPERATOR, done, on_both_databases, refused, soon};

on_both_databases! {
    async fn one_run_of_an_integration_at_a_time_and_the_first_first(world: World) {
        let (client, integration) = world.furnished().await;
        let other = world.integration(client.id, "other").await;
        let first = world.trigger(integration.id, SyncMode::Incremental).await;
        let second = world.trigger(integration.id, SyncMode::Incremental).await;
        let elsewhere = world.trigger(other.id, SyncMode::Incremental).await;
        assert_eq!(world.shown(first).await.wait_reason, Some(WaitReason::Ready));
        assert_eq!(world.shown(second).await.wait_reason, Some(WaitReason::QueuedBehind));
        let claims = Claimer::new("worker", LEASE).claim(&world.engine, 10).await.unwrap();
        let claimed: Vec<_> = claims.iter().map(queue::Claim::id).collect();
        assert_eq!(claimed.iter().copied().collect::<HashSet<_>>(), HashSet::from([first, elsewhere]));
        assert!(world.claim(LEASE).await.is_none());
        assert_eq!(world.shown(second).await.wait_reason, Some(WaitReason::QueuedBehind));
        let done = Settlement { ending: Ending::Completed, progressed: false };
        for claim in &claims {
            queue::settle(&world.engine, claim, &done).await.unwrap();
        }
        assert_eq!(world.claim(LEASE).await.unwrap().id(), second);
    }

    async fn claimers_do_not_get_in_each_other_s_way(world: World) {
        let (client, integration) = world.furnished().await;
        let mut integrations = vec![integration.id];
        for number in 0..7 {
            integrations.push(world.integration(client.id, &format!("number {number}")).await.id);
        }
        for _ in 0..3 {
            for integration in &integrations {
                world.trigger(*integration, SyncMode::Incremental).await;
            }
        }
        let workers = (0..6).map(|number| {
            let engine = world.engine.clone();
            let claimer = Claimer::new(format!("worker {number}"), LEASE);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for _ in 0..8 {
                    let claims = claimer.claim(&engine, 3).await.unwrap();
                    let running = sync_run::Entity::find()
                        .filter(sync_run::Column::Status.eq(SyncRunStatus::Running))
                        .all(engine.db.reader())
                        .await
                        .unwrap();
                    let distinct: HashSet<_> = running.iter().map(|run| run.integration_id).collect();
                    assert_eq!(distinct.len(), running.len(), "two running runs of one integration");
                    for claim in claims {
                        let done = Settlement { ending: Ending::Completed, progressed: false };
                        queue::settle(&engine, &claim, &done).await.unwrap();
                        mine.push(claim.key());
                    }
                }
                mine
            })
        });
        let mut claimed = Vec::new();
        for worker in workers.collect::<Vec<_>>() {
            claimed.extend(worker.await.unwrap());
        }
        while let Some(claim) = world.claim(LEASE).await {
            claimed.push(claim.key());
            let done = Settlement { ending: Ending::Completed, progressed: false };
            queue::settle(&world.engine, &claim, &done).await.unwrap();
        }
        assert_eq!(claimed.len(), 24);
        assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), 24);
        assert!(claimed.iter().all(|(_, fence)| *fence == 1), "a run was claimed twice");
    }

    async fn the_index_refuses_a_second_running_run(world: World) {
        let (_, integration) = world.furnished().await;
        world.trigger(integration.id, SyncMode::Incremental).await;
        let second = world.trigger(integration.id, SyncMode::Incremental).await;
        world.claim(LEASE).await.unwrap();
        let transaction = world.begin().await;
        let change = sync_run::ActiveModel { status: Set(SyncRunStatus::Running), ..Default::default() };
        let forced = sync_run::Entity::update_many()
            .set(change)
            .filter(sync_run::Column::Id.eq(second))
            .exec(&transaction)
            .await;
        assert!(forced.is_err());
    }

    async fn what_has_begun_ends_before_another_begins(world: World) {
        let (_, integration) = world.furnished().await;
        let begun = world.trigger(integration.id, SyncMode::Incremental).await;
        let claim = world.claim(LEASE).await.unwrap();
        let drained = Settlement { ending: Ending::Drained, progressed: false };
        queue::settle(&world.engine, &claim, &drained).await.unwrap();
        // Queued before it by the clock of a process whose commit took longer.
        let late = world.trigger(integration.id, SyncMode::Incremental).await;
        let before = sync_run::ActiveModel {
            queued_at: Set(Timestamp::from(world.engine.clock.now() - TimeDelta::hours(1))), ..Default::default()
        };
        world.set_run(late, before).await;
        assert_eq!(world.claim(LEASE).await.unwrap().id(), begun);
    }

    async fn one_key_makes_one_run(world: World) {
        let (_, integration) = world.furnished().await;
        let keyed = TriggerSync {
            idempotency_key: Some("order-7".to_owned()),
            ..request(integration.id, SyncMode::Incremental)
        };
        let calls = (0..20).map(|_| {
            let (engine, keyed) = (world.engine.clone(), keyed.clone());
            tokio::spawn(async move { done(engine.runs().trigger(&OPERATOR, keyed).await.unwrap()) })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|answer| !answer.deduplicated).count(), 1);
        assert_eq!(answers.iter().map(|answer| answer.run.id).collect::<HashSet<_>>().len(), 1);
        let other = TriggerSync { mode: SyncMode::FullRefresh, ..keyed.clone() };
        let mismatch = world.engine.runs().trigger(&OPERATOR, other).await.unwrap();
        assert_eq!(refused(&mismatch), [(RefusalCode::IdempotencyMismatch, "idempotencyKey".to_owned())]);
        // Its answer stays the answer when the run has ended, and when a new run would be refused.
        world.work(&Upstream::default(), &nothing_stops()).await;
        done(world.engine.integrations().pause(&OPERATOR, integration.id).await.unwrap());
        let again = done(world.engine.runs().trigger(&OPERATOR, keyed).await.unwrap());
        assert!(again.deduplicated && again.run.status == SyncRunStatus::Succeeded);
    }

    async fn a_key_is_free_again_after_a_day(world: World) {
        let (_, integration) = world.furnished().await;
        let keyed = TriggerSync {
            idempotency_key: Some("nightly".to_owned()),
            ..request(integration.id, SyncMode::Incremental)
        };
        let first = done(world.engine.runs().trigger(&OPERATOR, keyed.clone()).await.unwrap()).run.id;
        let queued = |hours| sync_run::ActiveModel {
            queued_at: Set(Timestamp::from(world.engine.clock.now() - TimeDelta::hours(hours))), ..Default::default()
        };
        world.set_run(first, queued(23)).await;
        let again = done(world.engine.runs().trigger(&OPERATOR, keyed.clone()).await.unwrap());
        assert!(again.deduplicated && again.run.id == first);
        world.set_run(first, queued(24)).await;
        // Of many who ask at once, one makes the new run, and the others are given it.
        let calls = (0..10).map(|_| {
            let (engine, keyed) = (world.engine.clone(), keyed.clone());
            tokio::spawn(async move { done(engine.runs().trigger(&OPERATOR, keyed).await.unwrap()) })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|answer| !answer.deduplicated).count(), 1);
        let made: HashSet<_> = answers.iter().map(|answer| answer.run.id).collect();
        assert!(made.len() == 1 && !made.contains(&first), "{made:?}");
        let page = world.engine.runs().list(&OPERATOR, &SyncRunFilter::default(), &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.len(), 2, "the first run is still there");
    }

    async fn what_cannot_be_triggered(world: World) {
        let (_, integration) = world.furnished().await;
        let runs = world.engine.runs();
        let with = |streams: &[&str]| TriggerSync {
            streams: Some(streams.iter().map(|name| (*name).to_owned()).collect()),
            ..request(integration.id, SyncMode::Incremental)
        };
        for streams in [&["nothing"][..], &[], &["users", "nothing"]] {
            let answer = runs.trigger(&OPERATOR, with(streams)).await.unwrap();
            assert_eq!(refused(&answer), [(RefusalCode::Invalid, "streams".to_owned())]);
        }
        for key in ["", "a\nb", &"k".repeat(256)] {
            let keyed = TriggerSync { idempotency_key: Some(key.to_owned()), ..with(&["users"]) };
            let answer = runs.trigger(&OPERATOR, keyed).await.unwrap();
            assert_eq!(refused(&answer), [(RefusalCode::Invalid, "idempotencyKey".to_owned())]);
        }
        let stranger = crate::world::holder_of(world.client("stranger").await.id);
        let answer = runs.trigger(&stranger, with(&["users"])).await.unwrap();
        assert_eq!(refused(&answer), [(RefusalCode::NotFound, "integrationId".to_owned())]);
        done(world.engine.integrations().pause(&OPERATOR, integration.id).await.unwrap());
        let answer = runs.trigger(&OPERATOR, with(&["users"])).await.unwrap();
        assert_eq!(refused(&answer), [(RefusalCode::Conflict, "integrationId".to_owned())]);
        assert!(answer.refusals()[0].message.contains("resumeIntegration"));
    }

    async fn a_paused_integration_s_run_waits(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.trigger(integration.id, SyncMode::Incremental).await;
        done(world.engine.integrations().pause(&OPERATOR, integration.id).await.unwrap());
        assert!(world.claim(LEASE).await.is_none());
        assert_eq!(world.shown(run).await.wait_reason, Some(WaitReason::Paused));
        done(world.engine.integrations().resume(&OPERATOR, integration.id).await.unwrap());
        assert_eq!(world.claim(LEASE).await.unwrap().id(), run);
    }

    async fn a_stale_fence_changes_nothing(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.trigger(integration.id, SyncMode::Incremental).await;
        let stale = world.claim(BRIEF).await.unwrap();
        world.engine.clock.sleep(BRIEF * 2).await;
        assert_eq!(queue::requeue_lost(&world.engine).await.unwrap(), 1);
        let fresh = world.claim(LEASE).await.unwrap();
        assert_eq!((fresh.id(), fresh.fence(), fresh.attempt()), (run, stale.fence() + 1, 2));
        let before = sync_run::Entity::find_by_id(run).one(world.engine.db.reader()).await.unwrap();

        let upstream = Upstream::of("users", vec![Step::Page(users(1..=5))]);
        let settlement = world.execute(&stale, &upstream).await;
        assert_eq!(settlement.ending, Ending::Lost);
        for ending in [Ending::Completed, Ending::Cancelled, Ending::Drained] {
            let settlement = Settlement { ending, progressed: true };
            queue::settle(&world.engine, &stale, &settlement).await.unwrap();
        }
        assert!(queue::renew(&world.engine, &[stale.key()], LEASE).await.unwrap().is_empty());

        assert!(world.records().await.is_empty());
        let after = sync_run::Entity::find_by_id(run).one(world.engine.db.reader()).await.unwrap();
        assert_eq!(after, before);
        assert_eq!(queue::renew(&world.engine, &[fresh.key()], LEASE).await.unwrap().len(), 1);
    }

    async fn a_lease_that_ended_is_the_end_even_if_nobody_took_the_run(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.trigger(integration.id, SyncMode::Incremental).await;
        let claim = world.claim(BRIEF).await.unwrap();
        world.engine.clock.sleep(BRIEF * 2).await;
        let before = sync_run::Entity::find_by_id(run).one(world.engine.db.reader()).await.unwrap();
        let upstream = Upstream::of("users", vec![Step::Page(users(1..=5))]);
        let settlement = world.execute(&claim, &upstream).await;
        assert_eq!(settlement.ending, Ending::Lost);
        queue::settle(&world.engine, &claim, &Settlement { ending: Ending::Completed, progressed: true }).await.unwrap();
        assert!(queue::renew(&world.engine, &[claim.key()], LEASE).await.unwrap().is_empty());
        assert!(world.records().await.is_empty());
        let after = sync_run::Entity::find_by_id(run).one(world.engine.db.reader()).await.unwrap();
        assert_eq!(after, before);
    }

    async fn a_run_that_kills_its_workers_ends(world: World) {
        let (_, integration) = world.furnished().await;
        world.retrying(integration.id, 3).await;
        let run = world.trigger(integration.id, SyncMode::Incremental).await;
        for _ in 0..3 {
            world.claim(Duration::from_millis(1)).await.unwrap();
            world.engine.clock.sleep(Duration::from_millis(10)).await;
            queue::requeue_lost(&world.engine).await.unwrap();
        }
        let shown = world.shown(run).await;
        assert_eq!((shown.status, shown.attempt), (SyncRunStatus::Failed, 3));
        assert_eq!(shown.error.unwrap().code, "LEASE_LOST");
        let attempts = world.engine.runs().attempts_for(&OPERATOR, &[run]).await.unwrap().remove(&run).unwrap();
        assert_eq!(attempts.len(), 3);
        assert!(attempts.iter().all(|attempt| attempt.finished_at.is_some() && attempt.error.is_some()));
        let letters = dead_letter::Entity::find().all(world.engine.db.reader()).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].kind, letters[0].status), (DeadLetterKind::Run, DeadLetterStatus::Open));
    }

    async fn a_failure_that_passes_is_tried_again_without_holding_a_worker(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.trigger(integration.id, SyncMode::Incremental).await;
        let failing = Upstream::of("users", vec![Step::Fail(rate_limited())]);
        let shown = world.work(&failing, &nothing_stops()).await;
        assert_eq!((shown.status, shown.attempt, shown.max_attempts), (SyncRunStatus::Queued, 2, 5));
        assert_eq!(shown.progress.requests, 1, "what was spent in vain is counted");
        let error = shown.error.unwrap();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::RateLimited, "HTTP_429"));
        assert_eq!(error.stream.as_deref(), Some("users"));
        let attempts = sync_attempt::Entity::find().all(world.engine.db.reader()).await.unwrap();
        assert!(attempts[0].finished_at.is_some() && attempts[0].error.is_some());
        world.due().await;
        let shown = world.work(&Upstream::of("users", vec![Step::Page(users(1..=3))]), &nothing_stops()).await;
        assert_eq!((shown.id, shown.status, shown.error), (run, SyncRunStatus::Succeeded, None));
    }

    async fn without_progress_the_attempts_are_spent_and_with_it_they_are_not(world: World) {
        let (_, integration) = world.furnished().await;
        world.retrying(integration.id, 3).await;
        let run = world.trigger(integration.id, SyncMode::Incremental).await;
        for _ in 0..3 {
            world.due().await;
            world.work(&Upstream::of("users", vec![Step::Fail(unavailable())]), &nothing_stops()).await;
        }
        assert_eq!(world.shown(run).await.status, SyncRunStatus::Failed);

        let run = world.trigger(integration.id, SyncMode::Incremental).await;
        let mut steps = Vec::new();
        for page in 0..8 {
            steps.push(Step::Page(users(page * 10..page * 10 + 10)));
            steps.push(Step::Fail(unavailable()));
        }
        steps.push(Step::Page(users(80..90)));
        for attempt in 1..=9 {
            world.due().await;
            // Each attempt gets over the fault at which the last one ended.
            let mut reached = steps.clone();
            let mut faults = 0;
            reached = reached
                .into_iter()
                .map(|step| match step {
                    Step::Fail(error) => {
                        faults += 1;
                        if faults < attempt { Step::Page(Vec::new()) } else { Step::Fail(error) }
                    }
                    other => other,
                })
                .collect();
            world.work(&Upstream::of("users", reached), &nothing_stops()).await;
        }
        let shown = world.shown(run).await;
        assert_eq!((shown.status, shown.attempt), (SyncRunStatus::Succeeded, 9));
        assert_eq!((shown.progress.records_read, shown.progress.records_added), (90, 90));
    }

    async fn a_refused_credential_pauses(world: World) {
        let (_, integration) = world.furnished().await;
        let failing = Upstream::of("users", vec![Step::Fail(unauthorized())]);
        let shown = world.sync(integration.id, SyncMode::Incremental, &failing).await;
        assert_eq!((shown.status, shown.attempt), (SyncRunStatus::Failed, 1));
        let paused = world.engine.integrations().find(&OPERATOR, integration.id).await.unwrap().unwrap();
        assert_eq!(paused.pause_reasons, [PauseReason::Credential]);
        let refusal = world.engine.runs().retry(&OPERATOR, shown.id).await.unwrap();
        assert_eq!(refused(&refusal), [(RefusalCode::Conflict, "integrationId".to_owned())]);
    }

    async fn ten_failures_in_a_row_pause(world: World) {
        let (_, integration) = world.furnished().await;
        world.retrying(integration.id, 1).await;
        let failing = Upstream::of("users", vec![Step::Fail(unavailable())]);
        for failures in 1..=queue::FAILURES_BEFORE_PAUSE {
            world.sync(integration.id, SyncMode::Incremental, &failing).await;
            let now = world.engine.integrations().find(&OPERATOR, integration.id).await.unwrap().unwrap();
            let paused = failures == queue::FAILURES_BEFORE_PAUSE;
            assert_eq!(now.pause_reasons.contains(&PauseReason::RepeatedFailure), paused);
        }
    }

    async fn cancelling(world: World) {
        let (_, integration) = world.furnished().await;
        let runs = world.engine.runs();
        let queued = world.trigger(integration.id, SyncMode::Incremental).await;
        assert_eq!(done(runs.cancel(&OPERATOR, queued).await.unwrap()).status, SyncRunStatus::Cancelled);
        assert_eq!(done(runs.cancel(&OPERATOR, queued).await.unwrap()).status, SyncRunStatus::Cancelled);
        assert!(world.claim(LEASE).await.is_none());
        let streams = runs.streams_for(&OPERATOR, &[queued]).await.unwrap().remove(&queued).unwrap();
        assert!(streams.iter().all(|stream| stream.status == SyncRunStatus::Cancelled));

        let running = world.trigger(integration.id, SyncMode::Incremental).await;
        let claim = world.claim(LEASE).await.unwrap();
        assert_eq!(done(runs.cancel(&OPERATOR, running).await.unwrap()).status, SyncRunStatus::Running);
        assert_eq!(queue::cancel_requested(&world.engine, &[running]).await.unwrap(), [running]);
        assert!(queue::renew(&world.engine, &[claim.key()], LEASE).await.unwrap()[0].cancel_requested);
        // A failure that would have been tried again is the end of a run that somebody cancelled.
        let failing = Upstream::of("users", vec![Step::Hang]);
        let settlement = soon(world.execute(&claim, &failing)).await;
        assert_eq!(settlement.ending, Ending::Cancelled);
        queue::settle(&world.engine, &claim, &settlement).await.unwrap();
        assert_eq!(world.shown(running).await.status, SyncRunStatus::Cancelled);
        let finished = done(runs.retry(&OPERATOR, running).await.unwrap());
        assert_eq!(finished.status, SyncRunStatus::Queued);
    }

    async fn a_cancellation_reaches_into_a_request(world: World) {
        let (_, integration) = world.furnished().await;
        world.trigger(integration.id, SyncMode::Incremental).await;
        let stop = StopSignals::default();
        let steps = vec![Step::Page(users(1..=3)), Step::Trip(stop.cancel.clone()), Step::Hang];
        let shown = soon(world.work(&Upstream::of("users", steps), &stop)).await;
        assert_eq!((shown.status, shown.progress.records_added), (SyncRunStatus::Cancelled, 3));
    }

    async fn a_drain_spends_no_attempt(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.trigger(integration.id, SyncMode::Incremental).await;
        let stop = StopSignals::default();
        let steps =
            vec![Step::Page(users(1..=3)), Step::Trip(stop.drain.clone()), Step::Hang, Step::Page(users(4..=6))];
        let shown = soon(world.work(&Upstream::of("users", steps), &stop)).await;
        assert_eq!((shown.status, shown.attempt), (SyncRunStatus::Queued, 1));
        assert_eq!(shown.progress.records_added, 3);
        let upstream = Upstream::of(
            "users",
            vec![Step::Page(users(1..=3)), Step::Page(vec![]), Step::Page(vec![]), Step::Page(users(4..=6))],
        );
        let shown = world.work(&upstream, &nothing_stops()).await;
        assert_eq!((shown.id, shown.status, shown.attempt), (run, SyncRunStatus::Succeeded, 1));
        assert_eq!((shown.progress.records_read, shown.progress.records_added), (6, 6));
        let attempts = world.engine.runs().attempts_for(&OPERATOR, &[run]).await.unwrap().remove(&run).unwrap();
        assert_eq!(attempts.len(), 1);
        assert!(attempts[0].error.is_none() && attempts[0].finished_at.is_some());
    }

    async fn every_transition_is_told_in_its_transaction(world: World) {
        let (_, integration) = world.furnished().await;
        let failing = Upstream::of("users", vec![Step::Fail(rate_limited())]);
        let run = world.sync(integration.id, SyncMode::Incremental, &failing).await.id;
        world.due().await;
        world.work(&Upstream::default(), &nothing_stops()).await;
        let events = outbox_event::Entity::find()
            .filter(outbox_event::Column::Subject.eq(run.to_string()))
            .order_by_asc(outbox_event::Column::At)
            .all(world.engine.db.reader())
            .await
            .unwrap();
        let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["sync_run.queued", "sync_run.started", "sync_run.requeued", "sync_run.started", "sync_run.succeeded"]);
        assert!(events.iter().all(|event| event.correlation_id == events[0].correlation_id));
        assert_eq!(dead_letter::Entity::find().count(world.engine.db.reader()).await.unwrap(), 0);
    }
}
