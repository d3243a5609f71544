//! A client's rights to its data: everything in one file, and everything gone.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Server, ServerOptions, eventually, on_both_databases};

use super::world::{OPERATOR_KEY, World, key};

/// The lines of an export of a client.
async fn lines(api: &tests::GraphQl, client: &str) -> Vec<Value> {
    let answer = api
        .get(&format!("/export/clients/{client}"))
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.expect("a whole body");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

on_both_databases! {
    async fn a_client_s_data_are_one_file(database) {
        let world = World::new(&database).await;
        let client = world.one.things.id("cli").to_owned();
        let found = lines(&world.operator, &client).await;
        let kinds: BTreeSet<&str> = found.iter().filter_map(|line| line["type"].as_str()).collect();
        let expected = [
            "apiKey", "client", "deadLetter", "end", "event", "integration", "log", "record", "schedule", "skippedTick",
            "syncRun",
        ];
        assert_eq!(kinds, BTreeSet::from(expected));
        let end = found.last().expect("a line");
        assert_eq!(*end, json!({ "type": "end", "data": { "lines": found.len() - 1 } }));
        let text = found.iter().map(ToString::to_string).collect::<String>();
        // Everything with an id that its own key shows is there, but what is the operator's.
        for id in world.one.things.ids.values().flatten() {
            assert!(text.contains(id.as_str()), "{id} is missing");
        }
        for trace in [&world.other.things.mark, &world.other.key, &world.one.key] {
            assert!(!text.contains(trace.as_str()), "{trace}");
        }
        assert!(text.contains("******"), "secrets are masked");
        assert!(!text.contains("\"token\":\"secret"), "{text}");

        // Its own key shows the same; one that may not read all of it, and another's, nothing.
        let own: BTreeSet<String> = lines(&world.one.api, &client).await.iter().map(ToString::to_string).collect();
        assert!(own.iter().any(|line| line.contains("\"record\"")));
        let (narrow, _) = key(&world.operator, Some(&client), "narrow", &["records:read", "clients:read"]).await;
        let path = format!("/export/clients/{client}");
        for (api, status) in [
            (world.server.graphql().with_key(&narrow), 403),
            (world.other.api.clone(), 404),
            (world.server.graphql(), 401),
        ] {
            let answer = api.get(&path).await.expect("an answer");
            assert_eq!(answer.status(), status);
            assert!(!answer.text().await.expect("a body").contains(&world.one.things.mark));
        }
        let nobody = world.operator.get("/export/clients/nonsense").await.expect("an answer");
        assert_eq!(nobody.status(), 404);
    }

    async fn an_erasure_survives_its_worker(database) {
        let world = World::new(&database).await;
        let client = world.one.things.id("cli").to_owned();
        let stream = "(SELECT min(id) FROM stream_state)";
        let (data, from) = if database.is_sqlite() {
            ("randomblob(16)", "(WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 150000) SELECT n FROM n) AS n")
        } else {
            ("decode(md5(n::text), 'hex')", "generate_series(1, 150000) AS n (n)")
        };
        database
            .execute(&format!(
                "INSERT INTO record (stream_id, key, data, hash, change_number, change, first_seen_at, changed_at) \
                 SELECT {stream}, 'k' || n, '{{\"name\":\"alphawerk\"}}', {data}, 1000 + n, 0, 1, 1 FROM {from}"
            ))
            .await;
        let records = "SELECT count(*) FROM record";
        let all = database.number(records).await;
        // Of a run that is under way when it is asked for.
        let input = json!({ "clientId": client, "confirmSlug": world.one.things.slug });
        let begun = world
            .operator
            .accepted("eraseClient", "EraseClientInput", input, "erasure { id status requestedBy }")
            .await;
        assert_eq!(begun["erasure"]["requestedBy"], "operator");
        let erasure = begun["erasure"]["id"].as_str().expect("an id").to_owned();
        let refused = world.one.api.answer("{ viewer { name } }", json!({})).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "its key is dead at once");
        eventually("records are being erased", || async { (database.number(records).await < all).then_some(()) }).await;
        let World { server, one, other, .. } = world;
        server.kill().await;
        let left = database.number(records).await;
        assert!(left > 1_000, "it was killed in the middle: {left}");
        let open = "SELECT count(*) FROM erasure WHERE finished_at IS NULL";
        assert_eq!(database.number(open).await, 1);

        let options = ServerOptions::default().with("SYNCLINE_OPERATOR_KEY", OPERATOR_KEY);
        let server = Server::start_with(&database, options).await;
        let operator = server.graphql().with_key(OPERATOR_KEY);
        let query = "query($id: ID!) { node(id: $id) { ... on Erasure { status finishedAt erased { what count } } } }";
        let done = eventually("the erasure is done", || async {
            let found = operator.query(query, json!({ "id": erasure })).await["node"].take();
            (found["status"] == "DONE").then_some(found)
        })
        .await;
        let erased = done["erased"].as_array().expect("counts").iter();
        let counted = erased.filter(|counted| counted["what"] == "record").filter_map(|counted| counted["count"].as_f64());
        let others = database.number(records).await;
        assert_eq!(counted.sum::<f64>() as i64, all - others, "what was counted before and after is all there was");

        // Ids are bytes on SQLite and have dashes on PostgreSQL: their last and random part is the same everywhere.
        let missing = operator.query("query($id: ID!) { node(id: $id) { id } }", json!({ "id": client })).await;
        assert_eq!(missing["node"], Value::Null);
        let rows = eventually("the events are relayed", || async {
            let waiting = database.number("SELECT count(*) FROM outbox_event WHERE sequence IS NULL").await;
            if waiting > 0 { None } else { Some(database.rows().await) }
        })
        .await;
        for (table, rows) in rows {
            for row in rows {
                assert!(!row.contains(&one.things.mark), "{table}: {row}");
                for id in one.things.ids.values().flatten().filter(|_| table != "erasure") {
                    assert!(!row.contains(id.as_str()), "{table}: {row}");
                }
            }
        }
        let others = server.graphql().with_key(&other.key);
        let listed = others.query("{ integrations { totalCount } syncRuns { totalCount } }", json!({})).await;
        assert!(listed["integrations"]["totalCount"] != 0 && listed["syncRuns"]["totalCount"] != 0, "{listed}");
    }
}
