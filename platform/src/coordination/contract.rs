//! What every coordinator must do, whatever it stands on.
//!
//! Written against a [`Subject`], so that the same tests hold each implementation to the same promises: one
//! whose time is injected moves a clock, one whose time is a server's waits.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::{Coordinator, Notice};

/// A coordinator and the way its time passes.
pub(crate) struct Subject {
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) pass: Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

const TTL: Duration = Duration::from_secs(2);

pub(crate) async fn a_lock_has_one_owner(subject: &Subject) {
    let it = &subject.coordinator;
    assert!(it.try_lock("a", "one", TTL).await.unwrap().is_some());
    assert_eq!(it.try_lock("a", "two", TTL).await.unwrap(), None);
    assert!(
        it.try_lock("b", "two", TTL).await.unwrap().is_some(),
        "another name is another lock"
    );
    assert!(!it.unlock("a", "two").await.unwrap());
    assert!(it.unlock("a", "one").await.unwrap());
    assert!(!it.unlock("a", "one").await.unwrap(), "it was given back already");
    assert!(it.try_lock("a", "two", TTL).await.unwrap().is_some());
}

pub(crate) async fn asking_again_gives_the_same_fence_and_more_time(subject: &Subject) {
    let it = &subject.coordinator;
    let fence = it.try_lock("a", "one", TTL).await.unwrap().unwrap();
    (subject.pass)(TTL * 3 / 4).await;
    assert_eq!(it.try_lock("a", "one", TTL).await.unwrap(), Some(fence));
    (subject.pass)(TTL * 3 / 4).await;
    assert_eq!(it.try_lock("a", "two", TTL).await.unwrap(), None);
}

pub(crate) async fn a_lock_that_is_not_renewed_expires(subject: &Subject) {
    let it = &subject.coordinator;
    it.try_lock("a", "one", TTL).await.unwrap().unwrap();
    (subject.pass)(TTL).await;
    assert!(
        !it.renew("a", "one", TTL).await.unwrap(),
        "what has expired is not renewed"
    );
    assert!(it.try_lock("a", "two", TTL).await.unwrap().is_some());
    assert!(!it.renew("a", "one", TTL).await.unwrap());
    assert!(!it.unlock("a", "one").await.unwrap());
}

pub(crate) async fn a_lock_that_is_renewed_stays(subject: &Subject) {
    let it = &subject.coordinator;
    it.try_lock("a", "one", TTL).await.unwrap().unwrap();
    for _ in 0..4 {
        (subject.pass)(TTL * 3 / 4).await;
        assert!(it.renew("a", "one", TTL).await.unwrap());
    }
    assert_eq!(it.try_lock("a", "two", TTL).await.unwrap(), None);
    assert!(
        !it.renew("a", "two", TTL).await.unwrap(),
        "only its owner renews it"
    );
}

pub(crate) async fn the_fence_grows_with_every_holding(subject: &Subject) {
    let it = &subject.coordinator;
    let mut last = 0;
    for round in 0..6 {
        let owner = if round % 2 == 0 { "one" } else { "two" };
        let fence = it.try_lock("a", owner, TTL).await.unwrap().unwrap();
        assert!(fence > last, "{fence} after {last}");
        last = fence;
        if round % 3 == 0 {
            (subject.pass)(TTL).await;
        } else {
            assert!(it.unlock("a", owner).await.unwrap());
        }
    }
}

pub(crate) async fn of_many_at_once_one_gets_the_lock(subject: &Subject) {
    let asking = (0..50).map(|number| {
        let it = Arc::clone(&subject.coordinator);
        tokio::spawn(async move { it.try_lock("a", &number.to_string(), TTL).await.unwrap() })
    });
    let answers = futures::future::join_all(asking).await;
    assert_eq!(
        answers
            .into_iter()
            .filter(|answer| answer.as_ref().unwrap().is_some())
            .count(),
        1
    );
}

pub(crate) async fn every_subscriber_hears_its_topic_in_order(subject: &Subject) {
    let it = &subject.coordinator;
    it.publish("runs", "before anybody listens").await.unwrap();
    let (mut first, mut second, mut other) =
        (it.subscribe("runs"), it.subscribe("runs"), it.subscribe("queue"));
    for payload in ["1", "2", ""] {
        it.publish("runs", payload).await.unwrap();
    }
    for subscription in [&mut first, &mut second] {
        let mut heard = next(subscription).await;
        if heard == Notice::Message("before anybody listens".to_owned()) {
            // It was still on its way, which is allowed.
            heard = next(subscription).await;
        }
        assert_eq!(heard, Notice::Message("1".to_owned()));
        for payload in ["2", ""] {
            assert_eq!(next(subscription).await, Notice::Message(payload.to_owned()));
        }
    }
    assert!(other.next().now_or_never().is_none());
}

pub(crate) async fn who_listens_too_slowly_is_told_to_look_again(subject: &Subject) {
    let it = &subject.coordinator;
    let mut slow = it.subscribe("runs");
    for number in 0..100_000 {
        it.publish("runs", &number.to_string()).await.unwrap();
    }
    assert_eq!(next(&mut slow).await, Notice::Lagged);
    assert!(
        matches!(next(&mut slow).await, Notice::Message(_)),
        "and goes on hearing"
    );
}

pub(crate) async fn a_topic_outlives_its_listeners(subject: &Subject) {
    let it = &subject.coordinator;
    drop(it.subscribe("runs"));
    it.publish("runs", "nobody").await.unwrap();
    let mut later = it.subscribe("runs");
    it.publish("runs", "somebody").await.unwrap();
    let mut heard = next(&mut later).await;
    if heard == Notice::Message("nobody".to_owned()) {
        heard = next(&mut later).await;
    }
    assert_eq!(heard, Notice::Message("somebody".to_owned()));
    it.ping().await.unwrap();
}

async fn next(subscription: &mut super::Subscription) -> Notice {
    let waiting = tokio::time::timeout(Duration::from_secs(5), subscription.next());
    waiting
        .await
        .expect("a notice comes")
        .expect("the subscription lives")
}

/// The whole contract as tests of one implementation: `contract!(an async function that makes a Subject)`.
macro_rules! contract {
    ($subject:path) => {
        $crate::coordination::contract::contract!($subject;
            a_lock_has_one_owner
            asking_again_gives_the_same_fence_and_more_time
            a_lock_that_is_not_renewed_expires
            a_lock_that_is_renewed_stays
            the_fence_grows_with_every_holding
            of_many_at_once_one_gets_the_lock
            every_subscriber_hears_its_topic_in_order
            who_listens_too_slowly_is_told_to_look_again
            a_topic_outlives_its_listeners
        );
    };
    ($subject:path; $($promise:ident)*) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::coordination::contract::$promise(&$subject().await).await;
            }
        )*
    };
}
pub(crate) use contract;
