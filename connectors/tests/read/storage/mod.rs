//! Object storage: a folder of the machine's, and a bucket of a server that checks what S3 checks.

mod bucket;
mod folder;

use std::io::Write as _;

use connectors::read::{Checkpoint, Page, ReadContext, ReadError};
use serde_json::Value;

use crate::upstream::{connector, manifest, pages, request};

fn stream(fields: &str) -> String {
    let fields: String = fields.lines().map(|line| format!("    {line}\n")).collect();
    let streams = format!("streams:\n  - type: ObjectStorageStream\n    name: items\n{fields}");
    manifest("http://unused.example", &streams, "items")
}

async fn read(
    context: &ReadContext,
    yaml: &str,
    config: Value,
    checkpoint: Checkpoint,
) -> Result<Vec<Page>, (Vec<Page>, ReadError)> {
    match connector(yaml).read(context, request(config, checkpoint)) {
        Ok(stream) => pages(stream).await,
        Err(error) => Err((Vec::new(), error)),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lines(ids: impl IntoIterator<Item = i64>) -> String {
    ids.into_iter().map(|id| format!("{{\"id\": {id}}}\n")).collect()
}

const JSONL: &str = "format: {type: JsonlFormat}\nglob: '**/*.jsonl*'";
