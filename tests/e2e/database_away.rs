//! PostgreSQL goes away under running processes, and comes back.

use serde_json::{Value, json};
use tests::{GraphQl, Postgres, Redis, Server, Subscription, TestDatabase, Upstream, eventually};

use crate::production::{WATCH, health, integration, role};

/// Whoever asks now is told so, with a code to act on, and nothing of the inside.
async fn assert_unavailable(api: &GraphQl, query: &str, variables: Value) {
    let answer = api.answer(query, variables).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{query}: {answer:#}");
    assert!(error["extensions"]["correlationId"].is_string(), "{answer:#}");
    assert_eq!(
        error["message"],
        "The service is unavailable for the moment; try again soon."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgresql_callers_are_told_and_with_it_everything_goes_on() {
    let (mut postgres, redis) = tokio::join!(Postgres::start(), Redis::start());
    let database = TestDatabase::on(&postgres.url(), redis.url()).await;
    let upstream = Upstream::start(2_000).await;
    let role = |name| role(name).with("SYNCLINE_DATABASE_ACQUIRE_TIMEOUT_SECONDS", 2);
    let mut api = Server::start_with(&database, role("api")).await;
    let mut scheduler = Server::start_with(&database, role("scheduler")).await;
    let graphql = api.graphql();
    let integration = integration(&graphql, &upstream).await;
    upstream.gate().close_from(1_000);
    let mut live = Subscription::open(api.address(), WATCH, json!({ "id": integration })).await;
    let run = graphql.trigger(&integration).await;
    eventually("half of it is committed", || async {
        (graphql.run(&run).await["progress"]["recordsRead"].as_f64()? >= 1_000.0).then_some(())
    })
    .await;

    postgres.crash().await;
    assert_unavailable(
        &graphql,
        "{ clients(first: 1) { edges { node { id } } } }",
        json!({}),
    )
    .await;
    assert_unavailable(
        &graphql,
        "query($id: ID!) { syncRun(id: $id) { status } }",
        json!({ "id": run }),
    )
    .await;
    let trigger = "mutation($id: ID!) { triggerSync(input: { integrationId: $id }) { run { id } userErrors { code } } }";
    assert_unavailable(&graphql, trigger, json!({ "id": integration })).await;
    let register = "mutation { registerClient(input: { slug: \"late\", name: \"Late\" }) { client { id } } }";
    assert_unavailable(&graphql, register, json!({})).await;
    for server in [&api, &scheduler] {
        let ready = server.graphql().get("/health/ready").await.expect("an answer");
        assert_eq!(ready.status(), 503);
        let ready: Value = ready.json().await.expect("JSON");
        let dependencies = &ready["dependencies"];
        assert_eq!(
            (&ready["status"], &dependencies["database"]["status"]),
            (&json!("unavailable"), &json!("down"))
        );
        assert_eq!(dependencies["coordination"]["status"], "up", "{ready:#}");
        let live = server.graphql().get("/health/live").await.expect("an answer");
        assert_eq!(live.status(), 200, "a restart would mend nothing");
        let metrics = server.graphql().get("/metrics").await.expect("an answer");
        assert_eq!(metrics.status(), 200);
        let metrics = metrics.text().await.expect("text");
        assert!(metrics.contains("syncline_runs_running NaN"), "{metrics}");
    }
    // Who watches is told, too, and not left with the last state in the belief that nothing changes.
    let mut shown = json!({});
    while shown["errors"][0]["extensions"]["code"] != "UNAVAILABLE" {
        shown = live.answer().await.expect("the subscription stays open");
    }
    // The page that the worker waits for arrives while it can be written nowhere.
    upstream.gate().open();
    eventually("the log says what is wrong and what to look at", || async {
        let lines = scheduler.log_text();
        lines.contains("SYNCLINE_DATABASE_MAX_CONNECTIONS").then_some(())
    })
    .await;

    postgres.resume().await;
    for server in [&api, &scheduler] {
        eventually("it is ready again", || async {
            (server.graphql().get("/health/ready").await.ok()?.status() == 200).then_some(())
        })
        .await;
        assert_eq!(health(server).await["status"], "ready");
    }
    let ended = graphql.finished(&run).await;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
    assert_eq!(ended["progress"]["recordsAdded"], 2_000.0, "{ended:#}");
    assert_eq!(database.number("SELECT COUNT(*) FROM record").await, 2_000);
    // The subscription was open all the time, and shows the end.
    while shown["data"]["syncRunUpdated"]["status"] != "SUCCEEDED" {
        shown = live.answer().await.expect("the subscription stays open");
    }
    assert_eq!(shown["data"]["syncRunUpdated"]["id"], run.as_str());
    assert_eq!(
        database.number("SELECT COUNT(*) FROM sync_run").await,
        1,
        "what failed was not queued"
    );
    assert_eq!(
        database.number("SELECT COUNT(*) FROM client").await,
        1,
        "nor written"
    );
    assert_eq!(graphql.sync(&integration).await["status"], "SUCCEEDED");
    assert!(
        api.is_running() && scheduler.is_running(),
        "nothing was restarted"
    );
}
