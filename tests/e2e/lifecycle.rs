//! How a scheduler leaves, on PostgreSQL and Redis: politely, at once, or without a word.

use sea_orm::{ConnectionTrait, TransactionTrait};
use tests::{GraphQl, Server, TestDatabase, Upstream, eventually};

use crate::production::{integration, role};

/// The upstream holds a run in its middle.
async fn held_in_the_middle(api: &GraphQl, upstream: &Upstream) -> String {
    let integration = integration(api, upstream).await;
    upstream.gate().close_from(1_000);
    let run = api.trigger(&integration).await;
    eventually(
        "half of it is committed, and the upstream is asked for more",
        || async {
            (api.run(&run).await["progress"]["recordsRead"].as_f64()? >= 1_000.0
                && upstream
                    .requests()
                    .iter()
                    .any(|request| request.contains("offset=1000")))
            .then_some(())
        },
    )
    .await;
    run
}

/// Whole, and no page twice.
async fn assert_whole(database: &TestDatabase, api: &GraphQl, run: &str) {
    let ended = api.finished(run).await;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
    assert_eq!(ended["progress"]["recordsRead"], 2_000.0, "{ended:#}");
    assert_eq!(ended["progress"]["recordsAdded"], 2_000.0, "{ended:#}");
    assert_eq!(database.number("SELECT COUNT(*) FROM record").await, 2_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_run_is_finished_by_another_scheduler_from_its_checkpoint() {
    let database = TestDatabase::postgresql().await;
    let upstream = Upstream::start(2_000).await;
    let api = Server::start_with(&database, role("api")).await;
    let leaving = Server::start_with(&database, role("scheduler")).await;
    let graphql = api.graphql();
    let run = held_in_the_middle(&graphql, &upstream).await;
    let first_worker = database.texts("SELECT worker FROM sync_attempt").await;
    let _staying = Server::start_with(&database, role("scheduler")).await;
    upstream.forget_requests();

    assert_eq!(leaving.terminate().await, Some(0));
    eventually("the other one goes on", || async {
        (!upstream.requests().is_empty()).then_some(())
    })
    .await;
    assert!(
        upstream.requests()[0].contains("offset=1000"),
        "{:?}",
        upstream.requests()
    );
    upstream.gate().open();
    assert_whole(&database, &graphql, &run).await;
    let ended = graphql.run(&run).await;
    assert_eq!(ended["attempt"], 1, "a drain spends no attempt: {ended:#}");
    let attempts = database.texts("SELECT worker FROM sync_attempt").await;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_ne!(attempts, first_worker);
    let log = database
        .number("SELECT COUNT(*) FROM run_log WHERE message LIKE 'put back by a worker%'")
        .await;
    assert_eq!(log, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_a_drain_that_cannot_end() {
    let database = TestDatabase::postgresql().await;
    let upstream = Upstream::start(2_000).await;
    let api = Server::start_with(&database, role("api")).await;
    let leaving = Server::start_with(&database, role("scheduler")).await;
    let graphql = api.graphql();
    let run = held_in_the_middle(&graphql, &upstream).await;
    // Whoever holds the run's row keeps the drain from putting the run back.
    let connection = database.connect().await;
    let lock = connection.begin().await.expect("a transaction");
    lock.execute_unprepared("SELECT id FROM sync_run FOR UPDATE")
        .await
        .expect("the row's lock");
    leaving.signal("TERM");
    eventually("it drains", || async {
        leaving.logged("stopping: finishing what is running").map(|_| ())
    })
    .await;
    eventually("it waits for the row to put the run back", || async {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() \
            AND query LIKE 'UPDATE sync_run SET status = ''QUEUED''%'";
        (database.number(waiting).await > 0).then_some(())
    })
    .await;
    let log = leaving.log();
    leaving.terminate().await;
    let said = |message: &str| {
        log.lock()
            .expect("the log")
            .iter()
            .any(|line| line.contains(message))
    };
    assert!(said("second signal: stopping at once"));
    assert!(
        !said("the drain took too long"),
        "it was the second signal, not the end of the patience"
    );
    lock.rollback().await.expect("the lock is let go");

    let _heir = Server::start_with(&database, role("scheduler")).await;
    upstream.gate().open();
    assert_whole(&database, &graphql, &run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_s_run_is_back_in_the_queue_within_five_seconds_of_its_lease_s_end() {
    let database = TestDatabase::postgresql().await;
    let upstream = Upstream::start(2_000).await;
    let api = Server::start_with(&database, role("api")).await;
    let doomed = Server::start_with(&database, role("scheduler")).await;
    let graphql = api.graphql();
    let run = held_in_the_middle(&graphql, &upstream).await;
    let _heir = Server::start_with(&database, role("scheduler")).await;
    doomed.kill().await;
    let left = database
        .number("SELECT lease_until - CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) FROM sync_run")
        .await;
    assert!(
        left <= 3_000_000,
        "the lease is the one that was configured, 3 s: {left}"
    );
    let lease_end = database.number("SELECT lease_until FROM sync_run").await;
    eventually("it is taken back", || async {
        (graphql.run(&run).await["attempt"] == 2).then_some(())
    })
    .await;
    // By the database: the attempt's end and the event are written by the transaction that takes the run back.
    for recorded in [
        "SELECT finished_at FROM sync_attempt WHERE number = 1",
        "SELECT at FROM outbox_event WHERE type = 'sync_run.requeued'",
    ] {
        let late = database.number(recorded).await - lease_end;
        assert!(
            (0..=5_000_000).contains(&late),
            "{late} µs after the lease's end: {recorded}"
        );
    }
    upstream.gate().open();
    assert_whole(&database, &graphql, &run).await;
    let ended = graphql.run(&run).await;
    assert_eq!(ended["attempts"][0]["error"]["code"], "LEASE_LOST", "{ended:#}");
    assert_eq!(ended["attempts"].as_array().map(Vec::len), Some(2), "{ended:#}");
}
