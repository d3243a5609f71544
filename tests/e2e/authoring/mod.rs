//! "Five minutes from an API to a connector": `syncline connector new` against APIs that page in different ways, and
//! what it wrote, read to its end.

mod lists;

use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Finished, binary, run_command};
use tokio::io::AsyncWriteExt;

use self::lists::{COUNT, api, cut};

fn at(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("UTF-8").to_owned()
}

async fn new(folder: &TempDir, arguments: &[&str]) -> Finished {
    let output = at(folder, "new.yaml");
    let mut all = vec!["connector", "new", "--output", &output];
    all.extend(arguments);
    run_command(&all).await
}

/// The records that `connector read` prints, with these further flags.
async fn read(folder: &TempDir, further: &[&str]) -> (Finished, Vec<Value>) {
    let (manifest, config) = (at(folder, "new.yaml"), at(folder, "new.config.json"));
    let mut arguments = vec!["connector", "read", "--manifest", &manifest];
    if std::path::Path::new(&config).exists() {
        arguments.extend(["--config", &config]);
    }
    arguments.extend(further);
    let finished = run_command(&arguments).await;
    let messages = finished
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let records = messages
        .filter(|message| message["type"] == "RECORD")
        .map(|message| message["record"]["data"].clone())
        .collect();
    (finished, records)
}

/// What is proposed for this address reads all the records, each once.
async fn reads_everything(path: &str, headers: &[&str], paginator: &str) -> (TempDir, String, Finished) {
    let api = api().await;
    let folder = TempDir::new().expect("a folder");
    let url = api.url(path);
    let mut arguments = vec!["--url", &url, "--yes"];
    for header in headers {
        arguments.extend(["--header", header]);
    }
    let made = new(&folder, &arguments).await;
    assert_eq!(made.code, Some(0), "{}{}", made.stdout, made.stderr);
    let manifest = std::fs::read_to_string(at(&folder, "new.yaml")).expect("written");
    assert!(manifest.contains(paginator), "{manifest}");
    let (finished, records) = read(&folder, &[]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stdout);
    let mut ids: Vec<u64> = records
        .iter()
        .filter_map(|record| record["id"].as_u64())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=COUNT as u64).collect::<Vec<_>>(), "{manifest}");
    let flags = [
        "connector",
        "check",
        "--strict",
        "--manifest",
        &at(&folder, "new.yaml"),
    ]
    .map(str::to_owned);
    let config = at(&folder, "new.config.json");
    let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    if std::path::Path::new(&config).exists() {
        flags.extend(["--config", &config]);
    }
    let checked = run_command(&flags).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stdout);
    (folder, manifest, made)
}

#[tokio::test]
async fn pages_by_the_link_header() {
    reads_everything("/v1/link?per_page=10", &[], "headers['link']").await;
}

#[tokio::test]
async fn pages_by_an_address_in_the_answer() {
    let (_, manifest, _) = reads_everything("/v1/address", &[], "type: RequestPath").await;
    assert!(manifest.contains("field_path: [results]"), "{manifest}");
}

#[tokio::test]
async fn pages_by_a_token_behind_a_credential_that_is_kept_out_of_the_manifest() {
    let (folder, manifest, made) = reads_everything(
        "/v1/token",
        &["Authorization: Bearer t0p-s3cret"],
        "field_name: pageToken",
    )
    .await;
    assert!(
        !manifest.contains("t0p-s3cret") && manifest.contains("airbyte_secret: true"),
        "{manifest}"
    );
    assert!(!made.stdout.contains("t0p-s3cret"), "{}", made.stdout);
    let config = at(&folder, "new.config.json");
    assert!(
        std::fs::read_to_string(&config)
            .expect("written")
            .contains("t0p-s3cret")
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&config).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn pages_by_the_last_record() {
    reads_everything("/v1/after", &[], "field_name: starting_after").await;
}

#[tokio::test]
async fn pages_that_are_numbered_from_nought_are_not_skipped() {
    let (_, manifest, _) = reads_everything("/v1/pages", &[], "start_from_page: 0").await;
    assert!(manifest.contains("field_path: [content, rows]"), "{manifest}");
}

#[tokio::test]
async fn pages_by_offsets_that_the_address_does_not_name() {
    reads_everything("/v1/offsets", &[], "field_name: skip").await;
}

#[tokio::test]
async fn a_limit_ends_the_asking_and_the_schema_is_of_all_records() {
    let api = api().await;
    let folder = TempDir::new().expect("a folder");
    let made = new(
        &folder,
        &["--url", &api.url("/v1/offsets?limit=10&skip=0"), "--yes"],
    )
    .await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let manifest = std::fs::read_to_string(at(&folder, "new.yaml")).expect("written");
    for line in [
        "id: {\"type\":\"integer\"}",
        "note: {\"type\":[\"null\",\"string\"]}",
        "price: {\"type\":\"number\"}",
        "updated_at: {\"type\":\"string\",\"format\":\"date-time\"}",
        "cursor_field: updated_at",
    ] {
        assert!(manifest.contains(line), "{line} is not in\n{manifest}");
    }
    api.requests();
    let (_, records) = read(&folder, &["--limit", "12"]).await;
    assert_eq!(records.len(), 12);
    let asked = api.requests();
    assert_eq!(asked.len(), 2, "two pages hold twelve records: {asked:?}");
}

#[tokio::test]
async fn what_does_not_read_is_not_proposed() {
    let api = api().await;
    let folder = TempDir::new().expect("a folder");
    let made = new(
        &folder,
        &["--url", &api.url("/v1/broken-second?offset=0"), "--yes"],
    )
    .await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(
        made.stdout.contains("tried offsets") && made.stdout.contains("Pagination: one page"),
        "{}",
        made.stdout
    );
    let manifest = std::fs::read_to_string(at(&folder, "new.yaml")).expect("written");
    assert!(!manifest.contains("paginator"), "{manifest}");
}

#[tokio::test]
async fn one_object_is_one_record() {
    let api = api().await;
    let folder = TempDir::new().expect("a folder");
    let made = new(&folder, &["--url", &api.url("/v1/single"), "--yes"]).await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let (_, records) = read(&folder, &[]).await;
    assert_eq!(records, [json!({ "id": 7, "name": "the only one" })]);
}

#[tokio::test]
async fn a_sample_is_enough_and_nobody_is_called() {
    let api = api().await;
    let folder = TempDir::new().expect("a folder");
    let sample = at(&folder, "answer.json");
    std::fs::write(
        &sample,
        json!({ "items": cut(0, 5), "nextPageToken": "t" }).to_string(),
    )
    .expect("written");
    let made = new(
        &folder,
        &["--url", &api.url("/v1/token"), "--sample", &sample, "--yes"],
    )
    .await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(api.requests().is_empty());
    let manifest = std::fs::read_to_string(at(&folder, "new.yaml")).expect("written");
    assert!(manifest.contains("field_name: pageToken"), "{manifest}");
}

#[tokio::test]
async fn a_person_changes_what_is_proposed() {
    let api = api().await;
    let folder = TempDir::new().expect("a folder");
    let mut child = tokio::process::Command::new(binary())
        .args(["connector", "new", "--output", &at(&folder, "new.yaml")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let answers = format!("{}\n\n1\nname\n\nnone\n", api.url("/v1/address"));
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(answers.as_bytes()).await.expect("written");
    drop(stdin);
    let output = child.wait_with_output().await.expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let manifest = std::fs::read_to_string(at(&folder, "new.yaml")).expect("written");
    assert!(manifest.contains("primary_key: name"), "{manifest}");
    assert!(!manifest.contains("incremental_sync"), "{manifest}");
    assert!(
        manifest.contains("type: RequestPath"),
        "Enter took what was proposed: {manifest}"
    );
}

#[tokio::test]
async fn what_cannot_be_made_says_why_and_writes_nothing() {
    let api = api().await;
    let folder = TempDir::new().expect("a folder");
    for (arguments, code, told) in [
        (vec!["--url", &api.url("/v1/token")], 1, "--header"),
        (vec!["--url", &api.url("/v1/html")], 1, "not JSON"),
        (vec!["--url", &api.url("/v1/empty")], 1, "no list of objects"),
        (vec!["--url", &api.url("/v1/none")], 1, "HTTP 404"),
        (vec!["--url", "http://10.0.0.1/x"], 1, "may not be called"),
        (vec!["--url", "ftp://e.com"], 2, "http or https"),
        (vec!["--url", "https://user:pw@e.com/x"], 2, "--header"),
        (vec![], 2, "An address is needed"),
        (
            vec!["--url", &api.url("/v1/single"), "--header", "nonsense"],
            2,
            "'Name: value'",
        ),
        (
            vec!["--url", &api.url("/v1/address"), "--primary-key", "note"],
            2,
            "tell the sample's records apart",
        ),
        (
            vec!["--url", &api.url("/v1/address"), "--cursor", "name"],
            2,
            "not a date",
        ),
        (
            vec!["--url", &api.url("/v1/address"), "--records", "nowhere"],
            2,
            "no records at nowhere",
        ),
    ] {
        let arguments: Vec<&str> = arguments
            .iter()
            .map(|argument| &**argument)
            .chain(["--yes"])
            .collect();
        let finished = new(&folder, &arguments).await;
        assert_eq!(finished.code, Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(
            finished.stderr.contains(told),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert!(!finished.stderr.contains("pw@"), "{}", finished.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    std::fs::write(at(&folder, "new.yaml"), "mine").expect("written");
    let finished = new(&folder, &["--url", &api.url("/v1/single"), "--yes"]).await;
    assert_eq!(finished.code, Some(2));
    assert_eq!(
        std::fs::read_to_string(at(&folder, "new.yaml")).expect("there"),
        "mine"
    );
}

#[tokio::test]
async fn the_schema_for_editors_is_printed() {
    let finished = run_command(&["connector", "schema"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let schema: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(
        schema["definitions"]["PageIncrement"]["properties"]["type"],
        json!({ "const": "PageIncrement" })
    );
    assert!(schema["definitions"]["PageIncrement"]["properties"]["start_from_page"].is_object());
}
