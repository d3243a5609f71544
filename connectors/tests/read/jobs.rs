//! Asynchronous retrieval: jobs are started, polled, downloaded, given up and found again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::Connector;
use connectors::read::{Checkpoint, ErrorKind, Page, ReadContext, ReadError, RetryMode};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::exports::{Hurried, Jobs, POLL, Script, by_jobs, exports};
use crate::upstream::{Upstream, answer, connector, cut_everywhere, ids, ok, pages, records, request};

const LISTED: &str = "partition_router: {type: ListPartitionRouter, cursor_field: what, values: [u, v, w]}";

const WINDOWS: &str = r#"incremental_sync:
  type: DatetimeBasedCursor
  cursor_field: at
  datetime_format: "%Y-%m-%d"
  start_datetime: "2026-01-01"
  end_datetime: {type: MinMaxDatetime, datetime: "2026-01-31"}
  step: P10D
  cursor_granularity: P1D"#;

fn hurried(upstream: &Upstream, retry: RetryMode) -> (ReadContext, Hurried) {
    let clock = Hurried::default();
    let context = ReadContext {
        clock: Arc::new(clock.clone()),
        retry,
        ..upstream.context()
    };
    (context, clock)
}

async fn read(upstream: &Upstream, yaml: &str, config: Value) -> Result<Vec<Page>, (Vec<Page>, ReadError)> {
    let (context, _) = hurried(upstream, RetryMode::AsReference);
    pages(
        connector(yaml)
            .read(&context, request(config, Checkpoint::default()))
            .unwrap(),
    )
    .await
}

fn log(jobs: &Mutex<Jobs>) -> Vec<String> {
    jobs.lock().unwrap().log.clone()
}

#[tokio::test]
async fn a_job_is_created_polled_downloaded_and_deleted() {
    let (upstream, jobs) = exports(|_| &["busy", "busy", "ready"]).await;
    let stream =
        "transformations: [{type: AddFields, fields: [{path: [own], value: \"{{ record.id * 2 }}\"}]}]";
    let (context, clock) = hurried(&upstream, RetryMode::LeaveToCaller);
    let stream = connector(&by_jobs(&upstream.base(), "", stream))
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let read = pages(stream).await.unwrap();
    let got: Vec<_> = records(&read)
        .iter()
        .map(|record| (record["id"].clone(), record["own"].clone()))
        .collect();
    assert_eq!(
        got,
        [(1, 2), (101, 202), (11, 22), (101, 202)].map(|(id, own)| (json!(id), json!(own)))
    );
    assert_eq!(
        log(&jobs),
        [
            "create None",
            "poll 1 busy",
            "poll 1 busy",
            "poll 1 ready",
            "download 1a",
            "download 1b",
            "delete 1"
        ]
        .map(|line| line.replace("None", "all"))
    );
    assert_eq!(clock.waited(), 2 * POLL);
    let download = upstream
        .seen()
        .into_iter()
        .find(|seen| seen.path == "/files/1/a")
        .unwrap();
    assert_eq!(download.header("x-job"), Some("job-1"));
    assert_eq!(download.header("x-state"), Some("ready"));
}

#[tokio::test]
async fn each_result_is_paged() {
    let (upstream, jobs) = exports(|_| &["ready"]).await;
    let retriever = r#"download_paginator:
  type: DefaultPaginator
  page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
  pagination_strategy:
    type: CursorPagination
    cursor_value: "{{ last_record.id - 99 }}"
    stop_condition: "{{ last_record.id > 101 }}""#;
    let read = read(&upstream, &by_jobs(&upstream.base(), retriever, ""), json!({}))
        .await
        .unwrap();
    assert_eq!(ids(&read), [1, 101, 2, 102, 11, 101, 12, 102]);
    let lines = upstream.lines();
    assert_eq!(
        lines[2..6],
        [
            "/files/1/a",
            "/files/1/a?page=2",
            "/files/1/b",
            "/files/1/b?page=2"
        ]
    );
    assert_eq!(log(&jobs).last().unwrap(), "delete 1");
}

#[tokio::test]
async fn as_many_jobs_run_at_once_as_the_manifest_allows() {
    for (at_once, before_the_first_is_ready) in [(1, 1), (2, 2), (5, 3)] {
        let (upstream, jobs) = exports(|_| &["busy", "ready"]).await;
        let yaml = by_jobs(&upstream.base(), LISTED, "");
        let read = read(&upstream, &yaml, json!({"at_once": at_once})).await.unwrap();
        let whose: Vec<_> = records(&read)
            .iter()
            .map(|record| record["for"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            whose,
            ["u", "u", "u", "u", "v", "v", "v", "v", "w", "w", "w", "w"]
        );
        let log = log(&jobs);
        let ready = log.iter().position(|line| line.ends_with("ready")).unwrap();
        let created = log[..ready]
            .iter()
            .filter(|line| line.starts_with("create"))
            .count();
        assert_eq!(created, before_the_first_is_ready, "{log:?}");
        assert_eq!(log.iter().filter(|line| line.starts_with("delete")).count(), 3);
    }
}

#[tokio::test]
async fn the_next_job_is_started_as_soon_as_there_is_a_place() {
    let (upstream, jobs) = exports(|_| &["ready"]).await;
    read(&upstream, &by_jobs(&upstream.base(), LISTED, ""), json!({}))
        .await
        .unwrap();
    let log = log(&jobs);
    let at = |line: &str| log.iter().position(|own| own == line).unwrap();
    assert!(at("create v") < at("download 1a"), "{log:?}");
}

#[tokio::test]
async fn windows_are_jobs_and_the_state_moves_with_them() {
    let (upstream, jobs) = exports(|_| &["ready"]).await;
    let yaml = by_jobs(&upstream.base(), "", WINDOWS);
    let read = read(&upstream, &yaml, json!({})).await.unwrap();
    assert_eq!(
        read.last().unwrap().checkpoint.state,
        Some(json!({"at": "2026-01-01"}))
    );
    let created: Vec<_> = log(&jobs)
        .into_iter()
        .filter(|line| line.starts_with("create"))
        .collect();
    assert_eq!(
        created,
        ["create 2026-01-01", "create 2026-01-11", "create 2026-01-21"]
    );
}

#[tokio::test]
async fn a_read_that_is_cut_anywhere_goes_on_with_the_jobs_that_run() {
    for (retriever, stream) in [(LISTED, ""), ("", WINDOWS), (LISTED, WINDOWS)] {
        let (upstream, _) = exports(|_| &["ready"]).await;
        let yaml = by_jobs(&upstream.base(), retriever, stream);
        cut_everywhere(&upstream, &yaml, json!({"at_once": 2}), None).await;
    }

    let (upstream, jobs) = exports(|_| &["busy", "busy", "ready"]).await;
    let yaml = by_jobs(&upstream.base(), LISTED, "");
    let connector = connector(&yaml);
    let (context, _) = hurried(&upstream, RetryMode::LeaveToCaller);
    let mut first = connector
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let page = first.next().await.unwrap().unwrap();
    assert!(
        page.records.is_empty(),
        "a page tells of the job before it is done"
    );
    drop(first);
    let rest = connector
        .read(&context, request(json!({}), page.checkpoint))
        .unwrap();
    assert_eq!(ids(&pages(rest).await.unwrap()).len(), 12);
    let created: Vec<_> = log(&jobs)
        .into_iter()
        .filter(|line| line.starts_with("create"))
        .collect();
    assert_eq!(
        created,
        ["create u", "create v", "create w"],
        "none is ordered twice"
    );
}

#[tokio::test]
async fn a_job_that_is_gone_is_ordered_anew_and_read_from_its_first_result() {
    let (upstream, jobs) = exports(|_| &["ready"]).await;
    let connector = connector(&by_jobs(&upstream.base(), "", ""));
    let (context, _) = hurried(&upstream, RetryMode::LeaveToCaller);
    let first = connector
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let read = pages(first).await.unwrap();
    let after_a = read
        .iter()
        .find(|page| !page.records.is_empty())
        .unwrap()
        .checkpoint
        .clone();
    jobs.lock().unwrap().gone = true;
    let rest = connector.read(&context, request(json!({}), after_a)).unwrap();
    assert_eq!(ids(&pages(rest).await.unwrap()), [1, 101, 11, 101]);
    assert_eq!(
        log(&jobs)
            .iter()
            .filter(|line| line.starts_with("create"))
            .count(),
        2
    );
}

#[tokio::test]
async fn a_job_that_fails_is_started_three_times() {
    let (upstream, jobs) = exports(|_| &["busy", "failed"]).await;
    let (_, error) = read(&upstream, &by_jobs(&upstream.base(), "", ""), json!({}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str(), error.retryable),
        (ErrorKind::Upstream, "JOB_FAILED", true)
    );
    let log = log(&jobs);
    assert_eq!(
        log.iter().filter(|line| line.starts_with("create")).count(),
        3,
        "{log:?}"
    );
    assert!(!log.iter().any(|line| line.starts_with("abort")), "{log:?}");
}

#[tokio::test]
async fn a_job_that_failed_is_started_again_after_the_pause() {
    let (upstream, jobs) = exports(|_| &["failed", "ready"]).await;
    let yaml = by_jobs(&upstream.base(), "failed_retry_wait_time_in_seconds: 60", "");
    let (context, clock) = hurried(&upstream, RetryMode::AsReference);
    // Each job fails at its first poll.
    let stream = connector(&yaml)
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    let (_, error) = pages(stream).await.unwrap_err();
    assert_eq!(error.code, "JOB_FAILED");
    assert_eq!(
        log(&jobs)
            .iter()
            .filter(|line| line.starts_with("create"))
            .count(),
        3
    );
    assert!(clock.waited() >= Duration::from_secs(120), "{:?}", clock.waited());
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_aborted() {
    for (script, minutes) in [
        ((|_: &str| -> &'static [&'static str] { &["busy"] }) as Script, 2),
        (|_| &["expired"], 60),
    ] {
        let (upstream, jobs) = exports(script).await;
        let yaml = by_jobs(&upstream.base(), &format!("polling_job_timeout: {minutes}"), "");
        let (context, clock) = hurried(&upstream, RetryMode::AsReference);
        let stream = connector(&yaml)
            .read(&context, request(json!({}), Checkpoint::default()))
            .unwrap();
        let (_, error) = pages(stream).await.unwrap_err();
        assert_eq!(error.code, "JOB_TIMED_OUT");
        let log = log(&jobs);
        let acts: Vec<_> = log
            .iter()
            .filter(|line| !line.starts_with("poll"))
            .map(String::as_str)
            .collect();
        assert_eq!(
            acts,
            [
                "create all",
                "abort 1",
                "create all",
                "abort 2",
                "create all",
                "abort 3"
            ]
        );
        let limit = Duration::from_secs(3 * 60 * minutes);
        assert_eq!(
            minutes == 2,
            (limit..limit + 6 * POLL).contains(&clock.waited()),
            "{:?}",
            clock.waited()
        );
    }
}

#[tokio::test]
async fn a_job_without_results_is_read_and_a_skipped_one_is_not() {
    let (upstream, jobs) = exports(|what| {
        if what == "2026-01-01" {
            &["none"]
        } else {
            &["empty"]
        }
    })
    .await;
    let yaml = by_jobs(&upstream.base(), "", WINDOWS);
    let read = read(&upstream, &yaml, json!({})).await.unwrap();
    assert!(records(&read).is_empty());
    let deleted: Vec<_> = log(&jobs)
        .into_iter()
        .filter(|line| line.starts_with("delete"))
        .collect();
    assert_eq!(
        deleted,
        ["delete 2", "delete 3"],
        "what has no results is not deleted"
    );

    // What the cursor has of later windows does not carry it over the one that was skipped.
    let (upstream, _) = exports(|what| {
        if what == "2026-01-11" {
            &["none"]
        } else {
            &["ready"]
        }
    })
    .await;
    let yaml = by_jobs(
        &upstream.base(),
        "",
        &WINDOWS.replace("cursor_field: at", "cursor_field: for"),
    );
    let read = self::read(&upstream, &yaml, json!({})).await.unwrap();
    assert_eq!(records(&read).len(), 8);
    assert_eq!(
        read.last().unwrap().checkpoint.state,
        Some(json!({"for": "2026-01-01"}))
    );

    let (upstream, _) = exports(|_| &["none"]).await;
    let listed = by_jobs(&upstream.base(), LISTED, "");
    assert!(records(&self::read(&upstream, &listed, json!({})).await.unwrap()).is_empty());
}

#[tokio::test]
async fn a_status_that_nobody_mapped_is_an_error_at_once() {
    let (upstream, jobs) = exports(|_| &["paused"]).await;
    let (_, error) = read(&upstream, &by_jobs(&upstream.base(), "", ""), json!({}))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Config, "JOB_STATUS_UNKNOWN")
    );
    assert!(error.message.contains("\"paused\""), "{error}");
    assert_eq!(log(&jobs).last().unwrap(), "abort 1", "nobody comes back for it");
}

#[tokio::test]
async fn a_creation_that_is_refused_ends_the_read_and_the_jobs_that_run() {
    let (upstream, jobs) = exports(|_| &["busy"]).await;
    let yaml = by_jobs(&upstream.base(), &LISTED.replace("[u, v, w]", "[x, refused]"), "");
    let (_, error) = read(&upstream, &yaml, json!({"at_once": 2})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert_eq!(log(&jobs), ["create x", "create refused", "abort 1"]);
}

#[tokio::test]
async fn a_job_that_cannot_be_deleted_is_a_note() {
    let (upstream, _) = exports(|_| &["ready"]).await;
    let yaml = by_jobs(&upstream.base(), &LISTED.replace("[u, v, w]", "[sticky, x]"), "");
    let read = read(&upstream, &yaml, json!({})).await.unwrap();
    assert_eq!(records(&read).len(), 8);
    let mut notes = read.iter().flat_map(|page| &page.notes);
    assert!(notes.any(|note| note.message.starts_with("A job could not be deleted")));
}

#[tokio::test]
async fn a_wait_between_polls_can_be_cancelled() {
    let (upstream, _) = exports(|_| &["busy"]).await;
    let context = ReadContext {
        clock: Arc::new(Hurried {
            stuck: true,
            ..Hurried::default()
        }),
        ..upstream.context()
    };
    let mut stream = connector(&by_jobs(&upstream.base(), "", ""))
        .read(&context, request(json!({}), Checkpoint::default()))
        .unwrap();
    stream.next().await.unwrap().unwrap();
    context.cancel.cancel();
    assert_eq!(
        stream.next().await.unwrap().unwrap_err().kind,
        ErrorKind::Cancelled
    );
}

#[tokio::test]
async fn targets_may_have_a_request_of_their_own_and_downloads_a_decoder() {
    let upstream = Upstream::start(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", "/exports") => ok(&json!({"id": 7})),
        (_, "/exports/7") => ok(&json!({"state": "ready", "result": "r1"})),
        (_, "/results/r1") => ok(&json!({"files": "/file.csv"})),
        (_, "/file.csv") => answer(200, "id,n\n1,NA\n2,x\n"),
        _ => answer(200, "{}"),
    })
    .await;
    let retriever = r#"download_target_requester: {<<: *base, path: "/results/{{ polling_response.result }}"}
download_extractor: {type: ResponseToFileExtractor}"#;
    let file = read(&upstream, &by_jobs(&upstream.base(), retriever, ""), json!({}))
        .await
        .unwrap();
    assert_eq!(
        records(&file),
        [json!({"id": "1", "n": null}), json!({"id": "2", "n": "x"})]
    );
    let retriever = retriever.replace(
        "download_extractor: {type: ResponseToFileExtractor}",
        "download_decoder: {type: CsvDecoder}",
    );
    let csv = read(&upstream, &by_jobs(&upstream.base(), &retriever, ""), json!({}))
        .await
        .unwrap();
    assert_eq!(
        records(&csv),
        [json!({"id": "1", "n": "NA"}), json!({"id": "2", "n": "x"})]
    );
}

#[test]
fn what_is_wrong_with_a_job_is_said_when_the_manifest_is_loaded() {
    let yaml = by_jobs("http://127.0.0.1", "", "");
    for (from, to, expected) in [
        ("timeout: [expired]", "", "the mapping needs the field timeout"),
        (
            "failed: [failed]",
            "failed: [ready]",
            "the status \"ready\" stands twice",
        ),
        (
            "skipped: [none]",
            "skiped: [none]",
            "unknown field skiped in status_mapping; did you mean skipped?",
        ),
        (
            "download_requester:\n        <<: *base",
            "download_reqester:\n        <<: *base",
            "did you mean download_requester?",
        ),
        (
            "download_target_extractor: {type: DpathExtractor, field_path: [files]}",
            "download_target_requester: {<<: *base}",
            "needs a download_target_extractor",
        ),
        (
            "status_extractor: {type: DpathExtractor, field_path: [state]}",
            "status_extractor: {type: DpathExtractor, field_path: [state]}\n      decoder: {type: CsvDecoder}",
            "an answer about a job is one document",
        ),
        (
            "status_extractor: {type: DpathExtractor, field_path: [state]}",
            "status_extractor: {type: DpathExtractor, field_path: [state]}\n      failed_retry_wait_time_in_seconds: 0",
            "has to be at least 1",
        ),
    ] {
        assert!(yaml.contains(from), "{from}");
        let faults = Connector::parse(&yaml.replace(from, to)).unwrap_err();
        assert!(
            faults
                .iter()
                .any(|fault| fault.message.contains(expected) && fault.line > 0),
            "{to}: {faults:?}"
        );
    }
}
