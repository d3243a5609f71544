//! Register a client, connect an API, watch it sync: the product's first promise, as a frontend sees it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{GraphQl, Server, Subscription, Upstream, eventually, manifest, on_both_databases};

const PAGE: u32 = 100;

async fn integration(api: &GraphQl, upstream: &Upstream, page_size: u32) -> String {
    let client = api.register_client("acme").await;
    let connector = api.install_connector("items", &manifest(page_size)).await;
    api.create_integration(json!({
        "clientId": client, "connector": connector, "name": "Items", "config": upstream.config("/items"),
    }))
    .await
}

/// The records Syncline holds, in the shape in which the upstream tells its own.
async fn held(api: &GraphQl, integration: &str) -> BTreeMap<String, Value> {
    let records = api.records(integration, "items").await;
    let count = records.len();
    let by_key: BTreeMap<_, _> = records
        .into_iter()
        .map(|mut record| {
            (
                record["key"].as_str().expect("a key").to_owned(),
                record["data"].take(),
            )
        })
        .collect();
    assert_eq!(by_key.len(), count, "a key came twice");
    by_key
}

on_both_databases! {
    async fn a_sync_is_seen_live_from_queued_to_succeeded(database) {
        let upstream = Upstream::start(2_000).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, PAGE).await;
        upstream.gate().close_from(1_000);

        let mut live = Subscription::open(
            server.address(),
            "subscription($id: ID!) { syncRunUpdated(integrationId: $id) { id status progress { recordsRead } } }",
            json!({ "id": integration }),
        )
        .await;
        let run = api.trigger(&integration).await;

        let mut seen: Vec<(String, f64)> = Vec::new();
        while seen.last().is_none_or(|(status, _)| status == "QUEUED" || status == "RUNNING") {
            let event = live.next().await.expect("the subscription stays open");
            let update = &event["syncRunUpdated"];
            assert_eq!(update["id"], run.as_str());
            let read = update["progress"]["recordsRead"].as_f64().expect("a count");
            seen.push((update["status"].as_str().expect("a status").to_owned(), read));
            // Half of it must become visible before the rest is even sent.
            if read >= 1_000.0 {
                upstream.gate().open();
            }
        }

        assert_eq!(seen.first().map(|(status, _)| status.as_str()), Some("QUEUED"), "{seen:?}");
        assert!(seen.iter().any(|(status, read)| status == "RUNNING" && (1.0..2_000.0).contains(read)), "{seen:?}");
        assert!(seen.is_sorted_by(|a, b| a.1 <= b.1), "counts only grow: {seen:?}");
        assert_eq!(seen.last(), Some(&("SUCCEEDED".to_owned(), 2_000.0)));
        assert_eq!(held(&api, &integration).await, upstream.items());
    }

    async fn a_subscription_to_one_run_completes_after_its_end(database) {
        let upstream = Upstream::start(10).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, PAGE).await;
        upstream.gate().close_from(0);
        let run = api.trigger(&integration).await;
        let mut live = Subscription::open(
            server.address(),
            "subscription($id: ID!) { syncRunUpdated(runId: $id) { status } }",
            json!({ "id": run }),
        )
        .await;
        let snapshot = live.next().await.expect("a snapshot first");
        assert!(["QUEUED", "RUNNING"].contains(&snapshot["syncRunUpdated"]["status"].as_str().expect("a status")));
        upstream.gate().open();
        let mut last = snapshot;
        while let Some(event) = live.next().await {
            last = event;
        }
        assert_eq!(last["syncRunUpdated"]["status"], "SUCCEEDED");
    }

    async fn a_second_incremental_run_reads_only_what_changed(database) {
        let upstream = Upstream::start(1_000).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, PAGE).await;
        assert_eq!(api.sync(&integration).await["progress"]["recordsAdded"], 1_000.0);

        upstream.touch([3, 500, 1_000, 1_001], 1);
        upstream.forget_requests();
        let second = api.sync(&integration).await;

        assert_eq!(second["status"], "SUCCEEDED", "{second:#}");
        let progress = &second["progress"];
        assert_eq!(progress["recordsUpdated"], 3.0, "{progress}");
        assert_eq!(progress["recordsAdded"], 1.0, "{progress}");
        // The cursor's own last value is asked for again: what changed in that very second must not be lost.
        assert!(progress["recordsRead"].as_f64().expect("a count") <= 5.0, "{progress}");
        assert!(upstream.requests().iter().all(|request| request.contains("updated_since=2026-01-01T00%3A16%3A40Z")), "{:?}", upstream.requests());
        assert_eq!(held(&api, &integration).await, upstream.items());
    }

    async fn a_reader_of_changes_misses_none(database) {
        let upstream = Upstream::start(250).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, PAGE).await;
        api.sync(&integration).await;
        let page = |after: Value| {
            let (api, integration) = (api.clone(), integration.clone());
            async move {
                api.query(
                    "query($id: ID!, $after: String) { integration(id: $id) { records(stream: \"items\", first: 100, \
                     changedAfter: $after, includeDeleted: true) { edges { node { key change } } pageInfo { endCursor hasNextPage } } } }",
                    json!({ "id": integration, "after": after }),
                )
                .await["integration"]["records"]
                    .take()
            }
        };
        let mut cursor = json!("");
        let mut keys = Vec::new();
        loop {
            let changes = page(cursor).await;
            keys.extend(changes["edges"].as_array().expect("edges").iter().map(|edge| edge["node"]["key"].clone()));
            cursor = changes["pageInfo"]["endCursor"].clone();
            if changes["pageInfo"]["hasNextPage"] != true {
                break;
            }
        }
        assert_eq!(keys.len(), 250);

        upstream.touch([7, 8], 1);
        upstream.remove([9]);
        let run = api.trigger_with(json!({ "integrationId": integration, "mode": "FULL_REFRESH" })).await;
        api.finished(&run).await;
        let changes = page(cursor).await;
        let mut seen: Vec<_> = changes["edges"].as_array().expect("edges").iter().map(|edge| edge["node"].clone()).collect();
        seen.sort_by_key(|node| node["key"].as_str().map(str::to_owned));
        assert_eq!(
            seen,
            [
                json!({ "key": "7", "change": "UPDATED" }),
                json!({ "key": "8", "change": "UPDATED" }),
                json!({ "key": "9", "change": "DELETED" }),
            ]
        );
    }

    async fn a_full_refresh_marks_deletions_and_holds_suspicious_ones(database) {
        let upstream = Upstream::start(100).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, 30).await;
        api.sync(&integration).await;
        let refresh = || async {
            let run = api.trigger_with(json!({ "integrationId": integration, "mode": "FULL_REFRESH" })).await;
            api.finished(&run).await
        };

        upstream.remove(1..=5);
        let run = refresh().await;
        assert_eq!(run["status"], "SUCCEEDED", "{run:#}");
        assert_eq!(run["progress"]["recordsDeleted"], 5.0);
        assert_eq!(run["heldDeletions"], Value::Null);
        assert_eq!(held(&api, &integration).await, upstream.items());

        let before = upstream.items();
        upstream.remove(6..=60);
        let run = refresh().await;
        assert_eq!(run["heldDeletions"], 55, "{run:#}");
        assert_eq!(run["progress"]["recordsDeleted"], 0.0);
        assert_eq!(held(&api, &integration).await, before, "held: nothing is deleted yet");

        let approved = api
            .accepted("approveDeletions", "ApproveDeletionsInput", json!({ "runId": run["id"] }), "run { heldDeletions }")
            .await;
        assert_eq!(approved["run"]["heldDeletions"], Value::Null);
        eventually("the approved deletions are done", || async {
            (held(&api, &integration).await == upstream.items()).then_some(())
        })
        .await;

        upstream.touch([6], 3);
        let run = refresh().await;
        assert_eq!(run["progress"]["recordsAdded"], 1.0, "a deleted record that comes back is added: {run:#}");
        assert_eq!(held(&api, &integration).await, upstream.items());
    }

    async fn the_same_idempotency_key_gives_the_same_run(database) {
        let upstream = Upstream::start(10).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, PAGE).await;
        let input = json!({ "integrationId": integration, "idempotencyKey": "order-77" });
        let asked = futures::future::join_all((0..20).map(|_| {
            api.accepted("triggerSync", "TriggerSyncInput", input.clone(), "deduplicated run { id }")
        }))
        .await;
        let first = &asked[0]["run"]["id"];
        assert!(asked.iter().all(|payload| &payload["run"]["id"] == first), "{asked:?}");
        assert_eq!(asked.iter().filter(|payload| payload["deduplicated"] == false).count(), 1);
        assert_eq!(database.number("SELECT count(*) FROM sync_run").await, 1);

        let other = json!({ "integrationId": integration, "idempotencyKey": "order-77", "mode": "FULL_REFRESH" });
        let errors = api.refused("triggerSync", "TriggerSyncInput", other).await;
        assert_eq!(errors[0]["code"], "IDEMPOTENCY_MISMATCH");
        assert_eq!(errors[0]["field"], json!(["idempotencyKey"]));
    }

    async fn a_cancelled_run_ends_within_a_second_even_inside_a_request(database) {
        let upstream = Upstream::start(10).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, PAGE).await;
        upstream.gate().close_from(0);
        let run = api.trigger(&integration).await;
        eventually("the upstream is asked", || async { (!upstream.requests().is_empty()).then_some(()) }).await;
        api.accepted("cancelSync", "CancelSyncInput", json!({ "runId": run }), "run { id }").await;
        let run = api.finished(&run).await;
        assert_eq!(run["status"], "CANCELLED");
        assert_eq!(run["error"]["kind"], "CANCELLED");
        upstream.gate().open();
        assert_eq!(api.sync(&integration).await["status"], "SUCCEEDED", "the next run works");
    }

    async fn secrets_are_sealed_in_the_database_and_masked_in_the_api(database) {
        let upstream = Upstream::start(1).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, PAGE).await;
        let config = "query($id: ID!) { integration(id: $id) { config } }";
        let shown = api.query(config, json!({ "id": integration })).await["integration"]["config"].take();
        assert_eq!(shown["token"], "******", "{shown}");
        assert_eq!(shown["path"], "/items");

        // What the API showed can be sent back with one field changed; the secret keeps its value.
        let mut edited = shown;
        edited["path"] = json!("/items?unused=1");
        api.accepted(
            "updateIntegration",
            "UpdateIntegrationInput",
            json!({ "integrationId": integration, "config": edited }),
            "integration { id }",
        )
        .await;
        assert_eq!(api.sync(&integration).await["status"], "SUCCEEDED");

        let rows = format!("{:?}", database.dump().await);
        assert!(!rows.contains("s3cret-token"), "a secret lies open in the database");
        assert!(!rows.contains(&"s3cret-token".bytes().map(|byte| format!("{byte:02X}")).collect::<String>()));
        assert!(!server.log_text().contains("s3cret-token"), "a secret is in the log");
    }

    async fn runs_of_one_integration_never_overlap(database) {
        let upstream = Upstream::start(300).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let integration = integration(&api, &upstream, PAGE).await;
        upstream.gate().close_from(0);
        let first = api.trigger(&integration).await;
        eventually("the first run is at work", || async {
            (api.run(&first).await["status"] == "RUNNING").then_some(())
        })
        .await;
        let second = api.trigger(&integration).await;
        let waiting = api.run(&second).await;
        assert_eq!((&waiting["status"], &waiting["waitReason"]), (&json!("QUEUED"), &json!("QUEUED_BEHIND")));
        upstream.gate().open();
        let (first, second) = (api.finished(&first).await, api.finished(&second).await);
        assert_eq!((&first["status"], &second["status"]), (&json!("SUCCEEDED"), &json!("SUCCEEDED")));
        assert!(second["startedAt"].as_str() >= first["finishedAt"].as_str(), "{first:#}\n{second:#}");
    }
}
