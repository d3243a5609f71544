use engine::deadletters::{DeadLetterFilter, DeadLetterKind, DeadLetterStatus};
use engine::ids::{ClientId, DeadLetterId, IntegrationId, RunId};
use engine::runs::{SyncMode, SyncRunFilter, SyncRunStatus, SyncTrigger};
use engine::{PageRequest, RefusalCode};
use entity::{dead_letter, sync_run};
use sea_orm::Set;
use serde_json::json;

use crate::world::{OPERATOR, World, done, new_id, on_both_databases, refused};

async fn letters(world: &World, client: ClientId, integration: IntegrationId, stream: &str, count: usize) {
    let letter = |_| dead_letter::Model {
        id: DeadLetterId::new(new_id()),
        kind: DeadLetterKind::Record,
        status: DeadLetterStatus::Open,
        client_id: client,
        integration_id: Some(integration),
        run_id: None,
        stream: Some(stream.to_owned()),
        payload: json!({ "no": "id" }),
        error: json!({ "kind": "SCHEMA", "code": "RECORD_KEY_MISSING", "message": "No id.", "retryable": false }),
        attempts: 1,
        created_at: world.engine.timestamp(),
        resolved_at: None,
    };
    world
        .insert::<_, dead_letter::Entity>((0..count).map(letter).collect())
        .await;
}

async fn run_letter(world: &World, client: ClientId, integration: IntegrationId, run: RunId) {
    letters(world, client, integration, "users", 1).await;
    let transaction = world.begin().await;
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    dead_letter::Entity::update_many()
        .set(dead_letter::ActiveModel {
            kind: Set(DeadLetterKind::Run),
            run_id: Set(Some(run)),
            stream: Set(None),
            ..Default::default()
        })
        .filter(dead_letter::Column::IntegrationId.eq(integration))
        .exec(&transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

on_both_databases! {
    async fn listed_and_discarded(world: World) {
        let (client, integration) = world.furnished().await;
        let second = world.integration(client.id, "second").await;
        letters(&world, client.id, integration.id, "users", 3).await;
        letters(&world, client.id, second.id, "users", 1).await;
        let service = world.engine.dead_letters();
        let own = DeadLetterFilter { integration_id: Some(integration.id), ..DeadLetterFilter::default() };
        let page = service.list(&OPERATOR, &own, &PageRequest::first(2)).await.unwrap();
        assert!(page.has_next);
        let letter = page.into_items().next().unwrap();
        assert_eq!((letter.error.code.as_str(), &letter.payload), ("RECORD_KEY_MISSING", &json!({ "no": "id" })));
        assert_eq!(service.find(&OPERATOR, letter.id).await.unwrap().as_ref(), Some(&letter));
        let other = crate::world::holder_of(world.client("other").await.id);
        assert_eq!(service.find(&other, letter.id).await.unwrap(), None);
        assert_eq!(done(service.discard(&other, &own).await.unwrap()), 0);
        let none = DeadLetterFilter { ids: Some(vec![]), ..DeadLetterFilter::default() };
        assert_eq!(done(service.discard(&OPERATOR, &none).await.unwrap()), 0);
        assert_eq!(done(service.discard(&OPERATOR, &own).await.unwrap()), 3);
        assert_eq!(done(service.discard(&OPERATOR, &own).await.unwrap()), 0, "once is enough");
        let open = DeadLetterFilter { status: vec![DeadLetterStatus::Open], ..DeadLetterFilter::default() };
        assert_eq!(service.count(&OPERATOR, &open).await.unwrap(), 1);
        let discarded = service.find(&OPERATOR, letter.id).await.unwrap().unwrap();
        assert!(discarded.status == DeadLetterStatus::Discarded && discarded.resolved_at.is_some());
    }

    async fn a_replay_reads_the_streams_again(world: World) {
        let (client, integration) = world.furnished().await;
        letters(&world, client.id, integration.id, "users", 3).await;
        let service = world.engine.dead_letters();
        assert_eq!(done(service.replay(&OPERATOR, &DeadLetterFilter::default()).await.unwrap()), 3);
        assert_eq!(done(service.replay(&OPERATOR, &DeadLetterFilter::default()).await.unwrap()), 0);
        let page = world.engine.runs().list(&OPERATOR, &SyncRunFilter::default(), &PageRequest::default()).await.unwrap();
        let runs: Vec<_> = page.into_items().collect();
        assert_eq!(runs.len(), 1, "one run for all three");
        assert_eq!((runs[0].mode, runs[0].trigger), (SyncMode::FullRefresh, SyncTrigger::Retry));
        assert_eq!(runs[0].streams, ["users"]);
    }

    async fn a_replay_retries_the_run(world: World) {
        let (client, integration) = world.furnished().await;
        let run = world.run(integration.id).await;
        let ended = Set(Some(world.engine.timestamp()));
        let failed = sync_run::ActiveModel { status: Set(SyncRunStatus::Failed), finished_at: ended, ..Default::default() };
        world.set_run(run, failed).await;
        run_letter(&world, client.id, integration.id, run).await;
        assert_eq!(done(world.engine.dead_letters().replay(&OPERATOR, &DeadLetterFilter::default()).await.unwrap()), 1);
        let queued = SyncRunFilter { status: vec![SyncRunStatus::Queued], ..SyncRunFilter::default() };
        assert_eq!(world.engine.runs().counts(&OPERATOR, &[queued]).await.unwrap(), [1]);
    }

    async fn what_cannot_be_replayed_stays_open(world: World) {
        let (client, integration) = world.furnished().await;
        letters(&world, client.id, integration.id, "users", 2).await;
        done(world.engine.integrations().pause(&OPERATOR, integration.id).await.unwrap());
        let service = world.engine.dead_letters();
        let outcome = service.replay(&OPERATOR, &DeadLetterFilter::default()).await.unwrap();
        assert_eq!(refused(&outcome), [(RefusalCode::Conflict, "filter".to_owned())]);
        let open = DeadLetterFilter { status: vec![DeadLetterStatus::Open], ..DeadLetterFilter::default() };
        assert_eq!(service.count(&OPERATOR, &open).await.unwrap(), 2);
    }
}
