//! The Stripe connector.

mod fake;

use std::time::Duration;

use connectors::read::ErrorKind;
use platform::clock::ManualClock;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake};
use crate::reading::{Reader, days_ago, load, moved, now, refuses, shipped};
use fake::{ACCOUNT, KEY, Stripe, collections};

fn manifest(fake: &Fake) -> String {
    moved(shipped("stripe"), "https://api.stripe.com", fake)
}

fn reader(fake: &Fake, config: Value) -> Reader<'_> {
    Reader {
        fake,
        connector: load(&manifest(fake)),
        config,
    }
}

fn config() -> Value {
    json!({ "api_key": KEY })
}

const WHOLE: [&str; 4] = ["customers", "products", "prices", "subscriptions"];

#[tokio::test]
async fn every_stream_is_read_over_its_pages() {
    let stripe = Stripe::with(230);
    let fake = Fake::start(stripe.clone()).await;
    let reader = reader(&fake, config());
    reader.check().await.unwrap();
    fake.take_requests();
    let names: Vec<_> = reader
        .connector
        .streams()
        .iter()
        .map(|stream| &*stream.name)
        .collect();
    assert_eq!(names, collections().collect::<Vec<_>>());
    for stream in collections() {
        let got = reader.whole(stream, None).await;
        let mut expected = stripe.all(stream);
        for object in &mut expected {
            object.as_object_mut().unwrap().remove("client_secret");
        }
        assert_eq!(got.records, expected, "{stream}");

        let lines: Vec<_> = fake
            .take_requests()
            .iter()
            .map(|request| request.line())
            .collect();
        let status = if stream == "subscriptions" {
            "status=all&"
        } else {
            ""
        };
        let window = if WHOLE.contains(&stream) {
            String::new()
        } else {
            // 2011-01-01
            format!("&created[gte]=1293840000&created[lte]={}", now().timestamp())
        };
        let after = |place: usize| format!("&starting_after={}", expected[place]["id"].as_str().unwrap());
        let page = |after: &str| {
            // Parameters come in the order: the manifest's, the paginator's, the cursor's.
            format!("GET /v1/{stream}?{status}{after}limit=100{window}")
        };
        let token = |place: usize| format!("{}&", &after(place)[1..]);
        assert_eq!(lines, [page(""), page(&token(99)), page(&token(199))], "{stream}");
    }
}

#[tokio::test]
async fn what_settles_is_read_again_and_what_is_final_is_not() {
    let stripe = Stripe::with(230);
    let fake = Fake::start(stripe.clone()).await;
    let reader = reader(&fake, config());
    let last = days_ago(0) - 3_600;
    for (stream, back) in [("charges", 30 * 86_400), ("invoices", 30 * 86_400), ("events", 0)] {
        let first = reader.whole(stream, None).await;
        assert_eq!(
            first.state,
            Some(json!({ "created": last.to_string() })),
            "{stream}"
        );
        stripe.make(stream, 231, days_ago(0) - 60);
        fake.take_requests();

        let second = reader.whole(stream, first.state).await;
        let asked = fake.take_requests();
        assert_eq!(asked[0].number("created[gte]"), Some(last - back), "{stream}");
        let expected: Vec<_> = stripe
            .all(stream)
            .into_iter()
            .filter(|object| object["created"].as_i64().unwrap() >= last - back)
            .map(|object| object["id"].clone())
            .collect();
        assert!(expected.len() >= 2 && expected.len() < 230);
        assert_eq!(second.all("/id"), expected.iter().collect::<Vec<_>>(), "{stream}");
        assert_eq!(
            second.state,
            Some(json!({ "created": (days_ago(0) - 60).to_string() }))
        );
    }
}

#[tokio::test]
async fn the_window_and_the_days_to_look_back_are_the_configurations() {
    let stripe = Stripe::with(230);
    let fake = Fake::start(stripe.clone()).await;
    let start = crate::reading::date_ago(10);
    let config = json!({ "api_key": KEY, "start_date": start, "lookback_days": 2 });
    let reader = reader(&fake, config);
    let first = reader.whole("payouts", None).await;
    assert_eq!(first.records.len(), 40, "four a day for ten days");
    fake.take_requests();
    reader.whole("payouts", first.state).await;
    let from = days_ago(2) - 3_600;
    assert_eq!(fake.take_requests()[0].number("created[gte]"), Some(from));
}

#[tokio::test]
async fn limits_and_outages_are_waited_for_and_no_object_is_lost() {
    let stripe = Stripe::with(230);
    let fake = Fake::start(stripe.clone()).await;
    let reader = reader(&fake, config());
    let outage = || {
        Answer::new(
            503,
            json!({ "error": { "type": "api_error", "message": "Sorry." } }),
        )
    };
    for (answer, kind) in [
        (fake::too_fast("global-rate"), ErrorKind::RateLimited),
        (fake::locked(), ErrorKind::RateLimited),
        (outage(), ErrorKind::Upstream),
    ] {
        fake.plan(1, answer);
        let got = reader.whole("charges", None).await;
        assert_eq!(got.waits, [(kind, None)]);
        assert_eq!(got.records, stripe.all("charges"));
        assert_eq!(fake.take_requests().len(), 4, "three pages, one of them twice");
    }
}

#[tokio::test]
async fn the_budget_keeps_below_the_limits() {
    let clock = ManualClock::at(now());
    let fake = Fake::timed(Stripe::with(230), &clock).await;
    let reader = reader(&fake, config());
    // Three pages each: 90 requests, 25 a second.
    let takes = Duration::from_secs(3);
    let refused = reader.keeps_its_pace(&clock, "customers", 30, takes).await;
    assert_eq!(refused.http_status, Some(429));
    assert!(refused.message.contains("(rate_limit)"), "{refused}");
}

#[tokio::test]
async fn a_wrong_key_is_the_credentials_fault_and_is_not_repeated() {
    let fake = Fake::start(Stripe::with(1)).await;
    let wrong = "sk_test_wrong_0123456789";
    let reader = reader(&fake, json!({ "api_key": wrong }));
    for error in [
        reader.check().await.unwrap_err(),
        reader.read("charges", None).await.unwrap_err(),
    ] {
        assert_eq!((error.kind, error.http_status), (ErrorKind::Auth, Some(401)));
        assert!(!error.retryable);
        assert!(
            error.message.contains("Stripe does not accept the API key"),
            "{error}"
        );
        assert!(
            !format!("{error} {error:?}").contains(wrong),
            "the fake repeats the key, we do not"
        );
    }
}

#[tokio::test]
async fn a_restricted_key_is_told_what_it_lacks() {
    let fake = Fake::start(Stripe::with(1)).await;
    fake.plan(0, fake::forbidden());
    let error = reader(&fake, config()).read("disputes", None).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Auth, false));
    assert!(error.message.contains("read permission"), "{error}");
    assert!(
        error.message.contains("does not have the required permissions"),
        "{error}"
    );
}

#[tokio::test]
async fn a_platform_reads_for_a_connected_account() {
    let fake = Fake::start(Stripe::with(1)).await;
    reader(&fake, config()).whole("customers", None).await;
    assert_eq!(fake.take_requests()[0].header("stripe-account"), None);
    let connected = reader(&fake, json!({ "api_key": KEY, "account_id": ACCOUNT }));
    connected.whole("customers", None).await;
    assert_eq!(fake.take_requests()[0].header("stripe-account"), Some(ACCOUNT));
    let stranger = reader(&fake, json!({ "api_key": KEY, "account_id": "acct_1another" }));
    assert_eq!(stranger.check().await.unwrap_err().kind, ErrorKind::Auth);
}

#[tokio::test]
async fn the_fake_refuses_what_is_not_documented() {
    let fake = Fake::start(Stripe::with(230)).await;
    let (reader, yaml) = (reader(&fake, config()), manifest(&fake));
    for change in [
        ("page_size: 100", "page_size: 101"),
        ("field_name: limit", "field_name: page_size"),
        ("last_record['id']", "last_record['amount']"),
        ("created[gte]", "created_after"),
        (
            "Stripe-Version: 2025-12-15.clover",
            "X-Version: 2025-12-15.clover",
        ),
        ("collection: charges", "collection: charge"),
    ] {
        let error = refuses(&reader, &yaml, "charges", change).await;
        assert!(
            matches!(error.http_status, Some(400 | 404)),
            "{change:?}: {error}"
        );
    }
    let error = refuses(&reader, &yaml, "charges", ("BearerAuthenticator", "NoAuth")).await;
    assert_eq!(error.http_status, Some(401));
}
