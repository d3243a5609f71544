//! A bucket, of a server that checks signatures, ranges and tags as S3 does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Response;
use chrono::{DateTime, Utc};
use connectors::read::{Checkpoint, ErrorKind};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{JSONL, gzip, lines, read, stream};
use crate::upstream::{Seen, Upstream, answer, context, ids, kept, records};

/// Objects by key: when they were modified, and what they hold.
type Objects = Arc<Mutex<BTreeMap<String, (DateTime<Utc>, Vec<u8>)>>>;

const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "s3cret/key+";

fn encode(text: &str, slashes: bool) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slashes && byte == b'/') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", &hex(&Sha256::digest(bytes))[..32])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Computes the signature anew from what came, as the documentation of the signature says.
fn is_signed(seen: &Seen) -> bool {
    let Some(authorization) = seen.header("authorization") else {
        return false;
    };
    let field = |name: &str| {
        let rest = authorization.split_once(&format!("{name}=")).unwrap().1;
        rest.split(',').next().unwrap().to_owned()
    };
    let (scope, names) = (field("Credential"), field("SignedHeaders"));
    let scope = scope.strip_prefix(&format!("{KEY_ID}/")).unwrap_or_default();
    let mut query: Vec<String> = seen
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false)))
        .collect();
    query.sort();
    let headers: String = names
        .split(';')
        .map(|name| format!("{name}:{}\n", seen.header(name).unwrap()))
        .collect();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{}",
        seen.method,
        seen.path,
        query.join("&"),
        seen.header("x-amz-content-sha256").unwrap()
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        seen.header("x-amz-date").unwrap(),
        hex(&Sha256::digest(canonical))
    );
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/').chain([text.as_str()]) {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    names.contains("host") && field("Signature") == hex(&key)
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    answer(
        status,
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no &amp; no</Message></Error>"),
    )
}

/// What S3 answers, two keys at a time.
fn s3(objects: &Objects, seen: &Seen) -> Response<Body> {
    if !is_signed(seen) {
        return refusal(403, "SignatureDoesNotMatch");
    }
    let objects = objects.lock().unwrap();
    let Some(path) = seen.path.strip_prefix("/bucket/") else {
        return refusal(404, "NoSuchBucket");
    };
    if path.is_empty() {
        assert_eq!(seen.get("list-type"), Some("2"));
        let prefix = seen.get("prefix").unwrap_or_default();
        let after = seen.get("continuation-token").unwrap_or_default();
        let mut found = objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && *hex(key.as_bytes()) > *after);
        let page: Vec<_> = found.by_ref().take(2).collect();
        let contents: String = page
            .iter()
            .map(|(key, (modified, bytes))| {
                format!(
                    "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                    encode(key, true).replace("%20", "+"),
                    modified.format("%Y-%m-%dT%H:%M:%S.000Z"),
                    tag(bytes).replace('"', "&quot;"),
                    bytes.len()
                )
            })
            .collect();
        let next = match found.next() {
            Some(_) => format!(
                "<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>",
                hex(page.last().unwrap().0.as_bytes())
            ),
            None => "<IsTruncated>false</IsTruncated>".to_owned(),
        };
        return answer(
            200,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult \
                 xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name><EncodingType>url</EncodingType>\
                 {next}{contents}</ListBucketResult>"
            ),
        );
    }
    let object = objects.iter().find(|(key, _)| encode(key, true) == path);
    let Some((_, (_, bytes))) = object else {
        return refusal(404, "NoSuchKey");
    };
    if seen.header("if-match") != Some(tag(bytes).as_str()) {
        return refusal(412, "PreconditionFailed");
    }
    let range = seen.header("range").unwrap().strip_prefix("bytes=").unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    answer(206, bytes[first..=last].to_vec())
}

fn bucket(base: &str, fields: &str) -> String {
    stream(&format!(
        "storage:\n  type: S3Storage\n  bucket: \"{{{{ config.get('bucket', 'bucket') }}}}\"\n  endpoint: {base}\n  \
         access_key_id: {KEY_ID}\n  secret_access_key: \"{{{{ config['api_key'] }}}}\"\n{fields}"
    ))
}

fn put(objects: &Objects, second: i64, key: &str, bytes: impl Into<Vec<u8>>) {
    let modified = DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap();
    objects
        .lock()
        .unwrap()
        .insert(key.to_owned(), (modified, bytes.into()));
}

#[tokio::test]
async fn a_bucket_is_read_by_time_with_signed_requests() {
    let objects = Objects::default();
    put(&objects, 3, "in/a.jsonl", lines([5, 6]));
    put(&objects, 1, "in/b ü+(1)&=.jsonl", lines([1, 2]));
    put(&objects, 2, "in/c.jsonl.gz", gzip(lines([3, 4]).as_bytes()));
    put(&objects, 0, "out/d.jsonl", lines([9]));
    put(&objects, 0, "in/e.txt", "no");
    let served = Arc::clone(&objects);
    let upstream = Upstream::start(move |seen| s3(&served, seen)).await;
    let yaml = bucket(
        &upstream.base(),
        &format!("{JSONL}\nprefix: in/\nfile_field: _file"),
    );
    let config = json!({"api_key": SECRET});
    let context = upstream.context();
    let first = read(&context, &yaml, config.clone(), Checkpoint::default())
        .await
        .unwrap();
    assert_eq!(ids(&first), [1, 2, 3, 4, 5, 6]);
    assert_eq!(records(&first)[0]["_file"], "in/b ü+(1)&=.jsonl");
    let end = kept(&first.last().unwrap().checkpoint);
    assert_eq!(
        end.state,
        Some(json!({"last_modified": "2023-11-14T22:13:23Z", "key": "in/a.jsonl"}))
    );

    put(&objects, 4, "in/a.jsonl", lines([5, 6, 7]));
    put(&objects, 4, "in/0.jsonl", lines([8]));
    let second = read(&context, &yaml, config.clone(), end).await.unwrap();
    assert_eq!(ids(&second), [8, 5, 6, 7]);

    let error = read(
        &context,
        &yaml,
        json!({"api_key": "another"}),
        Checkpoint::default(),
    )
    .await
    .unwrap_err()
    .1;
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Auth, "HTTP_403"));
    assert!(error.message.contains("SignatureDoesNotMatch no & no"), "{error}");
    let config = json!({"api_key": SECRET, "bucket": "gone"});
    let error = read(&context, &yaml, config, Checkpoint::default())
        .await
        .unwrap_err()
        .1;
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Config, "HTTP_404"));
}

#[tokio::test]
async fn large_objects_come_in_ranges_and_survive_cuts_and_changes() {
    let objects = Objects::default();
    // About 3 MiB.
    let text: String = (0..3_000)
        .map(|id| format!("{{\"id\": {id}, \"pad\": \"{}\"}}\n", "p".repeat(1_000)))
        .collect();
    put(&objects, 1, "a.jsonl", text.clone());
    put(&objects, 2, "b.jsonl.gz", gzip(lines(3_000..4_000).as_bytes()));
    let served = Arc::clone(&objects);
    let upstream = Upstream::start(move |seen| s3(&served, seen)).await;
    let (yaml, config) = (bucket(&upstream.base(), JSONL), json!({"api_key": SECRET}));
    let context = upstream.context();
    let whole = read(&context, &yaml, config.clone(), Checkpoint::default())
        .await
        .unwrap();
    let expected: Vec<i64> = (0..4_000).collect();
    assert_eq!(ids(&whole), expected);
    let ranges = upstream
        .seen()
        .iter()
        .filter(|seen| seen.path == "/bucket/a.jsonl")
        .count();
    assert_eq!(ranges, 3);
    for cut in 0..whole.len() - 1 {
        let mut got = ids(&whole[..=cut]);
        let rest = read(&context, &yaml, config.clone(), kept(&whole[cut].checkpoint))
            .await
            .unwrap();
        got.extend(ids(&rest));
        assert_eq!(got, expected, "cut after page {cut}");
    }
    put(&objects, 5, "a.jsonl", lines([77]));
    let rest = read(&context, &yaml, config, kept(&whole[0].checkpoint))
        .await
        .unwrap();
    assert_eq!(ids(&rest), (3_000..4_000).chain([77]).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_storage_in_trouble_has_its_kinds() {
    for (status, code, kind, retryable) in [
        (503, "SlowDown", ErrorKind::RateLimited, true),
        (500, "InternalError", ErrorKind::Upstream, true),
        (403, "AccessDenied", ErrorKind::Auth, false),
        (400, "ExpiredToken", ErrorKind::Auth, false),
        (301, "PermanentRedirect", ErrorKind::Config, false),
    ] {
        let upstream = Upstream::start(move |_| refusal(status, code)).await;
        let yaml = bucket(&upstream.base(), JSONL);
        let config = json!({"api_key": SECRET});
        let error = read(&upstream.context(), &yaml, config, Checkpoint::default())
            .await
            .unwrap_err()
            .1;
        assert_eq!(
            (error.kind, error.retryable),
            (kind, retryable),
            "{code}: {error}"
        );
        assert_eq!(error.http_status, Some(status));
    }
    // The endpoint is somebody's wish, and passes the guard.
    let yaml = bucket("http://127.0.0.1:9", JSONL);
    let config = json!({"api_key": SECRET});
    let error = read(&context(Vec::new()), &yaml, config, Checkpoint::default())
        .await
        .unwrap_err()
        .1;
    assert_eq!(error.code, "BLOCKED_ADDRESS");
}
