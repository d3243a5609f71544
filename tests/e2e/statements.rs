//! How many statements a request takes in the database: as many for a long list as for a short one, and as many for what
//! is another's as for what is not there.
//!
//! The server says so in its log, and the request's id leads to its line.

use serde_json::{Value, json};
use tests::{
    GraphQl, Server, ServerOptions, TestDatabase, Upstream, eventually, manifest, on_both_databases,
};

const OPERATOR: &str = "the key of the operator of the tests";
/// More than what futures are polled in one go.
const PARENTS: usize = 40;

async fn start(database: &TestDatabase) -> Server {
    let options = ServerOptions::default()
        .with("RUST_LOG", "info,api=debug")
        .with("SYNCLINE_OPERATOR_KEY", OPERATOR)
        // Pages of pages of pages: what is counted here must not be what is refused elsewhere.
        .with("SYNCLINE_QUERY_COMPLEXITY", 100_000_000);
    Server::start_with(database, options).await
}

/// The answer, and how many statements it took.
async fn ask(server: &Server, key: &str, id: &str, query: &str, variables: &Value) -> (Value, u64) {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = http
        .post(format!("http://{}/graphql", server.address()))
        .bearer_auth(key)
        .header("x-request-id", id)
        .json(&json!({ "query": query, "variables": variables }))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let statements = eventually("the answer's log line", || async {
        let lines = server.log_lines();
        let line = lines
            .iter()
            .find(|line| line["message"] == "answered" && line["request_id"] == id)?;
        line["statements"].as_u64()
    })
    .await;
    (answer, statements)
}

/// As many clients, each with an integration that ran.
async fn populate(api: &GraphQl, upstream: &Upstream) -> Vec<String> {
    api.install_connector("items", &manifest(10)).await;
    let mut integrations = Vec::new();
    for number in 0..PARENTS {
        let client = api.register_client(&format!("c{number}")).await;
        let input = json!({
            "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"),
            "schedule": { "cron": "0 3 1 1 *" },
        });
        let integration = api.create_integration(input).await;
        assert_eq!(api.sync(&integration).await["status"], "SUCCEEDED");
        let input = json!({ "name": "a key", "clientId": client, "scopes": ["*:read"] });
        api.accepted("createApiKey", "CreateApiKeyInput", input, "secret")
            .await;
        integrations.push(integration);
    }
    integrations
}

/// Every list, with what hangs on its items.
const LISTS: [(&str, &str); 9] = [
    (
        "clients, their integrations, their last runs, whose they are",
        "clients(first: N) { totalCount edges { node { slug \
        integrations(first: N) { totalCount edges { node { name lastRun { status integration { client { slug } } } } } } } } }",
    ),
    (
        "clients' runs and their streams and attempts",
        "clients(first: N) { edges { node { \
        syncRuns(first: N) { totalCount edges { node { status attempts { number error { kind } } streams { stream cursor } } } } } } }",
    ),
    (
        "integrations and all that is known of them",
        "integrations(first: N) { totalCount edges { node { name config streams health \
        client { slug } connector { slug title } schedule { cron } nextRunAt circuit rateBudget { remaining } \
        schemaDrift { field } activeRun { id } lastRun { status } } } }",
    ),
    (
        "integrations' runs and their logs",
        "integrations(first: N) { edges { node { \
        syncRuns(first: N) { totalCount edges { node { logs(first: N) { edges { node { message } } } } } } } } }",
    ),
    (
        "integrations' records",
        "integrations(first: N) { edges { node { records(stream: \"items\", first: N) { edges { node { key data } } } } } }",
    ),
    (
        "integrations' skipped ticks",
        "integrations(first: N) { edges { node { skippedTicks(first: N) { edges { node { reason } } } } } }",
    ),
    (
        "runs, their integrations and clients",
        "syncRuns(first: N) { totalCount edges { node { status integration { name client { slug } connector { slug } } } } }",
    ),
    (
        "keys and whose they are",
        "apiKeys(first: N) { totalCount edges { node { name client { slug } } } }",
    ),
    (
        "connectors and what changed in them",
        "connectors(first: N) { totalCount edges { node { slug streams { name } changes { kind } } } }",
    ),
];

on_both_databases! {
    async fn a_long_list_takes_no_more_than_a_short_one(database) {
        let upstream = Upstream::start(3).await;
        let server = start(&database).await;
        let api = server.graphql().with_key(OPERATOR);
        let integrations = populate(&api, &upstream).await;
        for (index, (name, list)) in LISTS.iter().enumerate() {
            let mut taken = Vec::new();
            for size in [1, 100] {
                let query = format!("{{ {} }}", list.replace('N', &size.to_string()));
                let id = format!("list-{index}-{size}");
                let (answer, statements) = ask(&server, OPERATOR, &id, &query, &json!({})).await;
                assert!(answer.get("errors").is_none(), "{name}: {answer}");
                let list = answer["data"].as_object().and_then(|data| data.values().next()).expect("a list");
                let length = list["edges"].as_array().expect("edges").len();
                assert!(length >= size.min(2), "{name}: {answer}");
                taken.push(statements);
            }
            assert_eq!(taken[0], taken[1], "{name}: statements for a page of 1, of 100");
            assert!(taken[0] > 0, "{name}");
        }
        // By their ids, of one kind and of several.
        let nodes = "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Integration { client { slug } lastRun { status } } } }";
        let (_, one) = ask(&server, OPERATOR, "nodes-1", nodes, &json!({ "ids": integrations[2..3] })).await;
        let (answer, many) = ask(&server, OPERATOR, "nodes-many", nodes, &json!({ "ids": integrations[2..] })).await;
        assert_eq!(answer["data"]["nodes"].as_array().map(Vec::len), Some(PARENTS - 2), "{answer}");
        assert_eq!(one, many);
        for (kind, list) in [("keys", "apiKeys"), ("erasures", "erasures")] {
            // Keys go with their clients, so these are erased when keys have been asked for.
            if kind == "erasures" {
                for slug in ["c0", "c1"] {
                    let client = api.query("query ($slug: String) { client(slug: $slug) { id } }", json!({ "slug": slug })).await;
                    let input = json!({ "clientId": client["client"]["id"], "confirmSlug": slug });
                    api.accepted("eraseClient", "EraseClientInput", input, "erasure { id }").await;
                }
            }
            let query = format!("{{ {list}(first: 100) {{ edges {{ node {{ id }} }} }} }}");
            let edges = api.query(&query, json!({})).await[list]["edges"].clone();
            let ids: Vec<&Value> = edges.as_array().expect("edges").iter().map(|edge| &edge["node"]["id"]).collect();
            let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
            let (_, one) = ask(&server, OPERATOR, &format!("{kind}-1"), query, &json!({ "ids": ids[..1] })).await;
            let (answer, many) = ask(&server, OPERATOR, &format!("{kind}-many"), query, &json!({ "ids": ids })).await;
            let found = answer["data"]["nodes"].as_array().expect("nodes");
            assert!(found.len() > 1 && found.iter().all(|node| node["id"].is_string()), "{kind}: {answer}");
            assert_eq!(one, many, "statements for one of the {kind}, for {}", ids.len());
        }
    }
}

/// Whose things they are; the key is the client's own.
struct Party {
    key: String,
    ids: Vec<(&'static str, String)>,
}

async fn party(api: &GraphQl, upstream: &Upstream, slug: &str) -> Party {
    let client = api.register_client(slug).await;
    let config = upstream.config("/items");
    let input = json!({ "clientId": client, "connector": "items", "name": "Items", "config": config });
    let integration = api.create_integration(input).await;
    let run = api.sync(&integration).await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let input = json!({ "name": "a key", "clientId": client, "scopes": ["*"] });
    let made = api
        .accepted("createApiKey", "CreateApiKeyInput", input, "secret apiKey { id }")
        .await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let query = "query ($id: ID!) { integration(id: $id) { records(stream: \"items\", first: 1) { edges { node { id } } } } }";
    let data = api.query(query, json!({ "id": integration })).await;
    let record = text(&data["integration"]["records"]["edges"][0]["node"]["id"]);
    Party {
        key: text(&made["secret"]),
        ids: vec![
            ("client", client),
            ("integration", integration),
            ("run", run),
            ("key", text(&made["apiKey"]["id"])),
            ("record", record),
        ],
    }
}

/// What takes an id, and of what.
const ASKED: [(&str, &str); 20] = [
    ("client", "{ node(id: \"ID\") { id } }"),
    ("integration", "{ node(id: \"ID\") { id } }"),
    ("run", "{ node(id: \"ID\") { id } }"),
    ("key", "{ node(id: \"ID\") { id } }"),
    ("record", "{ node(id: \"ID\") { id } }"),
    ("client", "{ client(id: \"ID\") { id } }"),
    ("integration", "{ integration(id: \"ID\") { id } }"),
    ("run", "{ syncRun(id: \"ID\") { id } }"),
    ("client", "{ overview(clientId: \"ID\") { running } }"),
    (
        "integration",
        "{ syncRuns(filter: { integrationId: \"ID\" }) { totalCount edges { node { id } } } }",
    ),
    (
        "client",
        "{ integrations(filter: { clientId: \"ID\" }) { totalCount edges { node { id } } } }",
    ),
    (
        "integration",
        "mutation { triggerSync(input: { integrationId: \"ID\" }) { run { id } userErrors { code } } }",
    ),
    (
        "integration",
        "mutation { pauseIntegration(input: { integrationId: \"ID\" }) { integration { id } userErrors { code } } }",
    ),
    (
        "integration",
        "mutation { resumeIntegration(input: { integrationId: \"ID\" }) { integration { id } userErrors { code } } }",
    ),
    (
        "integration",
        "mutation { updateIntegration(input: { integrationId: \"ID\", name: \"Mine\" }) { integration { id } userErrors { code } } }",
    ),
    (
        "integration",
        "mutation { deleteIntegration(input: { integrationId: \"ID\" }) { deletedId userErrors { code } } }",
    ),
    (
        "run",
        "mutation { cancelSync(input: { runId: \"ID\" }) { run { id } userErrors { code } } }",
    ),
    (
        "run",
        "mutation { approveDeletions(input: { runId: \"ID\" }) { run { id } userErrors { code } } }",
    ),
    (
        "key",
        "mutation { rotateApiKey(input: { apiKeyId: \"ID\" }) { secret userErrors { code } } }",
    ),
    (
        "key",
        "mutation { revokeApiKey(input: { apiKeyId: \"ID\" }) { apiKey { id } userErrors { code } } }",
    ),
];

on_both_databases! {
    // An answer that is the same, and takes another way to it, is told apart by a clock.
    async fn what_is_another_s_takes_the_same_statements_as_what_is_not_there(database) {
        let upstream = Upstream::start(3).await;
        let server = start(&database).await;
        let api = server.graphql().with_key(OPERATOR);
        api.install_connector("items", &manifest(10)).await;
        let own = party(&api, &upstream, "own").await;
        let other = party(&api, &upstream, "other").await;
        for (index, (kind, query)) in ASKED.iter().enumerate() {
            let id_of = |party: &Party| {
                let found = party.ids.iter().find(|(name, _)| name == kind);
                found.expect("an id of the kind").1.clone()
            };
            let theirs = id_of(&other);
            let ask = async |which: &str, id: &str| {
                let request = format!("{which}-{index}");
                ask(&server, &own.key, &request, &query.replace("ID\"", &format!("{id}\"")), &json!({})).await
            };
            // The same, but for its last letters: an id that nothing has.
            let mut unknown = theirs.clone();
            let (kept, last) = unknown.split_at(unknown.len() - 2);
            unknown = format!("{kept}{}", if last == "00" { "11" } else { "00" });
            let (stranger, for_theirs) = ask("theirs", &theirs).await;
            let (nothing, for_unknown) = ask("unknown", &unknown).await;
            assert_eq!(stranger, nothing, "{kind}: {query}");
            assert!(stranger.get("errors").is_none(), "{kind}: {query}: {stranger}");
            assert_eq!(for_theirs, for_unknown, "{kind}: {query}: statements for another's, for nothing");
            assert!(for_theirs > 0, "{kind}: {query}");
        }
    }
}
