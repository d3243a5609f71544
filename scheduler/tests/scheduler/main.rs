//! The scheduler as a whole, on SQLite, against an upstream that answers over HTTP.

#[cfg(test)]
mod protection;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod world;

use std::time::Duration;

use chrono::{DateTime, Utc};
use engine::integrations::{OverlapPolicy, ScheduleInput, UpdateIntegration};
use engine::queue::Claimer;
use engine::runs::{SyncMode, SyncRunFilter, SyncRunStatus, SyncTrigger, WaitReason};
use engine::{PageRequest, Patch};
use platform::clock::ManualClock;

use crate::world::{OPERATOR, World, done};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_starts_at_once_and_comes_to_its_end() {
    let world = World::new().await;
    let scheduler = world.start("first").await;
    let integration = world.integration("users").await;
    world.trigger(integration).await;
    world.ended().await;
    // The second one: everything that is done once has been done.
    world.engine.clock.sleep(Duration::from_millis(50)).await;
    world.upstream.forget();
    let run = world.trigger(integration).await;
    world.upstream.first_request().await;
    let shown = world.ended().await;
    assert_eq!((shown.id, shown.status), (run, SyncRunStatus::Succeeded));
    assert_eq!(
        (shown.progress.records_read, shown.progress.records_unchanged),
        (7, 7)
    );
    scheduler.stop().await;
}

/// The reaper, the relay, the eraser, who keeps the figures, the keeper of leases (who renews and looks for
/// cancellations), and a worker that has looked and found nothing.
const ALL_ASLEEP: usize = 7;

#[tokio::test(flavor = "multi_thread")]
async fn the_notice_starts_a_run_and_the_poll_is_the_net() {
    let clock = ManualClock::default();
    let world = World::with_clock(clock.shared()).await;
    let scheduler = world.start("first").await;
    World::until(|| clock.sleepers() == ALL_ASLEEP).await;
    // Time stands still, so no poll can have found it.
    world.trigger(world.integration("users").await).await;
    world.upstream.first_request().await;
    assert_eq!(world.ended().await.status, SyncRunStatus::Succeeded);

    World::until(|| clock.sleepers() == ALL_ASLEEP).await;
    world.upstream.forget();
    // Queued by a process whose notices the worker does not hear.
    let integration = world.integration("users").await;
    let unheard = World::trigger_through(&world.elsewhere(), integration).await;
    clock.advance(Duration::from_millis(999));
    World::until(|| clock.sleepers() == ALL_ASLEEP).await;
    let waiting = world
        .engine
        .runs()
        .find(&OPERATOR, unheard)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(waiting.status, SyncRunStatus::Queued);
    clock.advance(Duration::from_millis(1));
    world.upstream.first_request().await;
    scheduler.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_takes_effect_within_a_second() {
    let world = World::new().await;
    let scheduler = world.start("first").await;
    let run = world.trigger(world.integration("hang").await).await;
    world.upstream.first_request().await;
    done(world.engine.runs().cancel(&OPERATOR, run).await.unwrap());
    let shown = world.ended().await;
    assert_eq!(shown.status, SyncRunStatus::Cancelled);
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_whose_notice_was_lost_is_found() {
    let world = World::new().await;
    let scheduler = world.start("first").await;
    let run = world.trigger(world.integration("hang").await).await;
    world.upstream.first_request().await;
    // Another process, with a coordinator of its own.
    let elsewhere = world.elsewhere();
    done(elsewhere.runs().cancel(&OPERATOR, run).await.unwrap());
    assert_eq!(world.ended().await.status, SyncRunStatus::Cancelled);
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_while_another_process_still_asks_the_upstream() {
    let world = World::new().await;
    let scheduler = world.start("first").await;
    let integration = world.integration("users").await;
    let (coordinator, lock) = (&world.engine.coordinator, format!("integration:{integration}"));
    let long = Duration::from_secs(60);
    coordinator
        .try_lock(&lock, "another", long)
        .await
        .unwrap()
        .unwrap();
    let run = world.trigger(integration).await;
    let parked = world
        .seen(run, |run| run.wait_reason == Some(WaitReason::Locked))
        .await;
    assert_eq!(parked.status, SyncRunStatus::Queued);
    // One worker: a run that waits does not hold it.
    world.trigger(world.integration("users").await).await;
    world.ended().await;
    assert!(coordinator.unlock(&lock, "another").await.unwrap());
    let ended = world
        .seen(run, |run| run.status == SyncRunStatus::Succeeded)
        .await;
    assert_eq!(ended.attempt, 1, "waiting spends no attempt");
    // The lock was given back before the run was settled.
    assert!(
        coordinator
            .try_lock(&lock, "another", long)
            .await
            .unwrap()
            .is_some()
    );
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopping_process_puts_back_another_one_ends() {
    let world = World::new().await;
    let first = world.start("first").await;
    let run = world.trigger(world.integration("slow").await).await;
    world.upstream.first_request().await;
    first.stop().await;
    let between = world.engine.runs().find(&OPERATOR, run).await.unwrap().unwrap();
    assert_eq!((between.status, between.attempt), (SyncRunStatus::Queued, 1));
    let second = world.start("second").await;
    let shown = world.ended().await;
    assert_eq!((shown.status, shown.attempt), (SyncRunStatus::Succeeded, 1));
    assert_eq!(
        shown.progress.records_read, 7,
        "no page was read twice, and none was left out"
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_must_leave_at_once_lets_go_in_order() {
    let world = World::new().await;
    let scheduler = world.start("first").await;
    let run = world.trigger(world.integration("hang").await).await;
    world.upstream.first_request().await;
    scheduler.abort().await;
    let after = world.engine.runs().find(&OPERATOR, run).await.unwrap().unwrap();
    assert_eq!((after.status, after.attempt), (SyncRunStatus::Queued, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_worker_is_gone_goes_on() {
    let world = World::new().await;
    let run = world.trigger(world.integration("users").await).await;
    let gone = Claimer::new("gone", Duration::from_millis(100))
        .claim(&world.engine, 1)
        .await
        .unwrap();
    assert_eq!(gone.len(), 1);
    let scheduler = world.start("first").await;
    let shown = world.ended().await;
    assert_eq!(
        (shown.id, shown.status, shown.attempt),
        (run, SyncRunStatus::Succeeded, 2)
    );
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_parks_the_run_and_frees_the_worker() {
    let world = World::new().await;
    let scheduler = world.start("first").await;
    let parked = world.trigger(world.integration("limited").await).await;
    world.upstream.first_request().await;
    // One worker: were it held by the run that waits, this one would not end.
    let run = world.trigger(world.integration("users").await).await;
    let shown = world.ended().await;
    assert_eq!(shown.id, run);
    let parked = world
        .engine
        .runs()
        .find(&OPERATOR, parked)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((parked.status, parked.attempt), (SyncRunStatus::Queued, 2));
    let wait = parked.wait_until.unwrap() - world.engine.clock.now();
    assert!(
        wait > chrono::TimeDelta::seconds(20),
        "Retry-After: 30 is respected, not {wait}"
    );
    scheduler.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_by_the_clock() {
    let world = World::new().await;
    let scheduler = world.start("first").await;
    let integration = world.integration("users").await;
    let schedule = ScheduleInput {
        cron: "* * * * * *".to_owned(),
        timezone: "Europe/Lisbon".to_owned(),
        jitter_seconds: 0,
        overlap: OverlapPolicy::Skip,
        catch_up_seconds: 0,
    };
    let change = UpdateIntegration {
        schedule: Patch::Set(schedule),
        ..UpdateIntegration::of(integration)
    };
    done(
        world
            .engine
            .integrations()
            .update(&OPERATOR, change)
            .await
            .unwrap(),
    );
    let shown = world.ended().await;
    assert_eq!(
        (shown.trigger, shown.status),
        (SyncTrigger::Schedule, SyncRunStatus::Succeeded)
    );
    assert_eq!(shown.mode, SyncMode::Incremental);
    let due: DateTime<Utc> = shown.scheduled_for.unwrap();
    assert!(shown.queued_at >= due && (shown.queued_at - due).num_seconds() < 5);
    scheduler.stop().await;
    let after = world
        .engine
        .runs()
        .counts(&OPERATOR, &[SyncRunFilter::default()])
        .await
        .unwrap();
    world.engine.clock.sleep(Duration::from_millis(2100)).await;
    assert_eq!(
        world
            .engine
            .runs()
            .counts(&OPERATOR, &[SyncRunFilter::default()])
            .await
            .unwrap(),
        after
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_given_their_sequence() {
    let world = World::new().await;
    let scheduler = world.start("first").await;
    world.trigger(world.integration("users").await).await;
    world.ended().await;
    let deadline = world.engine.clock.monotonic() + Duration::from_secs(10);
    loop {
        let events = world
            .engine
            .events()
            .list_after(&OPERATOR, 0, &[], 100)
            .await
            .unwrap();
        if events
            .iter()
            .any(|event| event.event_type == "sync_run.succeeded")
        {
            let sequences: Vec<_> = events.iter().map(|event| event.sequence.unwrap()).collect();
            assert_eq!(
                sequences,
                (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>()
            );
            break;
        }
        assert!(world.engine.clock.monotonic() < deadline);
        world.engine.clock.sleep(Duration::from_millis(20)).await;
    }
    let runs = world
        .engine
        .runs()
        .list(&OPERATOR, &SyncRunFilter::default(), &PageRequest::first(5))
        .await;
    assert_eq!(runs.unwrap().items.len(), 1);
    scheduler.stop().await;
}
