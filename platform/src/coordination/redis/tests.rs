//! The contract on a real Redis, which `SYNCLINE_TEST_REDIS_URL` names, and what is Redis's alone.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::coordination::contract::{Subject, contract};
use crate::coordination::{Budgets, Grant, Notice, Rate};
use crate::random::{Random, SystemRandom};
use crate::settings::RedisUrl;

fn settings(url: &str) -> CoordinationSettings {
    CoordinationSettings {
        redis_url: Some(RedisUrl::parse(url).unwrap()),
        // A prefix of its own for each test: they share the server.
        redis_prefix: format!("test-{:016x}:", SystemRandom.u64()),
    }
}

fn server() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test's own server is named by the environment"
    )]
    std::env::var("SYNCLINE_TEST_REDIS_URL").expect(
        "SYNCLINE_TEST_REDIS_URL names no Redis: run `scripts/test`, or `scripts/with-services cargo test`",
    )
}

async fn connect(settings: &CoordinationSettings) -> RedisCoordinator {
    RedisCoordinator::connect(settings, SystemClock::shared())
        .await
        .unwrap()
}

async fn on_redis() -> Subject {
    Subject {
        coordinator: Arc::new(connect(&settings(&server())).await),
        // The server counts whole milliseconds, and a key lives through its last one.
        pass: Box::new(|time| SystemClock.sleep(time + Duration::from_millis(20)).boxed()),
    }
}

contract!(on_redis);

#[tokio::test]
async fn processes_hear_and_exclude_one_another() {
    let settings = settings(&server());
    let (one, two) = (connect(&settings).await, connect(&settings).await);
    let mut heard = two.subscribe("queue");
    one.publish("queue", "work").await.unwrap();
    let notice = tokio::time::timeout(Duration::from_secs(5), heard.next())
        .await
        .unwrap();
    assert_eq!(notice, Some(Notice::Message("work".to_owned())));

    let ttl = Duration::from_secs(5);
    let rate = Rate::per_minute(10);
    assert_eq!(one.spend("a", rate, 7).await, Grant::Granted(7));
    assert_eq!(two.spend("a", rate, 7).await, Grant::Granted(3));

    let fence = one.try_lock("a", "one", ttl).await.unwrap().unwrap();
    assert_eq!(two.try_lock("a", "two", ttl).await.unwrap(), None);
    assert!(one.unlock("a", "one").await.unwrap());
    assert!(two.try_lock("a", "two", ttl).await.unwrap().unwrap() > fence);
}

#[tokio::test]
async fn installations_with_other_prefixes_are_strangers() {
    let url = server();
    let (one, two) = (connect(&settings(&url)).await, connect(&settings(&url)).await);
    let ttl = Duration::from_secs(5);
    let mut heard = two.subscribe("queue");
    one.publish("queue", "work").await.unwrap();
    assert!(one.try_lock("a", "one", ttl).await.unwrap().is_some());
    assert!(two.try_lock("a", "two", ttl).await.unwrap().is_some());
    // Its own notice comes back after the other's would have come.
    two.publish("queue", "own").await.unwrap();
    let notice = tokio::time::timeout(Duration::from_secs(5), heard.next())
        .await
        .unwrap();
    assert_eq!(notice, Some(Notice::Message("own".to_owned())));
}

#[tokio::test]
async fn the_fence_grows_over_a_redis_that_forgot_everything() {
    let settings = settings(&server());
    let it = connect(&settings).await;
    let ttl = Duration::from_secs(5);
    let fence = it.try_lock("a", "one", ttl).await.unwrap().unwrap();
    let mut connection = it.connection.0.clone();
    redis::cmd("DEL")
        .arg(it.lock_keys("a").as_slice())
        .exec_async(&mut connection)
        .await
        .unwrap();
    assert!(it.try_lock("a", "two", ttl).await.unwrap().unwrap() > fence);
}

#[tokio::test]
async fn a_server_that_is_away_holds_nobody_up() {
    // A port that was free a moment ago.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let it = connect(&settings(&format!("redis://:s3cret@127.0.0.1:{port}"))).await;
    let mut heard = it.subscribe("queue");
    it.publish("queue", "work").await.unwrap();
    assert_eq!(
        heard.next().await,
        Some(Notice::Message("work".to_owned())),
        "this process's own listeners hear it still"
    );
    let error = it.try_lock("a", "one", Duration::from_secs(1)).await.unwrap_err();
    let ping = it.ping().await.unwrap_err();
    let rate = Rate::per_minute(2);
    let grants = [it.spend("a", rate, 3).await, it.spend("a", rate, 1).await];
    assert_eq!(
        grants[0],
        Grant::Granted(2),
        "this process keeps to the rate by itself"
    );
    assert!(matches!(grants[1], Grant::Refused { .. }));
    assert_eq!(it.budgets(&[("a".to_owned(), rate)]).await[0].remaining, 0);
    for text in [
        format!("{error} {error:?}"),
        format!("{ping} {ping:?}"),
        format!("{it:?}"),
    ] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}
