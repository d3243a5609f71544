//! Many processes on one PostgreSQL and one Redis, and what happens when Redis goes away.

use serde_json::{Value, json};
use tests::{
    GraphQl, Redis, Server, ServerOptions, Subscription, TestDatabase, Upstream, eventually, manifest,
};

/// One process of several.
pub(crate) fn role(name: &str) -> ServerOptions {
    ServerOptions::role(name)
        .with("SYNCLINE_LEASE_SECONDS", 3)
        // Nothing is kept in files: a container's file system may be read-only.
        .with("SYNCLINE_DATA_DIR", "/dev/null/nowhere")
}

pub(crate) async fn integration(api: &GraphQl, upstream: &Upstream) -> String {
    let client = api.register_client("acme").await;
    let connector = api.install_connector("items", &manifest(100)).await;
    api.create_integration(json!({
        "clientId": client, "connector": connector, "name": "Items", "config": upstream.config("/items"),
    }))
    .await
}

pub(crate) async fn health(server: &Server) -> Value {
    let answer = server.graphql().get("/health/ready").await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.json().await.expect("JSON")
}

pub(crate) const WATCH: &str =
    "subscription($id: ID!) { syncRunUpdated(integrationId: $id) { id status progress { recordsRead } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_queues_another_works_on_and_a_third_shows() {
    let database = TestDatabase::postgresql().await;
    let upstream = Upstream::start(500).await;
    let first = Server::start_with(&database, role("api")).await;
    let second = Server::start_with(&database, role("api")).await;
    let scheduler = Server::start_with(&database, role("scheduler")).await;
    let integration = integration(&first.graphql(), &upstream).await;
    upstream.gate().close_from(300);
    let mut live = Subscription::open(second.address(), WATCH, json!({ "id": integration })).await;

    let run = first.graphql().trigger(&integration).await;
    let mut statuses = Vec::new();
    while statuses.last().is_none_or(|status| status != "SUCCEEDED") {
        let event = live.next().await.expect("the subscription stays open");
        let update = &event["syncRunUpdated"];
        assert_eq!(update["id"], run.as_str());
        statuses.push(update["status"].as_str().expect("a status").to_owned());
        if update["progress"]["recordsRead"] == 300.0 {
            upstream.gate().open();
        }
    }
    assert_eq!(
        statuses.first().map(String::as_str),
        Some("QUEUED"),
        "{statuses:?}"
    );
    assert!(statuses.contains(&"RUNNING".to_owned()), "{statuses:?}");

    // A scheduler serves nothing but its health.
    assert_eq!(health(&scheduler).await["status"], "ready");
    let answer = scheduler.graphql().get("/graphiql").await.expect("an answer");
    assert_eq!(answer.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_on_an_empty_database_all_start() {
    let database = TestDatabase::postgresql().await;
    let roles = ["api", "scheduler", "api", "scheduler", "api"];
    let starting = roles.map(|name| Server::start_with(&database, role(name)));
    let mut servers = futures::future::join_all(starting).await;
    assert!(servers.iter_mut().all(Server::is_running));
    let api = servers[0].graphql();
    let upstream = Upstream::start(10).await;
    let integration = integration(&api, &upstream).await;
    assert_eq!(api.sync(&integration).await["status"], "SUCCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_cancelled_through_a_process_that_does_not_work_on_it() {
    let database = TestDatabase::postgresql().await;
    let upstream = Upstream::start(500).await;
    let api = Server::start_with(&database, role("api")).await;
    let _scheduler = Server::start_with(&database, role("scheduler")).await;
    let api = api.graphql();
    let integration = integration(&api, &upstream).await;
    upstream.gate().close_from(0);
    let run = api.trigger(&integration).await;
    eventually("it runs", || async {
        (api.run(&run).await["status"] == "RUNNING").then_some(())
    })
    .await;
    api.accepted(
        "cancelSync",
        "CancelSyncInput",
        json!({ "runId": run }),
        "run { id }",
    )
    .await;
    assert_eq!(api.finished(&run).await["status"], "CANCELLED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_work_goes_on_and_with_it_everything_resumes() {
    let mut redis = Redis::start().await;
    let database = TestDatabase::postgresql().await.with_redis(redis.url());
    let upstream = Upstream::start(500).await;
    let mut api = Server::start_with(&database, role("api")).await;
    let mut scheduler = Server::start_with(&database, role("scheduler")).await;
    let graphql = api.graphql();
    let integration = integration(&graphql, &upstream).await;
    assert_eq!(graphql.sync(&integration).await["status"], "SUCCEEDED");
    let mut live = Subscription::open(api.address(), WATCH, json!({ "id": integration })).await;

    redis.kill().await;
    for server in [&api, &scheduler] {
        eventually("it says that it is degraded, and why", || async {
            let health = health(server).await;
            let coordination = &health["dependencies"]["coordination"];
            (health["status"] == "degraded" && coordination["error"] == "unreachable").then_some(())
        })
        .await;
    }
    upstream.gate().close_from(0);
    let run = graphql.trigger(&integration).await;
    eventually("the scheduler finds the run by looking", || async {
        (graphql.run(&run).await["status"] == "RUNNING").then_some(())
    })
    .await;
    // The subscription looks, too.
    let mut shown = live.next().await.expect("the subscription stays open");
    while shown["syncRunUpdated"]["status"] != "RUNNING" {
        shown = live.next().await.expect("the subscription stays open");
    }
    assert_eq!(shown["syncRunUpdated"]["id"], run.as_str());
    upstream.gate().open();
    assert_eq!(graphql.finished(&run).await["status"], "SUCCEEDED");

    redis.resume().await;
    for server in [&api, &scheduler] {
        eventually("it is ready again", || async {
            (health(server).await["status"] == "ready").then_some(())
        })
        .await;
    }
    let run = graphql.sync(&integration).await;
    assert_eq!(run["status"], "SUCCEEDED", "{run:#}");
    while shown["syncRunUpdated"]["id"] != run["id"] {
        shown = live.next().await.expect("the subscription stays open");
    }
    assert!(
        api.is_running() && scheduler.is_running(),
        "nothing was restarted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_start_without_redis_and_find_it_later() {
    let mut redis = Redis::start().await;
    redis.kill().await;
    let database = TestDatabase::postgresql().await.with_redis(redis.url());
    let upstream = Upstream::start(10).await;
    let api = Server::start_with(&database, role("api")).await;
    let _scheduler = Server::start_with(&database, role("scheduler")).await;
    let graphql = api.graphql();
    let integration = integration(&graphql, &upstream).await;
    assert_eq!(graphql.sync(&integration).await["status"], "SUCCEEDED");
    redis.resume().await;
    eventually("it is ready", || async {
        (health(&api).await["status"] == "ready").then_some(())
    })
    .await;
}
