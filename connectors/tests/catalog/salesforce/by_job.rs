//! The Salesforce connector for the Bulk API.

use std::time::Duration;

use connectors::read::ErrorKind;
use platform::clock::ManualClock;
use serde_json::{Value, json};

use super::fake::{CLIENT, CLIENT_SECRET, Salesforce, id, unavailable, used_up};
use crate::fake::Fake;
use crate::reading::{Reader, date_ago, days_ago, load, now, shipped};

fn config(fake: &Fake) -> Value {
    json!({
        "domain": fake.base(), "objects": ["Account", "Invoice__c"], "records_per_part": 1_000,
        "credentials": { "auth_type": "client_credentials", "client_id": CLIENT, "client_secret": CLIENT_SECRET },
    })
}

async fn reader_of<'a>(fake: &'a Fake, yaml: &str, config: Value) -> Reader<'a> {
    let mut reader = Reader {
        fake,
        connector: load(yaml),
        config,
    };
    reader.configure().await;
    fake.take_requests();
    reader
}

async fn reader(fake: &Fake) -> Reader<'_> {
    reader_of(fake, shipped("salesforce-bulk"), config(fake)).await
}

/// Path and query of what was asked, without the tokens.
fn lines(fake: &Fake) -> Vec<String> {
    let asked = fake.take_requests();
    let data = asked
        .iter()
        .filter(|request| request.path.starts_with("/services/data/"));
    data.map(|request| {
        request
            .line()
            .replace("/services/data/v64.0/", "")
            .trim_end_matches('?')
            .to_owned()
    })
    .collect()
}

#[tokio::test]
async fn the_objects_that_can_be_named_are_a_stream() {
    let fake = Fake::start(Salesforce::with(1)).await;
    let reader = reader(&fake).await;
    reader.check().await.unwrap();
    let names: Vec<_> = reader
        .connector
        .streams()
        .iter()
        .map(|stream| &*stream.name)
        .collect();
    assert_eq!(names, ["objects", "Account", "Invoice__c"]);
    let objects = reader.whole("objects", None).await;
    assert_eq!(
        objects.all("/name"),
        ["Account", "Invoice__c"],
        "the other one cannot be queried"
    );
}

#[tokio::test]
async fn an_object_is_read_by_one_job_whose_results_come_in_parts() {
    let organisation = Salesforce::with(2_300);
    let fake = Fake::start(organisation.clone()).await;
    let reader = reader(&fake).await;
    let got = reader.whole("Account", None).await;
    let expected: Vec<Value> = (1..=2_300).map(|serial| json!(id("001", serial))).collect();
    assert_eq!(got.all("/Id"), expected.iter().collect::<Vec<_>>());
    assert_eq!(
        got.records[1],
        json!({
            "Id": id("001", 2), "IsDeleted": false, "Name": "Acme \"2\", Ltd.\nOslo", "BillingCity": null,
            "AnnualRevenue": 350_000_000.5, "NumberOfEmployees": null, "OwnerId": "005R0000000GiwjIAC",
            "SystemModstamp": "2026-06-14T11:59:00.000Z",
        }),
        "values have the types of the description, and what is empty is null"
    );
    let lines = lines(&fake);
    let job = "GET jobs/query/750R00000000000001";
    let results = format!("{job}/results?");
    let asked: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains("jobs/"))
        .collect();
    assert_eq!(
        asked,
        [
            "POST jobs/query",
            job,
            job,
            &format!("{results}maxRecords=1000"),
            &format!("{results}maxRecords=1000&locator=MTAw1000"),
            &format!("{results}maxRecords=1000&locator=MTAw2000"),
        ]
    );
    let state = got.state.unwrap();
    assert_eq!(
        state.pointer("/states/0/cursor/SystemModstamp"),
        Some(&json!(date_ago(1)))
    );
}

#[tokio::test]
async fn a_second_read_asks_a_job_for_what_was_changed_or_deleted() {
    let organisation = Salesforce::with(50);
    let fake = Fake::start(organisation.clone()).await;
    let reader = reader(&fake).await;
    let first = reader.whole("Account", None).await;
    organisation.change("Account", 30, days_ago(0) - 120, false);
    organisation.change("Account", 40, days_ago(0) - 60, true);
    fake.take_requests();
    let second = reader.whole("Account", first.state).await;
    let expected: Vec<Value> = (1..=11)
        .chain([30, 40])
        .map(|serial| json!(id("001", serial)))
        .collect();
    assert_eq!(
        second.all("/Id"),
        expected.iter().collect::<Vec<_>>(),
        "ten minutes of lookback, and what is new"
    );
    let deleted = second.records.iter().filter(|record| record["IsDeleted"] == true);
    assert_eq!(
        deleted.map(|record| &record["Id"]).collect::<Vec<_>>(),
        [&json!(id("001", 40))]
    );
    let asked = fake.take_requests();
    let created = asked
        .iter()
        .find(|request| request.method == "POST" && request.path.ends_with("/query"))
        .unwrap();
    assert!(
        created.body.contains("SystemModstamp >= 2026-06-14T11:50:00Z"),
        "{}",
        created.body
    );
    let empty = reader.whole("Invoice__c", None).await;
    assert_eq!(
        empty.records.len(),
        0,
        "a job of nothing has a header and no rows"
    );
}

#[tokio::test]
async fn a_read_that_is_cut_off_goes_on_with_its_job() {
    let organisation = Salesforce::with(2_300);
    let fake = Fake::start(organisation.clone()).await;
    let reader = reader(&fake).await;
    // What is asked before: a token, two descriptions, the job, two polls, and the first part.
    for (after, answer, kind) in [
        (7, unavailable(), ErrorKind::Upstream),
        (3, used_up(), ErrorKind::RateLimited),
    ] {
        let jobs = organisation.jobs.count();
        fake.plan(after, answer);
        let got = reader.whole("Account", None).await;
        assert_eq!(got.waits, [(kind, Some(Duration::from_secs(60)))]);
        assert_eq!(got.records.len(), 2_300, "none is lost, and none comes twice");
        assert_eq!(organisation.jobs.count(), jobs + 1);
    }
}

#[tokio::test]
async fn a_job_that_fails_is_an_error_of_the_upstream() {
    let organisation = Salesforce::with(1);
    let fake = Fake::start(organisation.clone()).await;
    let reader = reader(&fake).await;
    for end in ["QueryTimeout", "Aborted"] {
        for _ in 0..12 {
            organisation.jobs.end_next(end);
        }
        let error = reader.once("Account").await.unwrap_err();
        assert_eq!(error.code, "JOB_FAILED", "{error}");
        organisation.jobs.forget_ends();
    }
    // The connector knows what cannot be written as CSV; one that does not asks for a job that fails.
    let careless = shipped("salesforce-bulk").replace(
        "['address', 'location', 'base64', 'complexvalue', 'anyType']",
        "['nothing']",
    );
    let reader = reader_of(&fake, &careless, config(&fake)).await;
    assert_eq!(reader.once("Account").await.unwrap_err().code, "JOB_FAILED");
}

#[tokio::test]
async fn the_budget_keeps_below_the_allowance_of_a_day() {
    let clock = ManualClock::at(now());
    let fake = Fake::timed(Salesforce::with(1).with_allowance(20), &clock).await;
    let mut config = config(&fake);
    config["requests_per_day"] = json!(20);
    let reader = reader_of(&fake, shipped("salesforce-bulk"), config).await;
    let day = Duration::from_secs(86_400);
    let refused = reader.keeps_its_pace(&clock, "objects", 25, day).await;
    assert!(
        refused.message.contains("TotalRequests Limit exceeded"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_fake_refuses_what_is_not_documented() {
    let fake = Fake::start(Salesforce::with(2_300)).await;
    for (from, to) in [
        (
            "path: /services/data/v64.0/jobs/query\n",
            "path: /services/data/v64.0/jobs/queries\n",
        ),
        ("operation: queryAll", "operation: everything"),
        (
            "            columnDelimiter: COMMA",
            "            delimiter: COMMA",
        ),
        ("contentType: CSV", "contentType: JSON"),
        ("SystemModstamp >= {{", "SystemModstamp => {{"),
        ("SELECT {{", "SELECT Nothing__c, {{"),
        ("/results\"", "/result\""),
        ("Accept: text/csv", "Accept: text/html"),
        ("            maxRecords:", "            limit:"),
        ("field_name: locator", "field_name: after"),
        (
            "headers['sforce-locator'] }}",
            "headers['sforce-locator'] ~ 'x' }}",
        ),
    ] {
        let yaml = shipped("salesforce-bulk");
        assert!(yaml.contains(from), "the manifest has no {from:?}");
        let reader = reader_of(&fake, &yaml.replace(from, to), config(&fake)).await;
        let error = reader.once("Account").await.unwrap_err();
        assert!(matches!(error.http_status, Some(400 | 404)), "{to:?}: {error}");
    }
}
