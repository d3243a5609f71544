//! Schedules fire from the table, once a tick.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde_json::{Value, json};
use tests::{GraphQl, Server, TestDatabase, Upstream, eventually, manifest, on_both_databases};

use crate::production::role;

on_both_databases! {
    async fn a_schedule_fires_each_tick_once(database) {
        let upstream = Upstream::start(5).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let client = api.register_client("acme").await;
        api.install_connector("items", &manifest(10)).await;
        let integration = api
            .create_integration(json!({
                "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"),
                "schedule": { "cron": "*/2 * * * * *", "timezone": "Europe/Lisbon" },
            }))
            .await;
        let query = "query($id: ID!) { integration(id: $id) { nextRunAt schedule { cron timezone overlap } \
                     syncRuns(first: 10) { edges { node { trigger status scheduledFor } } } } }";
        let runs = eventually("three ticks have run", || async {
            let data = api.query(query, json!({ "id": integration })).await["integration"].take();
            let runs = data["syncRuns"]["edges"].as_array()?.clone();
            (runs.iter().filter(|run| run["node"]["status"] == "SUCCEEDED").count() >= 3).then_some(data)
        })
        .await;
        assert!(runs["nextRunAt"].is_string(), "{runs}");
        let mut ticks: Vec<_> = runs["syncRuns"]["edges"].as_array().expect("edges").iter()
            .map(|run| { assert_eq!(run["node"]["trigger"], "SCHEDULE"); run["node"]["scheduledFor"].to_string() })
            .collect();
        let count = ticks.len();
        ticks.dedup();
        assert_eq!(ticks.len(), count, "a tick fired twice");
    }

    async fn a_tick_that_finds_the_last_run_at_work_is_skipped_with_its_reason(database) {
        let upstream = Upstream::start(5).await;
        upstream.gate().close_from(0);
        let server = Server::start(&database).await;
        let api = server.graphql();
        let client = api.register_client("acme").await;
        api.install_connector("items", &manifest(10)).await;
        let integration = api
            .create_integration(json!({
                "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"),
                "schedule": { "cron": "* * * * * *" },
            }))
            .await;
        eventually("a tick is skipped", || async {
            let data = api
                .query("query($id: ID!) { integration(id: $id) { skippedTicks { edges { node { dueAt reason } } } } }", json!({ "id": integration }))
                .await;
            let skipped = data["integration"]["skippedTicks"]["edges"].as_array()?.clone();
            (skipped.first()?["node"]["reason"] == "OVERLAP").then_some(())
        })
        .await;
        upstream.gate().open();
    }
}

/// Schedules that have come to so many due times, each of them a run or a reason.
const SEEN_TO: &str = "WITH tick AS (SELECT schedule_id, scheduled_for AS due FROM sync_run WHERE schedule_id IS NOT NULL \
    UNION ALL SELECT schedule_id, due_at FROM skipped_tick) SELECT COUNT(*) FROM (SELECT schedule_id FROM tick \
    GROUP BY schedule_id HAVING ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_schedulers_see_to_every_second_of_a_herd_once() {
    const HERD: i64 = 300;
    let database = TestDatabase::postgresql().await;
    let upstream = Upstream::start(5).await;
    // Nothing ends meanwhile: a schedule's first due time becomes a run, the others find it active.
    upstream.gate().close_from(0);
    let api = Server::start_with(&database, role("api")).await;
    let mut schedulers = Vec::new();
    for _ in 0..3 {
        schedulers.push(Server::start_with(&database, role("scheduler")).await);
    }
    let graphql = api.graphql();
    let client = graphql.register_client("acme").await;
    graphql.install_connector("items", &manifest(10)).await;
    for number in 0..HERD {
        graphql
            .create_integration(json!({
                "clientId": client, "connector": "items", "name": format!("Items {number}"), "config": upstream.config("/items"),
                "schedule": { "cron": "* * * * * *" },
            }))
            .await;
    }
    eventually("each of them has come to five seconds", || async {
        let sql = format!("{SEEN_TO} COUNT(*) >= 5) AS schedules");
        (database.number(&sql).await == HERD).then_some(())
    })
    .await;
    upstream.gate().open();
    for scheduler in schedulers {
        assert_eq!(scheduler.terminate().await, Some(0));
    }
    let twice = format!("{SEEN_TO} COUNT(*) <> COUNT(DISTINCT due)) AS schedules");
    assert_eq!(
        database.number(&twice).await,
        0,
        "schedules that fired for a second twice"
    );
    let gaps = format!("{SEEN_TO} COUNT(*) <> (MAX(due) - MIN(due)) / 1000000 + 1) AS schedules");
    assert_eq!(
        database.number(&gaps).await,
        0,
        "schedules that left a second out"
    );
}

/// Every due time of the integration's schedule, the earliest first, with what became of it.
async fn ticks(api: &GraphQl, integration: &str) -> Vec<(DateTime<Utc>, String)> {
    let query = "query($id: ID!) { integration(id: $id) { \
        syncRuns(first: 100) { edges { node { scheduledFor status } } } \
        skippedTicks(first: 100) { edges { node { dueAt reason } } } } }";
    let data = api.query(query, json!({ "id": integration })).await;
    let mut ticks = Vec::new();
    for (list, due, word) in [
        ("syncRuns", "scheduledFor", None),
        ("skippedTicks", "dueAt", Some("reason")),
    ] {
        for edge in data["integration"][list]["edges"].as_array().expect("edges") {
            let at = edge["node"][due]
                .as_str()
                .expect("a due time")
                .parse()
                .expect("a time");
            let became = word.map_or("RUN", |word| edge["node"][word].as_str().expect("a reason"));
            ticks.push((at, became.to_owned()));
        }
    }
    ticks.sort();
    ticks
}

async fn scheduled(api: &GraphQl, client: &str, config: &Value, name: &str, schedule: Value) -> String {
    api.create_integration(json!({
        "clientId": client, "connector": "items", "name": name, "config": config, "schedule": schedule,
    }))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_falls_due_while_no_scheduler_runs_is_caught_up_or_recorded() {
    let database = TestDatabase::postgresql().await;
    let upstream = Upstream::start(5).await;
    let api = Server::start_with(&database, role("api")).await;
    let graphql = api.graphql();
    let client = graphql.register_client("acme").await;
    graphql.install_connector("items", &manifest(10)).await;
    let config = upstream.config("/items");
    let hourly = |window: u32| json!({ "cron": "0 * * * *", "timezone": "UTC", "catchUpSeconds": window });
    let caught_up = scheduled(&graphql, &client, &config, "Two hours back", hourly(7200)).await;
    let missed = scheduled(&graphql, &client, &config, "None back", hourly(0)).await;
    let next = database.number("SELECT MIN(next_due_at) FROM schedule").await;
    let first = DateTime::from_timestamp_micros(next).expect("a time");

    // Five hours later, in the middle of an hour, a scheduler is there again.
    let now = Utc::now();
    let hour = now
        .with_minute(0)
        .and_then(|now| now.with_second(0))
        .and_then(|now| now.with_nanosecond(0));
    let last = hour.expect("the hour") + TimeDelta::hours(5);
    let late = last + TimeDelta::minutes(30) - now;
    let _scheduler = Server::start_with(&database, role("scheduler").ahead(late.num_seconds())).await;
    for integration in [&caught_up, &missed] {
        eventually("its due times have been seen to", || async {
            (ticks(&graphql, integration).await.last()?.0 == last).then_some(())
        })
        .await;
    }
    let became = |words: [&str; 2]| {
        let mut expected = Vec::new();
        let mut due = first;
        while due <= last {
            let word = match (last - due).num_hours() {
                0 => words[0],
                1 => words[1],
                _ => "MISSED_OUTSIDE_CATCH_UP",
            };
            expected.push((due, word.to_owned()));
            due += TimeDelta::hours(1);
        }
        expected
    };
    assert_eq!(ticks(&graphql, &caught_up).await, became(["RUN", "COALESCED"]));
    assert_eq!(
        ticks(&graphql, &missed).await,
        became(["MISSED_OUTSIDE_CATCH_UP"; 2])
    );
    let next = database
        .texts("SELECT DISTINCT CAST(next_due_at AS text) FROM schedule")
        .await;
    assert_eq!(
        next,
        [(last + TimeDelta::hours(1)).timestamp_micros().to_string()]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduler_that_comes_back_runs_once_for_what_it_missed() {
    let database = TestDatabase::postgresql().await;
    let upstream = Upstream::start(5).await;
    let api = Server::start_with(&database, role("api")).await;
    let graphql = api.graphql();
    let client = graphql.register_client("acme").await;
    graphql.install_connector("items", &manifest(10)).await;
    let scheduler = Server::start_with(&database, role("scheduler")).await;
    assert_eq!(scheduler.terminate().await, Some(0));
    let every_second = json!({ "cron": "* * * * * *", "catchUpSeconds": 3600 });
    let config = upstream.config("/items");
    let integration = scheduled(&graphql, &client, &config, "Items", every_second).await;
    eventually("five due times have passed", || async {
        let first = database.number("SELECT next_due_at FROM schedule").await;
        (Utc::now().timestamp_micros() - first > 5_000_000).then_some(())
    })
    .await;
    assert_eq!(
        ticks(&graphql, &integration).await,
        [],
        "nobody was there to fire them"
    );

    upstream.gate().close_from(0);
    let _scheduler = Server::start_with(&database, role("scheduler")).await;
    let after = eventually("what was missed has its run", || async {
        let after = ticks(&graphql, &integration).await;
        after.iter().any(|(_, became)| became == "RUN").then_some(after)
    })
    .await;
    let run = after
        .iter()
        .position(|(_, became)| became == "RUN")
        .expect("a run");
    assert!(run >= 5, "{after:?}");
    assert!(
        after[..run].iter().all(|(_, became)| became == "COALESCED"),
        "{after:?}"
    );
    let times: Vec<_> = ticks(&graphql, &integration)
        .await
        .iter()
        .map(|(due, _)| due.timestamp())
        .collect();
    assert!(
        times.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "each second once: {times:?}"
    );
    upstream.gate().open();
}
