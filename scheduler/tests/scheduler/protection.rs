//! Budgets and circuits, and what they do to runs: under a clock that stands still unless it is moved.

use std::time::Duration;

use chrono::TimeDelta;
use engine::ids::{IntegrationId, RunId};
use engine::integrations::{CustomRetry, RetryInput, UpdateIntegration};
use engine::protection::{CircuitState, RequestBudget};
use engine::runs::{SyncRun, SyncRunStatus, WaitReason};
use engine::{Outcome, Patch};
use platform::clock::{Clock, ManualClock, SystemClock};

use crate::world::{OPERATOR, World, done};

/// Lets time pass in small steps until this is so of a run.
async fn pass_until(
    world: &World,
    clock: &ManualClock,
    run: RunId,
    is_so: impl Fn(&SyncRun) -> bool,
) -> SyncRun {
    for _ in 0..4_000 {
        let found = world.engine.runs().find(&OPERATOR, run).await.unwrap().unwrap();
        if is_so(&found) {
            return found;
        }
        clock.advance(Duration::from_millis(2));
        SystemClock.sleep(Duration::from_millis(2)).await;
    }
    panic!("it did not come about");
}

async fn change(world: &World, change: UpdateIntegration) {
    let changed = world.engine.integrations().update(&OPERATOR, change).await;
    assert!(matches!(changed.unwrap(), Outcome::Done(_)));
}

async fn budget(world: &World, integration: IntegrationId) -> RequestBudget {
    world
        .engine
        .protections()
        .budgets(&OPERATOR, &[integration])
        .await
        .unwrap()[&integration]
}

async fn circuit(world: &World, integration: IntegrationId) -> CircuitState {
    world
        .engine
        .protections()
        .circuits(&OPERATOR, &[integration])
        .await
        .unwrap()[&integration]
}

fn waits_for(reason: WaitReason) -> impl Fn(&SyncRun) -> bool {
    move |run| run.wait_reason == Some(reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_budget_is_spent_waits_without_a_worker_and_goes_on_where_it_stood() {
    let clock = ManualClock::default();
    let world = World::with_clock(clock.shared()).await;
    let integration = world.integration("users").await;
    assert_eq!(
        budget(&world, integration).await,
        RequestBudget {
            requests_per_minute: 100,
            remaining: 100,
            resets_at: None
        }
    );
    change(
        &world,
        UpdateIntegration {
            requests_per_minute: Patch::Set(2),
            ..UpdateIntegration::of(integration)
        },
    )
    .await;
    let scheduler = world.start("first").await;
    let run = world.trigger(integration).await;
    let parked = pass_until(&world, &clock, run, waits_for(WaitReason::RateLimited)).await;
    assert_eq!((parked.status, parked.attempt), (SyncRunStatus::Queued, 1));
    assert_eq!(parked.progress.records_read, 6, "two pages of three are kept");
    let wait = parked.wait_until.unwrap() - clock.now();
    assert!(
        wait > TimeDelta::seconds(25) && wait <= TimeDelta::seconds(30),
        "{wait}"
    );
    let spent = budget(&world, integration).await;
    assert_eq!((spent.requests_per_minute, spent.remaining), (2, 0));
    assert!(spent.resets_at.unwrap() > parked.wait_until.unwrap());

    // There is one worker, and it is free.
    let other = world.trigger(world.integration("people").await).await;
    pass_until(&world, &clock, other, |run| {
        run.status == SyncRunStatus::Succeeded
    })
    .await;
    assert_eq!(world.upstream.asked("/users"), 2);

    clock.advance(Duration::from_secs(30));
    let ended = pass_until(&world, &clock, run, |run| run.status.is_terminal()).await;
    assert_eq!((ended.status, ended.attempt), (SyncRunStatus::Succeeded, 1));
    assert_eq!(ended.progress.records_read, 7);
    assert_eq!(world.upstream.asked("/users"), 3, "no page was asked for twice");
    scheduler.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_asks_for_patience_gets_it() {
    let clock = ManualClock::default();
    let world = World::with_clock(clock.shared()).await;
    let scheduler = world.start("first").await;
    let integration = world.integration("limited").await;
    let run = world.trigger(integration).await;
    pass_until(&world, &clock, run, waits_for(WaitReason::RateLimited)).await;
    let left = budget(&world, integration).await;
    assert_eq!((left.requests_per_minute, left.remaining), (100, 0));
    assert!(left.resets_at.unwrap() - clock.now() > TimeDelta::seconds(25));
    let checked = done(
        world
            .engine
            .integrations()
            .check(&OPERATOR, integration)
            .await
            .unwrap(),
    );
    let error = checked.error.unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("BUDGET_SPENT", true));
    assert_eq!(world.upstream.asked("/limited"), 1);
    scheduler.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_down_is_left_alone_until_a_probe_finds_it_back() {
    let clock = ManualClock::default();
    let world = World::with_clock(clock.shared()).await;
    let (one, two) = (
        world.integration("users").await,
        world.integration("people").await,
    );
    let custom = CustomRetry {
        max_attempts: 20,
        base_delay_seconds: 0.001,
        max_delay_seconds: 0.001,
        factor: 1.0,
    };
    change(
        &world,
        UpdateIntegration {
            retry: RetryInput {
                policy: None,
                custom: Some(custom),
            },
            ..UpdateIntegration::of(one)
        },
    )
    .await;
    let scheduler = world.start("first").await;
    world.upstream.set_down(true);
    let first = world.trigger(one).await;
    let parked = pass_until(&world, &clock, first, waits_for(WaitReason::CircuitOpen)).await;
    assert_eq!(world.upstream.asked("/"), 10);
    assert_eq!(parked.attempt, 11, "ten failed, and being parked spends none");
    assert!(parked.wait_until.unwrap() > clock.now());

    // Another integration of the same connector and host: it need not find out for itself.
    let second = world.trigger(two).await;
    let parked = pass_until(&world, &clock, second, waits_for(WaitReason::CircuitOpen)).await;
    assert_eq!((parked.attempt, parked.error), (1, None));
    assert_eq!(world.upstream.asked("/"), 10);
    assert_eq!(circuit(&world, two).await, CircuitState::Open);

    clock.advance(Duration::from_secs(36));
    assert_eq!(circuit(&world, one).await, CircuitState::HalfOpen);
    World::until(|| world.upstream.asked("/") > 10).await;
    pass_until(&world, &clock, first, waits_for(WaitReason::CircuitOpen)).await;
    assert_eq!(world.upstream.asked("/"), 11, "one probe, and it found it down");
    assert_eq!(circuit(&world, two).await, CircuitState::Open);

    world.upstream.set_down(false);
    clock.advance(Duration::from_secs(72));
    for run in [first, second] {
        let ended = pass_until(&world, &clock, run, |run| run.status.is_terminal()).await;
        assert_eq!(ended.status, SyncRunStatus::Succeeded);
    }
    assert_eq!(circuit(&world, one).await, CircuitState::Closed);
    scheduler.abort().await;
}
