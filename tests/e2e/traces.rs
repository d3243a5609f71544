//! From a caller's trace to what it caused: the lines of its request, and of the run that another task works off.

use serde_json::{Value, json};
use tests::{Server, TestDatabase, Upstream, eventually, manifest};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_leads_to_the_run_that_it_started() {
    let database = TestDatabase::sqlite();
    let upstream = Upstream::start(3).await;
    let server = Server::start(&database).await;
    let api = server.graphql();
    let client = api.register_client("acme").await;
    api.install_connector("items", &manifest(10)).await;
    let integration = api
        .create_integration(json!({ "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items") }))
        .await;
    let query = "mutation($id: ID!) { triggerSync(input: { integrationId: $id }) { run { id } } }";
    let answer = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("an HTTP client")
        .post(format!("http://{}/graphql", server.address()))
        .header("traceparent", format!("00-{TRACE}-{SPAN}-01"))
        .json(&json!({ "query": query, "variables": { "id": integration } }))
        .send()
        .await
        .expect("the server answers");
    assert_eq!(
        answer.headers().get("x-request-id").map(|id| id.as_bytes()),
        Some(TRACE.as_bytes())
    );
    let answer: Value = answer.json().await.expect("JSON");
    let run = answer["data"]["triggerSync"]["run"]["id"]
        .as_str()
        .expect("a run");
    api.finished(run).await;
    let line = |message: &'static str| {
        let server = &server;
        eventually(message, move || async move { server.logged(message) })
    };
    let queued = line("run queued").await;
    for (field, expected) in [
        ("request_id", TRACE),
        ("trace_id", TRACE),
        ("parent_span_id", SPAN),
        ("run", run),
    ] {
        assert_eq!(queued[field], expected, "{queued:#}");
    }
    let claimed = line("run claimed").await;
    assert_eq!(
        (&claimed["correlation_id"], &claimed["run"]),
        (&json!(TRACE), &json!(run)),
        "{claimed:#}"
    );
}
