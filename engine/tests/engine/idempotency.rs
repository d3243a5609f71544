use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::idempotency::{Asked, Begun, Ticket};
use platform::clock::ManualClock;
use platform::coordination::{MemoryCoordinator, RedisCoordinator};
use platform::settings::{CoordinationSettings, RedisUrl};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::{OPERATOR, World, on_both_databases};

/// A process of its own, on the world's database: what it marks, the others do not see.
fn process(world: &World, clock: &ManualClock) -> Engine {
    Engine {
        clock: clock.shared(),
        coordinator: Arc::new(MemoryCoordinator::new(clock.shared())),
        ..world.engine.clone()
    }
}

async fn begin(engine: &Engine, key: &str, variables: &Value) -> Begun {
    let asked = Asked {
        key,
        operation: ("mutation { x }", None),
        variables,
    };
    engine.idempotency().begin(&OPERATOR, asked).await.unwrap()
}

async fn first(engine: &Engine, key: &str, variables: &Value) -> Ticket {
    match begin(engine, key, variables).await {
        Begun::First(ticket) => ticket,
        other => panic!("it is the first: {other:?}"),
    }
}

async fn answered(engine: &Engine, key: &str, variables: &Value) -> String {
    match begin(engine, key, variables).await {
        Begun::Answered(answer) => answer,
        other => panic!("it is answered: {other:?}"),
    }
}

on_both_databases! {
    async fn an_equal_request_gets_the_answer_and_another_one_none(world: World) {
        let clock = ManualClock::default();
        let (one, two) = (process(&world, &clock), process(&world, &clock));
        let ticket = first(&one, "k", &json!({ "a": 1, "b": 2 })).await;
        for engine in [&one, &two] {
            assert!(matches!(begin(engine, "k", &json!({ "b": 2, "a": 1 })).await, Begun::InFlight));
            assert!(matches!(begin(engine, "k", &json!({ "a": 2 })).await, Begun::Mismatch));
        }
        one.idempotency().finish(ticket, Some("the answer")).await.unwrap();
        for engine in [&one, &two] {
            assert_eq!(answered(engine, "k", &json!({ "b": 2, "a": 1 })).await, "the answer");
            assert!(matches!(begin(engine, "k", &json!({ "a": 2 })).await, Begun::Mismatch));
        }
        let another = first(&two, "another key", &json!({ "a": 1, "b": 2 })).await;
        two.idempotency().finish(another, None).await.unwrap();
        first(&one, "another key", &json!(null)).await;
    }

    async fn of_many_equal_requests_at_once_one_is_the_first(world: World) {
        let clock = ManualClock::default();
        let engines = [process(&world, &clock), process(&world, &clock), process(&world, &clock)];
        let asking = (0..30).map(|number| {
            let engine = engines[number % 3].clone();
            tokio::spawn(async move { begin(&engine, "k", &json!({})).await })
        });
        let mut firsts = 0;
        for begun in asking.collect::<Vec<_>>() {
            match begun.await.unwrap() {
                Begun::First(_) => firsts += 1,
                Begun::InFlight => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(firsts, 1);
    }

    async fn a_request_whose_process_died_may_be_made_again_when_its_answer_is_overdue(world: World) {
        let clock = ManualClock::default();
        let (died, heir) = (process(&world, &clock), process(&world, &clock));
        let late = first(&died, "k", &json!({ "a": 1 })).await;
        clock.advance(Duration::from_secs(119));
        assert!(matches!(begin(&heir, "k", &json!({ "a": 1 })).await, Begun::InFlight));
        clock.advance(Duration::from_secs(1));
        assert!(matches!(begin(&heir, "k", &json!({ "a": 2 })).await, Begun::Mismatch));
        let ticket = first(&heir, "k", &json!({ "a": 1 })).await;
        died.idempotency().finish(late, Some("too late")).await.unwrap();
        assert!(matches!(begin(&died, "k", &json!({ "a": 1 })).await, Begun::InFlight));
        heir.idempotency().finish(ticket, Some("in time")).await.unwrap();
        assert_eq!(answered(&heir, "k", &json!({ "a": 1 })).await, "in time");
    }

    async fn who_comes_too_late_does_not_free_a_key_that_was_given_away(world: World) {
        let clock = ManualClock::default();
        let (died, heir) = (process(&world, &clock), process(&world, &clock));
        let late = first(&died, "k", &json!({})).await;
        clock.advance(Duration::from_secs(120));
        let ticket = first(&heir, "k", &json!({})).await;
        died.idempotency().finish(late, None).await.unwrap();
        assert!(matches!(begin(&died, "k", &json!({})).await, Begun::InFlight));
        heir.idempotency().finish(ticket, Some("in time")).await.unwrap();
        assert_eq!(answered(&died, "k", &json!({})).await, "in time");
    }

    async fn a_key_holds_for_a_day(world: World) {
        let clock = ManualClock::default();
        let engine = process(&world, &clock);
        let ticket = first(&engine, "k", &json!({ "a": 1 })).await;
        engine.idempotency().finish(ticket, Some("yesterday's")).await.unwrap();
        clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
        assert_eq!(answered(&engine, "k", &json!({ "a": 1 })).await, "yesterday's");
        assert_eq!(engine.retention().purge_answers(&CancellationToken::new()).await.unwrap(), 0);
        clock.advance(Duration::from_secs(1));
        let ticket = first(&engine, "k", &json!({ "another": "day" })).await;
        engine.idempotency().finish(ticket, Some("today's")).await.unwrap();
        assert_eq!(answered(&engine, "k", &json!({ "another": "day" })).await, "today's");
        clock.advance(Duration::from_secs(24 * 60 * 60));
        assert_eq!(engine.retention().purge_answers(&CancellationToken::new()).await.unwrap(), 1);
    }
    async fn without_a_coordinator_the_table_tells(world: World) {
        let clock = ManualClock::default();
        let settings = CoordinationSettings {
            redis_url: Some(RedisUrl::parse("redis://127.0.0.1:1").unwrap()),
            ..CoordinationSettings::default()
        };
        let away = RedisCoordinator::connect(&settings, clock.shared()).await.unwrap();
        let engine = Engine {
            clock: clock.shared(),
            coordinator: Arc::new(away),
            ..world.engine.clone()
        };
        let ticket = first(&engine, "k", &json!({ "a": 1 })).await;
        assert!(matches!(begin(&engine, "k", &json!({ "a": 1 })).await, Begun::InFlight));
        assert!(matches!(begin(&engine, "k", &json!({ "a": 2 })).await, Begun::Mismatch));
        engine.idempotency().finish(ticket, Some("the answer")).await.unwrap();
        assert_eq!(answered(&engine, "k", &json!({ "a": 1 })).await, "the answer");
    }

    async fn a_request_that_could_not_begin_leaves_its_key_free(world: World) {
        let clock = ManualClock::default();
        let engine = process(&world, &clock);
        let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
        let database = world.engine.db.for_migration();
        database.execute_unprepared(&rename("idempotency_answer", "away")).await.unwrap();
        let asked = Asked { key: "k", operation: ("mutation { x }", None), variables: &json!({}) };
        assert!(engine.idempotency().begin(&OPERATOR, asked).await.is_err());
        database.execute_unprepared(&rename("away", "idempotency_answer")).await.unwrap();
        first(&engine, "k", &json!({})).await;
    }
}
