//! What an operator's Prometheus reads, from the real binary.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{
    GraphQl, Server, ServerOptions, TestDatabase, Upstream, eventually, manifest, on_both_databases,
    run_command_with,
};

/// Every series and its value.
async fn scrape(server: &GraphQl) -> BTreeMap<String, f64> {
    let answer = server.get("/metrics").await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let format = answer.headers()["content-type"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(format.starts_with("text/plain; version=0.0.4"), "{format}");
    let text = answer.text().await.expect("text");
    let series = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    series
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a series and its value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

on_both_databases! {
    async fn runs_and_ticks_are_counted(database) {
        let upstream = Upstream::start(5).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let before = scrape(&api).await;
        for zero in [
            "syncline_scheduler_lag_seconds", "syncline_runs_queued", "syncline_runs_running", "syncline_schedules_fired_total",
            "syncline_ticks_skipped_total{reason=\"MISSED_OUTSIDE_CATCH_UP\"}", "syncline_runs_ended_total{status=\"FAILED\"}",
        ] {
            assert_eq!(before.get(zero), Some(&0.0), "{zero} is there from the start: {before:#?}");
        }
        let client = api.register_client("acme").await;
        api.install_connector("items", &manifest(10)).await;
        let config = upstream.config("/items");
        let input = json!({ "clientId": client, "connector": "items", "name": "By hand", "config": config });
        let by_hand = api.create_integration(input).await;
        assert_eq!(api.sync(&by_hand).await["status"], "SUCCEEDED");
        let ended = scrape(&api).await;
        assert_eq!(ended["syncline_runs_ended_total{status=\"SUCCEEDED\"}"], 1.0, "{ended:#?}");
        assert_eq!(ended["syncline_run_wait_seconds_count"], 1.0);
        assert!(ended["syncline_run_wait_seconds_bucket{le=\"60\"}"] >= 1.0);

        upstream.gate().close_from(0);
        let input = json!({
            "clientId": client, "connector": "items", "name": "By the clock", "config": config,
            "schedule": { "cron": "* * * * * *" },
        });
        api.create_integration(input).await;
        let held = eventually("a tick has fired, and the next ones find its run at work", || async {
            let now = scrape(&api).await;
            (now["syncline_ticks_skipped_total{reason=\"OVERLAP\"}"] > 0.0).then_some(now)
        })
        .await;
        assert_eq!(held["syncline_schedules_fired_total"], 1.0);
        assert_eq!((held["syncline_runs_running"], held["syncline_runs_queued"]), (1.0, 0.0));
        upstream.gate().open();

        // Whatever happens to however many clients, the series stay those of the start.
        let names = |series: &BTreeMap<String, f64>| {
            let counted = series.keys().filter(|name| !name.starts_with("syncline_run_wait_seconds"));
            counted.cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(&held), names(&before));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_the_operator_s_on_an_api_and_on_a_scheduler() {
    let database = TestDatabase::postgresql().await;
    for name in ["api", "scheduler"] {
        let with_key =
            ServerOptions::role(name).with("SYNCLINE_OPERATOR_KEY", "an-operator-s-key-of-some-length");
        let server = Server::start_with(&database, with_key).await;
        let api = server.graphql();
        assert_eq!(
            api.get("/metrics").await.expect("an answer").status(),
            401,
            "{name}"
        );
        let wrong = api.clone().with_key("another-key-of-the-very-same-length");
        assert_eq!(
            wrong.get("/metrics").await.expect("an answer").status(),
            401,
            "{name}"
        );
        let series = scrape(&api.with_key("an-operator-s-key-of-some-length")).await;
        assert_eq!(series["syncline_scheduler_lag_seconds"], 0.0, "{name}");
    }
    // Nor does a scheduler listen beyond loopback without a key.
    let options = database
        .environment()
        .into_iter()
        .fold(ServerOptions::role("scheduler"), |options, (name, value)| {
            options.with(&name, value)
        })
        .with("SYNCLINE_LISTEN", "0.0.0.0:0");
    let refused = run_command_with(&["scheduler"], &options).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("SYNCLINE_OPERATOR_KEY"), "{refused:?}");
}
