//! The Salesforce connector.

mod bulk;
mod by_job;
mod fake;

use std::time::Duration;

use connectors::read::ErrorKind;
use platform::clock::ManualClock;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::reading::{Reader, date_ago, days_ago, load, now, refuses, shipped};
use fake::{CLIENT, CLIENT_SECRET, OBJECTS, REFRESH_TOKEN, Salesforce, id};

/// Every organisation has an address of its own, and so has the fake: nothing in the manifest has to be changed.
fn config(fake: &Fake) -> Value {
    json!({ "domain": fake.base(), "credentials": {
        "auth_type": "client_credentials", "client_id": CLIENT, "client_secret": CLIENT_SECRET,
    }})
}

fn with_refresh_token(fake: &Fake) -> Value {
    json!({ "domain": fake.base(), "credentials": {
        "auth_type": "refresh_token", "client_id": CLIENT, "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
    }})
}

fn reader(fake: &Fake, config: Value) -> Reader<'_> {
    Reader {
        fake,
        connector: load(shipped("salesforce")),
        config,
    }
}

fn ids(prefix: &str, serials: impl IntoIterator<Item = i64>) -> Vec<Value> {
    serials
        .into_iter()
        .map(|serial| json!(id(prefix, serial)))
        .collect()
}

/// The queries that were asked, their blanks as single ones.
fn queries(fake: &Fake) -> Vec<String> {
    let asked = fake.take_requests();
    let queries = asked.iter().filter_map(|request| request.get("q"));
    queries
        .map(|soql| soql.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[tokio::test]
async fn every_object_is_queried_page_by_page() {
    let fake = Fake::start(Salesforce::with(2_300)).await;
    let reader = reader(&fake, config(&fake));
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
        OBJECTS.map(|(stream, _, _, _)| stream),
        "every stream is tested"
    );
    for (stream, object, prefix, batch) in OBJECTS {
        let got = reader.whole(stream, None).await;
        let expected = ids(prefix, 1..=2_300);
        assert_eq!(got.all("/Id"), expected.iter().collect::<Vec<_>>(), "{stream}");
        assert_eq!(got.records[0].get("attributes"), None);
        let window = "SystemModstamp >= 1999-01-01T00:00:00Z AND SystemModstamp <= 2026-06-15T12:00:00Z";
        let page = |above: &str| {
            format!("SELECT FIELDS(STANDARD) FROM {object} WHERE {window}{above} ORDER BY Id ASC LIMIT 2000")
        };
        let above = |serial| page(&format!(" AND Id > '{}'", id(prefix, serial)));
        let expected = if batch == 800 {
            vec![page(""), above(800), above(1_600)]
        } else {
            vec![page(""), above(2_000)]
        };
        assert_eq!(queries(&fake), expected, "{stream}");
    }
}

#[tokio::test]
async fn a_second_read_finds_what_was_changed_and_what_was_deleted() {
    let organisation = Salesforce::with(50);
    let fake = Fake::start(organisation.clone()).await;
    let reader = reader(&fake, config(&fake));
    let first = reader.whole("contacts", None).await;
    assert_eq!(first.state, Some(json!({ "SystemModstamp": date_ago(1) })));
    organisation.change("Contact", 30, days_ago(0) - 120, false);
    organisation.change("Contact", 40, days_ago(0) - 60, true);
    organisation.change("Contact", 51, days_ago(0) - 30, false);
    fake.take_requests();
    let second = reader.whole("contacts", first.state).await;
    // Ten minutes of lookback, and then what is new.
    let expected = ids("003", (1..=11).chain([30, 40, 51]));
    assert_eq!(second.all("/Id"), expected.iter().collect::<Vec<_>>());
    let deleted: Vec<_> = second
        .records
        .iter()
        .filter(|record| record["IsDeleted"] == true)
        .collect();
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0]["Id"], id("003", 40));
    assert!(queries(&fake)[0].contains("SystemModstamp >= 2026-06-14T11:50:00Z"));
    assert_eq!(
        second.state,
        Some(json!({ "SystemModstamp": "2026-06-15T11:59:30Z" }))
    );
}

#[tokio::test]
async fn custom_fields_are_asked_for_by_name() {
    let fake = Fake::start(Salesforce::with(1)).await;
    let mut config = config(&fake);
    config["custom_fields"] = json!({ "Account": ["Region__c"] });
    let reader = reader(&fake, config.clone());
    let faults = reader.connector.spec().validate(&json!({
        "domain": "https://example.my.salesforce.com", "credentials": config["credentials"],
        "custom_fields": { "Account": ["Name FROM User"] },
    }));
    assert_eq!(
        faults.len(),
        1,
        "a field's name is no place for more of a query: {faults:?}"
    );

    // The schema of an organisation's own fields is not known here, so the record is looked at without it.
    let yaml = shipped("salesforce").replace(
        "            MasterRecordId:",
        "            Region__c: { type: string }\n            MasterRecordId:",
    );
    let described = Reader {
        fake: &fake,
        connector: load(&yaml),
        config: config.clone(),
    };
    let got = described.whole("accounts", None).await;
    assert_eq!(got.all("/Region__c"), ["North"]);
    assert!(queries(&fake)[0].starts_with("SELECT FIELDS(STANDARD), Region__c FROM Account WHERE"));

    config["custom_fields"] = json!({ "Account": ["Gone__c"] });
    let error = self::reader(&fake, config)
        .read("accounts", None)
        .await
        .unwrap_err();
    assert_eq!((error.http_status, error.retryable), (Some(400), false));
    assert!(
        error.message.contains("INVALID_FIELD, No such column 'Gone__c'"),
        "{error}"
    );
}

#[tokio::test]
async fn a_session_that_ends_is_opened_again() {
    let organisation = Salesforce::with(2_300);
    let fake = Fake::start(organisation.clone()).await;
    for config in [config(&fake), with_refresh_token(&fake)] {
        let reader = reader(&fake, config);
        fake.plan(2, fake::session_ended());
        organisation.end_session();
        let got = reader.whole("leads", None).await;
        assert_eq!((got.records.len(), got.waits.len()), (2_300, 0));
        let paths: Vec<_> = fake
            .take_requests()
            .into_iter()
            .map(|request| request.path)
            .collect();
        let (token, query) = ("/services/oauth2/token", "/services/data/v64.0/queryAll");
        assert_eq!(paths, [token, query, query, token, query]);
    }
}

#[tokio::test]
async fn limits_and_outages_are_waited_for() {
    let fake = Fake::start(Salesforce::with(2_300)).await;
    let reader = reader(&fake, config(&fake));
    let minute = Some(Duration::from_secs(60));
    for (answer, kind) in [
        (fake::used_up(), ErrorKind::RateLimited),
        (fake::too_many_at_once(), ErrorKind::RateLimited),
        (fake::unavailable(), ErrorKind::Upstream),
    ] {
        fake.plan(2, answer);
        let got = reader.whole("cases", None).await;
        assert_eq!(got.waits, [(kind, minute)]);
        let expected = ids("500", 1..=2_300);
        assert_eq!(got.all("/Id"), expected.iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_budget_keeps_below_the_allowance_of_a_day() {
    let clock = ManualClock::at(now());
    let fake = Fake::timed(Salesforce::with(1).with_allowance(20), &clock).await;
    let mut config = config(&fake);
    config["requests_per_day"] = json!(20);
    let reader = reader(&fake, config);
    let day = Duration::from_secs(86_400);
    let refused = reader.keeps_its_pace(&clock, "leads", 25, day).await;
    assert_eq!(refused.http_status, Some(403));
    assert!(
        refused.message.contains("TotalRequests Limit exceeded"),
        "{refused}"
    );
}

#[tokio::test]
async fn wrong_credentials_are_named_and_not_shown() {
    let fake = Fake::start(Salesforce::with(1)).await;
    for (field, wrong, said) in [
        ("client_secret", "wr0ng5ecret", "invalid client credentials"),
        (
            "refresh_token",
            "5Aepwrong.refresh.token",
            "expired access/refresh token",
        ),
    ] {
        let mut config = with_refresh_token(&fake);
        config["credentials"][field] = json!(wrong);
        let error = reader(&fake, config).check().await.unwrap_err();
        assert_eq!(
            (error.kind, error.http_status, error.retryable),
            (ErrorKind::Auth, Some(400), false)
        );
        assert!(!format!("{error} {error:?}").contains(wrong));
        let code = if field == "client_secret" {
            "invalid_client"
        } else {
            "invalid_grant"
        };
        assert!(
            error.message.contains(code) || error.message.contains(said),
            "{error}"
        );
    }
    fake.plan(1, fake::forbidden());
    let error = reader(&fake, config(&fake)).check().await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Auth, false));
    assert!(error.message.contains("\"API Enabled\""), "{error}");
    assert!(
        error.message.contains("API is not enabled for this Organization"),
        "{error}"
    );
}

#[tokio::test]
async fn the_fake_refuses_what_is_not_documented() {
    let fake = Fake::start(Salesforce::with(2_300)).await;
    let (reader, yaml) = (reader(&fake, config(&fake)), shipped("salesforce"));
    for (from, to) in [
        ("v64.0/queryAll", "v64.0/everything"),
        ("        q: >-", "        soql: >-"),
        ("object: Lead", "object: Leads"),
        ("SystemModstamp >= {{", "SystemModstamp => {{"),
        (
            "datetime_format: \"%Y-%m-%dT%H:%M:%SZ\"",
            "datetime_format: \"%Y-%m-%dT%H:%M:%S+0000\"",
        ),
        ("AND Id > '{{", "AND Id > '0{{"),
        ("ORDER BY Id", "SORT BY Id"),
    ] {
        let mut yaml = yaml.to_owned();
        if to.contains("+0000") {
            yaml = yaml.replace("'1999-01-01T00:00:00Z'", "'1999-01-01T00:00:00+0000'");
        }
        let error = refuses(&reader, &yaml, "leads", (from, to)).await;
        assert!(matches!(error.http_status, Some(400 | 404)), "{to:?}: {error}");
        assert!(!error.retryable, "{to:?}: {error}");
    }
    let change = ("grant_type: client_credentials", "grant_type: password");
    let error = refuses(&reader, yaml, "leads", change).await;
    assert_eq!((error.kind, error.http_status), (ErrorKind::Auth, Some(400)));
}
