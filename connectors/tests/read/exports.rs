//! An upstream that makes exports, a manifest that reads them, and a clock on which nobody has to wait for them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use platform::clock::{Clock, SystemClock};
use serde_json::json;

use crate::upstream::{Seen, Upstream, answer, manifest, ok};

pub(crate) const POLL: Duration = Duration::from_secs(5);

/// A clock on which the wait between two polls is over at once, and counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hurried {
    pub(crate) ahead: Arc<Mutex<Duration>>,
    /// Polls are waited for without an end.
    pub(crate) stuck: bool,
}

impl Hurried {
    pub(crate) fn waited(&self) -> Duration {
        *self.ahead.lock().unwrap()
    }
}

impl Clock for Hurried {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::from_std(self.waited()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + self.waited()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration != POLL {
            return SystemClock.sleep(duration);
        }
        if self.stuck {
            return Box::pin(std::future::pending());
        }
        *self.ahead.lock().unwrap() += duration;
        Box::pin(tokio::task::yield_now())
    }
}

/// What the upstream says at each poll of a job, by what the job is for; the last word stays.
pub(crate) type Script = fn(&str) -> &'static [&'static str];

#[derive(Default)]
pub(crate) struct Jobs {
    made: Vec<(String, usize)>,
    pub(crate) log: Vec<String>,
    pub(crate) gone: bool,
}

/// An upstream that makes exports: `POST /exports?for=x` makes one, `GET /exports/1` tells how it is, `/files/1/a` and
/// `/files/1/b` are its results.
pub(crate) async fn exports(script: Script) -> (Upstream, Arc<Mutex<Jobs>>) {
    let jobs: Arc<Mutex<Jobs>> = Arc::default();
    let shared = Arc::clone(&jobs);
    let upstream = Upstream::start(move |seen| respond(&mut shared.lock().unwrap(), script, seen)).await;
    (upstream, jobs)
}

fn respond(jobs: &mut Jobs, script: Script, seen: &Seen) -> Response<Body> {
    let parts: Vec<&str> = seen.path.split('/').skip(1).collect();
    let number = parts.get(1).and_then(|id| id.parse::<usize>().ok()).unwrap_or(0);
    let what = jobs
        .made
        .get(number.wrapping_sub(1))
        .map(|(what, _)| what.clone())
        .unwrap_or_default();
    match (seen.method.as_str(), parts.as_slice()) {
        ("POST", ["exports"]) => {
            let what = seen.get("for").unwrap_or("all").to_owned();
            jobs.log.push(format!("create {what}"));
            if what == "refused" {
                return answer(403, "{}");
            }
            jobs.made.push((what, 0));
            Response::builder()
                .status(201)
                .header("X-Job", format!("job-{}", jobs.made.len()))
                .body(
                    json!({"id": jobs.made.len(), "big": "x".repeat(10)})
                        .to_string()
                        .into(),
                )
                .unwrap()
        }
        ("GET", ["exports", _]) => {
            if jobs.gone {
                jobs.gone = false;
                return answer(404, "{}");
            }
            let polls = &mut jobs.made[number - 1].1;
            let words = script(&what);
            let word = words[(*polls).min(words.len() - 1)];
            *polls += 1;
            jobs.log.push(format!("poll {number} {word}"));
            let urls: Vec<_> = ["a", "b"].map(|file| format!("/files/{number}/{file}")).into();
            ok(&json!({"state": word, "files": if word == "empty" { vec![] } else { urls }}))
        }
        ("POST", ["exports", _, verb]) => {
            jobs.log.push(format!("{verb} {number}"));
            answer(if what == "sticky" { 400 } else { 200 }, "{}")
        }
        ("GET", ["files", _, file]) => {
            jobs.log.push(format!("download {number}{file}"));
            let page = seen.number("page").unwrap_or(1);
            let id = |at: usize| json!({"id": at, "for": what});
            ok(&json!([
                id(if *file == "a" { page } else { 10 + page }),
                id(100 + page)
            ]))
        }
        _ => answer(404, "{}"),
    }
}

/// The retriever's fields besides the ones that every case has, and the stream's.
pub(crate) fn by_jobs(base: &str, retriever: &str, stream: &str) -> String {
    let indent = |text: &str, by: usize| {
        text.lines()
            .map(|line| format!("{}{line}\n", " ".repeat(by)))
            .collect::<String>()
    };
    let streams = format!(
        r#"streams:
  - type: DeclarativeStream
    name: items
{stream}
    retriever:
      type: AsyncRetriever
      status_mapping:
        running: [busy]
        completed: [ready, empty]
        failed: [failed]
        timeout: [expired]
        skipped: [none]
      status_extractor: {{type: DpathExtractor, field_path: [state]}}
      download_target_extractor: {{type: DpathExtractor, field_path: [files]}}
      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [ignored]}}}}
      creation_requester:
        <<: *base
        http_method: POST
        path: /exports
        request_parameters: {{for: "{{{{ stream_partition.what or stream_interval.start_time }}}}"}}
      polling_requester: {{<<: *base, path: "/exports/{{{{ creation_response.id }}}}"}}
      abort_requester: {{<<: *base, http_method: POST, path: "/exports/{{{{ creation_response['id'] }}}}/abort"}}
      delete_requester: {{<<: *base, http_method: POST, path: "/exports/{{{{ creation_response['id'] }}}}/delete"}}
      download_requester:
        <<: *base
        path: "{{{{ download_target }}}}"
        request_headers:
          X-Job: "{{{{ creation_response.headers['X-Job'] }}}}"
          X-State: "{{{{ stream_slice.extra_fields['polling_response'].state }}}}"
{retriever}
"#,
        stream = indent(stream, 4),
        retriever = indent(retriever, 6),
    );
    manifest(base, &streams, "items") + "max_concurrent_async_job_count: \"{{ config['at_once'] or 1 }}\"\n"
}
