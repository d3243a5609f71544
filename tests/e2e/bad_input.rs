//! What a caller can get wrong, and the answer that says what to do. Never a 500, never half a change.

use serde_json::{Value, json};
use tests::{GraphQl, Server, TestDatabase, Upstream, manifest, on_both_databases};

async fn with_connector(database: &TestDatabase) -> (Server, GraphQl, Upstream, String) {
    let upstream = Upstream::start(5).await;
    let server = Server::start(database).await;
    let api = server.graphql();
    let client = api.register_client("acme").await;
    api.install_connector("items", &manifest(10)).await;
    (server, api, upstream, client)
}

fn code_and_field(error: &Value) -> (&str, Value) {
    (error["code"].as_str().expect("a code"), error["field"].clone())
}

fn message(error: &Value) -> &str {
    error["message"].as_str().expect("a message")
}

on_both_databases! {
    async fn a_taken_slug(database) {
        let (_server, api, _upstream, _client) = with_connector(&database).await;
        let again = json!({ "slug": "acme", "name": "Another" });
        let errors = api.refused("registerClient", "RegisterClientInput", again).await;
        assert_eq!(code_and_field(&errors[0]), ("TAKEN", json!(["slug"])));

        let racing = json!({ "slug": "race", "name": "Race" });
        let answers = futures::future::join_all(
            (0..10).map(|_| api.mutate("registerClient", "RegisterClientInput", racing.clone(), "client { id }")),
        )
        .await;
        assert_eq!(answers.iter().filter(|payload| payload["client"].is_object()).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|payload| payload["client"].is_object() || payload["userErrors"][0]["code"] == "TAKEN"));
    }

    async fn ids_that_name_nothing(database) {
        let (_server, api, _upstream, client) = with_connector(&database).await;
        let unknown = "int_01h455vb4pex5vsknk084sn02q";
        for id in [unknown, "nonsense", "", client.as_str(), "int_", "int_zzzzzzzzzzzzzzzzzzzzzzzzzz"] {
            let data = api.query("query($id: ID!) { integration(id: $id) { id } syncRun(id: $id) { id } }", json!({ "id": id })).await;
            assert_eq!(data, json!({ "integration": null, "syncRun": null }), "{id}");
            let errors = api.refused("triggerSync", "TriggerSyncInput", json!({ "integrationId": id })).await;
            assert_eq!(code_and_field(&errors[0]), ("NOT_FOUND", json!(["integrationId"])), "{id}");
        }
        let nodes = api.query("query($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }", json!({ "ids": [unknown, client, "x"] })).await;
        assert_eq!(nodes["nodes"], json!([null, { "id": client, "__typename": "Client" }, null]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_connector() {
    let database = TestDatabase::sqlite();
    let (_server, api, upstream, client) = with_connector(&database).await;
    let input = json!({ "clientId": client, "connector": "itemz", "name": "Items", "config": upstream.config("/items") });
    let errors = api
        .refused("createIntegration", "CreateIntegrationInput", input)
        .await;
    assert_eq!(code_and_field(&errors[0]), ("NOT_FOUND", json!(["connector"])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_that_does_not_fit_says_which_field_and_what_was_expected() {
    let database = TestDatabase::sqlite();
    let (_server, api, upstream, client) = with_connector(&database).await;
    let create = |config: Value| {
        let input = json!({ "clientId": client, "connector": "items", "name": "Items", "config": config });
        let api = api.clone();
        async move {
            api.refused("createIntegration", "CreateIntegrationInput", input)
                .await
        }
    };
    let mut missing = upstream.config("/items");
    missing.as_object_mut().expect("an object").remove("token");
    let errors = create(missing).await;
    assert_eq!(errors[0]["field"], json!(["config", "token"]), "{errors:?}");
    assert!(["REQUIRED", "INVALID"].contains(&code_and_field(&errors[0]).0));

    let mut wrong = upstream.config("/items");
    wrong["path"] = json!(7);
    wrong["token"] = json!(["very-s3cret"]);
    let errors = create(wrong).await;
    let paths: Vec<_> = errors.iter().map(|error| error["field"].clone()).collect();
    assert!(
        paths.contains(&json!(["config", "path"])) && paths.contains(&json!(["config", "token"])),
        "{errors:?}"
    );
    assert!(
        errors.iter().all(|error| message(error).contains("text")),
        "{errors:?}"
    );
    assert!(
        !errors.iter().any(|error| message(error).contains("very-s3cret")),
        "{errors:?}"
    );

    let mut surplus = upstream.config("/items");
    surplus["tokn"] = json!("x");
    let errors = create(surplus).await;
    assert!(message(&errors[0]).contains("tokn"), "{errors:?}");

    let errors = create(json!("not an object")).await;
    assert_eq!(errors[0]["field"], json!(["config"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_schedule() {
    let database = TestDatabase::sqlite();
    let (_server, api, upstream, client) = with_connector(&database).await;
    for (schedule, field) in [
        (json!({ "cron": "every minute" }), "cron"),
        (json!({ "cron": "61 * * * *" }), "cron"),
        (json!({ "cron": "0 0 30 2 *" }), "cron"),
        (
            json!({ "cron": "* * * * *", "timezone": "Europe/Atlantis" }),
            "timezone",
        ),
        (
            json!({ "cron": "* * * * *", "jitterSeconds": -1 }),
            "jitterSeconds",
        ),
    ] {
        let input = json!({
            "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"), "schedule": schedule,
        });
        let errors = api
            .refused("createIntegration", "CreateIntegrationInput", input)
            .await;
        assert_eq!(
            code_and_field(&errors[0]),
            ("INVALID", json!(["schedule", field])),
            "{schedule}: {errors:?}"
        );
    }
    let count = api.query("{ integrations { totalCount } }", json!({})).await;
    assert_eq!(count["integrations"]["totalCount"], 0, "nothing was half created");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_with_an_error_says_where() {
    let database = TestDatabase::sqlite();
    let (_server, api, _upstream, _client) = with_connector(&database).await;
    let install = |manifest: String| {
        let api = api.clone();
        async move {
            api.refused(
                "installConnector",
                "InstallConnectorInput",
                json!({ "slug": "broken", "manifest": manifest }),
            )
            .await
        }
    };
    let unknown = manifest(10).replace("type: OffsetIncrement", "type: OffsetIncrementt");
    let line = 1 + unknown
        .lines()
        .position(|text| text.contains("OffsetIncrementt"))
        .expect("the line");
    let errors = install(unknown).await;
    assert!(message(&errors[0]).contains("OffsetIncrement"), "{errors:?}");
    assert!(
        message(&errors[0]).contains(&format!("line {line}, column ")),
        "{errors:?}"
    );
    assert_eq!(errors[0]["field"], json!(["manifest"]));

    let custom = manifest(10).replace(
        "type: DpathExtractor",
        "type: CustomRecordExtractor\n          class_name: source_x.Extractor",
    );
    let errors = install(custom).await;
    assert!(message(&errors[0]).contains("source_x.Extractor"), "{errors:?}");

    let errors = install("streams: [".to_owned()).await;
    assert!(message(&errors[0]).contains("line 1, column "), "{errors:?}");
    for empty in ["", "[]", "42"] {
        install(empty.to_owned()).await;
    }
    let connector = api
        .query("{ connector(slug: \"broken\") { id } }", json!({}))
        .await;
    assert_eq!(connector["connector"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slugs_names_streams_and_pages_that_are_out_of_bounds() {
    let database = TestDatabase::sqlite();
    let (_server, api, upstream, client) = with_connector(&database).await;
    for slug in ["", "-x", "Upper", "with space", "ü", &"x".repeat(64)] {
        let errors = api
            .refused(
                "registerClient",
                "RegisterClientInput",
                json!({ "slug": slug, "name": "N" }),
            )
            .await;
        assert_eq!(errors[0]["field"], json!(["slug"]), "{slug}");
    }
    let input = json!({ "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"), "streams": ["itmes"] });
    let errors = api
        .refused("createIntegration", "CreateIntegrationInput", input)
        .await;
    assert!(
        message(&errors[0]).contains("items"),
        "it names what there is: {errors:?}"
    );

    for arguments in [
        "first: 0",
        "first: 101",
        "first: -1",
        "after: \"nonsense\"",
        "first: 1, last: 1",
    ] {
        let answer = api
            .answer(
                &format!("{{ clients({arguments}) {{ edges {{ cursor }} }} }}"),
                json!({}),
            )
            .await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{arguments}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_client_and_a_paused_integration_start_nothing() {
    let database = TestDatabase::sqlite();
    let (_server, api, upstream, client) = with_connector(&database).await;
    let input = json!({ "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items") });
    let integration = api.create_integration(input.clone()).await;
    api.accepted(
        "pauseIntegration",
        "PauseIntegrationInput",
        json!({ "integrationId": integration }),
        "integration { status }",
    )
    .await;
    let errors = api
        .refused(
            "triggerSync",
            "TriggerSyncInput",
            json!({ "integrationId": integration }),
        )
        .await;
    assert_eq!(errors[0]["code"], "CONFLICT");
    assert!(message(&errors[0]).contains("resumeIntegration"), "{errors:?}");

    api.accepted(
        "archiveClient",
        "ArchiveClientInput",
        json!({ "clientId": client }),
        "client { status }",
    )
    .await;
    let errors = api
        .refused("createIntegration", "CreateIntegrationInput", input)
        .await;
    assert_eq!(
        (code_and_field(&errors[0]).0, &errors[0]["field"]),
        ("CONFLICT", &json!(["clientId"]))
    );
    assert_eq!(upstream.requests(), Vec::<String>::new());
}
