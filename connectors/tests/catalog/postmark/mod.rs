//! The Postmark connector.

mod fake;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::read::ErrorKind;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake};
use crate::reading::{Reader, load, moved, now, refuses, shipped};
use fake::{ACCOUNT_TOKEN, Postmark, SERVER_TOKEN};

fn manifest(fake: &Fake) -> String {
    moved(shipped("postmark"), "https://api.postmarkapp.com", fake)
}

fn reader(fake: &Fake, config: Value) -> Reader<'_> {
    Reader {
        fake,
        connector: load(&manifest(fake)),
        config,
    }
}

fn config() -> Value {
    json!({ "server_token": SERVER_TOKEN, "account_token": ACCOUNT_TOKEN })
}

fn hours_ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

/// The serial numbers at the ends of the ids.
fn serials(records: &[Value], field: &str) -> Vec<i64> {
    let serial = |record: &Value| match &record[field] {
        Value::String(id) => id[id.len() - 12..].parse().unwrap(),
        id => id.as_i64().unwrap() - 692_560_000,
    };
    let mut serials: Vec<i64> = records.iter().map(serial).collect();
    serials.sort_unstable();
    serials
}

#[tokio::test]
async fn lists_are_read_over_their_pages() {
    let fake = Fake::start(Postmark::with(1_200)).await;
    let reader = reader(&fake, config());
    reader.check().await.unwrap();
    fake.take_requests();
    for (stream, list, count) in [
        ("inbound_messages", "/messages/inbound", "count"),
        ("templates", "/templates", "Count"),
        ("servers", "/servers", "count"),
        ("domains", "/domains", "count"),
        ("sender_signatures", "/senders", "count"),
    ] {
        let got = reader.whole(stream, None).await;
        let expected: Vec<_> = (1..=1_200)
            .map(|id| {
                let mut item = fake::other(list, id);
                item.as_object_mut().unwrap().remove("ApiTokens");
                item
            })
            .collect();
        assert_eq!(got.records, expected, "{stream}");
        let offset = if count == "Count" { "Offset" } else { "offset" };
        let asked = fake.take_requests();
        let offsets: Vec<_> = asked.iter().map(|request| request.number(offset)).collect();
        assert_eq!(offsets, [Some(0), Some(500), Some(1_000)], "{stream}");
        assert!(asked.iter().all(|request| request.number(count) == Some(500)));
    }
    let server = reader.whole("server", None).await;
    assert_eq!(server.records[0]["Name"], "Staging");
    assert_eq!(server.records[0].get("ApiTokens"), None, "they are no data");
    assert_eq!(
        reader.whole("message_streams", None).await.records,
        fake::streams()
    );
    let suppressed = reader.whole("suppressions", None).await;
    assert_eq!(suppressed.all("/message_stream"), ["outbound", "newsletter"]);
    assert_eq!(suppressed.all("/EmailAddress"), ["address@wildbit.com"; 2]);
    assert_eq!(
        reader.connector.streams().len(),
        10,
        "these and the two that are searched"
    );
}

#[tokio::test]
async fn what_was_sent_is_searched_for_day_by_day_and_message_stream_by_message_stream() {
    let postmark = Postmark::with(1);
    for id in 1..=90 {
        let stream = if id % 3 == 0 { "newsletter" } else { "outbound" };
        postmark.send(id, stream, hours_ago(id * 12));
    }
    // A busy hour, of three pages.
    for id in 100..1_300 {
        postmark.send(id, "outbound", hours_ago(30) + TimeDelta::seconds(id));
    }
    let fake = Fake::start(postmark).await;
    let reader = reader(&fake, config());
    for (stream, id, at) in [
        ("outbound_messages", "MessageID", "ReceivedAt"),
        ("bounces", "ID", "BouncedAt"),
    ] {
        let got = reader.whole(stream, None).await;
        let expected: Vec<i64> = (1..=90).chain(100..1_300).collect();
        assert_eq!(serials(&got.records, id), expected, "{stream}");
        let last = got
            .records
            .iter()
            .find(|record| serials(std::slice::from_ref(record), id) == [1]);
        let last = last.unwrap();
        assert_eq!(last[at], "2026-06-14T20:00:00.1234567-04:00");
        assert_eq!(last[format!("{at}Utc")], "2026-06-15T00:00:00Z");

        let asked = fake.take_requests();
        let searches: Vec<_> = asked
            .iter()
            .filter(|request| request.get("fromdate").is_some())
            .collect();
        assert_eq!(
            searches.len(),
            46 + 46 + 2,
            "a search a day and message stream, and two more pages"
        );
        let first = ["2026-05-01T00:00:00", "2026-05-01T23:59:59"];
        assert_eq!(
            ["fromdate", "todate"].map(|name| searches[0].get(name).unwrap()),
            first
        );
        assert_eq!(searches[93].get("todate"), Some("2026-06-15T12:00:00"));
        let newsletter = searches
            .iter()
            .filter(|request| request.get("messagestream") == Some("newsletter"));
        assert_eq!(newsletter.count(), 46);
    }
}

#[tokio::test]
async fn a_second_read_misses_nothing_though_searches_are_in_eastern_time() {
    for (stream, id) in [("outbound_messages", "MessageID"), ("bounces", "ID")] {
        let postmark = Postmark::with(1);
        for id in 1..=20 {
            postmark.send(id, "outbound", hours_ago(id * 12));
        }
        let fake = Fake::start(postmark.clone()).await;
        let reader = reader(&fake, config());
        let first = reader.whole(stream, None).await;
        // The last message that was read is twelve hours old.
        postmark.send(1_000, "outbound", hours_ago(11));
        postmark.send(2_000, "outbound", hours_ago(1));
        fake.take_requests();
        let second = reader.whole(stream, first.state).await;
        assert_eq!(serials(&second.records, id), [1, 1_000, 2_000], "{stream}");
        let asked = fake.take_requests();
        let mut searches = asked
            .iter()
            .filter(|request| request.get("messagestream") == Some("outbound"));
        assert_eq!(
            searches.next().unwrap().get("fromdate"),
            Some("2026-06-14T19:00:00")
        );
        assert!(searches.next().is_none());

        let yaml = manifest(&fake).replace("lookback_window: PT5H", "lookback_window: PT0H");
        let careless = Reader {
            fake: &fake,
            connector: load(&yaml),
            config: config(),
        };
        let state = careless.whole(stream, None).await.state;
        postmark.send(3_000, "outbound", hours_ago(0));
        let third = careless.whole(stream, state).await;
        assert_eq!(
            serials(&third.records, id),
            [0; 0],
            "without the five hours it would be lost"
        );
    }
}

#[tokio::test]
async fn a_day_with_too_many_messages_says_what_to_do() {
    let postmark = Postmark::with(1);
    for id in 0..10_600 {
        postmark.send(id, "outbound", hours_ago(30) + TimeDelta::seconds(id));
    }
    let fake = Fake::start(postmark).await;
    let mut config = config();
    config["start_date"] = json!("2026-06-13");
    let error = reader(&fake, config.clone())
        .read("bounces", None)
        .await
        .unwrap_err();
    assert_eq!((error.http_status, error.retryable), (Some(422), false));
    assert!(error.message.contains("make window_hours smaller"), "{error}");
    config["window_hours"] = json!(1);
    let got = reader(&fake, config).whole("bounces", None).await;
    assert_eq!(got.records.len(), 10_600);
}

#[tokio::test]
async fn limits_and_outages_are_waited_for() {
    let fake = Fake::start(Postmark::with(1_200)).await;
    let reader = reader(&fake, config());
    for (answer, kind) in [
        (fake::limited(), ErrorKind::RateLimited),
        (
            Answer::new(503, json!({ "ErrorCode": 100, "Message": "Maintenance" })),
            ErrorKind::Upstream,
        ),
    ] {
        fake.plan(1, answer);
        let got = reader.whole("templates", None).await;
        assert_eq!(got.waits, [(kind, None)]);
        assert_eq!(got.records.len(), 1_200);
    }
}

#[tokio::test]
async fn a_wrong_token_is_the_credentials_fault_and_is_not_shown() {
    let fake = Fake::start(Postmark::with(1)).await;
    let wrong = "00000000-wrong-token";
    let error = reader(&fake, json!({ "server_token": wrong }))
        .check()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.http_status, error.retryable),
        (ErrorKind::Auth, Some(401), false)
    );
    assert!(
        error.message.contains("Postmark does not accept the token"),
        "{error}"
    );
    assert!(
        error.message.contains("Bad or missing Server API token"),
        "{error}"
    );
    assert!(
        !format!("{error} {error:?}").contains(wrong),
        "the fake repeats the token, we do not"
    );

    let without = reader(&fake, json!({ "server_token": SERVER_TOKEN }));
    let error = without.read("servers", None).await.unwrap_err();
    assert!(
        error.message.contains("Bad or missing Account API token"),
        "{error}"
    );
}

#[tokio::test]
async fn the_fake_refuses_what_is_not_documented() {
    let fake = Fake::start(Postmark::with(1_200)).await;
    let (reader, yaml) = (reader(&fake, config()), manifest(&fake));
    for (stream, from, to) in [
        ("domains", "page_size: 500", "page_size: 501"),
        (
            "domains",
            "inject_on_first_request: true",
            "inject_on_first_request: false",
        ),
        ("domains", "X-Postmark-Account-Token", "X-Postmark-Server-Token"),
        ("domains", "Accept: application/json", "Accept: text/html"),
        ("templates", "field_name: Count", "field_name: count"),
        ("bounces", "field_name: fromdate", "field_name: from"),
        (
            "bounces",
            "datetime_format: \"%Y-%m-%dT%H:%M:%S\"",
            "datetime_format: \"%Y-%m-%dT%H:%M:%SZ\"",
        ),
        ("suppressions", "/suppressions/dump", "/suppressions"),
    ] {
        let error = refuses(&reader, &yaml, stream, (from, to)).await;
        assert!(
            matches!(error.http_status, Some(401 | 404 | 415 | 422)),
            "{to:?}: {error}"
        );
    }
}
