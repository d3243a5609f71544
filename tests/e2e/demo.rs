//! `syncline demo`: real records through real HTTP, a minute after the clone.

use serde_json::json;
use tests::{Server, ServerOptions, TestDatabase, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_syncs_its_sample_api_at_once_and_survives_a_restart() {
    let database = TestDatabase::sqlite();
    let options = || {
        ServerOptions::default()
            .command(&["demo"])
            .with("RUST_LOG", "info")
            .with("SYNCLINE_ALLOW_NETWORKS", "")
    };
    let server = Server::start_with(&database, options()).await;
    let overview = "{ clients { totalCount } integrations { totalCount edges { node { id name status schedule { cron } \
                    lastRun { status progress { recordsRead } } } } } }";
    let synced = eventually("each of the three integrations has synced", || async {
        let data = server.graphql().query(overview, json!({})).await;
        let done = |node: &serde_json::Value| {
            node["lastRun"]["status"] == "SUCCEEDED"
                && node["lastRun"]["progress"]["recordsRead"].as_f64() > Some(0.0)
        };
        data["integrations"]["edges"]
            .as_array()?
            .iter()
            .all(|edge| done(&edge["node"]))
            .then_some(data)
    })
    .await;
    assert_eq!(
        (
            &synced["clients"]["totalCount"],
            &synced["integrations"]["totalCount"]
        ),
        (&json!(1), &json!(3)),
        "{synced:#}"
    );
    for edge in synced["integrations"]["edges"].as_array().expect("edges") {
        assert_eq!(edge["node"]["schedule"]["cron"], "* * * * *");
    }
    assert_eq!(server.terminate().await, Some(0));

    let server = Server::start_with(&database, options()).await;
    let again = server.graphql().query(overview, json!({})).await;
    assert_eq!(
        (
            &again["clients"]["totalCount"],
            &again["integrations"]["totalCount"]
        ),
        (&json!(1), &json!(3))
    );
}
