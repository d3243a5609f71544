//! Streams as files: whole or noticeably not, as fast as they are read, and for whom they are.

use std::collections::BTreeMap;

use futures::StreamExt;
use serde_json::{Value, json};
use tests::{
    GraphQl, Server, ServerOptions, TestDatabase, Upstream, eventually, manifest, on_both_databases,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const OPERATOR: &str = "the key of the operator of the tests";

async fn start(database: &TestDatabase) -> (Server, GraphQl) {
    let server = Server::start_with(
        database,
        ServerOptions::default().with("SYNCLINE_OPERATOR_KEY", OPERATOR),
    )
    .await;
    let api = server.graphql().with_key(OPERATOR);
    api.install_connector("items", &manifest(10)).await;
    (server, api)
}

async fn integration(api: &GraphQl, upstream: &Upstream, client: &str) -> String {
    api.create_integration(json!({
        "clientId": client, "connector": "items", "name": "Items", "config": upstream.config("/items"),
    }))
    .await
}

async fn key(api: &GraphQl, client: Option<&str>, scopes: &[&str]) -> (String, String) {
    let input = json!({ "name": "a key", "clientId": client, "scopes": scopes });
    let made = api
        .accepted("createApiKey", "CreateApiKeyInput", input, "secret apiKey { id }")
        .await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["secret"]), text(&made["apiKey"]["id"]))
}

/// A whole export: its lines, and the cursor that it announced.
async fn export(api: &GraphQl, path: &str) -> (Vec<Value>, String) {
    let answer = api.get(path).await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    let cursor = answer.headers()["syncline-cursor"]
        .to_str()
        .expect("a text")
        .to_owned();
    let text = answer.text().await.expect("a whole body");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"));
    (lines.collect(), cursor)
}

/// Gives the stream this many records more, of a kilobyte each.
async fn fill(database: &TestDatabase, records: u32) {
    let data = if database.is_sqlite() {
        "'{\"id\":' || n || ',\"name\":\"' || hex(randomblob(512)) || '\"}', randomblob(16)"
    } else {
        "'{\"id\":' || n || ',\"name\":\"' || repeat(md5(n::text), 32) || '\"}', decode(md5(n::text), 'hex')"
    };
    let from = if database.is_sqlite() {
        format!(
            "(WITH RECURSIVE n (n) AS (SELECT 1001 UNION ALL SELECT n + 1 FROM n LIMIT {records}) SELECT n FROM n) AS n"
        )
    } else {
        format!("generate_series(1001, 1000 + {records}) AS n (n)")
    };
    database
        .execute(&format!(
            "INSERT INTO record (stream_id, key, data, hash, change_number, change, first_seen_at, changed_at) \
             SELECT (SELECT id FROM stream_state), 'k' || n, {data}, n, 0, 1, 1 FROM {from}"
        ))
        .await;
    database
        .execute(&format!(
            "UPDATE integration SET change_counter = {}",
            1000 + records
        ))
        .await;
}

/// An export that nobody reads yet, with as little room on the way as there can be.
struct Unread(TcpStream);

impl Unread {
    async fn open(server: &Server, key: &str, path: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a small buffer");
        let mut stream = socket.connect(server.address()).await.expect("a connection");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request");
        Self(stream)
    }

    /// The status line.
    async fn status(&mut self) -> String {
        let mut head = vec![0; 15];
        self.0.read_exact(&mut head).await.expect("a status");
        String::from_utf8(head).expect("a text")
    }

    /// Everything that comes; and whether it came to its end, which is the empty chunk.
    async fn rest(mut self) -> (String, bool) {
        let mut bytes = Vec::new();
        let read = self.0.read_to_end(&mut bytes);
        // A whole answer leaves the connection open: nothing more comes then.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.ends_with("0\r\n\r\n");
        (text, whole)
    }

    /// Waits until nothing more fits on the way to us.
    async fn full(&self) {
        let local = self.0.local_addr().expect("an address").port();
        let mut before = String::new();
        let mut same = 0;
        eventually("the way is full", || {
            // The sender's line: remote port is ours; what it has queued.
            let table = std::fs::read_to_string("/proc/net/tcp").expect("the table of connections");
            let ours = format!(":{local:04X}");
            let queue = table.lines().find_map(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                (fields.get(2)?.ends_with(&ours)).then(|| fields[4].to_owned())
            });
            let queue = queue.unwrap_or_default();
            same = if queue == before && !queue.starts_with("00000000") {
                same + 1
            } else {
                0
            };
            before = queue;
            std::future::ready((same > 20).then_some(()))
        })
        .await;
    }
}

on_both_databases! {
    async fn a_copy_by_exports_is_the_stream(database) {
        let (_server, api) = start(&database).await;
        let upstream = Upstream::start(25).await;
        let client = api.register_client("acme").await;
        let integration = integration(&api, &upstream, &client).await;
        let path = format!("/export/{integration}/items");
        let (none, start) = export(&api, &path).await;
        assert_eq!(none, Vec::<Value>::new(), "before its first sync a stream is empty");
        api.sync(&integration).await;

        let (lines, cursor) = export(&api, &format!("{path}?changedAfter={start}")).await;
        assert_eq!(lines.len(), 25);
        let mut copy: BTreeMap<String, Value> = BTreeMap::new();
        let mut take = |lines: Vec<Value>| {
            for line in lines {
                let key = line["key"].as_str().expect("a key").to_owned();
                match line["change"].as_str() {
                    Some("DELETED") => copy.remove(&key),
                    _ => copy.insert(key, line["data"].clone()),
                };
            }
            copy.clone()
        };
        assert_eq!(take(lines), upstream.items());
        // Somewhere in the middle it broke off: the last line's cursor goes on.
        let (lines, _) = export(&api, &path).await;
        let middle = lines[9]["cursor"].as_str().expect("a cursor");
        assert_eq!(export(&api, &format!("{path}?changedAfter={middle}")).await.0, lines[10..]);

        upstream.touch([3, 4], 1);
        upstream.remove([5]);
        let refresh = json!({ "integrationId": integration, "mode": "FULL_REFRESH" });
        let run = api.trigger_with(refresh).await;
        assert_eq!(api.finished(&run).await["status"], "SUCCEEDED");
        let changes = format!("{path}?changedAfter={cursor}&includeDeleted=true");
        let (lines, last) = export(&api, &changes).await;
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert_eq!(take(lines), upstream.items());
        let (nothing, same) = export(&api, &format!("{path}?changedAfter={last}&includeDeleted=true")).await;
        assert_eq!((nothing.len(), same), (0, last));

        let table = api.get(&format!("{path}?format=csv")).await.expect("an answer");
        assert_eq!(table.headers()["content-type"], "text/csv; charset=utf-8; header=present");
        assert_eq!(
            table.headers()["content-disposition"],
            format!("attachment; filename=\"{integration}-items.csv\"")
        );
        let table = table.text().await.expect("a whole body");
        let rows: Vec<&str> = table.split_terminator("\r\n").collect();
        assert_eq!(rows.len(), 1 + 24);
        assert_eq!(
            rows[0],
            "_syncline_key,_syncline_change,_syncline_changed_at,_syncline_first_seen_at,_syncline_deleted_at,\
             _syncline_cursor,id,name,updated_at,_syncline_rest"
        );
        assert!(rows[1].contains(",1,"), "{}", rows[1]);
    }

    async fn an_export_is_for_whom_the_records_are(database) {
        let (server, api) = start(&database).await;
        let upstream = Upstream::start(3).await;
        let (one, other) = (api.register_client("one").await, api.register_client("other").await);
        let integration = integration(&api, &upstream, &one).await;
        api.sync(&integration).await;
        let path = format!("/export/{integration}/items");
        let (own, _) = key(&api, Some(&one), &["records:read"]).await;
        let (stranger, _) = key(&api, Some(&other), &["*"]).await;
        let (narrow, _) = key(&api, Some(&one), &["integrations:read"]).await;
        let get = async |key: Option<&str>, path: &str| {
            let api = key.map_or_else(|| server.graphql(), |key| server.graphql().with_key(key));
            let answer = api.get(path).await.expect("an answer");
            let status = answer.status().as_u16();
            (status, answer.text().await.expect("a body"))
        };
        assert_eq!(get(Some(&own), &path).await.1.lines().count(), 3);
        assert_eq!(get(None, &path).await.0, 401);
        assert_eq!(get(Some(&narrow), &path).await.0, 403);
        let unknown = "/export/int_01h455vb4pex5vsknk084sn02q/items";
        let told = |answer: (u16, String)| {
            let answer: (u16, Value) = (answer.0, serde_json::from_str(&answer.1).expect("JSON"));
            (answer.0, answer.1["errors"][0]["message"].clone())
        };
        let nothing = told(get(Some(&stranger), unknown).await);
        assert_eq!(nothing.0, 404);
        for nowhere in [path.as_str(), "/export/nonsense/items", "/export/%FF/%FF"] {
            assert_eq!(told(get(Some(&stranger), nowhere).await), nothing, "{nowhere}");
        }
        assert_eq!(told(get(Some(&own), &format!("/export/{integration}/nothing")).await), nothing);
        for (wrong, says) in [
            ("format=xml", "jsonl or csv"),
            ("changedafter=x", "changedAfter"),
            ("changedAfter=nonsense", "cursor"),
            ("includeDeleted=1", "false or true"),
            ("format=csv&format=csv", "twice"),
        ] {
            let (status, text) = get(Some(&own), &format!("{path}?{wrong}")).await;
            assert!(status == 400 && text.contains(says), "{wrong}: {status} {text}");
        }
    }

    async fn reading_the_database_waits_for_who_reads_the_export(database) {
        let (server, api) = start(&database).await;
        let upstream = Upstream::start(1).await;
        let client = api.register_client("acme").await;
        let integration = integration(&api, &upstream, &client).await;
        api.sync(&integration).await;
        fill(&database, 40_000).await;
        let export = Unread::open(&server, OPERATOR, &format!("/export/{integration}/items")).await;
        export.full().await;
        // 14 MB are more than what is on the way and in memory; what is behind them was not read yet.
        database.execute("DELETE FROM record WHERE change_number > 15000").await;
        let (text, whole) = export.rest().await;
        assert!(whole, "nothing went wrong: {}", text.len());
        let records = text.matches("\"cursor\"").count();
        assert_eq!(records, 14_001, "what was deleted had not been read ahead");
    }

    async fn who_goes_away_gives_the_place_back(database) {
        let (server, api) = start(&database).await;
        let upstream = Upstream::start(1).await;
        let client = api.register_client("acme").await;
        let integration = integration(&api, &upstream, &client).await;
        api.sync(&integration).await;
        fill(&database, 20_000).await;
        let path = format!("/export/{integration}/items");
        let (own, _) = key(&api, Some(&client), &["records:read"]).await;
        let mut unread = Vec::new();
        for _ in 0..4 {
            let mut export = Unread::open(&server, &own, &path).await;
            assert_eq!(export.status().await, "HTTP/1.1 200 OK");
            unread.push(export);
        }
        let refused = server.graphql().with_key(&own).get(&path).await.expect("an answer");
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["retry-after"], "10");
        assert_eq!(api.get(&path).await.expect("an answer").status(), 200, "others have places of their own");
        unread.clear();
        eventually("a place is free", || async {
            let mut export = Unread::open(&server, &own, &path).await;
            (export.status().await == "HTTP/1.1 200 OK").then_some(())
        })
        .await;
    }

    async fn what_breaks_off_does_not_look_whole(database) {
        let (server, api) = start(&database).await;
        let upstream = Upstream::start(1).await;
        let client = api.register_client("acme").await;
        let integration = integration(&api, &upstream, &client).await;
        api.sync(&integration).await;
        fill(&database, 40_000).await;
        let path = format!("/export/{integration}/items");
        let (own, id) = key(&api, Some(&client), &["records:read"]).await;
        let revoked = Unread::open(&server, &own, &path).await;
        revoked.full().await;
        api.accepted("revokeApiKey", "RevokeApiKeyInput", json!({ "apiKeyId": id }), "apiKey { id }").await;
        eventually("the export of the revoked key ends", || async { server.logged("an export broke off") }).await;
        let (text, whole) = revoked.rest().await;
        assert!(!whole && text.contains("\"cursor\""), "{} bytes", text.len());

        // Compressed as well, and as a client sees it that is not ours.
        let deleted = api.get(&format!("{path}?format=csv")).await.expect("an answer");
        let mut body = deleted.bytes_stream();
        body.next().await.expect("a piece").expect("a good one");
        api.accepted("deleteIntegration", "DeleteIntegrationInput", json!({ "integrationId": integration }), "deletedId").await;
        let mut broken = false;
        while let Some(piece) = body.next().await {
            broken |= piece.is_err();
        }
        assert!(broken, "the reader hears of it");
    }
}
