//! The Slack connector.

mod fake;

use std::time::Duration;

use connectors::read::ErrorKind;
use platform::clock::ManualClock;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake};
use crate::reading::{Got, Reader, load, moved, now, refuses, shipped};
use fake::{JOINED, NOT_JOINED, PRIVATE, Slack, TOKEN, micros, stamp};

fn manifest(fake: &Fake) -> String {
    moved(shipped("slack"), "https://slack.com", fake)
}

fn reader(fake: &Fake, config: Value) -> Reader<'_> {
    Reader {
        fake,
        connector: load(&manifest(fake)),
        config,
    }
}

fn config() -> Value {
    json!({ "token": TOKEN })
}

fn in_channel(channel: &str, messages: Vec<Value>) -> Vec<Value> {
    let placed = |mut message: Value| {
        message["channel_id"] = json!(channel);
        message
    };
    messages.into_iter().map(placed).collect()
}

fn methods(fake: &Fake) -> Vec<String> {
    let asked = fake.take_requests().into_iter();
    asked.map(|request| request.path.replace("/api/", "")).collect()
}

#[tokio::test]
async fn channels_users_and_groups_are_read_whole() {
    let fake = Fake::start(Slack::with(400)).await;
    let reader = reader(&fake, config());
    reader.check().await.unwrap();
    fake.take_requests();
    let names: Vec<_> = reader
        .connector
        .streams()
        .iter()
        .map(|stream| &*stream.name)
        .collect();
    assert_eq!(
        names,
        ["channels", "users", "user_groups", "messages", "replies"],
        "every stream is tested"
    );

    let channels = reader.whole("channels", None).await;
    let public = [
        fake::channel(JOINED, "general"),
        fake::channel(NOT_JOINED, "random"),
    ];
    assert_eq!(channels.records, public);
    fake.take_requests();

    let users = reader.whole("users", None).await;
    assert_eq!(users.records, (1..=400).map(fake::user).collect::<Vec<_>>());
    let asked = fake.take_requests();
    let cursors: Vec<_> = asked.iter().map(|request| request.get("cursor")).collect();
    assert_eq!(cursors, [None, Some("bmV4dDo150="), Some("bmV4dDo300=")]);
    assert!(asked.iter().all(|request| request.get("limit") == Some("200")));

    let groups = reader.whole("user_groups", None).await;
    assert_eq!(groups.all("/users"), [&json!(["U060RNRCZ"])]);
    assert_eq!(groups.all("/user_count"), [1]);
}

#[tokio::test]
async fn messages_of_the_channels_that_the_app_is_in_are_read() {
    let slack = Slack::with(400);
    let fake = Fake::start(slack.clone()).await;
    let public = reader(&fake, config()).whole("messages", None).await;
    assert_eq!(public.records, in_channel(JOINED, slack.history(JOINED)));
    assert_eq!(
        methods(&fake).len(),
        1 + 3,
        "no request for the channel that it is not in"
    );

    let mut config = config();
    config["private_channels"] = json!(true);
    let all = reader(&fake, config).whole("messages", None).await;
    let mut expected = in_channel(JOINED, slack.history(JOINED));
    expected.extend(in_channel(PRIVATE, slack.history(PRIVATE)));
    assert_eq!(all.records, expected);
}

fn cursor(got: &Got) -> &Value {
    got.state
        .as_ref()
        .unwrap()
        .pointer("/states/0/cursor/ts")
        .unwrap()
}

#[tokio::test]
async fn a_second_read_looks_back_for_what_was_edited() {
    let slack = Slack::with(20);
    slack.write(JOINED, micros(30, 0), None, "an old one");
    let fake = Fake::start(slack.clone()).await;
    let reader = reader(&fake, config());
    let first = reader.whole("messages", None).await;
    assert_eq!(first.records.len(), 21);
    slack.write(JOINED, micros(0, 5), None, "a new one");
    fake.take_requests();
    let second = reader.whole("messages", first.state.clone()).await;
    assert_eq!(
        second.records.len(),
        21,
        "the new one and those of a week, without the old one"
    );
    assert_eq!(second.records[0]["text"], "a new one");
    let asked = fake.take_requests();
    let oldest: f64 = asked[1].get("oldest").unwrap().parse().unwrap();
    let left_off: f64 = cursor(&first).as_str().unwrap().parse().unwrap();
    assert!(
        (left_off - oldest - 7.0 * 86_400.0).abs() < 0.001,
        "{oldest} {left_off}"
    );
    assert_eq!(
        cursor(&second).as_str().unwrap().parse(),
        stamp(micros(0, 5)).parse::<f64>()
    );
}

#[tokio::test]
async fn the_last_message_of_a_read_is_not_lost_to_its_microseconds() {
    let slack = Slack::with(3);
    let fake = Fake::start(slack.clone()).await;
    let mut config = config();
    config["lookback_days"] = json!(0);
    let reader = reader(&fake, config);
    let first = reader.whole("messages", None).await;
    let second = reader.whole("messages", first.state).await;
    assert_eq!(
        second.all("/ts"),
        [&stamp(micros(1, 0))],
        "it is asked for inclusively"
    );
}

#[tokio::test]
async fn threads_are_read_with_their_replies() {
    let slack = Slack::with(20);
    let (root, old) = (micros(1, 3), micros(20, 0));
    slack.write(JOINED, old, None, "an old thread");
    slack.write(JOINED, old + 60_000_000, Some(old), "an old reply");
    for reply in 1..=200 {
        slack.write(JOINED, root + reply * 1_000_000, Some(root), "a reply");
    }
    let fake = Fake::start(slack.clone()).await;
    let reader = reader(&fake, config());
    let first = reader.whole("replies", None).await;
    let replies = |root: i64| {
        let mut thread = slack.thread(JOINED, &stamp(root));
        assert_eq!(thread.remove(0)["ts"], stamp(root));
        in_channel(JOINED, thread)
    };
    let mut expected = replies(root);
    expected.extend(replies(old));
    assert_eq!(
        first.records, expected,
        "threads as their first messages come: newest first"
    );
    let (list, history, thread) = (
        "conversations.list",
        "conversations.history",
        "conversations.replies",
    );
    assert_eq!(methods(&fake), [list, history, thread, thread, thread]);

    // A late reply to a thread of yesterday, and a new thread.
    let new = micros(0, 30);
    slack.write(JOINED, micros(0, 40), Some(root), "a late reply");
    slack.write(JOINED, new, None, "a new thread");
    slack.write(JOINED, micros(0, 10), Some(new), "a new reply");
    let second = reader.whole("replies", first.state).await;
    let mut expected = replies(new);
    expected.extend(replies(root));
    assert_eq!(second.records, expected);
    let asked = methods(&fake);
    assert_eq!(
        asked,
        [list, history, thread, thread, thread],
        "the thread of three weeks ago is left alone"
    );
}

#[tokio::test]
async fn limits_and_troubles_are_waited_for() {
    let slack = Slack::with(400);
    let fake = Fake::start(slack.clone()).await;
    let reader = reader(&fake, config());
    let seconds = Duration::from_secs(30);
    for (answer, wait, patience) in [
        (
            fake::limited(30),
            (ErrorKind::RateLimited, Some(seconds)),
            vec![seconds],
        ),
        (fake::error("ratelimited"), (ErrorKind::RateLimited, None), vec![]),
        (fake::error("internal_error"), (ErrorKind::Upstream, None), vec![]),
    ] {
        fake.plan(2, answer);
        let got = reader.whole("messages", None).await;
        assert_eq!(got.waits, [wait]);
        assert_eq!(got.patience, patience);
        assert_eq!(got.records, in_channel(JOINED, slack.history(JOINED)));
    }
}

#[tokio::test]
async fn the_budget_keeps_below_the_limit_of_each_method() {
    let clock = ManualClock::at(now());
    let few = |mut config: Value| {
        config["messages_per_request"] = json!(3);
        config
    };
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let fake = Fake::timed(Slack::with(320), &clock).await;
    let reader = reader(&fake, few(config()));
    for (stream, times, takes) in [
        ("users", 16, minutes(2)), // 48 pages, 20 a minute
        ("channels", 50, minutes(2)),
        ("user_groups", 50, minutes(2)),
        ("messages", 1, minutes(2)), // 107 pages, 50 a minute
    ] {
        let refused = reader.keeps_its_pace(&clock, stream, times, takes).await;
        assert_eq!(refused.retry_after, Some(minutes(1)), "{stream}");
        clock.advance(minutes(1));
    }

    let fake = Fake::timed(Slack::with(10).sold_outside(), &clock).await;
    let mut config = few(config());
    config["message_requests_per_minute"] = json!(1);
    let reader = self::reader(&fake, config);
    reader.keeps_its_pace(&clock, "messages", 1, minutes(3)).await;
}

#[tokio::test]
async fn errors_that_come_with_status_200_are_errors() {
    let fake = Fake::start(Slack::with(3)).await;
    let wrong = "xoxb-wrong-token-0123";
    let error = reader(&fake, json!({ "token": wrong }))
        .check()
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Auth, false));
    assert!(
        error
            .message
            .contains("Slack does not let the token do this (invalid_auth)"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains(wrong));
    assert_eq!(fake.take_requests().len(), 2, "once more, and no further");

    let reader = reader(&fake, config());
    for _ in 0..2 {
        fake.plan(0, fake::missing_scope());
    }
    let error = reader.read("user_groups", None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(
        error
            .message
            .contains("(missing_scope, needed is usergroups:read)"),
        "{error}"
    );

    fake.plan(0, fake::error("a_new_error"));
    let error = reader.read("users", None).await.unwrap_err();
    assert!(!error.retryable);
    assert!(
        error.message.contains("Slack refuses the request (a_new_error)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_channel_that_the_app_has_left_ends_nothing() {
    let slack = Slack::with(3);
    let fake = Fake::start(slack.clone()).await;
    let mut config = config();
    config["private_channels"] = json!(true);
    fake.plan(1, fake::error("not_in_channel"));
    let got = reader(&fake, config).whole("messages", None).await;
    assert_eq!(got.records, in_channel(PRIVATE, slack.history(PRIVATE)));
}

#[tokio::test]
async fn an_app_outside_of_the_marketplace_asks_for_fifteen() {
    let fake = Fake::start(Slack::with(40)).await;
    let config = json!({ "token": TOKEN, "messages_per_request": 15 });
    let got = reader(&fake, config).whole("messages", None).await;
    assert_eq!(got.records.len(), 40);
    let asked = fake.take_requests();
    let limits: Vec<_> = asked
        .iter()
        .map(|request| request.get("limit").unwrap())
        .collect();
    assert_eq!(limits, ["200", "15", "15", "15"]);
}

#[tokio::test]
async fn the_fake_refuses_what_is_not_documented() {
    let fake = Fake::start(Slack::with(400)).await;
    let (reader, yaml) = (reader(&fake, config()), manifest(&fake));
    for (stream, from, to, error) in [
        ("users", "page_size: 200", "page_size: 1000", "invalid_limit"),
        (
            "users",
            "field_name: limit",
            "field_name: count",
            "invalid_arguments",
        ),
        (
            "users",
            ".get('next_cursor', '')",
            ".get('next_cursor', '')[2:]",
            "invalid_cursor",
        ),
        (
            "users",
            "method: users.list",
            "method: users.all",
            "unknown_method",
        ),
        (
            "channels",
            "else 'public_channel'",
            "else 'channel'",
            "invalid_types",
        ),
        (
            "messages",
            "field_name: oldest",
            "field_name: since",
            "invalid_arguments",
        ),
    ] {
        let refused = refuses(&reader, &yaml, stream, (from, to)).await;
        assert!(refused.message.contains(error), "{to:?}: {refused}");
    }
    let refused = refuses(&reader, &yaml, "users", ("BearerAuthenticator", "NoAuth")).await;
    assert!(refused.message.contains("not_authed"), "{refused}");
}

#[tokio::test]
async fn an_answer_that_is_not_ok_is_no_empty_page() {
    let fake = Fake::start(Slack::with(3)).await;
    let yaml = manifest(&fake).replace(
        "predicate: \"{{ response.get('ok') == false }}\"",
        "http_codes: [599]",
    );
    let careless = Reader {
        fake: &fake,
        connector: load(&yaml),
        config: config(),
    };
    fake.plan(
        0,
        Answer::new(200, json!({ "ok": false, "error": "a_new_error" })),
    );
    let got = careless.whole("users", None).await;
    assert_eq!(got.records.len(), 0, "that is what the filter is there for");
}
