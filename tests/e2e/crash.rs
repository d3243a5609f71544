//! Killing, pausing and stopping the process: nothing is lost, nothing is written twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    GraphQl, Server, ServerOptions, TestDatabase, Upstream, eventually, manifest, on_both_databases,
};

async fn integration(api: &GraphQl, upstream: &Upstream, page_size: u32) -> String {
    let client = api.register_client("acme").await;
    let connector = api.install_connector("items", &manifest(page_size)).await;
    let config = upstream.config("/items");
    api.create_integration(
        json!({ "clientId": client, "connector": connector, "name": "Items", "config": config }),
    )
    .await
}

/// Every record in the database, straight from its table: a hundred thousand over the API would test paging instead.
async fn rows(database: &TestDatabase) -> BTreeMap<String, Value> {
    let texts = database
        .texts("SELECT data FROM record WHERE deleted_at IS NULL")
        .await;
    let count = texts.len();
    let rows: BTreeMap<_, _> = texts
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).expect("JSON"))
        .map(|record| (record["id"].to_string(), record))
        .collect();
    assert_eq!(rows.len(), count, "a record is there twice");
    rows
}

fn short_lease() -> ServerOptions {
    ServerOptions::default().with("SYNCLINE_LEASE_SECONDS", 3)
}

on_both_databases! {
    async fn a_run_killed_in_the_middle_of_100000_records_resumes_and_ends_whole(database) {
        let upstream = Upstream::start(100_000).await;
        let server = Server::start_with(&database, short_lease()).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, 1_000).await;
        // The gate makes "the middle" a place instead of a race.
        upstream.gate().close_from(60_000);
        let run = api.trigger(&integration).await;
        eventually("half of the records are committed", || async {
            (api.run(&run).await["progress"]["recordsRead"].as_f64()? >= 50_000.0).then_some(())
        })
        .await;
        server.kill().await;
        let committed = rows(&database).await.len() as u64;
        assert!((50_000..=60_000).contains(&committed), "{committed}");
        upstream.forget_requests();
        upstream.gate().open();

        let server = Server::start_with(&database, short_lease()).await;
        let ended = server.graphql().finished(&run).await;

        assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
        assert_eq!(ended["progress"]["recordsRead"], 100_000.0, "each once: {ended:#}");
        assert_eq!(ended["progress"]["recordsAdded"], 100_000.0);
        assert_eq!(ended["attempt"], 2, "a lost lease spends an attempt");
        let first = upstream.requests().first().cloned().expect("it asked again");
        assert!(first.contains(&format!("offset={committed}")), "it resumes where it stood: {first}");
        assert_eq!(rows(&database).await, upstream.items());
    }

    async fn a_worker_paused_past_its_lease_changes_not_one_row_when_it_wakes(database) {
        let upstream = Upstream::start(2_000).await;
        let paused = Server::start_with(&database, short_lease()).await;
        let api = paused.graphql();
        let integration = integration(&api, &upstream, 100).await;
        upstream.gate().close_from(1_000);
        let run = api.trigger(&integration).await;
        eventually("it waits for the upstream", || async {
            (api.run(&run).await["progress"]["recordsRead"].as_f64()? >= 1_000.0
                && upstream.requests().iter().any(|request| request.contains("offset=1000")))
            .then_some(())
        })
        .await;
        paused.signal("STOP");
        // Its answer now lies in its socket: the first thing it does when it wakes is to write a page.
        upstream.gate().open();

        let heir = Server::start_with(&database, short_lease()).await;
        let ended = heir.graphql().finished(&run).await;
        assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
        assert_eq!(ended["attempt"], 2);
        heir.terminate().await;
        let before = database.dump().await;

        paused.signal("CONT");
        eventually("the woken worker notices", || async {
            paused.logged("the run was lost to another worker or to its lease's end; nothing more is written").map(|_| ())
        })
        .await;
        assert_eq!(paused.terminate().await, Some(0));
        assert_eq!(database.dump().await, before, "a stale worker wrote");
        assert_eq!(rows(&database).await, upstream.items());
    }

    async fn a_drain_finishes_the_page_and_spends_no_attempt(database) {
        let upstream = Upstream::start(2_000).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, 100).await;
        upstream.gate().close_from(1_000);
        let run = api.trigger(&integration).await;
        eventually("ten pages are committed", || async {
            (api.run(&run).await["progress"]["recordsRead"].as_f64()? >= 1_000.0).then_some(())
        })
        .await;
        assert_eq!(server.terminate().await, Some(0));
        let state = database.texts("SELECT status || ' ' || attempt FROM sync_run").await;
        assert_eq!(state, ["QUEUED 1"]);
        upstream.forget_requests();
        upstream.gate().open();

        let server = Server::start(&database).await;
        let ended = server.graphql().finished(&run).await;
        assert_eq!((&ended["status"], &ended["attempt"]), (&json!("SUCCEEDED"), &json!(1)), "{ended:#}");
        assert!(upstream.requests()[0].contains("offset=1000"), "{:?}", upstream.requests());
        assert_eq!(rows(&database).await, upstream.items());
    }

    async fn a_poisonous_run_does_not_loop_for_ever(database) {
        let upstream = Upstream::start(10).await;
        upstream.gate().close_from(0);
        let mut server = Server::start_with(&database, short_lease()).await;
        let integration = integration(&server.graphql(), &upstream, 100).await;
        server
            .graphql()
            .accepted(
                "updateIntegration",
                "UpdateIntegrationInput",
                json!({ "integrationId": integration, "retry": { "maxAttempts": 2, "baseDelaySeconds": 0.1 } }),
                "integration { id }",
            )
            .await;
        let run = server.graphql().trigger(&integration).await;
        // Each worker that takes it dies.
        for attempt in 1..=2 {
            eventually("it is at work", || async {
                let run = server.graphql().run(&run).await;
                (run["status"] == "RUNNING" && run["attempt"] == attempt).then_some(())
            })
            .await;
            server.kill().await;
            server = Server::start_with(&database, short_lease()).await;
        }
        let ended = server.graphql().finished(&run).await;
        assert_eq!(ended["status"], "FAILED", "{ended:#}");
        assert_eq!(ended["error"]["code"], "LEASE_LOST", "{ended:#}");
        assert_eq!(ended["attempts"].as_array().map(Vec::len), Some(2));
    }
}
