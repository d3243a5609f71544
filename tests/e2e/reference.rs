//! The same manifest, config and upstream through `syncline connector read` and through the reference
//! implementation (airbyte-cdk 7.39.1, from PyPI): the same records, the same requests, the same final state.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tests::{Upstream, binary, manifest};
use tokio::process::Command;

/// What a reader printed, order aside: each record, and each stream's last state.
#[derive(Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) records: Vec<String>,
    state: BTreeMap<String, Value>,
    requests: Vec<String>,
}

/// What an upstream was asked.
pub(crate) trait Requests {
    fn forget(&self);
    fn requests(&self) -> Vec<String>;
}

impl Requests for Upstream {
    fn forget(&self) {
        self.forget_requests();
    }

    fn requests(&self) -> Vec<String> {
        Self::requests(self)
    }
}

pub(crate) async fn read(command: &mut Command, upstream: &impl Requests) -> Read {
    upstream.forget();
    let output = command
        .kill_on_drop(true)
        .output()
        .await
        .expect("the reader runs");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        output.status.success(),
        "{}\n{stdout}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut records = Vec::new();
    let mut state = BTreeMap::new();
    for message in stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        match message["type"].as_str() {
            Some("RECORD") => records.push(message["record"]["data"].to_string()),
            Some("STATE") => {
                let stream = &message["state"]["stream"];
                let name = stream["stream_descriptor"]["name"]
                    .as_str()
                    .expect("a stream's name")
                    .to_owned();
                state.insert(name, stream["stream_state"].clone());
            }
            _ => {}
        }
    }
    records.sort();
    let mut requests = upstream.requests();
    requests.sort();
    requests.dedup();
    Read {
        records,
        state,
        requests,
    }
}

pub(crate) fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_requests_and_state_equal_the_references() {
    let cdk = std::env::var("SYNCLINE_TEST_CDK")
        .expect("SYNCLINE_TEST_CDK names no airbyte-cdk: run `scripts/test`, or `scripts/prepare python cdk` and set it to target/tools/cdk/bin");
    let folder = tempfile::TempDir::new().expect("a folder");
    let folder = folder.path();
    let upstream = Upstream::start(37).await;
    // The reference puts a field of its own into the config before it validates it.
    let manifest = write(
        folder,
        "manifest.yaml",
        &manifest(10).replace("    additionalProperties: false\n", ""),
    );
    let config = write(folder, "config.json", &upstream.config("/items").to_string());
    let catalog = json!({ "streams": [{
        "stream": { "name": "items", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"] },
        "sync_mode": "incremental", "destination_sync_mode": "append",
    }] });
    let catalog = write(folder, "catalog.json", &catalog.to_string());
    let state = json!([{ "type": "STREAM", "stream": {
        "stream_descriptor": { "name": "items" }, "stream_state": { "updated_at": "2026-01-01T00:00:20Z" },
    } }]);
    let state = write(folder, "state.json", &state.to_string());

    for state in [None, Some(state)] {
        let state_arguments = |command: &mut Command| {
            if let Some(state) = &state {
                command.args(["--state", state]);
            }
        };
        let mut reference = Command::new(Path::new(&cdk).join("source-declarative-manifest"));
        reference.args([
            "read",
            "--manifest-path",
            &manifest,
            "--config",
            &config,
            "--catalog",
            &catalog,
        ]);
        state_arguments(&mut reference);
        let mut ours = Command::new(binary());
        ours.args([
            "connector",
            "read",
            "--manifest",
            &manifest,
            "--config",
            &config,
            "--catalog",
            &catalog,
        ]);
        state_arguments(&mut ours);
        let expected = read(&mut reference, &upstream).await;
        assert_eq!(
            expected.records.len(),
            if state.is_some() { 18 } else { 37 },
            "{expected:?}"
        );
        assert_eq!(read(&mut ours, &upstream).await, expected);
    }
}
