//! Two clients of one installation, each with something in everything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tests::{GraphQl, Server, ServerOptions, Subscription, TestDatabase, Upstream, eventually, manifest};

use super::fill::{Things, Writer};
use super::schema::Schema;

pub(super) const OPERATOR_KEY: &str = "the key of the operator of the walk";

/// A client, its key, and what is its.
pub(super) struct Party {
    pub(super) api: GraphQl,
    pub(super) key: String,
    pub(super) things: Things,
    /// What no answer to somebody else may hold.
    pub(super) traces: Vec<String>,
    pub(super) integration: String,
    _upstream: Upstream,
}

pub(super) struct World {
    pub(super) server: Server,
    pub(super) operator: GraphQl,
    pub(super) schema: Schema,
    pub(super) one: Party,
    pub(super) other: Party,
}

impl World {
    pub(super) async fn new(database: &TestDatabase) -> Self {
        // It asks faster than anybody does.
        let options = ServerOptions::default()
            .with("SYNCLINE_OPERATOR_KEY", OPERATOR_KEY)
            .with("SYNCLINE_API_REQUESTS_PER_MINUTE", 1_000_000);
        let server = Server::start_with(database, options).await;
        let operator = server.graphql().with_key(OPERATOR_KEY);
        operator.install_connector("items", &manifest(10)).await;
        let schema = Schema::of(&operator).await;
        let one = party(&server, &operator, &schema, "alphawerk").await;
        let other = party(&server, &operator, &schema, "betahaus").await;
        Self {
            server,
            operator,
            schema,
            one,
            other,
        }
    }

    /// Every row of every table, once nothing moves any more. When a key was last used is none of it.
    pub(super) async fn rows(&self, database: &TestDatabase) -> BTreeMap<String, Vec<String>> {
        eventually("the database is quiet", || async {
            let waiting = database
                .number(
                    "SELECT (SELECT count(*) FROM outbox_event WHERE sequence IS NULL) \
                     + (SELECT count(*) FROM sync_run_tally)",
                )
                .await;
            (waiting == 0).then_some(())
        })
        .await;
        let mut rows = database.rows().await;
        rows.remove("api_key");
        let keys =
            "SELECT name || prefix || coalesce(cast(revoked_at AS text), '') FROM api_key ORDER BY prefix";
        rows.insert("api_key".to_owned(), database.texts(keys).await);
        let secrets =
            "SELECT prefix || coalesce(cast(valid_until AS text), '') FROM api_key_secret ORDER BY prefix";
        rows.insert("api_key_secret".to_owned(), database.texts(secrets).await);
        rows
    }
}

/// A new key's secret and id.
pub(super) async fn key(
    operator: &GraphQl,
    client: Option<&str>,
    name: &str,
    scopes: &[&str],
) -> (String, String) {
    let input = json!({ "clientId": client, "name": name, "scopes": scopes });
    let made = operator
        .accepted("createApiKey", "CreateApiKeyInput", input, "secret apiKey { id }")
        .await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["secret"]), text(&made["apiKey"]["id"]))
}

async fn party(server: &Server, operator: &GraphQl, schema: &Schema, mark: &str) -> Party {
    let published = "subscription { eventPublished { id } }";
    let mut events =
        Subscription::open_with(server.address(), Some(OPERATOR_KEY), published, json!({})).await;
    let upstream = Upstream::start(3).await;
    upstream.call_all(&format!("{mark} record"));
    let slug = format!("{mark}-slug");
    let input = json!({ "slug": slug, "name": format!("{mark} name"), "metadata": { "note": format!("{mark} note") } });
    let client = operator
        .accepted("registerClient", "RegisterClientInput", input, "client { id }")
        .await["client"]["id"]
        .take();
    let client = client.as_str().expect("an id").to_owned();
    let integration = furnish(operator, &upstream, &client, mark).await;
    let (key, _) = key(operator, Some(&client), &format!("{mark} key"), &["*"]).await;
    let api = operator.clone().with_key(&key);
    let mut things = Things {
        slug,
        mark: mark.to_owned(),
        ids: BTreeMap::from([
            ("cli".to_owned(), vec![client.clone()]),
            ("int".to_owned(), vec![integration.clone()]),
        ]),
        ..Things::default()
    };
    loop {
        let event = events.next().await.expect("the subscription stays open");
        let id = event["eventPublished"]["id"].as_str().expect("an id").to_owned();
        let last = api
            .query(
                "query($id: ID!) { node(id: $id) { ... on Event { type } } }",
                json!({ "id": id }),
            )
            .await;
        things.ids.entry("evt".to_owned()).or_default().push(id);
        if last["node"]["type"] == "api_key.created" {
            break;
        }
    }
    harvest(&api, schema, &mut things).await;
    let mut traces: Vec<String> = things.ids.values().flatten().cloned().collect();
    traces.extend([mark.to_owned(), upstream.url()]);
    Party {
        api,
        key,
        things,
        traces,
        integration,
        _upstream: upstream,
    }
}

/// Runs that ended well and badly, records, dead letters of both kinds, a schedule and ticks that it skipped.
async fn furnish(operator: &GraphQl, upstream: &Upstream, client: &str, mark: &str) -> String {
    let with = |name: &str, path: &str| {
        json!({
            "clientId": client, "connector": "items", "name": format!("{mark} {name}"), "config": upstream.config(path),
            "retry": { "maxAttempts": 1, "baseDelaySeconds": 0.01 },
        })
    };
    for (path, status) in [("/mixed", "PARTIALLY_SUCCEEDED"), ("/status/500", "FAILED")] {
        let integration = operator.create_integration(with("that fails", path)).await;
        assert_eq!(operator.sync(&integration).await["status"], status);
    }
    let integration = operator.create_integration(with("main", "/items")).await;
    let run = operator
        .trigger_with(json!({ "integrationId": integration, "idempotencyKey": mark }))
        .await;
    assert_eq!(operator.finished(&run).await["status"], "SUCCEEDED");
    let id = json!({ "integrationId": integration });
    operator
        .accepted(
            "pauseIntegration",
            "PauseIntegrationInput",
            id.clone(),
            "__typename",
        )
        .await;
    let scheduled = |cron: &str| json!({ "integrationId": integration, "schedule": { "cron": cron } });
    operator
        .accepted(
            "updateIntegration",
            "UpdateIntegrationInput",
            scheduled("* * * * * *"),
            "__typename",
        )
        .await;
    eventually("a tick is skipped", || async {
        let query = "query($id: ID!) { integration(id: $id) { skippedTicks { edges { cursor } } } }";
        let found = operator.query(query, json!({ "id": integration })).await;
        (!found["integration"]["skippedTicks"]["edges"][0].is_null()).then_some(())
    })
    .await;
    operator
        .accepted(
            "updateIntegration",
            "UpdateIntegrationInput",
            scheduled("0 0 1 1 *"),
            "__typename",
        )
        .await;
    operator
        .accepted("resumeIntegration", "ResumeIntegrationInput", id, "__typename")
        .await;
    integration
}

/// Reads everything that the party's own key shows, and keeps the ids and cursors.
async fn harvest(api: &GraphQl, schema: &Schema, things: &mut Things) {
    let mut found = things.clone();
    for field in schema.root("queryType") {
        let writer = Writer {
            schema,
            things,
            names_somebody: false,
        };
        let is_list = field.arguments.iter().any(|argument| argument.name == "first");
        let asked = match field.name.as_str() {
            "client" => format!("client(id: {:?})", things.id("cli")),
            "integration" => format!("integration(id: {:?})", things.id("int")),
            name if is_list => {
                let required = field.arguments.iter().filter(|argument| argument.of.is_required);
                let place = format!("Query.{name}");
                let required: String = required
                    .map(|argument| format!("{}: {}, ", argument.name, writer.value(&place, argument)))
                    .collect();
                format!("{name}({required}first: 100)")
            }
            _ => continue,
        };
        let inner = if is_list {
            "{ edges { node { id } } pageInfo { endCursor } }".to_owned()
        } else {
            writer.selection(&field.of.name, &mut BTreeSet::new())
        };
        let answer = api.query(&format!("{{ {asked} {inner} }}"), json!({})).await;
        keep(schema, "Query", &answer, &mut found);
    }
    *things = found;
}

fn keep(schema: &Schema, name: &str, value: &Value, things: &mut Things) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| keep(schema, name, item, things)),
        Value::Object(object) => {
            for field in schema.fields(name) {
                let Some(inner) = object.get(&field.name) else {
                    continue;
                };
                if let Some(cursor) = inner["pageInfo"]["endCursor"].as_str() {
                    things
                        .cursors
                        .insert(format!("{name}.{}", field.name), cursor.to_owned());
                }
                if let (Some(id), true) = (inner.as_str(), field.of.name == "ID") {
                    let prefix = id.split('_').next().unwrap_or_default();
                    let ids = things.ids.entry(prefix.to_owned()).or_default();
                    // A connector is everybody's.
                    if prefix != "con" && !ids.iter().any(|known| known == id) {
                        ids.push(id.to_owned());
                    }
                }
                keep(schema, &field.of.name, inner, things);
            }
        }
        _ => {}
    }
}
