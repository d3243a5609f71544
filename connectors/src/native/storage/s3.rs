//! A bucket of S3, or of one of the many that speak its language: a listing and ranges of objects.
//!
//! Two calls are all that is used of it, through the guarded client that every request goes through. The client of
//! the object_store crate would bring its own repetitions, errors and signer, of which each would have to be turned off
//! or translated.

use bytes::Bytes;
use chrono::DateTime;
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, HeaderName, HeaderValue, IF_MATCH, RANGE};
use serde_json::{Map, Value};
use url::Url;

use super::super::call;
use super::list::{Found, Nearest, Place};
use super::object::Fetched;
use super::sign::{self, Credentials};
use crate::http::answer::{Answer, exchange};
use crate::http::session::Session;
use crate::http::{excerpt, gate, xml};
use crate::manifest::components::{S3Storage, Text};
use crate::read::{ErrorKind, ReadError};

/// See the module.
pub(super) struct Bucket {
    /// The bucket's own address, with a slash at its end.
    base: Url,
    region: String,
    credentials: Option<Credentials>,
}

pub(super) fn host(session: &Session, storage: &S3Storage) -> Option<String> {
    let bucket = Bucket::new(session, storage).ok()?;
    Some(gate::host(&bucket.base))
}

impl Bucket {
    pub(super) fn new(session: &Session, storage: &S3Storage) -> Result<Self, ReadError> {
        let optional = |text: &Option<Text>| -> Result<Option<String>, ReadError> {
            let text = text.as_ref().map(|text| session.text(text, &[])).transpose()?;
            Ok(text.filter(|text| !text.is_empty()))
        };
        let bucket = session.text(&storage.bucket, &[])?;
        let name = |text: &str| {
            (1..=255).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        };
        if !name(&bucket) {
            return Err(ReadError::config(format!(
                "{bucket:?} is not the name of a bucket."
            )));
        }
        let region = session.text(&storage.region, &[])?;
        if !name(&region) {
            return Err(ReadError::config(format!(
                "{region:?} is not the name of a region."
            )));
        }
        let base = match optional(&storage.endpoint)? {
            // Those who have an endpoint of their own rarely have a name for each bucket.
            Some(endpoint) => format!("{}/{bucket}/", endpoint.trim_end_matches('/')),
            // A certificate does not reach over the dots in a bucket's name.
            None if bucket.contains('.') => format!("https://s3.{region}.amazonaws.com/{bucket}/"),
            None => format!("https://{bucket}.s3.{region}.amazonaws.com/"),
        };
        let base = Url::parse(&base)
            .ok()
            .filter(Url::has_host)
            .ok_or_else(|| ReadError::config("The endpoint is not an absolute http or https URL."))?;
        let credentials = match (
            optional(&storage.access_key_id)?,
            optional(&storage.secret_access_key)?,
        ) {
            (Some(id), Some(secret)) => Some(Credentials {
                id,
                secret,
                token: optional(&storage.session_token)?,
            }),
            (None, None) => None,
            _ => {
                return Err(ReadError::config(
                    "access_key_id and secret_access_key belong together; leave out both for a public bucket.",
                ));
            }
        };
        Ok(Self {
            base,
            region,
            credentials,
        })
    }

    pub(super) async fn list(
        &self,
        session: &Session,
        prefix: &str,
        nearest: &mut Nearest<'_>,
    ) -> Result<(), ReadError> {
        let mut token: Option<String> = None;
        for _ in 0..session.context.limits.max_pages {
            let mut query = vec![
                ("encoding-type", "url".to_owned()),
                ("list-type", "2".to_owned()),
                ("max-keys", "1000".to_owned()),
                ("prefix", prefix.to_owned()),
            ];
            if let Some(token) = token.take() {
                query.insert(0, ("continuation-token", token));
            }
            let answer = call::repeated(session, || self.send(session, "", &query, &[])).await?;
            if answer.status != 200 {
                return Err(refused(session, &answer));
            }
            let listing = xml::read(&answer.body, "ListBucketResult", &[vec!["Contents".to_owned()]])
                .map_err(|error| {
                    let message = format!("The listing cannot be read: {error}.");
                    let mut wrong = ReadError::new(ErrorKind::Malformed, error.code("NOT_XML"), message);
                    wrong.retryable = error.may_pass();
                    wrong.at(&answer.url)
                })?;
            let contents = listing.get("Contents").and_then(Value::as_array);
            let encoded = text(&listing, "EncodingType") == Some("url");
            for entry in contents.into_iter().flatten() {
                match found(entry, encoded) {
                    Some(found) => nearest.see(found),
                    None => nearest.skipped += 1,
                }
            }
            if text(&listing, "IsTruncated") != Some("true") {
                return Ok(());
            }
            let next = text(&listing, "NextContinuationToken").filter(|next| !next.is_empty());
            token = Some(next.map(ToOwned::to_owned).ok_or_else(|| {
                let message = "The listing says that it goes on, and not where.";
                ReadError::new(ErrorKind::Malformed, "NO_CONTINUATION", message).at(&answer.url)
            })?);
        }
        let message = "The listing did not end within as many pages as are followed.";
        Err(ReadError::new(ErrorKind::Upstream, "PAGE_LIMIT", message).at(&self.base))
    }

    pub(super) async fn fetch(
        &self,
        session: &Session,
        wanted: &Found,
        offset: u64,
        length: u64,
    ) -> Result<Fetched, ReadError> {
        let last = offset + length.saturating_sub(1);
        let mut headers = vec![(RANGE, format!("bytes={offset}-{last}"))];
        if let Some(tag) = &wanted.tag {
            headers.push((IF_MATCH, tag.clone()));
        }
        let key = sign::encode(&wanted.place.key, true);
        let answer = call::repeated(session, || self.send(session, &key, &[], &headers)).await?;
        match answer.status {
            206 => Ok(Fetched::Bytes(answer.body)),
            // A server that knows no ranges sent all of it.
            200 => Ok(Fetched::Bytes(slice(&answer.body, offset, length))),
            404 | 412 | 416 if code(&answer).as_deref() != Some("NoSuchBucket") => Ok(Fetched::Changed),
            _ => Err(refused(session, &answer)),
        }
    }

    /// Sends a request; an answer that may be another one next time is an error.
    async fn send(
        &self,
        session: &Session,
        key: &str,
        query: &[(&str, String)],
        headers: &[(HeaderName, String)],
    ) -> Result<Answer, ReadError> {
        let mut url = self.base.clone();
        let path = format!("{}{key}", self.base.path());
        url.set_path(&path);
        let query = sign::canonical_query(query);
        url.set_query(Some(&*query).filter(|query| !query.is_empty()));
        let http = &session.context.http;
        let mut builder = http.request(Method::GET, &url).map_err(|blocked| {
            let message = session.scrub(&format!("{blocked}."));
            ReadError::new(ErrorKind::Config, "BLOCKED_ADDRESS", message).at(&url)
        })?;
        // A range of compressed bytes cannot be decompressed on the way.
        builder = builder.header(ACCEPT_ENCODING, "identity");
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if let Some(credentials) = &self.credentials {
            let now = session.context.clock.now();
            let signed = sign::headers(credentials, &self.region, &url, &path, &query, now);
            for (name, value) in signed {
                let mut value = HeaderValue::try_from(value).map_err(|_| {
                    ReadError::config("The access key has characters that headers cannot carry.")
                })?;
                value.set_sensitive(true);
                builder = builder.header(name, value);
            }
        }
        let request = builder
            .build()
            .map_err(|_| ReadError::config("The request cannot be built from the manifest.").at(&url))?;
        let answer = exchange(session, request).await?;
        let passing = matches!(answer.status, 408 | 429 | 500..);
        if passing {
            return Err(refused(session, &answer));
        }
        Ok(answer)
    }
}

fn slice(body: &Bytes, offset: u64, length: u64) -> Bytes {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    body.slice(place(offset)..place(offset.saturating_add(length)))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name)?.as_str()
}

fn found(entry: &Value, encoded: bool) -> Option<Found> {
    let fields = entry.as_object()?;
    let key = text(fields, "Key")?;
    let key = if encoded {
        // As in forms: a space is a plus.
        url::form_urlencoded::parse(format!("k={}", key.replace('&', "%26")).as_bytes())
            .next()?
            .1
            .into_owned()
    } else {
        key.to_owned()
    };
    Some(Found {
        place: Place {
            modified: DateTime::parse_from_rfc3339(text(fields, "LastModified")?)
                .ok()?
                .to_utc(),
            key,
        },
        size: text(fields, "Size")?.parse().ok()?,
        tag: text(fields, "ETag").map(ToOwned::to_owned),
    })
}

/// The error's code, where the answer has one.
fn code(answer: &Answer) -> Option<String> {
    let error = xml::read(&answer.body, "Error", &[]).ok()?;
    text(&error, "Code").map(ToOwned::to_owned)
}

fn refused(session: &Session, answer: &Answer) -> ReadError {
    let error = xml::read(&answer.body, "Error", &[]).unwrap_or_default();
    let code = text(&error, "Code").unwrap_or_default();
    let (kind, retryable) = match (code, answer.status) {
        ("SlowDown" | "TooManyRequests" | "RequestLimitExceeded", _) | (_, 429) => {
            (ErrorKind::RateLimited, true)
        }
        (
            "NoSuchBucket"
            | "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
            _,
        ) => (ErrorKind::Config, false),
        ("ExpiredToken" | "InvalidToken", _) | (_, 401 | 403) => (ErrorKind::Auth, false),
        (_, 404) => (ErrorKind::Config, false),
        (_, 408 | 504) => (ErrorKind::Timeout, true),
        (_, 500..) => (ErrorKind::Upstream, true),
        _ => (ErrorKind::Upstream, false),
    };
    let mut message = format!("The storage answered {}", answer.status);
    let said = [code, text(&error, "Message").unwrap_or_default()].join(" ");
    match excerpt::presentable(&session.scrub(&said)) {
        Some(said) => {
            message.push_str(": ");
            message.push_str(&said);
        }
        None => message.push('.'),
    }
    let mut refused = ReadError::new(kind, format!("HTTP_{}", answer.status), message).at(&answer.url);
    refused.retryable = retryable;
    refused.http_status = Some(answer.status);
    refused
}
