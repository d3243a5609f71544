use std::time::Duration;

use engine::ids::RunId;
use engine::integrations::IntegrationStatus;
use engine::runs::SyncRunStatus;
use engine::watch::{IntegrationFeed, RunFeed};
use entity::sync_run::ActiveModel;
use futures::StreamExt;
use sea_orm::Set;

use crate::world::{OPERATOR, done, new_id, on_both_databases, soon};

on_both_databases! {
    async fn one_run_to_its_end(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.run(integration.id).await;
        let which = RunFeed { run_id: Some(run), ..RunFeed::default() };
        let mut feed = world.engine.watch().sync_runs(OPERATOR, which).await.unwrap().unwrap();
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
        let mut ended = world.engine.watch().sync_runs(OPERATOR, which).await.unwrap().unwrap();
        assert_eq!(soon(ended.next()).await.unwrap().unwrap().status, SyncRunStatus::Succeeded);
        assert!(soon(ended.next()).await.is_none());
    }

    async fn all_runs_of_an_integration(world: World) {
        let (client, integration) = world.furnished().await;
        let other = world.integration(client.id, "other").await;
        let which = RunFeed { integration_id: Some(integration.id), ..RunFeed::default() };
        let mut feed = world.engine.watch().sync_runs(OPERATOR, which).await.unwrap().unwrap();
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
        let watch = world.engine.watch();
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
        let mut feed = world.engine.watch().integrations(OPERATOR, which).await.unwrap().unwrap();
        assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, IntegrationStatus::Active);
        done(world.engine.integrations().pause(&OPERATOR, integration.id).await.unwrap());
        assert_eq!(soon(feed.next()).await.unwrap().unwrap().status, IntegrationStatus::Paused);
    }
}
