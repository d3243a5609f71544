//! What is asked about a job, and what the answers mean.
//!
//! Requests about a job read `creation_response`, `polling_response` and `download_target`: the answers' JSON, with the
//! answer's `headers` and its `request` in it where the JSON has no such fields.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::job::Done;
use crate::http::answer::Answer;
use crate::http::requester::{self, Injected};
use crate::http::session::{Session, display};
use crate::json::Body;
use crate::manifest::components::{AsyncRetriever, HttpRequester, JobStatus, Text};
use crate::read::cutting::document;
use crate::read::slice::Slice;
use crate::read::{ErrorKind, ReadError};
use crate::record::{self, PathPart};
use crate::template::Variable;

/// What a poll told of a job that is done.
pub(super) struct Told {
    pub(super) context: Value,
    body: Option<Body>,
}

/// A job's results, ready to be downloaded.
pub(crate) struct Results {
    pub(crate) creation: Arc<Value>,
    pub(crate) polling: Value,
    /// What to download, one after the other.
    pub(crate) targets: Vec<Value>,
    /// Ordered by this read: where an earlier attempt stood in its own job's results means nothing in these.
    pub(crate) fresh: bool,
}

/// Starts a job; gives its `creation_response`.
pub(super) async fn create(
    session: &Session,
    plan: &AsyncRetriever,
    slice: &Slice,
) -> Result<Value, ReadError> {
    let names = [
        ("stream_slice", slice.variable()),
        ("next_page_token", Variable::Json(&Value::Null)),
    ];
    let answer = requester::send(
        session,
        &plan.creation_requester,
        &names,
        None,
        &Injected::default(),
    )
    .await?;
    Ok(context(&answer))
}

/// Asks how a job stands.
pub(super) async fn poll(
    session: &Session,
    plan: &AsyncRetriever,
    slice: &Slice,
    creation: &Value,
) -> Result<(JobStatus, Told), ReadError> {
    let answer = about(session, &plan.polling_requester, slice, creation).await?;
    let body = document(session, &plan.decoder, &answer).map_err(|error| placed(session, error, &answer))?;
    let status = extract(session, &plan.status_extractor, &body)?;
    let status = status.first().map_or_else(|| "None".to_owned(), display);
    let Some(known) = plan.status_mapping.get(&status) else {
        let message = session.scrub(&format!(
            "The upstream's job has the status {status:?}, which the status_mapping does not know."
        ));
        let error = ReadError::new(ErrorKind::Config, "JOB_STATUS_UNKNOWN", message);
        return Err(placed(session, error, &answer));
    };
    let told = Told {
        context: context(&answer),
        body: Some(body),
    };
    Ok((*known, told))
}

/// Aborts or deletes a job.
pub(super) async fn tell(
    session: &Session,
    requester: &HttpRequester,
    slice: &Slice,
    creation: &Value,
) -> Result<(), ReadError> {
    about(session, requester, slice, creation).await.map(drop)
}

/// What a job that is done has to be downloaded.
pub(super) async fn results(
    session: &Session,
    plan: &AsyncRetriever,
    done: Arc<Done>,
) -> Result<Results, ReadError> {
    let targets = match (&plan.download_target_extractor, &plan.download_target_requester) {
        (None, _) => vec![Value::String(String::new())],
        (Some(extractor), Some(requester)) => {
            let slice = Slice::default();
            let names = [
                ("stream_slice", slice.variable()),
                ("next_page_token", Variable::Json(&Value::Null)),
                ("polling_response", Variable::Json(&done.polled.context)),
            ];
            let answer = requester::send(session, requester, &names, None, &Injected::default()).await?;
            let body =
                document(session, &plan.decoder, &answer).map_err(|error| placed(session, error, &answer))?;
            extract(session, extractor, &body)?
        }
        (Some(extractor), None) => match &done.polled.body {
            Some(body) => extract(session, extractor, body)?,
            None => Vec::new(),
        },
    };
    Ok(Results {
        creation: Arc::clone(&done.creation),
        polling: done.polled.context.clone(),
        targets,
        fresh: done.fresh,
    })
}

async fn about(
    session: &Session,
    requester: &HttpRequester,
    slice: &Slice,
    creation: &Value,
) -> Result<Answer, ReadError> {
    let extra = Map::from_iter([("creation_response".to_owned(), creation.clone())]);
    let slice = slice.carrying(extra);
    let names = [
        ("stream_slice", slice.variable()),
        ("next_page_token", Variable::Json(&Value::Null)),
        ("creation_response", Variable::Json(creation)),
    ];
    requester::send(session, requester, &names, None, &Injected::default()).await
}

fn extract(session: &Session, field_path: &[Text], body: &Body) -> Result<Vec<Value>, ReadError> {
    let path = field_path
        .iter()
        .map(|part| Ok(PathPart::new(&session.text(part, &[])?)))
        .collect::<Result<Vec<_>, ReadError>>()?;
    let found = record::select(body, &path)
        .map_err(|error| super::super::page::malformed(body.as_str().as_bytes(), &error))?;
    Ok(found.iter().map(record::Record::to_value).collect())
}

fn placed(session: &Session, mut error: ReadError, answer: &Answer) -> ReadError {
    error.http_status = Some(answer.status);
    error.url = Some(session.scrub(&platform::http_client::redacted(&answer.url)));
    error
}

/// An answer as templates read it. Of the request there is what is nobody's secret.
fn context(answer: &Answer) -> Value {
    let mut fields = match answer.json_or_empty() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    if !fields.contains_key("headers") {
        let mut headers = Map::new();
        for (name, value) in answer.headers.iter().filter(|(name, _)| *name != "set-cookie") {
            headers.insert(name.clone(), value.clone());
            // Names of headers ignore case; a mapping in a template does not.
            headers.insert(usual(name), value.clone());
        }
        fields.insert("headers".to_owned(), Value::Object(headers));
    }
    if !fields.contains_key("request") {
        let url = platform::http_client::redacted(&answer.url);
        fields.insert("request".to_owned(), json!({ "url": url }));
    }
    Value::Object(fields)
}

/// A header's name as servers write it: `Content-Type`.
fn usual(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|char| {
            let own = if start { char.to_ascii_uppercase() } else { char };
            start = char == '-';
            own
        })
        .collect()
}
