//! The GitHub connector.

mod fake;

use std::time::Duration;

use connectors::read::ErrorKind;
use platform::clock::ManualClock;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::reading::{Reader, date_ago, load, now, refuses, shipped};
use fake::{EMPTY, GitHub, REPOSITORIES, STREAMS, TOKEN};

/// A GitHub Enterprise Server is somewhere else, too: nothing in the manifest has to be changed.
fn config(fake: &Fake) -> Value {
    json!({ "token": TOKEN, "repositories": REPOSITORIES, "api_url": fake.base() })
}

fn reader<'a>(fake: &'a Fake, config: Value) -> Reader<'a> {
    Reader {
        fake,
        connector: load(shipped("github")),
        config,
    }
}

/// What the connector makes of an item.
fn named(repository: &str, mut item: Value) -> Value {
    item["repository"] = json!(repository);
    if let Some(date) = item.pointer("/commit/committer/date").cloned() {
        item["committed_at"] = date;
    }
    item
}

fn state(got: &crate::reading::Got, repository: &str) -> Value {
    let states = got.state.as_ref().unwrap()["states"].as_array().unwrap();
    let own = states
        .iter()
        .find(|state| state["partition"]["repository"] == repository);
    own.unwrap()["cursor"].clone()
}

#[tokio::test]
async fn every_list_of_every_repository_is_read_over_its_pages() {
    let github = GitHub::with(210);
    let fake = Fake::start(github.clone()).await;
    let reader = reader(&fake, config(&fake));
    reader.check().await.unwrap();
    let repositories = reader.whole("repositories", None).await;
    let expected = REPOSITORIES.map(|name| named(name, fake::repository(name)));
    assert_eq!(repositories.records, expected);
    fake.take_requests();
    for (stream, list) in STREAMS {
        let got = reader.whole(stream, None).await;
        let expected: Vec<_> = REPOSITORIES
            .iter()
            .flat_map(|repository| {
                let mut items = github.all(repository, list);
                // What is sorted by creation comes oldest first.
                let by_creation = ["issues", "issue_comments", "review_comments", "milestones"];
                if !by_creation.contains(&stream) {
                    items.reverse();
                }
                items.into_iter().map(|item| named(repository, item))
            })
            .collect();
        assert_eq!(got.records, expected, "{stream}");
        let asked = fake.take_requests();
        assert_eq!(asked.len(), 6, "{stream}: three pages of two repositories");
        let mut pages: Vec<_> = asked.iter().map(|request| request.get("page")).collect();
        pages.sort_unstable();
        assert_eq!(pages, [None, None, Some("2"), Some("2"), Some("3"), Some("3")]);
        assert!(asked.iter().all(|request| request.get("per_page") == Some("100")));
        let given = asked
            .iter()
            .filter(|request| request.path.starts_with("/repositories/"));
        assert_eq!(given.count(), 4, "next pages are where the links say");
    }
    let mut names: Vec<_> = reader
        .connector
        .streams()
        .iter()
        .map(|stream| &*stream.name)
        .collect();
    assert_eq!(names.remove(0), "repositories");
    assert_eq!(names.len(), STREAMS.len(), "every stream is tested");
}

#[tokio::test]
async fn a_second_read_asks_for_what_has_changed_in_each_repository() {
    let github = GitHub::with(210);
    let fake = Fake::start(github.clone()).await;
    let reader = reader(&fake, config(&fake));
    let [one, other] = REPOSITORIES;
    for (stream, list) in STREAMS.into_iter().take(4) {
        let first = reader.whole(stream, None).await;
        assert_eq!(state(&first, one)["updated_at"], date_ago(1), "{stream}");
        fake.take_requests();
        github.touch(one, list, 7, &date_ago(0));
        let second = reader.whole(stream, first.state).await;
        let mut got: Vec<_> = second
            .records
            .iter()
            .map(|record| {
                (
                    record["repository"].as_str().unwrap(),
                    record["id"].as_i64().unwrap(),
                )
            })
            .filter(|(_, id)| stream != "pull_requests" || [7, 210, 100_210].contains(id))
            .collect();
        got.sort_unstable();
        // The last one of the first read comes again: it may have changed within the same second.
        assert_eq!(got, [(one, 7), (one, 210), (other, 100_210)], "{stream}");
        let state = state(&second, one);
        assert_eq!(state["updated_at"], date_ago(0), "{stream}");
        let asked = fake.take_requests();
        assert_eq!(asked.len(), 2, "{stream}: a page of each repository");
        let since = if stream == "pull_requests" {
            None
        } else {
            Some(date_ago(1))
        };
        assert_eq!(asked[0].get("since"), since.as_deref(), "{stream}");
    }
}

#[tokio::test]
async fn commits_that_a_merge_brought_later_are_found() {
    let github = GitHub::with(210);
    let fake = Fake::start(github.clone()).await;
    let mut config = config(&fake);
    config["lookback_days"] = json!(14);
    let reader = reader(&fake, config);
    let first = reader.whole("commits", None).await;
    fake.take_requests();
    github.make(REPOSITORIES[0], "/commits", 999, 10);
    let second = reader.whole("commits", first.state).await;
    let asked = fake.take_requests();
    let window = (date_ago(15), date_ago(0));
    assert_eq!(asked[0].get("since"), Some(&*window.0));
    assert_eq!(asked[0].get("until"), Some(&*window.1));
    let late = json!(format!("{:040x}", 999));
    assert!(second.all("/sha").contains(&&late));
    assert_eq!(second.records.len(), 15 + 1 + 15);
}

#[tokio::test]
async fn a_repository_may_have_neither_commits_nor_issues() {
    let fake = Fake::start(GitHub::with(1)).await;
    let mut config = config(&fake);
    config["repositories"] = json!([EMPTY, REPOSITORIES[0]]);
    let reader = reader(&fake, config);
    for stream in ["commits", "issues", "releases"] {
        let got = reader.whole(stream, None).await;
        assert_eq!(got.all("/repository"), [REPOSITORIES[0]], "{stream}");
    }
}

#[tokio::test]
async fn both_kinds_of_limits_are_waited_for() {
    let github = GitHub::with(210);
    let fake = Fake::start(github.clone()).await;
    let reader = reader(&fake, config(&fake));
    let seconds = Duration::from_secs;
    for (answer, wait, patience) in [
        (fake::used_up(), 60, vec![seconds(1_500)]),
        (fake::too_fast(403, Some(7)), 7, vec![]),
        (fake::too_fast(429, Some(7)), 7, vec![seconds(7)]),
        (fake::too_fast(403, None), 60, vec![]),
    ] {
        fake.plan(1, answer);
        let got = reader.whole("issues", None).await;
        assert_eq!(got.waits, [(ErrorKind::RateLimited, Some(seconds(wait)))]);
        assert_eq!(
            got.patience, patience,
            "what the gate holds the next requests back for"
        );
        assert_eq!(got.records.len(), 420);
        assert_eq!(fake.take_requests().len(), 7);
    }
}

#[tokio::test]
async fn the_budget_keeps_below_both_limits() {
    let clock = ManualClock::at(now());
    let fake = Fake::timed(GitHub::with(1), &clock).await;
    let reader = reader(&fake, config(&fake));
    // Two repositories: 920 requests, 900 a minute.
    let minute = Duration::from_secs(60);
    let refused = reader.keeps_its_pace(&clock, "labels", 460, minute).await;
    assert!(refused.message.contains("secondary rate limit"), "{refused}");
    assert_eq!(refused.retry_after, Some(minute));

    let fake = Fake::timed(GitHub::with(1).with_hour(40), &clock).await;
    let mut config = config(&fake);
    config["requests_per_hour"] = json!(40);
    let reader = self::reader(&fake, config);
    let hour = Duration::from_secs(3_600);
    let refused = reader.keeps_its_pace(&clock, "labels", 30, hour).await;
    assert!(refused.message.contains("API rate limit exceeded"), "{refused}");
}

#[tokio::test]
async fn a_repository_of_which_nothing_has_changed_costs_no_request() {
    let clock = ManualClock::at(now());
    let github = GitHub::with(80);
    let fake = Fake::timed(github.clone().with_hour(3), &clock).await;
    let mut config = config(&fake);
    config["repositories"] = json!([REPOSITORIES[0]]);
    let reader = reader(&fake, config);
    let (count, first) = reader.unless("labels", None).await;
    let kept = first.validators.unwrap();
    assert_eq!((count, first.unchanged), (80, false));
    for _ in 0..10 {
        let (count, last) = reader.unless("labels", Some(&kept)).await;
        assert_eq!(
            (count, last.unchanged),
            (0, true),
            "three requests an hour, and these are none"
        );
    }
    github.make(REPOSITORIES[0], "/labels", 81, 0);
    let (count, last) = reader.unless("labels", Some(&kept)).await;
    assert_eq!((count, last.unchanged), (81, false));
    assert_ne!(last.validators.unwrap(), kept);
    for serial in 82..=101 {
        github.make(REPOSITORIES[0], "/labels", serial, 0);
    }
    clock.advance(Duration::from_secs(3_600));
    let (count, last) = reader.unless("labels", None).await;
    assert_eq!((count, last.validators), (101, None), "two pages are two answers");
}

#[tokio::test]
async fn the_last_answer_of_the_hour_is_a_good_one() {
    let fake = Fake::start(GitHub::with(1)).await;
    fake.plan(0, fake::last_of_the_hour());
    let got = reader(&fake, config(&fake)).whole("labels", None).await;
    assert_eq!((got.waits.len(), got.records.len()), (0, 1));
    assert_eq!(got.patience, [Duration::from_secs(1_500)]);
}

#[tokio::test]
async fn wrong_credentials_missing_permissions_and_unknown_repositories_are_told_apart() {
    let fake = Fake::start(GitHub::with(1)).await;
    let with = |name: &str, value: Value| {
        let mut config = config(&fake);
        config[name] = value;
        config
    };
    let error = reader(&fake, with("token", json!("ghp_wrong_token")))
        .check()
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Auth, false));
    assert!(
        error.message.contains("GitHub does not accept the token"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("ghp_wrong_token"));

    let unknown = reader(&fake, with("repositories", json!(["octocat/nowhere"])));
    let error = unknown.check().await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Config, false));
    assert!(error.message.contains("no such repository"), "{error}");

    fake.plan(0, fake::forbidden());
    let error = reader(&fake, config(&fake))
        .read("issues", None)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Auth, false));
    assert!(error.message.contains("Resource not accessible"), "{error}");
}

#[test]
fn a_configuration_names_repositories_by_owner_and_name() {
    let connector = load(shipped("github"));
    let faults = |config: Value| connector.spec().validate(&config).len();
    let config = |repositories: Value| json!({ "token": TOKEN, "repositories": repositories });
    assert_eq!(faults(config(json!(["octocat/hello-world.js"]))), 0);
    for wrong in [
        json!([]),
        json!(["hello-world"]),
        json!(["octocat/a/b"]),
        json!("octocat/a"),
    ] {
        assert_eq!(faults(config(wrong.clone())), 1, "{wrong}");
    }
    assert_eq!(faults(json!({ "repositories": ["octocat/a"] })), 1, "no token");
}

#[tokio::test]
async fn the_fake_refuses_what_is_not_documented() {
    let fake = Fake::start(GitHub::with(210)).await;
    let (reader, yaml) = (reader(&fake, config(&fake)), shipped("github"));
    for (stream, from, to) in [
        ("labels", "page_size: 100", "page_size: 101"),
        ("labels", "field_name: per_page", "field_name: limit"),
        ("labels", "application/vnd.github+json", "application/json"),
        ("labels", "\"2022-11-28\"", "\"2022-11-29\""),
        ("issues", "field_name: since", "field_name: updated_since"),
        (
            "issues",
            "datetime_format: \"%Y-%m-%dT%H:%M:%SZ\"",
            "datetime_format: \"%Y-%m-%d\"",
        ),
        ("milestones", "sort: due_on", "sort: due_date"),
        ("commits", "field_name: until", "field_name: before"),
        ("tags", "list: /tags", "list: /tag"),
    ] {
        let mut yaml = yaml.to_owned();
        if to.ends_with("%d\"") {
            yaml = yaml.replace("2008-01-01T00:00:00Z", "2008-01-01");
            yaml = yaml.replace(
                "    cursor_field: updated_at\n",
                "    cursor_field: updated_at\n    cursor_datetime_formats: [\"%Y-%m-%dT%H:%M:%SZ\"]\n",
            );
        }
        let error = refuses(&reader, &yaml, stream, (from, to)).await;
        assert!(
            matches!(error.http_status, Some(400 | 404 | 422)),
            "{to:?}: {error}"
        );
        assert!(
            !error.retryable || error.http_status == Some(422),
            "{to:?}: {error}"
        );
    }
}
