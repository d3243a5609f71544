//! Budgets, circuits and turns, as the real binary keeps them: in one process, and shared by several through Redis.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    GraphQl, Server, ServerOptions, TestDatabase, Upstream, eventually, manifest, on_both_databases,
};

/// `serve` on SQLite; on PostgreSQL and Redis an API and two schedulers. One worker a process.
async fn start(database: &TestDatabase) -> Vec<Server> {
    let options = |role: &str| ServerOptions::role(role).with("SYNCLINE_WORKERS", 1);
    let roles: &[&str] = if database.is_sqlite() {
        &["serve"]
    } else {
        &["api", "scheduler", "scheduler"]
    };
    let mut servers = Vec::new();
    for role in roles {
        servers.push(Server::start_with(database, options(role)).await);
    }
    servers
}

async fn integration(api: &GraphQl, client: &str, upstream: &Upstream, more: Value) -> String {
    let mut input = json!({
        "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"),
    });
    for (name, value) in more.as_object().expect("fields") {
        input[name] = value.clone();
    }
    api.create_integration(input).await
}

async fn waits_for(api: &GraphQl, run: &str, reason: &str) -> Value {
    let query = "query($id: ID!) { syncRun(id: $id) { status waitReason waitUntil attempt progress { recordsRead } \
                 integration { circuit rateBudget { requestsPerMinute remaining resetsAt } } } }";
    eventually(&format!("the run waits: {reason}"), || async {
        let shown = api.query(query, json!({ "id": run })).await["syncRun"].take();
        (shown["waitReason"] == reason).then_some(shown)
    })
    .await
}

on_both_databases! {
    async fn a_budget_is_shared_and_a_run_that_waits_for_it_holds_no_worker(database) {
        let servers = start(&database).await;
        let api = servers[0].graphql();
        let upstream = Upstream::start(210).await;
        let client = api.register_client("acme").await;
        api.install_connector("items", &manifest(10)).await;
        let limited = integration(&api, &client, &upstream, json!({ "requestsPerMinute": 20 })).await;
        let run = api.trigger(&limited).await;
        let shown = waits_for(&api, &run, "RATE_LIMITED").await;
        assert_eq!((&shown["status"], &shown["attempt"]), (&json!("QUEUED"), &json!(1)), "{shown:#}");
        assert!(!shown["waitUntil"].is_null(), "{shown:#}");
        let budget = &shown["integration"]["rateBudget"];
        assert_eq!(budget["requestsPerMinute"], 20);
        assert!(budget["remaining"].as_i64().expect("a number") < 10 && !budget["resetsAt"].is_null(), "{shown:#}");
        // Twenty, and what came back while they were made; two are left to make.
        let asked = upstream.requests().len();
        assert!((20..22).contains(&asked), "{asked} requests");

        let free = integration(&api, &client, &upstream, json!({ "name": "More items" })).await;
        assert_eq!(api.sync(&free).await["status"], "SUCCEEDED", "a worker is free");
        assert_eq!(api.run(&run).await["status"], "QUEUED");

        let ended = api.finished(&run).await;
        assert_eq!(
            (&ended["status"], &ended["progress"]["recordsAdded"], &ended["progress"]["requests"], &ended["attempt"]),
            (&json!("SUCCEEDED"), &json!(210.0), &json!(22.0), &json!(1)),
        );
    }

    async fn a_manifest_s_own_budget_is_shared_by_all_processes_and_never_exceeded(database) {
        let servers = start(&database).await;
        let api = servers[0].graphql();
        let budget = "api_budget:\n  type: HTTPAPIBudget\n  policies:\n    - type: MovingWindowCallRatePolicy\n      \
                      rates: [{limit: 12, interval: PT3S}]\n      matchers: []\n";
        api.install_connector("items", &format!("{}\n{budget}", manifest(10))).await;
        let client = api.register_client("acme").await;
        // Integrations are credentials, and a vendor counts by those: each has an upstream of its own that counts.
        let mut reads = Vec::new();
        for (name, own) in [("One", json!(null)), ("Another", json!(null)), ("A third", json!(null)), ("Slow", json!(100))] {
            let upstream = Upstream::start(400).await;
            let more = json!({ "name": name, "requestsPerMinute": own });
            let id = integration(&api, &client, &upstream, more).await;
            let run = api.trigger(&id).await;
            reads.push((name, run, upstream));
        }
        let shown = waits_for(&api, &reads[0].1, "RATE_LIMITED").await;
        // Twelve in three seconds, and a little less.
        let budget = &shown["integration"]["rateBudget"];
        assert_eq!(budget["requestsPerMinute"], 232, "{shown:#}");
        for (name, run, upstream) in reads {
            let ended = api.finished(&run).await;
            assert_eq!(
                (&ended["status"], &ended["progress"]["recordsAdded"], &ended["attempt"]),
                (&json!("SUCCEEDED"), &json!(400.0), &json!(1)),
                "{name}: {ended:#}"
            );
            assert_eq!(upstream.requests().len(), 41, "{name}: each page is asked for once");
            let most = upstream.most_requests_in(Duration::from_secs(3));
            assert!(most <= 12, "{name}: {most} requests in three seconds");
        }
    }

    async fn a_circuit_opens_for_everybody_who_asks_the_same_upstream(database) {
        let servers = start(&database).await;
        let api = servers[0].graphql();
        let upstream = Upstream::start(10).await;
        upstream.fail_next(1_000, 503);
        let client = api.register_client("acme").await;
        api.install_connector("items", &manifest(10)).await;
        let retry = json!({ "retry": { "maxAttempts": 20, "baseDelaySeconds": 0.01, "maxDelaySeconds": 0.01 } });
        let first = integration(&api, &client, &upstream, retry).await;
        let run = api.trigger(&first).await;
        let shown = waits_for(&api, &run, "CIRCUIT_OPEN").await;
        assert_eq!(shown["integration"]["circuit"], "OPEN", "{shown:#}");
        assert_eq!((upstream.requests().len(), &shown["attempt"]), (10, &json!(11)));
        let second = integration(&api, &client, &upstream, json!({ "name": "The same host" })).await;
        let run = api.trigger(&second).await;
        let shown = waits_for(&api, &run, "CIRCUIT_OPEN").await;
        assert_eq!((&shown["integration"]["circuit"], &shown["attempt"]), (&json!("OPEN"), &json!(1)));
        assert_eq!(upstream.requests().len(), 10, "nobody asked again");
    }
}
