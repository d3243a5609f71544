//! Conditional requests, as the real binary makes them: runs of which the upstream says that nothing has changed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{GraphQl, Server, Upstream, manifest, on_both_databases};

/// A connector whose one stream is one answer, whole.
fn whole() -> String {
    let yaml = manifest(10);
    let at = |text: &str| {
        yaml.find(text)
            .unwrap_or_else(|| panic!("no {text:?} in the manifest"))
    };
    let (paginator, schema) = (at("      paginator:"), at("    schema_loader:"));
    format!("{}{}", &yaml[..paginator], &yaml[schema..])
}

/// Runs, and gives what came of it: added, updated, deleted; and what the upstream was asked.
async fn run(api: &GraphQl, upstream: &Upstream, integration: &str, mode: &str) -> ([i64; 3], String) {
    upstream.forget_requests();
    let run = api
        .trigger_with(json!({ "integrationId": integration, "mode": mode }))
        .await;
    let run = api.finished(&run).await;
    assert_eq!(run["status"], "SUCCEEDED", "{run:#}");
    let count = |name: &str| run["progress"][name].as_f64().expect("a number") as i64;
    let counts = [
        count("recordsAdded"),
        count("recordsUpdated"),
        count("recordsDeleted"),
    ];
    (counts, upstream.requests().join("; "))
}

async fn stored(api: &GraphQl, integration: &str) -> BTreeMap<String, Value> {
    let records = api.records(integration, "items").await;
    records
        .into_iter()
        .map(|mut record| {
            (
                record["key"].as_str().expect("a key").to_owned(),
                record["data"].take(),
            )
        })
        .collect()
}

on_both_databases! {
    async fn what_has_not_changed_is_neither_sent_nor_written_nor_deleted(database) {
        let upstream = Upstream::start(20).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let client = api.register_client("acme").await;
        api.install_connector("items", &whole()).await;
        let id = api
            .create_integration(json!({
                "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/whole"),
            }))
            .await;
        let (anew, changed, same) = ("/whole", "/whole, changed", "/whole, not modified");
        let expect = async |mode: &str, counts: [i64; 3], asked: &str, why: &str| {
            assert_eq!(run(&api, &upstream, &id, mode).await, (counts, asked.to_owned()), "{why}");
        };

        expect("FULL_REFRESH", [20, 0, 0], anew, "the first read").await;
        for mode in ["FULL_REFRESH", "INCREMENTAL", "FULL_REFRESH"] {
            expect(mode, [0, 0, 0], same, mode).await;
            assert_eq!(stored(&api, &id).await, upstream.items(), "nothing is gone: {mode}");
        }

        upstream.touch([3], 9);
        upstream.remove([7]);
        expect("FULL_REFRESH", [0, 1, 1], changed, "a change is read").await;
        expect("FULL_REFRESH", [0, 0, 0], same, "and then it is known").await;
        assert_eq!(stored(&api, &id).await, upstream.items());

        // An incremental run keeps what is gone, and so does not speak for a full refresh.
        upstream.remove([8]);
        expect("INCREMENTAL", [0, 0, 0], changed, "one is gone, which is not looked for").await;
        expect("INCREMENTAL", [0, 0, 0], same, "for a run of the same kind").await;
        assert_ne!(stored(&api, &id).await, upstream.items());
        expect("FULL_REFRESH", [0, 0, 1], anew, "the refresh has to see it").await;
        assert_eq!(stored(&api, &id).await, upstream.items());

        // Another configuration may make other records of the same answer.
        let mut config = upstream.config("/whole");
        config["token"] = json!("another-token");
        api.accepted(
            "updateIntegration",
            "UpdateIntegrationInput",
            json!({ "integrationId": id, "config": config }),
            "integration { id }",
        )
        .await;
        expect("FULL_REFRESH", [0, 0, 0], anew, "the configuration is another one").await;
        expect("FULL_REFRESH", [0, 0, 0], same, "and then it is known").await;
    }

    async fn a_connector_of_another_version_reads_again(database) {
        let upstream = Upstream::start(5).await;
        let server = Server::start(&database).await;
        let api = server.graphql();
        let client = api.register_client("acme").await;
        api.install_connector("items", &whole()).await;
        let input = json!({
            "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/whole"),
        });
        let id = api.create_integration(input).await;
        assert_eq!(run(&api, &upstream, &id, "FULL_REFRESH").await.0, [5, 0, 0]);
        let more = "    transformations: [{type: AddFields, fields: [{path: [more], value: \"x\"}]}]\n    schema_loader:";
        api.install_connector("items", &whole().replace("    schema_loader:", more)).await;
        api.accepted(
            "updateIntegration",
            "UpdateIntegrationInput",
            json!({ "integrationId": id, "connectorVersion": "2" }),
            "integration { id }",
        )
        .await;
        let (counts, asked) = run(&api, &upstream, &id, "FULL_REFRESH").await;
        assert_eq!((counts, asked.as_str()), ([0, 5, 0], "/whole"));
        assert!(stored(&api, &id).await.values().all(|data| data["more"] == "x"));
    }
}
