//! What every coordinator must do, whatever it stands on.
//!
//! Written against a [`Subject`], so that the same tests hold each implementation to the same promises: one
//! whose time is injected moves a clock, one whose time is a server's waits.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::{CircuitPolicy, CircuitState, Coordinator, Grant, Notice, Passage, Rate, Verdict};

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

/// Twenty in a minute: one comes back every three seconds.
fn rate() -> Rate {
    Rate::per_minute(20)
}

pub(crate) async fn a_budget_is_spent_and_comes_back(subject: &Subject) {
    let it = &subject.coordinator;
    assert_eq!(it.spend("a", rate(), 15).await, Grant::Granted(15));
    assert_eq!(
        it.spend("a", rate(), 15).await,
        Grant::Granted(5),
        "as many as there are"
    );
    let Grant::Refused { wait } = it.spend("a", rate(), 1).await else {
        panic!("nothing is left");
    };
    assert!(!wait.is_zero() && wait <= rate().interval(), "{wait:?}");
    assert_eq!(
        it.spend("b", rate(), 1).await,
        Grant::Granted(1),
        "another name is another budget"
    );
    (subject.pass)(wait).await;
    assert_eq!(it.spend("a", rate(), 3).await, Grant::Granted(1));
}

pub(crate) async fn a_budget_can_be_looked_at(subject: &Subject) {
    let it = &subject.coordinator;
    let (grant, left) = it.draw("a", rate(), 8).await;
    assert_eq!((grant, left.remaining), (Grant::Granted(8), 12));
    assert!(
        left.whole_in <= rate().interval() * 8 && left.whole_in > rate().interval() * 7,
        "{left:?}"
    );
    let asked = ["a", "b"].map(|name| (name.to_owned(), rate()));
    let seen = it.budgets(&asked).await;
    assert_eq!(
        seen.iter().map(|budget| budget.remaining).collect::<Vec<_>>(),
        [12, 20]
    );
    assert!(!seen[0].whole_in.is_zero() && seen[0].whole_in <= rate().interval() * 8);
    assert!(seen[1].whole_in.is_zero());
    assert_eq!(
        it.budgets(&asked).await[0].remaining,
        12,
        "looking spends nothing"
    );
}

pub(crate) async fn a_budget_that_is_held_back_gives_nothing_until_then(subject: &Subject) {
    let it = &subject.coordinator;
    let wait = Duration::from_secs(2);
    it.hold_back("a", wait).await;
    it.hold_back("a", wait / 4).await;
    let Grant::Refused { wait: left } = it.spend("a", rate(), 1).await else {
        panic!("it is held back");
    };
    assert!(
        left > wait / 4 && left <= wait,
        "the longer wait stands: {left:?}"
    );
    assert_eq!(it.budgets(&[("a".to_owned(), rate())]).await[0].remaining, 0);
    (subject.pass)(left).await;
    assert_eq!(it.spend("a", rate(), 20).await, Grant::Granted(20));
}

pub(crate) async fn many_at_once_share_a_budget(subject: &Subject) {
    let asking = (0..50).map(|_| {
        let it = Arc::clone(&subject.coordinator);
        tokio::spawn(async move { it.spend("a", rate(), 1).await })
    });
    let answers = futures::future::join_all(asking).await;
    let granted = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Grant::Granted(1))))
        .count();
    assert_eq!(granted, 20);
}

const POLICY: CircuitPolicy = CircuitPolicy {
    failures: 3,
    first: Duration::from_secs(1),
    longest: Duration::from_secs(2),
    probe: Duration::from_secs(3),
};

async fn report(subject: &Subject, owner: &str, verdict: Verdict) {
    subject.coordinator.report("a", owner, verdict, POLICY).await;
}

async fn pass(subject: &Subject, owner: &str) -> Passage {
    subject.coordinator.pass("a", owner, POLICY).await
}

async fn state(subject: &Subject) -> CircuitState {
    subject.coordinator.circuits(&["a".to_owned()]).await[0]
}

async fn open(subject: &Subject) {
    for _ in 0..POLICY.failures {
        assert!(matches!(pass(subject, "one").await, Passage::Closed { .. }));
        report(subject, "one", Verdict::Failure).await;
    }
}

pub(crate) async fn a_circuit_opens_after_failures_in_a_row(subject: &Subject) {
    assert_eq!(pass(subject, "one").await, Passage::Closed { failing: false });
    for verdict in [Verdict::Failure, Verdict::Failure, Verdict::Success] {
        report(subject, "one", verdict).await;
    }
    open(subject).await;
    assert!(
        matches!(pass(subject, "two").await, Passage::Refused { wait } if !wait.is_zero() && wait <= POLICY.first)
    );
    assert_eq!(state(subject).await, CircuitState::Open);
    report(subject, "late", Verdict::Failure).await;
    assert!(
        matches!(pass(subject, "two").await, Passage::Refused { wait } if wait <= POLICY.first),
        "what had been sent before does not keep it open"
    );
    let others = ["b".to_owned(), "a".to_owned()];
    assert_eq!(
        subject.coordinator.circuits(&others).await,
        [CircuitState::Closed, CircuitState::Open]
    );
}

pub(crate) async fn a_half_open_circuit_lets_one_probe_through(subject: &Subject) {
    open(subject).await;
    (subject.pass)(POLICY.first).await;
    assert_eq!(state(subject).await, CircuitState::HalfOpen);
    assert_eq!(pass(subject, "one").await, Passage::Probe);
    assert!(matches!(pass(subject, "two").await, Passage::Refused { wait } if wait <= POLICY.probe));
    report(subject, "two", Verdict::Unknown).await;
    assert!(matches!(pass(subject, "two").await, Passage::Refused { .. }));
    report(subject, "one", Verdict::Success).await;
    assert_eq!(pass(subject, "two").await, Passage::Closed { failing: false });
    assert_eq!(state(subject).await, CircuitState::Closed);
}

pub(crate) async fn a_probe_that_fails_opens_the_circuit_for_longer(subject: &Subject) {
    open(subject).await;
    (subject.pass)(POLICY.first).await;
    assert_eq!(pass(subject, "one").await, Passage::Probe);
    report(subject, "one", Verdict::Failure).await;
    let Passage::Refused { wait } = pass(subject, "one").await else {
        panic!("it is open");
    };
    assert!(wait > POLICY.first && wait <= POLICY.longest, "{wait:?}");
}

pub(crate) async fn a_probe_that_nobody_reports_on_is_replaced(subject: &Subject) {
    open(subject).await;
    (subject.pass)(POLICY.first).await;
    assert_eq!(pass(subject, "one").await, Passage::Probe);
    (subject.pass)(POLICY.probe).await;
    assert_eq!(pass(subject, "two").await, Passage::Probe);
    report(subject, "two", Verdict::Unknown).await;
    assert_eq!(pass(subject, "three").await, Passage::Probe);
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
            a_budget_is_spent_and_comes_back
            a_budget_can_be_looked_at
            a_budget_that_is_held_back_gives_nothing_until_then
            many_at_once_share_a_budget
            a_circuit_opens_after_failures_in_a_row
            a_half_open_circuit_lets_one_probe_through
            a_probe_that_fails_opens_the_circuit_for_longer
            a_probe_that_nobody_reports_on_is_replaced
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
