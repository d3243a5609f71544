use engine::Actor;
use engine::overview::Window;
use engine::runs::{SyncRunStatus, WaitReason};
use entity::{Timestamp, sync_run};
use sea_orm::Set;

use crate::world::{OPERATOR, on_both_databases};

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
        assert_eq!(figures.scheduler_lag_seconds, Some(0.0));
        let day = world.engine.overview().figures(&OPERATOR, Window::Last24Hours, Some(client.id)).await.unwrap();
        assert_eq!(day.syncs_executed, 5);
        let other = Actor::Client(world.client("other").await.id);
        let none = world.engine.overview().figures(&other, Window::Last30Days, None).await.unwrap();
        assert_eq!((none.syncs_executed, none.queued, none.success_rate), (0, 0, None));
        let crossed = world.engine.overview().figures(&other, Window::Last30Days, Some(client.id)).await.unwrap();
        assert_eq!(crossed, none, "a filter widens no scope");
    }
}
