//! Schedules fire from the table, once a tick.

use serde_json::json;
use tests::{Server, Upstream, eventually, manifest, on_both_databases};

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
