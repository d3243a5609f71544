//! The files that belong to records, held against the reference: the same records with the same references, the same files
//! under the same names, and the same requests.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tests::binary;
use tokio::process::Command;

use crate::reference::{Requests, write};
use crate::reference_components::Answering;

fn manifest(base: &str) -> String {
    format!(
        r#"version: 7.0.0
type: DeclarativeSource
check: {{type: CheckStream, stream_names: [documents]}}
streams:
  - type: DeclarativeStream
    name: documents
    primary_key: id
    schema_loader: {{type: InlineSchemaLoader, schema: {{type: object, properties: {{}}}}}}
    retriever:
      type: SimpleRetriever
      requester: {{type: HttpRequester, url_base: "{base}", path: /documents}}
      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [data]}}}}
      paginator:
        type: DefaultPaginator
        page_token_option: {{type: RequestOption, inject_into: request_parameter, field_name: page}}
        pagination_strategy: {{type: PageIncrement, page_size: 2, start_from_page: 1}}
    file_uploader:
      type: FileUploader
      requester:
        type: HttpRequester
        url_base: "{base}"
        path: "{{{{ download_target }}}}"
        request_parameters: {{slice: "{{{{ stream_slice.extra_fields['download_target'] }}}}"}}
      download_target_extractor: {{type: DpathExtractor, field_path: [links, file]}}
      filename_extractor: "{{{{ record.name }}}}"
spec: {{type: Spec, connection_specification: {{type: object, additionalProperties: true, properties: {{}}}}}}
"#
    )
}

/// What a reader printed and wrote, order aside.
#[derive(Debug, PartialEq)]
struct Read {
    records: Vec<String>,
    files: BTreeMap<String, usize>,
    requests: Vec<String>,
}

async fn read(command: &mut Command, upstream: &Answering, staging: &Path) -> Read {
    upstream.forget();
    let output = command
        .env("AIRBYTE_STAGING_DIRECTORY", staging)
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
    let mut records: Vec<String> = stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["type"] == "RECORD")
        .map(|message| {
            let record = &message["record"];
            let folder = staging.to_string_lossy();
            format!("{} {}", record["data"], record["file_reference"]).replace(&*folder, "STAGING")
        })
        .collect();
    records.sort();
    let mut files = BTreeMap::new();
    collect(staging, staging, &mut files);
    let mut requests = upstream.requests();
    requests.sort();
    Read {
        records,
        files,
        requests,
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, usize>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let content = std::fs::read(&path).expect("a file");
            let name = path.strip_prefix(root).expect("below it").display().to_string();
            files.insert(name, content.len());
        }
    }
}

fn catalog(include_files: Option<bool>) -> String {
    let mut stream = json!({
        "stream": { "name": "documents", "json_schema": {}, "supported_sync_modes": ["full_refresh"] },
        "sync_mode": "full_refresh", "destination_sync_mode": "append",
    });
    if let Some(include) = include_files {
        stream["include_files"] = json!(include);
    }
    json!({ "streams": [stream] }).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_equal_the_references() {
    let cdk = std::env::var("SYNCLINE_TEST_CDK")
        .expect("SYNCLINE_TEST_CDK names no airbyte-cdk: run `scripts/test`, or `scripts/prepare python cdk` and set it to target/tools/cdk/bin");
    let folder = tempfile::TempDir::new().expect("a folder");
    let folder = folder.path();
    let upstream = Answering::start().await;
    let manifest = write(folder, "manifest.yaml", &manifest(&upstream.base));
    let config = write(folder, "config.json", "{}");
    let plain = write(folder, "plain.json", &catalog(None));
    let with_files = write(folder, "files.json", &catalog(Some(true)));
    let without = write(folder, "without.json", &catalog(Some(false)));
    let staging = |name: &str| {
        let path = folder.join(name);
        std::fs::create_dir(&path).expect("a folder");
        path
    };
    let mut reference = Command::new(Path::new(&cdk).join("source-declarative-manifest"));
    reference.args([
        "read",
        "--manifest-path",
        &manifest,
        "--config",
        &config,
        "--catalog",
        &plain,
    ]);
    let expected = read(&mut reference, &upstream, &staging("theirs")).await;
    assert_eq!(expected.records.len(), 3, "{expected:?}");
    assert_eq!(expected.files.len(), 3, "{expected:?}");

    let ours = |catalog: &str| {
        let mut ours = Command::new(binary());
        ours.args([
            "connector",
            "read",
            "--manifest",
            &manifest,
            "--config",
            &config,
            "--catalog",
            catalog,
        ]);
        ours
    };
    assert_eq!(
        read(&mut ours(&with_files), &upstream, &staging("ours")).await,
        expected
    );
    // Into a folder that was named, which need not be there yet.
    let named = folder.join("named");
    let mut command = ours(&plain);
    command.args(["--files", named.to_str().expect("UTF-8")]);
    assert_eq!(read(&mut command, &upstream, &named).await, expected);

    // Who asks for none gets the records alone, and nobody is asked for a file.
    for (name, catalog, files) in [("a", &plain, false), ("b", &without, true)] {
        let folder = staging(name);
        let mut command = ours(catalog);
        if files {
            command.args(["--files", folder.to_str().expect("UTF-8")]);
        }
        let read = read(&mut command, &upstream, &folder).await;
        assert!(
            read.files.is_empty() && read.requests.iter().all(|line| !line.starts_with("/file")),
            "{read:?}"
        );
        assert!(
            read.records.iter().all(|record| record.ends_with(" null")),
            "{read:?}"
        );
        assert_eq!(read.records.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_had_ends_its_stream() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let folder = folder.path();
    let upstream = Answering::start().await;
    let config = write(folder, "config.json", "{}");
    let staging = folder.join("files");
    for (right, wrong, code) in [
        ("{{ record.name }}", "../../{{ record.id }}", "FILE_NAME"),
        ("[links, file]", "[links, nothing]", "download_target_extractor"),
        (
            "{{ download_target }}",
            "/nowhere{{ download_target }}",
            "HTTP_404",
        ),
    ] {
        let text = manifest(&upstream.base);
        assert!(text.contains(right), "{right}");
        let manifest = write(folder, "manifest.yaml", &text.replace(right, wrong));
        let output = Command::new(binary())
            .args([
                "connector",
                "read",
                "--manifest",
                &manifest,
                "--config",
                &config,
                "--files",
            ])
            .arg(&staging)
            .output()
            .await
            .expect("it runs");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success(), "{wrong}: {stdout}");
        assert!(
            stdout.contains(code) && stdout.contains("INCOMPLETE"),
            "{wrong}: {stdout}"
        );
        let mut files = BTreeMap::new();
        if staging.exists() {
            collect(&staging, &staging, &mut files);
        }
        assert!(files.is_empty(), "{wrong}: {files:?}");
        assert!(!folder.join("1").exists(), "{wrong}");
    }
}
