//! What the graph holds: from registering a client to its runs, and what bad input gets.

use serde_json::{Value, json};

use crate::fixture::{Fixture, text};

const NO_CLIENT: &str = "cli_00000000000000000000000000";

#[tokio::test]
async fn a_client_is_registered_changed_found_and_archived() {
    let server = Fixture::start().await;
    let id = server.client("acme").await;
    assert!(id.starts_with("cli_"));
    let update = "mutation ($input: UpdateClientInput!) { updateClient(input: $input) { client { name metadata status } userErrors { code } } }";
    let input = json!({ "clientId": id, "name": "Acme", "metadata": { "tier": 1 } });
    let data = server.data(update, json!({ "input": input })).await;
    let expected = json!({ "name": "Acme", "metadata": { "tier": 1 }, "status": "ACTIVE" });
    assert_eq!(
        data["updateClient"],
        json!({ "client": expected, "userErrors": [] })
    );
    let query = "query ($id: ID!) { byId: client(id: $id) { slug } bySlug: client(slug: \"acme\") { id } node(id: $id) { __typename id ... on Client { slug } } }";
    let data = server.data(query, json!({ "id": id })).await;
    let node = json!({ "__typename": "Client", "id": id, "slug": "acme" });
    assert_eq!(
        data,
        json!({ "byId": { "slug": "acme" }, "bySlug": { "id": id }, "node": node })
    );
    let archive = "mutation ($input: ArchiveClientInput!) { archiveClient(input: $input) { client { status } userErrors { code } } }";
    let data = server.data(archive, json!({ "input": { "clientId": id } })).await;
    assert_eq!(data["archiveClient"]["client"]["status"], "ARCHIVED");
}

#[tokio::test]
async fn a_mistake_is_a_user_error_with_its_field() {
    let server = Fixture::start().await;
    server.client("acme").await;
    let register = "mutation ($input: RegisterClientInput!) { registerClient(input: $input) { client { id } userErrors { code message field } } }";
    for (input, code, field) in [
        (json!({ "slug": "acme", "name": "Again" }), "TAKEN", "slug"),
        (json!({ "slug": "Not A Slug", "name": "x" }), "INVALID", "slug"),
        (
            json!({ "slug": "x", "name": "x", "metadata": 7 }),
            "INVALID",
            "metadata",
        ),
    ] {
        let data = server.data(register, json!({ "input": input })).await;
        let payload = &data["registerClient"];
        assert_eq!(payload["client"], Value::Null, "{payload}");
        let error = &payload["userErrors"][0];
        assert_eq!(
            (&error["code"], &error["field"][0]),
            (&json!(code), &json!(field)),
            "{payload}"
        );
    }
}

#[tokio::test]
async fn an_id_of_nothing_is_null_in_a_query_and_not_found_in_a_mutation() {
    let server = Fixture::start().await;
    let query = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } client(id: $id) { id } integration(id: $id) { id } syncRun(id: $id) { id } }";
    let nothing =
        json!({ "node": null, "nodes": [null], "client": null, "integration": null, "syncRun": null });
    for id in [
        "",
        "x",
        "cli_",
        NO_CLIENT,
        "int_00000000000000000000000000",
        "run_00000000000000000000000000",
        "rec_00000000000000000000000000",
        "evt_00000000000000000000000000",
        "dlq_00000000000000000000000000",
        "sch_00000000000000000000000000",
        "key_00000000000000000000000000",
    ] {
        assert_eq!(server.data(query, json!({ "id": id })).await, nothing, "{id}");
    }
    for (mutation, field) in [
        ("updateClient", "clientId"),
        ("archiveClient", "clientId"),
        ("updateIntegration", "integrationId"),
        ("deleteIntegration", "integrationId"),
        ("checkIntegration", "integrationId"),
        ("pauseIntegration", "integrationId"),
        ("resumeIntegration", "integrationId"),
        ("triggerSync", "integrationId"),
        ("cancelSync", "runId"),
        ("retrySync", "runId"),
        ("approveDeletions", "runId"),
    ] {
        let input = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let text = format!(
            "mutation ($input: {input}!) {{ {mutation}(input: $input) {{ userErrors {{ code field }} }} }}"
        );
        let unknown = match field {
            "clientId" => NO_CLIENT,
            "integrationId" => "int_00000000000000000000000000",
            _ => "run_00000000000000000000000000",
        };
        for id in ["nonsense", unknown] {
            let data = server.data(&text, json!({ "input": { field: id } })).await;
            let errors = &data[mutation]["userErrors"];
            assert_eq!(
                *errors,
                json!([{ "code": "NOT_FOUND", "field": [field] }]),
                "{mutation} {id}"
            );
        }
    }
    let empty = "query ($id: ID!) { integrations(filter: { clientId: $id }) { edges { cursor } totalCount } syncRuns(filter: { integrationId: $id }) { totalCount } deadLetters(filter: { ids: [$id] }) { totalCount } overview(clientId: $id) { queued } }";
    let data = server.data(empty, json!({ "id": "nonsense" })).await;
    assert_eq!(data["integrations"], json!({ "edges": [], "totalCount": 0 }));
    assert_eq!(
        (
            &data["syncRuns"]["totalCount"],
            &data["deadLetters"]["totalCount"]
        ),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn an_integration_keeps_its_secret_and_tells_the_rest() {
    let server = Fixture::start().await;
    let client = server.client("acme").await;
    server.connector().await;
    let id = server.integration(&client, "People").await;
    let query = "query ($id: ID!) { integration(id: $id) { name config streams status health schedule { cron } nextRunAt circuit rateBudget { remaining } activeRun { id } lastRun { id } client { slug } connector { slug version streams { name primaryKey supportsIncremental } } } }";
    let answer = server.data(query, json!({ "id": id })).await;
    let shown = &answer["integration"];
    assert!(!answer.to_string().contains("s3cret-value"), "{answer}");
    assert_eq!(shown["streams"], json!(["people"]));
    assert_eq!(
        (&shown["status"], &shown["health"], &shown["circuit"]),
        (&json!("ACTIVE"), &json!("UNKNOWN"), &json!("CLOSED"))
    );
    assert_eq!(
        shown["connector"],
        json!({ "slug": "people", "version": "1", "streams": [{ "name": "people", "primaryKey": ["id"], "supportsIncremental": false }] })
    );
    let update = "mutation ($input: UpdateIntegrationInput!) { updateIntegration(input: $input) { integration { name schedule { cron timezone jitterSeconds overlap catchUpSeconds } nextRunAt } userErrors { code message field } } }";
    let input = json!({ "integrationId": id, "schedule": { "cron": "*/5 * * * *" } });
    let data = server.data(update, json!({ "input": input })).await;
    let changed = &data["updateIntegration"]["integration"];
    let schedule = json!({ "cron": "*/5 * * * *", "timezone": "UTC", "jitterSeconds": 0, "overlap": "SKIP", "catchUpSeconds": 0 });
    assert_eq!(changed["schedule"], schedule, "{data}");
    assert!(text(&changed["nextRunAt"]).ends_with('Z'), "{data}");
    let input = json!({ "integrationId": id, "schedule": null });
    let data = server.data(update, json!({ "input": input })).await;
    assert_eq!(
        data["updateIntegration"]["integration"]["schedule"],
        Value::Null,
        "{data}"
    );
    for (schedule, field) in [
        (json!({ "cron": "every day" }), "cron"),
        (
            json!({ "cron": "0 0 * * *", "timezone": "Mars/Base" }),
            "timezone",
        ),
    ] {
        let input = json!({ "integrationId": id, "schedule": schedule });
        let data = server.data(update, json!({ "input": input })).await;
        let error = &data["updateIntegration"]["userErrors"][0];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("INVALID"), &json!(["schedule", field])),
            "{data}"
        );
    }
}

#[tokio::test]
async fn a_manifest_s_fault_has_its_line_and_column() {
    let server = Fixture::start().await;
    let install = "mutation ($input: InstallConnectorInput!) { installConnector(input: $input) { connector { slug } userErrors { code message field } } }";
    let broken = crate::fixture::MANIFEST.replace("DpathExtractor", "MagicExtractor");
    let data = server
        .data(install, json!({ "input": { "manifest": broken } }))
        .await;
    let error = &data["installConnector"]["userErrors"][0];
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("INVALID"), &json!(["manifest"])),
        "{data}"
    );
    let message = text(&error["message"]);
    let (_, place) = message
        .rsplit_once("line ")
        .unwrap_or_else(|| panic!("{message}"));
    let (line, column) = place
        .split_once(", column ")
        .unwrap_or_else(|| panic!("{message}"));
    assert!(
        line.parse::<u32>().is_ok() && column.parse::<u32>().is_ok(),
        "{message}"
    );
}

#[tokio::test]
async fn one_key_is_one_run() {
    let server = Fixture::start().await;
    let client = server.client("acme").await;
    server.connector().await;
    let integration = server.integration(&client, "People").await;
    let trigger = "mutation ($input: TriggerSyncInput!) { triggerSync(input: $input) { run { id status waitReason idempotencyKey mode } deduplicated userErrors { code } } }";
    let input = json!({ "integrationId": integration, "idempotencyKey": "k" });
    let first = server.data(trigger, json!({ "input": input })).await["triggerSync"].clone();
    assert_eq!(
        (&first["run"]["status"], &first["deduplicated"]),
        (&json!("QUEUED"), &json!(false)),
        "{first}"
    );
    let second = server.data(trigger, json!({ "input": input })).await["triggerSync"].clone();
    assert_eq!(
        (&second["run"]["id"], &second["deduplicated"]),
        (&first["run"]["id"], &json!(true)),
        "{second}"
    );
    let other = json!({ "integrationId": integration, "idempotencyKey": "k", "mode": "FULL_REFRESH" });
    let third = server.data(trigger, json!({ "input": other })).await["triggerSync"].clone();
    assert_eq!(
        (&third["run"], &third["userErrors"]),
        (&json!(null), &json!([{ "code": "IDEMPOTENCY_MISMATCH" }])),
        "{third}"
    );
}

#[tokio::test]
async fn a_request_s_id_is_the_run_s_correlation_id() {
    let server = Fixture::start().await;
    let client = server.client("acme").await;
    server.connector().await;
    let integration = server.integration(&client, "People").await;
    let query =
        "mutation ($input: TriggerSyncInput!) { triggerSync(input: $input) { run { correlationId } } }";
    let body =
        json!({ "query": query, "variables": { "input": { "integrationId": integration } } }).to_string();
    let answer = crate::wire::post(
        server.address,
        "/graphql",
        &[("x-request-id", "req-7")],
        body.as_bytes(),
    )
    .await;
    assert_eq!(
        answer.json()["data"]["triggerSync"]["run"]["correlationId"],
        "req-7",
        "{answer:?}"
    );
}

#[tokio::test]
async fn lists_are_walked_forwards_and_backwards() {
    let server = Fixture::start().await;
    for number in 0..5 {
        server.client(&format!("c{number}")).await;
    }
    let query = "query ($first: Int, $after: String, $last: Int, $before: String) { clients(first: $first, after: $after, last: $last, before: $before, orderBy: { field: SLUG, direction: DESC }) { edges { node { slug } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }";
    let slugs = |page: &Value| -> Vec<String> {
        page["clients"]["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| text(&edge["node"]["slug"]))
            .collect()
    };
    let mut seen = Vec::new();
    let mut after = Value::Null;
    let last = loop {
        let page = server.data(query, json!({ "first": 2, "after": after })).await;
        assert_eq!(page["clients"]["totalCount"], 5);
        seen.extend(slugs(&page));
        after = page["clients"]["pageInfo"]["endCursor"].clone();
        if page["clients"]["pageInfo"]["hasNextPage"] == false {
            break page;
        }
    };
    assert_eq!(seen, ["c4", "c3", "c2", "c1", "c0"]);
    let before = &last["clients"]["pageInfo"]["startCursor"];
    let page = server.data(query, json!({ "last": 2, "before": before })).await;
    assert_eq!(slugs(&page), ["c2", "c1"]);
    assert_eq!(page["clients"]["pageInfo"]["hasPreviousPage"], true);
}

#[tokio::test]
async fn the_overview_counts() {
    let server = Fixture::start().await;
    let client = server.client("acme").await;
    server.connector().await;
    let integration = server.integration(&client, "People").await;
    server.run(&integration).await;
    let query = "query ($client: ID) { overview(clientId: $client) { syncsExecuted successRate queued running retrying deadLetters failing webhooksReceived } }";
    for client in [json!(null), json!(client)] {
        let data = server.data(query, json!({ "client": client })).await;
        let expected = json!({ "syncsExecuted": 0.0, "successRate": null, "queued": 1, "running": 0, "retrying": 0, "deadLetters": 0, "failing": 0, "webhooksReceived": 0.0 });
        assert_eq!(data["overview"], expected);
    }
}

/// What a caller read is what it may send back, to the last digit.
#[tokio::test]
async fn who_changes_what_somebody_else_changed_is_told() {
    let server = Fixture::start().await;
    let client = server.client("acme").await;
    server.connector().await;
    let integration = server.integration(&client, "people").await;
    let read = "query($client: ID!, $integration: ID!) { client(id: $client) { updatedAt } integration(id: $integration) { updatedAt } }";
    let ids = json!({ "client": client, "integration": integration });
    let before = server.data(read, ids.clone()).await;
    let write = "mutation($client: UpdateClientInput!, $integration: UpdateIntegrationInput!) { \
        updateClient(input: $client) { client { updatedAt } userErrors { code field message } } \
        updateIntegration(input: $integration) { integration { updatedAt } userErrors { code field message } } }";
    let change = |name: &str, seen: &Value| {
        json!({
            "client": { "clientId": client, "name": name, "ifUpdatedAt": seen["client"]["updatedAt"] },
            "integration": { "integrationId": integration, "name": name, "ifUpdatedAt": seen["integration"]["updatedAt"] },
        })
    };
    let done = server.data(write, change("one", &before)).await;
    assert_eq!(done["updateClient"]["userErrors"], json!([]), "{done:#}");
    assert_eq!(done["updateIntegration"]["userErrors"], json!([]), "{done:#}");
    let refused = server.data(write, change("two", &before)).await;
    for payload in ["updateClient", "updateIntegration"] {
        let error = &refused[payload]["userErrors"][0];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("CONFLICT"), &json!(["ifUpdatedAt"])),
            "{refused:#}"
        );
        assert!(
            error["message"].as_str().unwrap().contains("Read it again"),
            "{error}"
        );
    }
    let after = server.data(read, ids).await;
    assert_eq!(
        after["client"]["updatedAt"],
        done["updateClient"]["client"]["updatedAt"]
    );
    let done = server.data(write, change("two", &after)).await;
    assert_eq!(done["updateClient"]["userErrors"], json!([]), "{done:#}");
}

#[tokio::test]
async fn what_happened_is_listed_and_filtered() {
    let server = Fixture::start().await;
    let (one, other) = (server.client("one").await, server.client("other").await);
    server.connector().await;
    let integration = server.integration(&one, "people").await;
    let run = server.run(&integration).await;
    server.cancel(&run).await;
    server.engine.events().relay().await.unwrap();
    let query = "query($filter: EventFilter) { events(first: 100, filter: $filter) { totalCount edges { node { id type subject } } } }";
    let types = async |filter: Value| {
        let found = server.data(query, json!({ "filter": filter })).await;
        let edges = found["events"]["edges"].as_array().unwrap();
        assert_eq!(found["events"]["totalCount"], edges.len());
        let types = edges
            .iter()
            .map(|edge| edge["node"]["type"].as_str().unwrap().to_owned());
        types.collect::<Vec<_>>()
    };
    let all = types(json!(null)).await;
    assert_eq!(
        all.first().map(String::as_str),
        Some("sync_run.cancelled"),
        "the last one first: {all:?}"
    );
    assert_eq!(types(json!({ "clientId": other })).await, ["client.registered"]);
    assert_eq!(
        types(json!({ "subject": run })).await,
        ["sync_run.cancelled", "sync_run.queued"]
    );
    assert_eq!(
        types(json!({ "types": ["integration.created"] })).await,
        ["integration.created"]
    );
    assert_eq!(types(json!({ "after": "2099-01-01T00:00:00Z" })).await, [""; 0]);
    assert_eq!(types(json!({ "before": "2099-01-01T00:00:00Z" })).await, all);

    let runs = "query($filter: SyncRunFilter) { syncRuns(filter: $filter) { totalCount } }";
    for (filter, expected) in [
        (
            json!({ "connector": "people", "finishedBefore": "2099-01-01T00:00:00Z" }),
            1,
        ),
        (json!({ "connector": "nothing" }), 0),
        (json!({ "finishedAfter": "2099-01-01T00:00:00Z" }), 0),
    ] {
        let found = server.data(runs, json!({ "filter": filter })).await;
        assert_eq!(found["syncRuns"]["totalCount"], expected, "{filter}");
    }
    let found = server
        .data(
            "{ clients(filter: { createdAfter: \"2099-01-01T00:00:00Z\" }) { totalCount } \
             integrations(filter: { createdBefore: \"2099-01-01T00:00:00Z\" }) { totalCount } \
             deadLetters(filter: { stream: \"people\", connector: \"people\", errorKind: [AUTH], createdAfter: \"2001-01-01T00:00:00Z\" }) { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(
        (
            &found["clients"]["totalCount"],
            &found["integrations"]["totalCount"],
            &found["deadLetters"]["totalCount"]
        ),
        (&json!(0), &json!(1), &json!(0))
    );
}
