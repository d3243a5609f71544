//! Documents that schemathesis makes up from the schema, for every query and mutation, against a server with data in it:
//! none may make it fail. The seed and the versions are pinned, so a red run is red again.

use std::path::PathBuf;

use serde_json::json;
use tests::{Server, TestDatabase, Upstream, manifest};
use tokio::process::Command;

/// Documents for each field of the two roots.
const EXAMPLES: &str = "15";
const SEED: &str = "20261125";

fn schemathesis() -> PathBuf {
    let default = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/tools/schemathesis/bin/schemathesis"
    );
    let path = std::env::var_os("SYNCLINE_TEST_SCHEMATHESIS").map_or_else(|| default.into(), PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing: run `scripts/prepare python schemathesis`",
        path.display()
    );
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_document_makes_the_server_fail() {
    let database = TestDatabase::sqlite();
    let upstream = Upstream::start(20).await;
    let server = Server::start(&database).await;
    let api = server.graphql();
    let client = api.register_client("acme").await;
    api.install_connector("items", &manifest(10)).await;
    let integration = api
        .create_integration(json!({ "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items") }))
        .await;
    let run = api.trigger(&integration).await;
    api.finished(&run).await;
    let found = api
        .query(
            "query($id: ID!) { integration(id: $id) { records(stream: \"items\", first: 1) { edges { node { id } } } } \
             connectors(first: 1) { edges { node { id } } } }",
            json!({ "id": integration }),
        )
        .await;
    let record = &found["integration"]["records"]["edges"][0]["node"]["id"];
    let connector = &found["connectors"]["edges"][0]["node"]["id"];
    let words = json!({ "ids": [client, integration, run, record, connector] });
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let output = Command::new(schemathesis())
        .args(["run", &format!("http://{}/graphql", server.address())])
        .args(["--phases", "fuzzing", "--checks", "not_a_server_error"])
        .args([
            "--max-examples",
            EXAMPLES,
            "--seed",
            SEED,
            "--generation-database",
            "none",
        ])
        .args([
            "--no-shrink",
            "--continue-on-failure",
            "--no-color",
            "--warnings",
            "off",
        ])
        // A loaded machine is no failure.
        .args(["--request-timeout", "60"])
        .env(
            "SCHEMATHESIS_HOOKS",
            concat!(env!("CARGO_MANIFEST_DIR"), "/peers/fuzzing.py"),
        )
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SYNCLINE_TEST_WORDS", words.to_string())
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output()
        .await
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tested = said.lines().find(|line| line.contains("generated,"));
    assert!(
        tested.is_some_and(|line| !line.contains(" 0 generated")),
        "{said}"
    );
    let errors: Vec<_> = server
        .log_lines()
        .into_iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
