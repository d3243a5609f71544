//! Versions of a connector, and moving an integration between them.

use serde_json::json;

use crate::fixture::{Fixture, MANIFEST};

const INSTALL: &str = "mutation ($input: InstallConnectorInput!) { installConnector(input: $input) {
    connector { version latest changes { stream field kind breaking message } } userErrors { message } } }";
const MOVE: &str = "mutation ($input: UpdateIntegrationInput!) { updateIntegration(input: $input) {
    integration { connector { version } schemaDrift { field } } connectorChanges { field kind breaking } userErrors { code field } } }";

#[tokio::test]
async fn a_breaking_version_is_said_when_it_is_installed_and_when_it_is_moved_to() {
    let fixture = Fixture::start().await;
    fixture.connector().await;
    let client = fixture.client("acme").await;
    let id = fixture.integration(&client, "people").await;
    let second = MANIFEST.replace("{ id: { type: integer } }", "{ id: { type: string } }");
    let installed = fixture
        .data(INSTALL, json!({ "input": { "manifest": second } }))
        .await;
    let connector = &installed["installConnector"]["connector"];
    assert_eq!(
        (&connector["version"], &connector["latest"]),
        (&json!("2"), &json!(true))
    );
    assert_eq!(
        connector["changes"],
        json!([{ "stream": "people", "field": "id", "kind": "TYPE_CHANGED", "breaking": true,
                 "message": "The type was integer and is string." }])
    );
    let query = "{ connectorVersions(slug: \"people\") { totalCount edges { node { version } } }
        connectorComparison(slug: \"people\", from: \"1\") { to { version } breaking changes { kind } }
        none: connectorComparison(slug: \"people\", from: \"8\") { breaking } }";
    let listed = fixture.data(query, json!({})).await;
    assert_eq!(listed["connectorVersions"]["totalCount"], 2);
    assert_eq!(listed["connectorVersions"]["edges"][0]["node"]["version"], "2");
    assert_eq!(
        listed["connectorComparison"],
        json!({ "to": { "version": "2" }, "breaking": true, "changes": [{ "kind": "TYPE_CHANGED" }] })
    );
    assert!(listed["none"].is_null());

    let input =
        |dry: bool| json!({ "input": { "integrationId": id, "connectorVersion": "2", "dryRun": dry } });
    let version =
        "query ($id: ID!) { integration(id: $id) { connector { version } schemaDrift { stream } } }";
    let dry = fixture.data(MOVE, input(true)).await;
    assert_eq!(
        dry["updateIntegration"]["integration"]["connector"]["version"],
        "2"
    );
    let still = fixture.data(version, json!({ "id": id })).await;
    assert_eq!(
        still["integration"],
        json!({ "connector": { "version": "1" }, "schemaDrift": [] })
    );
    let moved = fixture.data(MOVE, input(false)).await;
    assert_eq!(moved, dry, "a dry run says what happens");
    assert_eq!(
        moved["updateIntegration"]["connectorChanges"],
        json!([{ "field": "id", "kind": "TYPE_CHANGED", "breaking": true }])
    );
    let now = fixture.data(version, json!({ "id": id })).await;
    assert_eq!(now["integration"]["connector"]["version"], "2");
}
