use chrono::{TimeDelta, Utc};
use engine::connectors::InstallConnector;
use engine::ids::{ClientId, IntegrationId};
use engine::integrations::{
    CreateIntegration, CustomRetry, Health, IntegrationFilter, IntegrationOrder, IntegrationOrderField,
    IntegrationStatus, OverlapPolicy, PauseReason, RetryInput, ScheduleInput, SkipReason, SkippedTick,
    UpdateIntegration, full_config,
};
use engine::runs::SyncRunStatus;
use engine::{Actor, Listing, OrderDirection, PageRequest, Paged, Patch, RefusalCode};
use entity::{Timestamp, integration, skipped_tick, sync_run};
use platform::clock::{Clock, SystemClock};
use sea_orm::{ActiveModelTrait, EntityTrait, Set};
use serde_json::json;

use crate::world::{
    MANIFEST, OPERATOR, World, config, create, done, holder_of, new_id, on_both_databases, refused,
};

fn schedule(cron: &str) -> ScheduleInput {
    ScheduleInput {
        cron: cron.to_owned(),
        timezone: "Europe/Lisbon".to_owned(),
        jitter_seconds: 0,
        overlap: OverlapPolicy::Skip,
        catch_up_seconds: 0,
    }
}

/// Its key was at the top once.
const MOVES: &str = r#"version: 7.0.0
type: DeclarativeSource
check: {type: CheckStream, stream_names: [items]}
streams:
  - type: DeclarativeStream
    name: items
    retriever:
      type: SimpleRetriever
      requester: {type: HttpRequester, url: "https://{{ config.host }}/items"}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}
spec:
  type: Spec
  connection_specification:
    type: object
    required: [host, credentials]
    properties:
      host: {type: string}
      credentials:
        type: object
        required: [key]
        properties: {key: {type: string, airbyte_secret: true}}
  config_normalization_rules:
    type: ConfigNormalizationRules
    config_migrations:
      - type: ConfigMigration
        transformations:
          - type: ConfigAddFields
            condition: "{{ 'api_key' in config }}"
            fields: [{type: AddedFieldDefinition, path: [credentials, key], value: "{{ config['api_key'] }}"}]
          - {type: ConfigRemoveFields, field_pointers: [[api_key]]}
"#;
const REMOVES: &str = "          - {type: ConfigRemoveFields, field_pointers: [[api_key]]}\n";

async fn row(world: &World, id: IntegrationId) -> integration::Model {
    integration::Entity::find_by_id(id)
        .one(world.engine.db.reader())
        .await
        .unwrap()
        .unwrap()
}

async fn set(world: &World, id: IntegrationId, change: integration::ActiveModel) {
    let transaction = world.begin().await;
    integration::ActiveModel {
        id: Set(id),
        ..change
    }
    .update(&transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
}

async fn skipped(world: &World, actor: &Actor, of: IntegrationId, page: PageRequest) -> Paged<SkippedTick> {
    let listings = [Listing { of, page }];
    let found = world.engine.integrations().skipped_ticks(actor, &listings).await;
    found.unwrap().remove(0).unwrap()
}

on_both_databases! {
    async fn a_secret_is_sealed_and_masked(world: World) {
        let (_, made) = world.furnished().await;
        assert_eq!(made.config, json!({ "baseUrl": "https://people.example", "apiKey": "******" }));
        assert_eq!(made.streams, ["users", "posts"]);
        assert_eq!((made.status, made.health), (IntegrationStatus::Active, Health::Unknown));
        assert_eq!(made.retry.name, "standard");
        let stored = row(&world, made.id).await;
        assert!(!stored.config.to_string().contains("s3cret"));
        let sealed = stored.secrets.clone().unwrap();
        assert!(!sealed.windows(6).any(|bytes| bytes == b"s3cret"));
        assert_eq!(full_config(&world.engine, &stored).unwrap(), config());
    }

    async fn sealed_for_its_row_only(world: World) {
        let (client, made) = world.furnished().await;
        let other = world.integration(client.id, "other").await;
        let stolen = row(&world, made.id).await.secrets;
        set(&world, other.id, integration::ActiveModel { secrets: Set(stolen), ..Default::default() }).await;
        assert!(full_config(&world.engine, &row(&world, other.id).await).is_err());
    }

    async fn an_older_form_is_kept_migrated_and_its_secrets_sealed(world: World) {
        let client = world.client("acme").await;
        for (slug, yaml) in [("moves", MOVES.to_owned()), ("leaves", MOVES.replace(REMOVES, ""))] {
            let input = InstallConnector { manifest: yaml, slug: Some(slug.to_owned()) };
            done(world.engine.connectors().install(&OPERATOR, input).await.unwrap());
        }
        let make = |connector: &str, config: serde_json::Value| {
            let input = CreateIntegration {
                connector: connector.to_owned(),
                config,
                streams: None,
                ..create(client.id, "x")
            };
            let integrations = world.engine.integrations();
            async move { integrations.create(&OPERATOR, input).await.unwrap() }
        };
        let older = json!({ "api_key": "s3cret-of-old", "host": "a.example" });
        let today = json!({ "host": "a.example", "credentials": { "key": "s3cret-of-old" } });
        let made = done(make("moves", older.clone()).await);
        assert_eq!(made.config, json!({ "host": "a.example", "credentials": { "key": "******" } }));
        let stored = row(&world, made.id).await;
        assert!(!stored.config.to_string().contains("s3cret"), "{}", stored.config);
        assert_eq!(full_config(&world.engine, &stored).unwrap(), today);

        // The same form is taken by a change, too, and what fits is kept as it is.
        let change = UpdateIntegration {
            config: Some(json!({ "api_key": "s3cret-anew", "host": "b.example" })),
            ..UpdateIntegration::of(made.id)
        };
        done(world.engine.integrations().update(&OPERATOR, change).await.unwrap());
        let stored = row(&world, made.id).await;
        assert!(!stored.config.to_string().contains("s3cret"), "{}", stored.config);
        let anew = json!({ "host": "b.example", "credentials": { "key": "s3cret-anew" } });
        assert_eq!(full_config(&world.engine, &stored).unwrap(), anew);
        done(make("moves", today).await);

        // A migration that leaves the secret where nothing marks it.
        let refusals = make("leaves", older).await;
        assert_eq!(refused(&refusals), [(RefusalCode::Invalid, "config.api_key".to_owned())]);
        // One that is moved in part.
        let twice = json!({ "api_key": "s3cret-of-old", "host": "s3cret-of-old.example" });
        assert_eq!(refused(&make("moves", twice).await), [(RefusalCode::Invalid, "config.host".to_owned())]);
        // What no migration mends is told of what was entered.
        let wrong = make("moves", json!({ "api_key": "s3cret-of-old" })).await;
        assert!(refused(&wrong).contains(&(RefusalCode::Invalid, "config.host".to_owned())), "{wrong:?}");
    }

    async fn every_mistake_at_its_field(world: World) {
        let (client, _) = world.furnished().await;
        let input = CreateIntegration {
            name: String::new(),
            config: json!({ "baseUrl": "https://people.example" }),
            streams: Some(vec!["users".to_owned(), "nothing".to_owned()]),
            schedule: Some(ScheduleInput {
                timezone: "Mars/Olympus".to_owned(),
                jitter_seconds: -1,
                catch_up_seconds: 10_000_000,
                ..schedule("* * * * *")
            }),
            retry: RetryInput { policy: Some("eager".to_owned()), custom: None },
            requests_per_minute: Some(0),
            ..create(client.id, "x")
        };
        let outcome = world.engine.integrations().create(&OPERATOR, input).await.unwrap();
        let mut fields: Vec<_> = refused(&outcome).into_iter().map(|(_, field)| field).collect();
        fields.sort();
        assert_eq!(fields, [
            "config.apiKey", "name", "requestsPerMinute", "retryPolicy", "schedule.catchUpSeconds",
            "schedule.jitterSeconds", "schedule.timezone", "streams.1",
        ]);
    }

    async fn crons_are_checked(world: World) {
        let (client, _) = world.furnished().await;
        for (cron, good) in [
            ("0 6 * * 1-5", true), ("*/10 * * * * *", true), ("61 * * * *", false), ("every day", false), ("", false),
            ("0 0 30 2 *", false),
        ] {
            let input = CreateIntegration { schedule: Some(schedule(cron)), ..create(client.id, "x") };
            let outcome = world.engine.integrations().create(&OPERATOR, input).await.unwrap();
            if good {
                let id = done(outcome).id;
                let schedules = world.engine.integrations().schedules_for(&OPERATOR, &[id]).await.unwrap();
                assert!(schedules[&id].next_due_at.unwrap() > SystemClock.now());
            } else {
                assert_eq!(refused(&outcome), [(RefusalCode::Invalid, "schedule.cron".to_owned())], "{cron}");
            }
        }
    }

    async fn what_is_not_there(world: World) {
        let (client, made) = world.furnished().await;
        let integrations = world.engine.integrations();
        let nobody = integrations.create(&OPERATOR, create(ClientId::new(new_id()), "x")).await.unwrap();
        assert_eq!(refused(&nobody), [(RefusalCode::NotFound, "clientId".to_owned())]);
        let input = CreateIntegration { connector: "nothing".to_owned(), ..create(client.id, "x") };
        let unknown = integrations.create(&OPERATOR, input).await.unwrap();
        assert_eq!(refused(&unknown), [(RefusalCode::NotFound, "connector".to_owned())]);
        assert!(unknown.refusals()[0].message.contains("people"), "it names what there is");
        let other = holder_of(world.client("other").await.id);
        for outcome in [
            integrations.create(&other, create(client.id, "x")).await.unwrap(),
            integrations.pause(&other, made.id).await.unwrap(),
            integrations.resume(&OPERATOR, IntegrationId::new(new_id())).await.unwrap(),
            integrations.update(&other, UpdateIntegration::of(made.id)).await.unwrap(),
        ] {
            assert_eq!(refused(&outcome)[0].0, RefusalCode::NotFound);
        }
        assert_eq!(refused(&integrations.delete(&other, made.id).await.unwrap())[0].0, RefusalCode::NotFound);
        assert_eq!(integrations.find(&other, made.id).await.unwrap(), None);
        assert_eq!(integrations.counts(&other, &[IntegrationFilter::default()]).await.unwrap(), [0]);
        assert!(integrations.schedules_for(&other, &[made.id]).await.unwrap().is_empty());
        done(world.engine.clients().archive(&OPERATOR, client.id).await.unwrap());
        let archived = integrations.create(&OPERATOR, create(client.id, "x")).await.unwrap();
        assert_eq!(refused(&archived), [(RefusalCode::Conflict, "clientId".to_owned())]);
    }

    async fn an_update_keeps_what_it_does_not_name(world: World) {
        let (_, made) = world.furnished().await;
        let integrations = world.engine.integrations();
        let update = |change: UpdateIntegration| async { integrations.update(&OPERATOR, change).await.unwrap() };
        let mask = json!({ "baseUrl": "https://new.example", "apiKey": "******" });
        for config in [mask, json!({ "baseUrl": "https://new.example" })] {
            let updated = done(update(UpdateIntegration { config: Some(config), ..UpdateIntegration::of(made.id) }).await);
            assert_eq!(updated.config["baseUrl"], "https://new.example");
            assert_eq!(updated.config["apiKey"], "******");
            assert_eq!(full_config(&world.engine, &row(&world, made.id).await).unwrap()["apiKey"], "s3cret");
        }
        let changed = UpdateIntegration {
            name: Some("renamed".to_owned()),
            streams: Patch::Set(vec!["posts".to_owned()]),
            schedule: Patch::Set(schedule("0 6 * * *")),
            retry: RetryInput {
                policy: None,
                custom: Some(CustomRetry { max_attempts: 2, base_delay_seconds: 0.5, max_delay_seconds: 9.0, factor: 3.0 }),
            },
            requests_per_minute: Patch::Set(60),
            ..UpdateIntegration::of(made.id)
        };
        let updated = done(update(changed).await);
        assert_eq!((updated.name.as_str(), updated.streams.as_slice()), ("renamed", &["posts".to_owned()][..]));
        assert_eq!((updated.retry.max_attempts, updated.retry.base_delay_ms), (2, 500));
        assert_eq!(updated.requests_per_minute, Some(60));
        let first = integrations.schedules_for(&OPERATOR, &[made.id]).await.unwrap()[&made.id].clone();
        let again = UpdateIntegration { schedule: Patch::Set(schedule("0 7 * * *")), ..UpdateIntegration::of(made.id) };
        done(update(again).await);
        let second = integrations.schedules_for(&OPERATOR, &[made.id]).await.unwrap()[&made.id].clone();
        assert_eq!((first.id, second.cron.as_str()), (second.id, "0 7 * * *"));
        let cleared = UpdateIntegration {
            schedule: Patch::Clear,
            streams: Patch::Clear,
            requests_per_minute: Patch::Clear,
            ..UpdateIntegration::of(made.id)
        };
        let cleared = done(update(cleared).await);
        assert_eq!((cleared.streams.len(), cleared.requests_per_minute), (2, None));
        assert!(integrations.schedules_for(&OPERATOR, &[made.id]).await.unwrap().is_empty());
    }

    async fn moved_to_another_version(world: World) {
        let (_, made) = world.furnished().await;
        let manifest = MANIFEST.replace("name: posts", "name: articles");
        let input = InstallConnector { manifest, slug: Some("people".to_owned()) };
        done(world.engine.connectors().install(&OPERATOR, input).await.unwrap());
        assert_eq!(world.engine.integrations().find(&OPERATOR, made.id).await.unwrap().unwrap().connector_id, made.connector_id);
        let to = |version: &str| UpdateIntegration {
            connector_version: Some(version.to_owned()),
            ..UpdateIntegration::of(made.id)
        };
        let integrations = world.engine.integrations();
        let unknown = integrations.update(&OPERATOR, to("7")).await.unwrap();
        assert_eq!(refused(&unknown), [(RefusalCode::NotFound, "connectorVersion".to_owned())]);
        let gone = integrations.update(&OPERATOR, to("2")).await.unwrap();
        assert_eq!(refused(&gone), [(RefusalCode::Invalid, "streams.1".to_owned())]);
        let moved = UpdateIntegration { streams: Patch::Clear, ..to("2") };
        let moved = done(integrations.update(&OPERATOR, moved).await.unwrap());
        assert_eq!(moved.streams, ["users", "articles"]);
        assert_eq!(moved.config, made.config);
    }

    async fn streams_that_only_some_configurations_have(world: World) {
        world.furnished().await;
        let always = "  - type: DeclarativeStream\n    name: posts\n    primary_key: [id]\n    retriever: *retriever\n    schema_loader: *schema\n";
        let sometimes = "  - type: ConditionalStreams\n    condition: \"{{ config.get('note') == 'full' }}\"\n    streams:\n    - type: DeclarativeStream\n      name: posts\n      primary_key: [id]\n      retriever: *retriever\n      schema_loader: *schema\n";
        assert!(MANIFEST.contains(always));
        let manifest = MANIFEST.replace(always, sometimes);
        let input = InstallConnector { manifest, slug: Some("people".to_owned()) };
        done(world.engine.connectors().install(&OPERATOR, input).await.unwrap());
        let client = world.client("second").await.id;
        let integrations = world.engine.integrations();

        let all = done(integrations.create(&OPERATOR, create(client, "all there are")).await.unwrap());
        assert_eq!(all.streams, ["users"]);
        let named = CreateIntegration { streams: Some(vec!["posts".to_owned()]), ..create(client, "named") };
        let outcome = integrations.create(&OPERATOR, named).await.unwrap();
        assert_eq!(refused(&outcome), [(RefusalCode::Invalid, "streams.0".to_owned())]);

        let mut full = config();
        full["note"] = json!("full");
        let update = UpdateIntegration {
            config: Some(full),
            streams: Patch::Clear,
            ..UpdateIntegration::of(all.id)
        };
        let all = done(integrations.update(&OPERATOR, update).await.unwrap());
        assert_eq!(all.streams, ["users", "posts"]);
    }

    async fn three_reasons_to_pause(world: World) {
        let (_, made) = world.furnished().await;
        let integrations = world.engine.integrations();
        let broken = integration::ActiveModel {
            paused_for_credential: Set(true), paused_for_failure: Set(true), ..Default::default()
        };
        set(&world, made.id, broken).await;
        let paused = done(integrations.pause(&OPERATOR, made.id).await.unwrap());
        let all = [PauseReason::Manual, PauseReason::Credential, PauseReason::RepeatedFailure];
        assert_eq!((paused.pause_reasons.as_slice(), paused.health), (&all[..], Health::Failing));
        let new_key = UpdateIntegration {
            config: Some(json!({ "baseUrl": "https://people.example", "apiKey": "n3w" })),
            ..UpdateIntegration::of(made.id)
        };
        let mended = done(integrations.update(&OPERATOR, new_key).await.unwrap());
        assert_eq!(mended.pause_reasons, [PauseReason::Manual, PauseReason::RepeatedFailure]);
        let resumed = done(integrations.resume(&OPERATOR, made.id).await.unwrap());
        assert_eq!((resumed.status, resumed.pause_reasons.len()), (IntegrationStatus::Active, 0));
    }

    async fn filtered_by_how_they_fare(world: World) {
        let (client, _unknown) = world.furnished().await;
        use SyncRunStatus::{Failed, PartiallySucceeded, Succeeded};
        for (name, last, failures, refused) in [
            ("healthy", Succeeded, 0, false), ("degraded", PartiallySucceeded, 0, false), ("degraded 2", Failed, 2, false),
            ("failing", Failed, 3, false), ("failing 2", Succeeded, 0, true),
        ] {
            let made = world.integration(client.id, name).await;
            let change = integration::ActiveModel {
                last_run_status: Set(Some(last)), consecutive_failures: Set(failures), paused_for_credential: Set(refused),
                ..Default::default()
            };
            set(&world, made.id, change).await;
        }
        let integrations = world.engine.integrations();
        let mut all = 0;
        for (health, count) in [(Health::Healthy, 1), (Health::Degraded, 2), (Health::Failing, 2), (Health::Unknown, 1)] {
            let filter = IntegrationFilter { health: Some(health), ..IntegrationFilter::default() };
            let page = integrations.list(&OPERATOR, &filter, IntegrationOrder::default(), &PageRequest::default()).await;
            let found: Vec<_> = page.unwrap().into_items().map(|integration| integration.health).collect();
            assert_eq!(found, vec![health; count]);
            all += count;
        }
        assert_eq!(all, 6);
        for (status, count) in [(IntegrationStatus::Active, 5), (IntegrationStatus::Paused, 1)] {
            let filter = IntegrationFilter { status: Some(status), ..IntegrationFilter::default() };
            assert_eq!(integrations.counts(&OPERATOR, &[filter]).await.unwrap(), [count]);
        }
        let filter = IntegrationFilter {
            connector: Some("people".to_owned()), search: Some("DEGR".to_owned()), client_id: Some(client.id),
            ..IntegrationFilter::default()
        };
        let none = IntegrationFilter { connector: Some("nothing".to_owned()), ..IntegrationFilter::default() };
        assert_eq!(integrations.counts(&OPERATOR, &[filter.clone(), none]).await.unwrap(), [2, 0]);
        // Of several clients at once, among others, in the order in which they were asked for.
        let other = world.client("another").await.id;
        world.integration(other, "DEGRADED as well").await;
        let of = |client_id, search: Option<&str>| IntegrationFilter {
            client_id, search: search.map(str::to_owned), ..IntegrationFilter::default()
        };
        let unknown = ClientId::new(new_id());
        let filters = [
            of(Some(other), None), of(None, None), of(Some(client.id), None), of(Some(unknown), None),
            of(Some(client.id), Some("degr")), of(Some(other), Some("degr")), of(Some(other), None), of(None, Some("degr")),
        ];
        assert_eq!(integrations.counts(&OPERATOR, &filters).await.unwrap(), [1, 7, 6, 0, 2, 1, 1, 3]);
        assert_eq!(integrations.counts(&holder_of(other), &filters).await.unwrap(), [1, 1, 0, 0, 0, 1, 1, 1]);
    }

    async fn ordered_by_the_next_run(world: World) {
        let (client, _never) = world.furnished().await;
        for (name, cron) in [("yearly", "0 0 1 1 *"), ("soon", "* * * * * *"), ("daily", "0 0 * * *")] {
            let input = CreateIntegration { schedule: Some(schedule(cron)), ..create(client.id, name) };
            done(world.engine.integrations().create(&OPERATOR, input).await.unwrap());
        }
        for (direction, expected) in [
            (OrderDirection::Asc, ["soon", "daily", "yearly", "people"]),
            (OrderDirection::Desc, ["people", "yearly", "daily", "soon"]),
        ] {
            let order = IntegrationOrder { field: IntegrationOrderField::NextRunAt, direction };
            let (mut names, mut page) = (Vec::new(), PageRequest::first(1));
            loop {
                let filter = IntegrationFilter::default();
                let found = world.engine.integrations().list(&OPERATOR, &filter, order, &page).await.unwrap();
                let next = found.has_next.then(|| found.end_cursor().unwrap().to_owned());
                names.extend(found.into_items().map(|integration| integration.name));
                let Some(next) = next else { break };
                page = PageRequest::after(1, next);
            }
            assert_eq!(names, expected);
        }
    }

    async fn the_active_and_the_last_run_of_each(world: World) {
        let (client, first) = world.furnished().await;
        let second = world.integration(client.id, "second").await;
        let runs = [world.run(first.id).await, world.run(first.id).await, world.run(first.id).await];
        let ended = |status| sync_run::ActiveModel {
            status: Set(status), finished_at: Set(Some(Timestamp::from(SystemClock.now()))), ..Default::default()
        };
        world.set_run(runs[0], ended(SyncRunStatus::Succeeded)).await;
        world.set_run(runs[2], sync_run::ActiveModel { status: Set(SyncRunStatus::Running), ..Default::default() }).await;
        let integrations = world.engine.integrations();
        let ids = [first.id, second.id];
        let active = integrations.active_runs(&OPERATOR, &ids).await.unwrap();
        assert_eq!(active.values().map(|run| run.id).collect::<Vec<_>>(), [runs[2]], "a running one before a queued one");
        let last = integrations.last_runs(&OPERATOR, &ids).await.unwrap();
        assert_eq!(last.values().map(|run| run.id).collect::<Vec<_>>(), [runs[0]]);
        let other = holder_of(world.client("other").await.id);
        assert!(integrations.active_runs(&other, &ids).await.unwrap().is_empty());
        world.set_run(runs[2], ended(SyncRunStatus::Failed)).await;
        assert_eq!(integrations.active_runs(&OPERATOR, &ids).await.unwrap()[&first.id].id, runs[1]);
    }

    async fn deleted_is_gone(world: World) {
        let (_, made) = world.furnished().await;
        let run = world.run(made.id).await;
        let integrations = world.engine.integrations();
        assert_eq!(done(integrations.delete(&OPERATOR, made.id).await.unwrap()), made.id);
        assert_eq!(integrations.find(&OPERATOR, made.id).await.unwrap(), None);
        assert_eq!(refused(&integrations.delete(&OPERATOR, made.id).await.unwrap())[0].0, RefusalCode::NotFound);
        let row = row(&world, made.id).await;
        assert!(row.deleted_at.is_some() && row.secrets.is_none());
        let run = sync_run::Entity::find_by_id(run).one(world.engine.db.reader()).await.unwrap().unwrap();
        assert_eq!(run.status, SyncRunStatus::Cancelled);
    }

    async fn skipped_ticks_newest_first(world: World) {
        let (client, _) = world.furnished().await;
        let input = CreateIntegration { schedule: Some(schedule("* * * * *")), ..create(client.id, "x") };
        let made = done(world.engine.integrations().create(&OPERATOR, input).await.unwrap());
        let integrations = world.engine.integrations();
        let schedule = integrations.schedules_for(&OPERATOR, &[made.id]).await.unwrap()[&made.id].id;
        let now: chrono::DateTime<Utc> = SystemClock.now();
        let ticks = (0..3).map(|minute| skipped_tick::Model {
            schedule_id: schedule,
            due_at: (now + TimeDelta::minutes(minute)).into(),
            reason: SkipReason::Overlap,
        });
        world.insert::<_, skipped_tick::Entity>(ticks.collect()).await;
        let page = skipped(&world, &OPERATOR, made.id, PageRequest::first(2)).await;
        assert!(page.has_next && page.items[0].1.due_at > page.items[1].1.due_at);
        let rest = PageRequest::after(2, page.end_cursor().unwrap());
        assert_eq!(skipped(&world, &OPERATOR, made.id, rest).await.items.len(), 1);
        let other = holder_of(world.client("other").await.id);
        assert!(skipped(&world, &other, made.id, PageRequest::default()).await.items.is_empty());
        done(integrations.delete(&OPERATOR, made.id).await.unwrap());
    }
}
