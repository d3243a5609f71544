//! The README's tour, executed: every snippet as it stands there, against the demo it speaks of.
//!
//! Ids that a reader copies from one answer into the next snippet are copied here, too; the ports a reader has
//! are replaced by the ports this test got. Nothing else is changed.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use tests::{Server, ServerOptions, Subscription, TestDatabase, binary};

const README: &str = include_str!("../../README.md");

/// The fenced blocks after the tour's headline, in order: their language and their text.
fn snippets() -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let mut rest = README;
    while let Some(start) = rest.find("\n```") {
        let fenced = &rest[start + 4..];
        let (language, body) = fenced.split_once('\n').expect("a language");
        let end = body.find("\n```").expect("a closed block");
        found.push((language, &body[..end]));
        rest = &body[end + 4..];
    }
    found
}

/// What a reader would copy into the next snippet.
fn remember(known: &mut BTreeMap<&'static str, String>, answer: &Value) {
    let Some(object) = answer.as_object() else { return };
    for (name, value) in object {
        let placeholder = match name.as_str() {
            "client" => "CLIENT_ID",
            "integration" => "INTEGRATION_ID",
            "run" => "RUN_ID",
            _ => "",
        };
        if let (false, Some(id)) = (placeholder.is_empty(), value["id"].as_str()) {
            known.insert(placeholder, id.to_owned());
        }
        remember(known, value);
    }
}

fn user_errors(answer: &Value) -> Vec<&Value> {
    match answer {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                if name == "userErrors" {
                    value.as_array().into_iter().flatten().collect()
                } else {
                    user_errors(value)
                }
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Starts the commands of a snippet beside one another, each for as long as it takes to become ready, with this test's
/// servers in the place of the snippet's.
async fn together(snippet: &str) {
    let database = TestDatabase::postgresql().await;
    let mut running = Vec::new();
    for command in snippet.lines().filter_map(|line| line.strip_prefix("syncline ")) {
        let words: Vec<&str> = command
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let options = ServerOptions::default()
            .command(&words)
            .with("SYNCLINE_MASTER_KEY", "07".repeat(32));
        running.push(Server::start_with(&database, options).await);
    }
    assert_eq!(running.len(), 2, "{snippet}");
}

/// Runs a script where the packages are that it imports, and gives what it printed.
async fn script(text: &str) -> String {
    let output = tokio::process::Command::new("node")
        .args(["--input-type=module", "--eval", text])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))
        .kill_on_drop(true)
        .output()
        .await
        .expect("node runs");
    let shown = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}\n{shown}");
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_snippet_does_what_it_says() {
    let database = TestDatabase::sqlite();
    let options = ServerOptions::default()
        .command(&["demo", "--sample-port", "0"])
        .with("RUST_LOG", "info");
    let server = Server::start_with(&database, options).await;
    let api = server.graphql();
    let sample = api
        .query(
            "{ integrations(first: 1) { edges { node { config } } } }",
            json!({}),
        )
        .await["integrations"]["edges"][0]["node"]["config"]["base_url"]
        .as_str()
        .expect("the sample API's address")
        .to_owned();

    let folder = tempfile::TempDir::new().expect("a folder");
    let path = format!(
        "{}:{}",
        binary().parent().expect("target/debug").display(),
        std::env::var("PATH").expect("a PATH")
    );
    let mut known: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut open: Option<Subscription> = None;
    let mut executed = 0;
    for (language, text) in snippets() {
        let mut text = text
            .replace("http://127.0.0.1:8001", &sample)
            .replace("127.0.0.1:8000", &server.address().to_string());
        for (placeholder, id) in &known {
            text = text.replace(*placeholder, id);
        }
        match language {
            "graphql" if text.starts_with("subscription") => {
                open = Some(Subscription::open(server.address(), &text, json!({})).await);
            }
            "graphql" => {
                let answer = api.query(&text, json!({})).await;
                assert_eq!(user_errors(&answer), Vec::<&Value>::new(), "{text}\n{answer:#}");
                assert!(
                    answer
                        .as_object()
                        .is_some_and(|fields| fields.values().all(|value| !value.is_null())),
                    "{text}\n{answer:#}"
                );
                remember(&mut known, &answer);
                if let (Some(live), true) = (&mut open, text.contains("triggerSync")) {
                    let mut last = json!({});
                    while ["", "QUEUED", "RUNNING"]
                        .contains(&last["syncRunUpdated"]["status"].as_str().unwrap_or(""))
                    {
                        last = live.next().await.expect("the subscription stays open");
                    }
                    assert_eq!(last["syncRunUpdated"]["status"], "SUCCEEDED", "{last}");
                    assert!(
                        last["syncRunUpdated"]["progress"]["recordsRead"].as_f64() > Some(0.0),
                        "{last}"
                    );
                }
            }
            "yaml" => std::fs::write(folder.path().join("posts.yaml"), &text).expect("a file"),
            "sh" if text.starts_with("scripts/") => {
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../").to_owned() + &text;
                let mode = std::fs::metadata(&script)
                    .unwrap_or_else(|error| panic!("{script}: {error}"))
                    .permissions()
                    .mode();
                assert_eq!(mode & 0o111, 0o111, "{script} cannot be executed");
            }
            "sh" if text.contains("REDIS_URL=") => together(&text).await,
            "sh" => {
                // The bare command serves for ever; it and its flags are what startup.rs tests.
                let text: String = text
                    .lines()
                    .filter(|line| !line.starts_with("syncline  "))
                    .map(|line| format!("{line}\n"))
                    .collect();
                // What is part of the repository is run there.
                let place = match text.starts_with("cd examples/") {
                    true => std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")),
                    false => folder.path(),
                };
                let output = tokio::process::Command::new("sh")
                    .args(["-e", "-c", &text])
                    .current_dir(place)
                    .env("PATH", &path)
                    .env("SYNCLINE_LISTEN", "127.0.0.1:0")
                    .output()
                    .await
                    .expect("sh runs");
                let shown = format!(
                    "{text}\n{}\n{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
                assert!(output.status.success(), "{shown}");
                if text.contains("npm start") {
                    assert!(
                        shown.contains("SUCCEEDED"),
                        "the example followed its run to the end: {shown}"
                    );
                }
                if text.contains("connector read") {
                    assert_eq!(
                        shown
                            .lines()
                            .filter(|line| line.contains("\"type\":\"RECORD\""))
                            .count(),
                        3,
                        "{shown}"
                    );
                }
            }
            "js" => {
                let shown = script(&text).await;
                assert!(shown.contains("SUCCEEDED"), "{text}\n{shown}");
            }
            "mermaid" => continue,
            other => panic!("a snippet in {other} that no test executes:\n{text}"),
        }
        executed += 1;
    }
    assert!(executed >= 14, "the tour has shrunk to {executed} snippets");
}
