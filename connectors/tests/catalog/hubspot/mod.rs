//! The HubSpot connector.

mod fake;

use std::time::Duration;

use connectors::read::ErrorKind;
use platform::clock::ManualClock;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::reading::{Reader, days_ago, load, moved, now, refuses, shipped};
use fake::{CLIENT, CLIENT_SECRET, HubSpot, OBJECTS, OWNERS, REFRESH_TOKEN, TOKEN};

fn manifest(fake: &Fake) -> String {
    moved(shipped("hubspot"), "https://api.hubapi.com", fake)
}

fn reader(fake: &Fake, config: Value) -> Reader<'_> {
    Reader {
        fake,
        connector: load(&manifest(fake)),
        config,
    }
}

fn config() -> Value {
    json!({ "credentials": { "auth_type": "private_app", "access_token": TOKEN } })
}

fn oauth() -> Value {
    json!({ "credentials": {
        "auth_type": "oauth", "client_id": CLIENT, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
    }})
}

fn ids(range: impl Iterator<Item = i64>) -> Vec<Value> {
    range.map(|id| json!(id.to_string())).collect()
}

#[tokio::test]
async fn every_object_is_searched_for_page_by_page() {
    let fake = Fake::start(HubSpot::with(450)).await;
    let reader = reader(&fake, config());
    reader.check().await.unwrap();
    fake.take_requests();
    for (kind, modified) in OBJECTS {
        let got = reader.whole(kind, None).await;
        let expected = ids(1..=450);
        assert_eq!(got.all("/id"), expected.iter().collect::<Vec<_>>(), "{kind}");
        let first = &got.records[0]["properties"];
        assert_eq!(first["hs_object_id"], "1");
        assert!(first.as_object().unwrap().len() > 5, "{first}");

        let asked = fake.take_requests();
        let bodies: Vec<Value> = asked
            .iter()
            .map(|request| serde_json::from_str(&request.body).unwrap())
            .collect();
        let (from, to) = ("1149120000000", now().timestamp_millis().to_string());
        let filters = |above: &str| {
            json!([{ "filters": [
                { "propertyName": modified, "operator": "BETWEEN", "value": from, "highValue": to },
                { "propertyName": "hs_object_id", "operator": "GT", "value": above },
            ]}])
        };
        let groups: Vec<_> = bodies.iter().map(|body| body["filterGroups"].clone()).collect();
        assert_eq!(groups, [filters("0"), filters("200"), filters("400")], "{kind}");
        assert!(
            bodies
                .iter()
                .all(|body| body["limit"] == 200 && body.get("after").is_none())
        );
    }
}

#[tokio::test]
async fn a_read_goes_beyond_what_one_search_gives() {
    let fake = Fake::start(HubSpot::with(10_150)).await;
    let got = reader(&fake, config()).whole("contacts", None).await;
    assert_eq!(got.records.len(), 10_150);
    assert_eq!(fake.take_requests().len(), 51);
}

#[tokio::test]
async fn a_second_read_asks_for_what_has_changed() {
    let account = HubSpot::with(450);
    let fake = Fake::start(account.clone()).await;
    let reader = reader(&fake, config());
    let first = reader.whole("deals", None).await;
    let last = days_ago(1) * 1000 + 678;
    assert_eq!(first.state, Some(json!({ "updatedAt": last.to_string() })));
    fake.take_requests();
    account.change("deals", 300, days_ago(0) * 1000 - 1);
    account.change("deals", 451, days_ago(0) * 1000 - 2);
    let second = reader.whole("deals", first.state).await;
    // The ten minutes of lookback, and then what is new.
    let expected = ids((1..=11).chain([300, 451]));
    assert_eq!(second.all("/id"), expected.iter().collect::<Vec<_>>());
    let body: Value = serde_json::from_str(&fake.take_requests()[0].body).unwrap();
    let from = body.pointer("/filterGroups/0/filters/0/value").unwrap();
    assert_eq!(*from, (last - 600_000).to_string());
    assert_eq!(
        second.state,
        Some(json!({ "updatedAt": (days_ago(0) * 1000 - 1).to_string() }))
    );
}

#[tokio::test]
async fn owners_and_pipelines_are_read_whole() {
    let fake = Fake::start(HubSpot::with(1)).await;
    let reader = reader(&fake, config());
    let owners = reader.whole("owners", None).await;
    assert_eq!(owners.records, (1..=OWNERS).map(fake::owner).collect::<Vec<_>>());
    let lines: Vec<_> = fake
        .take_requests()
        .iter()
        .map(|request| request.line())
        .collect();
    let page = |after: &str| format!("GET /crm/v3/owners?{after}limit=100");
    assert_eq!(lines, [page(""), page("after=100&"), page("after=200&")]);
    for stream in ["deal_pipelines", "ticket_pipelines"] {
        let pipelines = reader.whole(stream, None).await;
        assert_eq!(pipelines.records, [fake::pipeline()], "{stream}");
    }
    let others = ["owners", "deal_pipelines", "ticket_pipelines"];
    let names: Vec<_> = reader
        .connector
        .streams()
        .iter()
        .map(|stream| &*stream.name)
        .collect();
    let expected: Vec<_> = OBJECTS.iter().map(|(kind, _)| *kind).chain(others).collect();
    assert_eq!(names, expected, "every stream is tested");
}

#[tokio::test]
async fn further_properties_are_asked_for() {
    let fake = Fake::start(HubSpot::with(1)).await;
    let mut config = config();
    config["custom_properties"] = json!({ "deals": ["contract_number"] });
    let reader = reader(&fake, config);
    let deals = reader.whole("deals", None).await;
    assert_eq!(
        deals.all("/properties/contract_number"),
        ["contract_number of deals 1"]
    );
    assert_eq!(deals.all("/properties/dealname"), ["dealname of deals 1"]);
    let contacts = reader.whole("contacts", None).await;
    assert_eq!(contacts.records[0]["properties"].get("contract_number"), None);
}

#[tokio::test]
async fn limits_are_waited_for_and_nothing_is_lost() {
    let fake = Fake::start(HubSpot::with(450)).await;
    let reader = reader(&fake, config());
    let limited = ErrorKind::RateLimited;
    for (answer, kind, seconds) in [
        (fake::limited("TEN_SECONDLY_ROLLING"), limited, 10),
        (fake::limited("DAILY"), limited, 10),
        (fake::migrating(), ErrorKind::Upstream, 3600),
    ] {
        fake.plan(1, answer);
        let got = reader.whole("companies", None).await;
        assert_eq!(got.waits, [(kind, Some(Duration::from_secs(seconds)))]);
        let expected = ids(1..=450);
        assert_eq!(got.all("/id"), expected.iter().collect::<Vec<_>>());
        assert_eq!(fake.take_requests().len(), 4);
    }
}

#[tokio::test]
async fn the_budget_keeps_below_the_limits_of_searches_and_of_the_rest() {
    let clock = ManualClock::at(now());
    let seconds = Duration::from_secs;
    let fake = Fake::timed(HubSpot::with(2_400), &clock).await;
    for (config, stream, times, takes, policy) in [
        // Twelve pages, five a second.
        (config(), "contacts", 1, seconds(2), "(SECONDLY)"),
        (oauth(), "deals", 1, seconds(2), "(SECONDLY)"),
        // Three pages each: 105 and 114.
        (config(), "owners", 35, seconds(10), "(TEN_SECONDLY_ROLLING)"),
        (oauth(), "owners", 38, seconds(10), "(TEN_SECONDLY_ROLLING)"),
    ] {
        let reader = reader(&fake, config);
        let refused = reader.keeps_its_pace(&clock, stream, times, takes).await;
        assert_eq!(refused.http_status, Some(429));
        assert!(refused.message.contains(policy), "{refused}");
        clock.advance(seconds(10));
    }
}

#[tokio::test]
async fn an_access_token_is_asked_for_and_renewed_when_it_ends() {
    let account = HubSpot::with(450);
    let fake = Fake::start(account.clone()).await;
    let reader = reader(&fake, oauth());
    let got = reader.whole("contacts", None).await;
    assert_eq!(got.records.len(), 450);
    let paths: Vec<_> = fake
        .take_requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let search = "/crm/v3/objects/contacts/search";
    assert_eq!(paths, ["/oauth/v1/token", search, search, search]);

    let expired = json!({
        "status": "error", "category": "EXPIRED_AUTHENTICATION",
        "message": "The OAuth token used to make this call expired 41 second(s) ago.",
    });
    fake.plan(2, crate::fake::Answer::new(401, expired));
    account.expire();
    let got = reader.whole("contacts", None).await;
    assert_eq!((got.records.len(), got.waits), (450, Vec::new()));
    let paths: Vec<_> = fake
        .take_requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let token = "/oauth/v1/token";
    assert_eq!(paths, [token, search, search, token, search, search]);
}

#[tokio::test]
async fn wrong_credentials_are_named_and_not_shown() {
    let fake = Fake::start(HubSpot::with(1)).await;
    let wrong = "pat-eu1-wrong-token";
    let mut config = config();
    config["credentials"]["access_token"] = json!(wrong);
    let error = reader(&fake, config).check().await.unwrap_err();
    assert_eq!(
        (error.kind, error.http_status, error.retryable),
        (ErrorKind::Auth, Some(401), false)
    );
    assert!(
        error.message.contains("HubSpot does not accept the credentials"),
        "{error}"
    );
    assert!(
        !format!("{error} {error:?}").contains(wrong),
        "the fake repeats the token, we do not"
    );

    let mut config = oauth();
    config["credentials"]["refresh_token"] = json!("refresh-wrong-token");
    let error = reader(&fake, config).check().await.unwrap_err();
    assert_eq!(
        (error.kind, error.http_status, error.retryable),
        (ErrorKind::Auth, Some(400), false)
    );
    assert!(error.message.contains("invalid refresh token"), "{error}");

    fake.plan(0, fake::forbidden());
    let error = reader(&fake, self::config())
        .read("deals", None)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Auth, false));
    assert!(error.message.contains("add the missing scope"), "{error}");
}

#[tokio::test]
async fn the_fake_refuses_what_is_not_documented() {
    let fake = Fake::start(HubSpot::with(450)).await;
    let (reader, yaml) = (reader(&fake, config()), manifest(&fake));
    for change in [
        ("page_size: 200", "page_size: 201"),
        ("crm_modified: lastmodifieddate", "crm_modified: updatedAt"),
        ("operator: BETWEEN", "operator: WITHIN"),
        (
            "\"'{{ stream_interval['end_time'] }}'\"",
            "\"{{ stream_interval['end_time'] }}\"",
        ),
        ("        sorts:", "        sort:"),
        ("field_name: limit", "field_name: count"),
        ("/crm/v3/objects/", "/crm/v3/object/"),
    ] {
        let error = refuses(&reader, &yaml, "contacts", change).await;
        assert!(
            matches!(error.http_status, Some(400 | 404)),
            "{change:?}: {error}"
        );
    }
    for change in [
        ("page_size: 100", "page_size: 501"),
        ("field_name: after", "field_name: offset"),
    ] {
        let error = refuses(&reader, &yaml, "owners", change).await;
        assert_eq!(error.http_status, Some(400), "{change:?}: {error}");
    }
}

#[tokio::test]
async fn by_the_cursor_of_the_search_itself_a_read_would_end_at_ten_thousand() {
    let fake = Fake::start(HubSpot::with(10_150)).await;
    let (reader, yaml) = (reader(&fake, config()), manifest(&fake));
    let by_offset = yaml
        .replace(
            "next_page_token['next_page_token'] if next_page_token else 0",
            "0",
        )
        .replace(
            "cursor_value: \"{{ last_record['id'] }}\"",
            "cursor_value: \"'{{ response['paging']['next']['after'] }}'\"",
        );
    let change = (
        "field_name: limit\n      pagination_strategy",
        "field_name: limit\n      page_token_option: {type: RequestOption, inject_into: body_json, field_name: after}
      pagination_strategy",
    );
    let error = refuses(&reader, &by_offset, "contacts", change).await;
    assert_eq!(error.http_status, Some(400), "{error}");
    assert_eq!(fake.take_requests().len(), 51, "the pages before were given");
}
