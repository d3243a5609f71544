//! Everything of a client goes, whoever works on it, and nothing of anybody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use engine::access::{CreateApiKey, Credential, Holder, Rights, RotateApiKey};
use engine::clients::RegisterClient;
use engine::erasure::{EraseClient, Erasure, ErasureStatus};
use engine::idempotency::{Asked, Begun};
use engine::ids::ClientId;
use engine::integrations::{OverlapPolicy, ScheduleInput, SkipReason, UpdateIntegration};
use engine::queue;
use engine::runs::{SyncMode, SyncRunStatus};
use engine::{Actor, Engine, Outcome, PageRequest, Patch, RefusalCode};
use entity::{record_seen, skipped_tick};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::upstream::{Step, Upstream, unavailable, users};
use crate::work::LEASE;
use crate::world::{OPERATOR, World, done, holder_of, on_both_databases, refused};

/// Tables that hold nothing of a client's, each with the reason. Of every other one the client must have had rows, so a
/// table that is new fails the test until somebody fills it here.
const NOBODYS: [(&str, &str); 5] = [
    ("seaql_migrations", "the migrations that ran"),
    ("connector", "the operator's"),
    (
        "sync_run_hour",
        "everybody's, of which the client's runs are taken",
    ),
    (
        "sync_run_tally",
        "a queue: what is in it is added to the figures, and gone",
    ),
    (
        "erasure",
        "the proof: an id that names nothing, who, when, how many",
    ),
];

type Tables = BTreeMap<String, Vec<String>>;

/// Every row of every table there is, as text.
async fn tables(world: &World) -> Tables {
    let reader = world.engine.db.reader();
    let backend = reader.get_database_backend();
    let sqlite = backend == DbBackend::Sqlite;
    let texts = async |sql: String| -> Vec<String> {
        let rows = reader
            .query_all_raw(Statement::from_string(backend, sql))
            .await
            .unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    };
    let names = if sqlite {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    } else {
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
    };
    let mut found = Tables::new();
    for name in texts(names.to_owned()).await {
        let row = if sqlite {
            let columns = texts(format!("SELECT name FROM pragma_table_info('{name}')")).await;
            let columns: Vec<String> = columns
                .iter()
                .map(|column| format!("quote(\"{column}\")"))
                .collect();
            columns.join(" || ',' || ")
        } else {
            format!("row_to_json(\"{name}\")::text")
        };
        let mut rows = texts(format!("SELECT {row} FROM \"{name}\"")).await;
        rows.sort();
        found.insert(name, rows);
    }
    found
}

/// A client with something in every table. Its name is in everything that people wrote.
async fn furnish(world: &World, slug: &str) -> ClientId {
    let engine = &world.engine;
    let input = RegisterClient {
        slug: slug.to_owned(),
        name: format!("{slug} name"),
        metadata: Some(json!({ "note": slug })),
    };
    let client = done(engine.clients().register(&OPERATOR, input).await.unwrap()).id;
    let integration = world.integration(client, &format!("{slug} integration")).await.id;
    let schedule = ScheduleInput {
        cron: "0 6 * * *".to_owned(),
        timezone: "UTC".to_owned(),
        jitter_seconds: 0,
        overlap: OverlapPolicy::Skip,
        catch_up_seconds: 0,
    };
    let change = UpdateIntegration {
        schedule: Patch::Set(schedule),
        ..UpdateIntegration::of(integration)
    };
    done(engine.integrations().update(&OPERATOR, change).await.unwrap());
    let schedule = engine
        .integrations()
        .schedules_for(&OPERATOR, &[integration])
        .await
        .unwrap()[&integration]
        .id;
    let tick = skipped_tick::Model {
        schedule_id: schedule,
        due_at: engine.timestamp(),
        reason: SkipReason::Overlap,
    };
    world.insert::<_, skipped_tick::Entity>(vec![tick]).await;
    world.retrying(integration, 1).await;
    let named: Vec<Value> = (1..=20)
        .map(|id| json!({ "id": id, "name": format!("{slug} {id}") }))
        .collect();
    let bad = vec![json!({ "bad": slug })];
    let upstream = Upstream::of("users", vec![Step::Mixed(named, bad), Step::Page(users(21..=30))]);
    world.sync(integration, SyncMode::Incremental, &upstream).await;
    let failing = Upstream::of("users", vec![Step::Fail(unavailable())]);
    world.sync(integration, SyncMode::Incremental, &failing).await;
    let stream = entity::stream_state::Entity::find()
        .all(engine.db.reader())
        .await
        .unwrap();
    let stream = stream
        .iter()
        .find(|row| row.integration_id == integration)
        .unwrap()
        .id;
    let seen = record_seen::Model {
        stream_id: stream,
        generation: 9,
        record_id: 1,
    };
    world.insert::<_, record_seen::Entity>(vec![seen]).await;
    let key = CreateApiKey {
        name: format!("{slug} key"),
        scopes: vec!["*".to_owned()],
        client_id: Some(client),
        expires_at: None,
    };
    let key = done(engine.api_keys().create(&OPERATOR, key).await.unwrap())
        .key
        .id;
    let rotate = RotateApiKey {
        api_key_id: key,
        overlap_seconds: 60,
    };
    done(engine.api_keys().rotate(&OPERATOR, rotate).await.unwrap());
    // What the client itself was answered, and what an operator was answered about it.
    let own = Actor::Holder(Holder {
        client: Some(client),
        rights: Rights::all().of_a_client(),
        credential: Credential::Key(key),
    });
    answer(engine, &own, slug, "its own").await;
    answer(engine, &OPERATOR, slug, &format!("{{\"id\":\"{client}\"}}")).await;
    client
}

async fn begin(engine: &Engine, actor: &Actor, key: &str) -> Begun {
    let asked = Asked {
        key,
        operation: ("mutation { x }", None),
        variables: &json!({ "key": key }),
    };
    engine.idempotency().begin(actor, asked).await.unwrap()
}

async fn answer(engine: &Engine, actor: &Actor, key: &str, answer: &str) {
    match begin(engine, actor, key).await {
        Begun::First(ticket) => engine.idempotency().finish(ticket, Some(answer)).await.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn erase(client_id: ClientId, slug: &str) -> EraseClient {
    EraseClient {
        client_id,
        confirm_slug: slug.to_owned(),
    }
}

async fn request(world: &World, client: ClientId, slug: &str) -> Outcome<Erasure> {
    world
        .engine
        .erasures()
        .request(&OPERATOR, erase(client, slug))
        .await
        .unwrap()
}

async fn work(engine: &Engine, worker: &str) -> u64 {
    engine
        .erasures()
        .work(worker, &CancellationToken::new())
        .await
        .unwrap()
}

async fn find(world: &World, erasure: &Erasure) -> Erasure {
    world
        .engine
        .erasures()
        .find(&OPERATOR, erasure.id)
        .await
        .unwrap()
        .unwrap()
}

on_both_databases! {
    async fn nothing_is_left_in_any_table_and_nothing_of_others_goes(world: World) {
        world.connector("people").await;
        furnish(&world, "betahaus").await;
        world.engine.events().relay().await.unwrap();
        world.fold().await;
        let before = tables(&world).await;
        let client = furnish(&world, "alphawerk").await;
        world.engine.events().relay().await.unwrap();
        world.fold().await;
        let full = tables(&world).await;
        let has = |name: &str| !NOBODYS.iter().any(|(nobodys, _)| *nobodys == name);
        for (name, rows) in full.iter().filter(|(name, _)| has(name)) {
            assert!(rows.len() > before[name].len(), "the client has nothing in {name}: give it something, or say why not");
        }

        let erasure = done(request(&world, client, "alphawerk").await);
        assert_eq!(erasure.status, ErasureStatus::Cancelling);
        assert_eq!(work(&world.engine, "worker").await, 1);
        let erased = find(&world, &erasure).await;
        assert_eq!((erased.status, erased.requested_by.as_str()), (ErasureStatus::Done, "operator"));
        assert!(erased.finished_at.is_some());

        world.engine.events().relay().await.unwrap();
        let after = tables(&world).await;
        for (name, rows) in &after {
            let gone: Vec<&String> = before[name].iter().filter(|row| !rows.contains(row)).collect();
            assert!(gone.is_empty(), "of somebody else in {name}: {gone:#?}");
            let left: Vec<&String> = rows.iter().filter(|row| !before[name].contains(row)).collect();
            match name.as_str() {
                "erasure" => assert_eq!(left.len(), 1),
                "outbox_event" => {
                    assert_eq!(left.len(), 3, "that it was asked for, and what became of it: {left:#?}");
                }
                // The operator's key stays taken, so that nothing is done twice.
                "idempotency_answer" => assert_eq!(left.len(), 1, "{left:#?}"),
                _ => assert!(left.is_empty(), "left in {name}: {left:#?}"),
            }
            let text = left.iter().map(|row| row.to_lowercase()).collect::<String>();
            let plain = if name == "idempotency_answer" { text.replace("alphawerk", "") } else { text };
            assert!(!plain.contains("alphawerk"), "in {name}: {plain}");
            if name != "erasure" {
                let (id, uuid) = (client.to_string(), client.uuid());
                assert!(!plain.contains(&id) && !plain.contains(&uuid.to_string()), "in {name}: {plain}");
                assert!(!plain.contains(&uuid.simple().to_string()), "in {name}: {plain}");
            }
        }
        for (name, rows) in full.iter().filter(|(name, _)| has(name)) {
            let counted = erased.erased.iter().find(|counted| counted.what == *name).map_or(0, |counted| counted.count);
            let had = rows.len() - before[name].len();
            assert_eq!(counted, had as u64, "{name}: {:?}", erased.erased);
        }
        assert!(matches!(begin(&world.engine, &OPERATOR, "alphawerk").await, Begun::Erased));
        assert!(matches!(begin(&world.engine, &OPERATOR, "betahaus").await, Begun::Answered(_)));
        let again = RegisterClient { slug: "alphawerk".to_owned(), name: "New".to_owned(), metadata: None };
        let again = world.engine.clients().register(&OPERATOR, again).await.unwrap();
        assert_ne!(done(again).id, client, "the slug is free");
    }

    async fn it_takes_the_slug_and_the_right(world: World) {
        world.connector("people").await;
        let client = furnish(&world, "alphawerk").await;
        let wrong = request(&world, client, "alphawerk ").await;
        assert_eq!(refused(&wrong), [(RefusalCode::Invalid, "confirmSlug".to_owned())]);
        let unknown = request(&world, ClientId::new(crate::world::new_id()), "alphawerk").await;
        assert_eq!(refused(&unknown), [(RefusalCode::NotFound, "clientId".to_owned())]);
        let own = holder_of(client);
        let asked = world.engine.erasures().request(&own, erase(client, "alphawerk")).await.unwrap();
        assert_eq!(refused(&asked)[0].0, RefusalCode::Forbidden);
        let first = done(request(&world, client, "alphawerk").await);
        assert_eq!(done(request(&world, client, "alphawerk").await).id, first.id, "asking twice is asking once");
        assert_eq!(world.engine.erasures().find(&own, first.id).await.unwrap(), None);
        assert!(world.engine.erasures().list(&own, &PageRequest::default()).await.unwrap().items.is_empty());
        assert_eq!(world.engine.erasures().count(&OPERATOR).await.unwrap(), 1);
    }

    /// From the request on, before any worker has looked.
    async fn nothing_begins_any_more_and_its_keys_are_dead(world: World) {
        world.connector("people").await;
        let client = furnish(&world, "alphawerk").await;
        let key = CreateApiKey { name: "k".to_owned(), scopes: vec!["*".to_owned()], client_id: Some(client), expires_at: None };
        let key = done(world.engine.api_keys().create(&OPERATOR, key.clone()).await.unwrap());
        let secret = secrecy::ExposeSecret::expose_secret(&key.secret).to_owned();
        let integration = world.integration(client, "second").await.id;
        let waits = world.trigger(integration, SyncMode::Incremental).await;
        assert!(world.engine.api_keys().authenticate(&secret).await.unwrap().is_some());
        done(request(&world, client, "alphawerk").await);
        assert!(world.engine.api_keys().authenticate(&secret).await.unwrap().is_none());
        assert!(world.claim(LEASE).await.is_none(), "{waits} is not claimed");
        let trigger = crate::work::request(integration, SyncMode::Incremental);
        let trigger = world.engine.runs().trigger(&OPERATOR, trigger).await.unwrap();
        assert_eq!(refused(&trigger)[0].0, RefusalCode::NotFound);
        let made = world.engine.integrations().create(&OPERATOR, crate::world::create(client, "third")).await.unwrap();
        assert_eq!(refused(&made)[0].0, RefusalCode::Conflict);
        let key = CreateApiKey { name: "k".to_owned(), scopes: vec!["*".to_owned()], client_id: Some(client), expires_at: None };
        assert_eq!(refused(&world.engine.api_keys().create(&OPERATOR, key).await.unwrap())[0].0, RefusalCode::Conflict);
    }

    async fn a_worker_that_does_not_stop_writes_nothing_any_more(world: World) {
        world.connector("people").await;
        let client = furnish(&world, "alphawerk").await;
        let integration = world.integration(client, "second").await.id;
        let run = world.trigger(integration, SyncMode::Incremental).await;
        // Claimed, and then silent: a worker that is paused with a lease of half a minute.
        let claim = world.claim(LEASE).await.unwrap();
        assert_eq!(claim.id(), run);
        let erasure = done(request(&world, client, "alphawerk").await);
        let mut later = world.engine.clone();
        let clock = platform::clock::ManualClock::at(world.engine.clock.now());
        later.clock = clock.shared();
        let working = tokio::spawn({
            let later = later.clone();
            async move { work(&later, "worker").await }
        });
        // While there is patience nothing is deleted.
        crate::world::soon(async {
            while clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(world.shown(run).await.status, SyncRunStatus::Running);
        assert_eq!(find(&world, &erasure).await.status, ErasureStatus::Cancelling);
        clock.advance(Duration::from_secs(6));
        crate::world::soon(working).await.unwrap();
        let before = tables(&world).await;
        // It wakes up, with all that it had read.
        let settlement = world.execute(&claim, &Upstream::of("users", vec![Step::Page(users(1..=9))])).await;
        queue::settle(&world.engine, &claim, &settlement).await.unwrap();
        assert_eq!(tables(&world).await, before, "not one row");
        assert_eq!(find(&world, &erasure).await.status, ErasureStatus::Done);
    }

    async fn one_erasure_has_one_worker(world: World) {
        world.connector("people").await;
        let client = furnish(&world, "alphawerk").await;
        done(request(&world, client, "alphawerk").await);
        let run = {
            let stopped = CancellationToken::new();
            stopped.cancel();
            world.engine.erasures().work("stopped", &stopped).await.unwrap()
        };
        assert_eq!(run, 0);
        let (one, other) = futures::future::join(work(&world.engine, "one"), work(&world.engine, "other")).await;
        assert_eq!(one + other, 1, "the other one found nothing to do");
    }
}

/// A process that is killed loses its connection with it, and the server what was not committed; that is what
/// `an_erasure_survives_its_worker` does to the real one, on both databases. Here the work is dropped between any two
/// statements.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_killed_is_followed_by_another() {
    let world = World::sqlite().await;
    world.connector("people").await;
    let client = furnish(&world, "alphawerk").await;
    let erasure = done(request(&world, client, "alphawerk").await);
    let clock = platform::clock::ManualClock::at(world.engine.clock.now() + TimeDelta::seconds(10));
    let mut engine = world.engine.clone();
    engine.clock = clock.shared();
    // Dropped between two statements, wherever that is: what was not committed is not counted.
    for polls in 0..40 {
        let mut work = Box::pin(work(&engine, "killed"));
        for _ in 0..polls {
            if futures::poll!(work.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
            world.engine.clock.sleep(Duration::from_millis(1)).await;
        }
        drop(work);
        clock.advance(Duration::from_secs(16));
    }
    work(&engine, "heir").await;
    let erased = find(&world, &erasure).await;
    assert_eq!(erased.status, ErasureStatus::Done);
    let count = |what: &str| {
        erased
            .erased
            .iter()
            .find(|counted| counted.what == what)
            .map_or(0, |counted| counted.count)
    };
    assert_eq!(
        (
            count("record"),
            count("client"),
            count("api_key"),
            count("api_key_secret")
        ),
        (30, 1, 1, 2)
    );
    for (name, rows) in tables(&world).await {
        if name != "idempotency_answer" {
            assert!(!rows.concat().contains("alphawerk"), "{name}");
        }
    }
}
