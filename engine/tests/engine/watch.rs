use std::sync::Arc;
use std::time::Duration;

use engine::ids::RunId;
use engine::integrations::IntegrationStatus;
use engine::runs::SyncRunStatus;
use engine::watch::{IntegrationFeed, RunFeed, Watched};
use entity::sync_run::ActiveModel;
use futures::StreamExt;
use sea_orm::Set;

use crate::world::{OPERATOR, done, new_id, on_both_databases, soon};

on_both_databases! {
    async fn one_run_to_its_end(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.run(integration.id).await;
        let which = RunFeed { run_id: Some(run), ..RunFeed::default() };
        let mut feed = world.engine.watch(&Watched::default()).sync_runs(OPERATOR, which).await.unwrap().unwrap();
        assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, SyncRunStatus::Queued);
        world.set_run(run, ActiveModel { status: Set(SyncRunStatus::Running), ..Default::default() }).await;
        assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, SyncRunStatus::Running);
        for pages in 1..=50 {
            world.set_run(run, ActiveModel { pages: Set(pages), ..Default::default() }).await;
        }
        // A reader that comes back after a while gets where things stand, not the fifty steps.
        world.engine.clock.sleep(Duration::from_millis(100)).await;
        let mut looks = 0;
        while soon(feed.next()).await.unwrap().unwrap().progress.pages < 50 {
            looks += 1;
        }
        assert!(looks < 10, "{looks} states for a reader that had not asked");
        let ended = Set(Some(world.engine.timestamp()));
        let end = ActiveModel { status: Set(SyncRunStatus::Succeeded), finished_at: ended, ..Default::default() };
        world.set_run(run, end).await;
        assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, SyncRunStatus::Succeeded);
        assert!(soon(feed.next()).await.is_none(), "the feed ends with the run");
        let mut ended = world.engine.watch(&Watched::default()).sync_runs(OPERATOR, which).await.unwrap().unwrap();
        assert_eq!(soon(ended.next()).await.unwrap().unwrap().status, SyncRunStatus::Succeeded);
        assert!(soon(ended.next()).await.is_none());
    }

    async fn all_runs_of_an_integration(world: World) {
        let (client, integration) = world.furnished().await;
        let other = world.integration(client.id, "other").await;
        let which = RunFeed { integration_id: Some(integration.id), ..RunFeed::default() };
        let mut feed = world.engine.watch(&Watched::default()).sync_runs(OPERATOR, which).await.unwrap().unwrap();
        let first = tokio::spawn(async move { (feed.next().await, feed) });
        world.run(other.id).await;
        let run = world.run(integration.id).await;
        let (seen, _) = soon(first).await.unwrap();
        assert_eq!(seen.unwrap().unwrap().id, run);
    }

    async fn not_somebody_else_s(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.run(integration.id).await;
        let other = crate::world::holder_of(world.client("other").await.id);
        let watched = Watched::default();
        let watch = world.engine.watch(&watched);
        for which in [
            RunFeed { run_id: Some(run), ..RunFeed::default() },
            RunFeed { integration_id: Some(integration.id), ..RunFeed::default() },
            RunFeed { client_id: Some(integration.client_id), ..RunFeed::default() },
        ] {
            assert!(watch.sync_runs(other, which).await.unwrap().is_none());
        }
        let unknown = RunFeed { run_id: Some(RunId::new(new_id())), ..RunFeed::default() };
        assert!(watch.sync_runs(OPERATOR, unknown).await.unwrap().is_none());
    }

    async fn an_integration_as_it_changes(world: World) {
        let (_, integration) = world.furnished().await;
        let which = IntegrationFeed { integration_id: Some(integration.id), client_id: None };
        let mut feed = world.engine.watch(&Watched::default()).integrations(OPERATOR, which).await.unwrap().unwrap();
        assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, IntegrationStatus::Active);
        done(world.engine.integrations().pause(&OPERATOR, integration.id).await.unwrap());
        assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, IntegrationStatus::Paused);
    }

    async fn who_watch_the_same_share_what_was_found(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.run(integration.id).await;
        let watched = Watched::default();
        let which = RunFeed { integration_id: Some(integration.id), ..RunFeed::default() };
        let watch = world.engine.watch(&watched);
        let mut one = watch.sync_runs(OPERATOR, which).await.unwrap().unwrap();
        let mut other = watch.sync_runs(OPERATOR, which).await.unwrap().unwrap();
        for feed in [&mut one, &mut other] {
            assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, SyncRunStatus::Queued);
        }
        for pages in 1..=3 {
            world.set_run(run, ActiveModel { pages: Set(pages), ..Default::default() }).await;
            let seen = soon(one.next()).await.unwrap().unwrap();
            assert_eq!(seen.progress.pages, pages);
            assert!(Arc::ptr_eq(&seen, &soon(other.next()).await.unwrap().unwrap()), "one look for both");
        }
        // Whoever comes later sees where things stand, and whoever stays is not disturbed by who goes.
        drop(one);
        let mut late = watch.sync_runs(OPERATOR, which).await.unwrap().unwrap();
        assert_eq!(soon(late.next()).await.unwrap().unwrap().progress.pages, 3);
        world.set_run(run, ActiveModel { pages: Set(4), ..Default::default() }).await;
        for feed in [&mut late, &mut other] {
            assert_eq!(soon(feed.next()).await.unwrap().unwrap().progress.pages, 4);
        }
    }

    async fn a_client_s_feed_is_not_the_operator_s(world: World) {
        let (client, integration) = world.furnished().await;
        let stranger = world.client("other").await;
        let others = world.integration(stranger.id, "others").await;
        let watched = Watched::default();
        let watch = world.engine.watch(&watched);
        let mut all = watch.sync_runs(OPERATOR, RunFeed::default()).await.unwrap().unwrap();
        let holder = crate::world::holder_of(client.id);
        let mut own = watch.sync_runs(holder, RunFeed::default()).await.unwrap().unwrap();
        let first = tokio::spawn(async move { (own.next().await, own) });
        let theirs = world.run(others.id).await;
        assert_eq!(soon(all.next()).await.unwrap().unwrap().id, theirs);
        let run = world.run(integration.id).await;
        assert_eq!(soon(all.next()).await.unwrap().unwrap().id, run);
        let (seen, _) = soon(first).await.unwrap();
        assert_eq!(seen.unwrap().unwrap().id, run);
    }

    async fn who_is_too_slow_for_what_is_kept_misses_no_end(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.run(integration.id).await;
        let watched = Watched::default();
        let which = RunFeed { integration_id: Some(integration.id), ..RunFeed::default() };
        let watch = world.engine.watch(&watched);
        let mut slow = watch.sync_runs(OPERATOR, which).await.unwrap().unwrap();
        let mut quick = watch.sync_runs(OPERATOR, which).await.unwrap().unwrap();
        for feed in [&mut slow, &mut quick] {
            assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, SyncRunStatus::Queued);
        }
        // More looks than are kept, each of them told to the quick one.
        for pages in 1..=40 {
            world.set_run(run, ActiveModel { pages: Set(pages), ..Default::default() }).await;
            assert_eq!(soon(quick.next()).await.unwrap().unwrap().progress.pages, pages);
        }
        let ended = Set(Some(world.engine.timestamp()));
        let end = ActiveModel { status: Set(SyncRunStatus::Succeeded), finished_at: ended, ..Default::default() };
        world.set_run(run, end).await;
        assert_eq!(soon(quick.next()).await.unwrap().unwrap().status, SyncRunStatus::Succeeded);
        assert_eq!(soon(slow.next()).await.unwrap().unwrap().status, SyncRunStatus::Succeeded);
    }
}
