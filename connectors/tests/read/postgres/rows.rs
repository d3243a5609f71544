//! Rows, in pages and from a state on.

use connectors::catalog;
use connectors::read::{Checkpoint, ErrorKind, Page, ReadRequest};
use serde_json::{Value, json};

use super::{CHANGING, Database, NUMBERED};
use crate::upstream::{connector, ids, kept, pages, records, request};

#[tokio::test]
async fn a_table_is_read_in_pages_by_its_primary_key() {
    let database = Database::new(NUMBERED).await;
    let read = database.all("table: items\npage_size: 10").await;
    assert_eq!(ids(&read), (1..=25).collect::<Vec<_>>());
    assert_eq!(
        read.iter().map(|page| page.records.len()).collect::<Vec<_>>(),
        [10, 10, 5]
    );
    assert!(
        read.iter()
            .all(|page| page.stats.requests == 1 && page.stats.bytes > 100)
    );
    assert_eq!(records(&read)[0], json!({"id": 1, "name": "item 1"}));
    assert!(read[2].last && read[2].checkpoint.resume.is_none());

    // Every cut goes on where it was, on a new connection, whatever was deleted before it.
    for cut in 0..2 {
        let mut got = ids(&read[..=cut]);
        let rest = database
            .read("table: items\npage_size: 10", kept(&read[cut].checkpoint))
            .await
            .unwrap();
        got.extend(ids(&rest));
        assert_eq!(got, (1..=25).collect::<Vec<_>>(), "cut after page {cut}");
    }
    database.run("DELETE FROM items WHERE id < 10").await;
    let rest = database
        .read("table: items\npage_size: 10", kept(&read[0].checkpoint))
        .await
        .unwrap();
    assert_eq!(ids(&rest), (11..=25).collect::<Vec<_>>());
}

#[tokio::test]
async fn values_lose_nothing_on_their_way_to_json() {
    let database = Database::new(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); \
         CREATE DOMAIN amount AS numeric(30, 10); \
         CREATE TABLE \"Odd \"\"Table\" (id int PRIMARY KEY, \"Mixed Case\" text, n numeric, d amount, ns numeric[], \
           big bigint, f float8, b boolean, t timestamptz, l timestamp, day date, raw bytea, j json, jb jsonb, \
           u uuid, m mood, p pair, tags text[], span interval, nothing text); \
         SET timezone = 'Asia/Tokyo'; \
         INSERT INTO \"Odd \"\"Table\" VALUES (1, E'tab\\t\"quote\" \\u00e9', 12345678901234567890.12345678901234567890, \
           0.1000000000, ARRAY[1.10, 2], 9007199254740993, 0.1, true, '2024-05-01 09:00:00.123456+09', \
           '2024-05-01 09:00:00', '2024-05-01', '\\x00ff10', E'{\"b\": 1,\\n \"a\": [1, 2]}', '{\"x\": null}', \
           '00000000-0000-0000-0000-00000000002a', 'ok', ROW(1, 'x'), ARRAY['a', NULL, 'c'], '1 day 02:00', NULL)",
    )
    .await;
    database
        .run(&format!("ALTER DATABASE {} SET timezone = 'America/New_York'; ALTER DATABASE {} SET datestyle = 'SQL, DMY'", database.name, database.name))
        .await;
    let read = database.all("table: 'Odd \"Table'").await;
    let text = read[0].records[0].json();
    assert!(!text.contains('\n'), "a record is one line: {text}");
    assert!(text.contains("9007199254740993"), "{text}");
    assert_eq!(
        records(&read),
        [json!({
            "id": 1, "Mixed Case": "tab\t\"quote\" é",
            "n": "12345678901234567890.12345678901234567890", "d": "0.1000000000", "ns": ["1.10", "2"],
            "big": 9_007_199_254_740_993_i64, "f": 0.1, "b": true,
            "t": "2024-05-01T00:00:00.123456+00:00", "l": "2024-05-01T09:00:00", "day": "2024-05-01",
            "raw": "AP8Q", "j": {"b": 1, "a": [1, 2]}, "jb": {"x": null},
            "u": "00000000-0000-0000-0000-00000000002a", "m": "ok", "p": {"a": 1, "b": "x"},
            "tags": ["a", null, "c"], "span": "P1DT2H", "nothing": null,
        })]
    );
}

#[tokio::test]
async fn discovering_asks_for_the_columns_and_reads_nothing() {
    let database = Database::new(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, n numeric); \
         CREATE DOMAIN amount AS numeric(30, 10); \
         CREATE TABLE items (id int PRIMARY KEY, name varchar(3), n numeric, d amount, ns numeric[], big bigint, \
           f float8, b boolean, t timestamptz, l timestamp, day date, raw bytea, jb jsonb, u uuid, m mood, p pair, \
           tags text[], span interval); \
         CREATE FUNCTION never() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a row was read'; END $$; \
         INSERT INTO items (id) VALUES (1)",
    )
    .await;
    let discovered = async |fields: &str| {
        let connector = connector(&database.manifest(fields));
        let found = connector.discover(&database.context(), &json!({})).await;
        found.map(|mut streams| streams.remove(0).json_schema)
    };
    let schema = discovered("table: items\nkey_field: _key\nprimary_key: _key")
        .await
        .unwrap();
    let text = json!({ "type": ["null", "string"] });
    let formatted = |format: &str| json!({ "type": ["null", "string"], "format": format });
    assert_eq!(
        schema["properties"],
        json!({
            "_key": { "type": "string" }, "id": { "type": ["null", "integer"] }, "name": text, "n": text, "d": text,
            "ns": { "type": ["null", "array"], "items": { "type": ["null", "string", "array"] } },
            "big": { "type": ["null", "integer"] }, "f": { "type": ["null", "number", "string"] },
            "b": { "type": ["null", "boolean"] },
            "t": { "type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone" },
            "l": { "type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_without_timezone" },
            "day": formatted("date"), "raw": { "type": ["null", "string"], "contentEncoding": "base64" }, "jb": {},
            "u": formatted("uuid"), "m": text,
            "p": { "type": ["null", "object"], "properties": {
                "a": { "type": ["null", "integer"] }, "n": { "type": ["null", "number", "string"] },
            } },
            "tags": { "type": ["null", "array"], "items": { "type": ["null", "string", "array"] } }, "span": text,
        })
    );
    // What is read is what was said, by a validator that nobody here wrote.
    let validator = jsonschema::draft7::options()
        .should_validate_formats(false)
        .build(&schema)
        .unwrap();
    database
        .run("INSERT INTO items VALUES (2, 'x', 1.5, 2, ARRAY[[1, 2]], 9007199254740993, 'NaN', true, now(), now(), now(), \
              '\\x00', '[1]', md5('u')::uuid, 'ok', ROW(1, 2.5), ARRAY[ARRAY['a']], '1 day')")
        .await;
    for record in records(
        &database
            .all("table: items\nkey_field: _key\nprimary_key: _key")
            .await,
    ) {
        let faults: Vec<String> = validator
            .iter_errors(&record)
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{record}: {faults:?}");
    }

    let query = "query: 'SELECT id, never() AS n FROM items'\nkey_columns: [id]";
    let schema = discovered(query).await.unwrap();
    assert_eq!(schema["properties"]["n"], json!({ "type": ["null", "integer"] }));
    let error = discovered("table: nothing\nkey_columns: [id]").await.unwrap_err();
    assert_eq!(error.code, "POSTGRES_42P01", "{error}");

    // A manifest that says what records look like is taken at its word.
    let own = "table: nothing\nschema_loader: {type: InlineSchemaLoader, schema: {type: object, title: own}}";
    assert_eq!(discovered(own).await.unwrap()["title"], "own");
}

#[tokio::test]
async fn keys_of_every_kind_tell_pages_apart() {
    let database = Database::new(
        "CREATE TABLE items (region char(3), at timestamptz, id uuid, n int, PRIMARY KEY (region, at, id)); \
         INSERT INTO items SELECT (ARRAY['a', 'ab', 'abc'])[1 + n % 3], '2024-01-01'::timestamptz + n / 4 * interval '1 us', \
           md5(n::text)::uuid, n FROM generate_series(1, 50) n",
    )
    .await;
    let read = database
        .all("table: items\npage_size: 7\nkey_field: _key\nprimary_key: _key")
        .await;
    let rows = database
        .sql
        .query("SELECT n FROM items ORDER BY region, at, id", &[])
        .await
        .unwrap();
    let expected: Vec<i64> = rows.iter().map(|row| i64::from(row.get::<_, i32>(0))).collect();
    let read = records(&read);
    let got: Vec<i64> = read.iter().map(|record| record["n"].as_i64().unwrap()).collect();
    assert_eq!(got, expected);
    let key: Vec<String> = serde_json::from_str(read[0]["_key"].as_str().unwrap()).unwrap();
    assert_eq!(key.len(), 3);
    assert_eq!(key[0].trim_end(), "a");
    assert_eq!(key[2], read[0]["id"].as_str().unwrap());
}

#[tokio::test]
async fn a_cursor_column_reads_on_from_the_state() {
    let database = Database::new(CHANGING).await;
    let fields = "table: items\ncursor_column: at\npage_size: 4";
    let first = database.all(fields).await;
    assert_eq!(ids(&first), (1..=10).collect::<Vec<_>>());
    let state = |page: &Page| page.checkpoint.state.clone().unwrap();
    assert_eq!(state(&first[0]), json!({"at": "2024-01-02T00:00:00+00:00"}));
    assert_eq!(state(&first[2]), json!({"at": "2024-01-04T00:00:00+00:00"}));

    // What has the last value again is read again: another row may have got it later.
    database
        .run(
            "INSERT INTO items VALUES (11, '2024-01-04'), (12, '2024-02-01'); \
             UPDATE items SET at = '2024-03-01' WHERE id = 2; INSERT INTO items VALUES (13, '2023-12-31')",
        )
        .await;
    let after = Checkpoint {
        state: first[2].checkpoint.state.clone(),
        resume: None,
    };
    let second = database.read(fields, kept(&after)).await.unwrap();
    assert_eq!(ids(&second), [9, 10, 11, 12, 2]);
    assert_eq!(
        state(second.last().unwrap()),
        json!({"at": "2024-03-01T00:00:00+00:00"})
    );
    let cut = database.read(fields, kept(&second[0].checkpoint)).await.unwrap();
    assert_eq!(ids(&cut), [2]);

    let back = database
        .read(
            &format!("{fields}\nlookback_window: P3M"),
            kept(&second.last().unwrap().checkpoint),
        )
        .await
        .unwrap();
    assert_eq!(ids(&back).len(), 13);

    // Nothing new, and nothing at all, keep the state.
    database.run("DELETE FROM items").await;
    let none = database.read(fields, kept(&after)).await.unwrap();
    assert_eq!(ids(&none), [0_i64; 0]);
    assert_eq!(none[0].checkpoint.state, after.state);
    assert_eq!(none[0].checkpoint.resume, None);

    let mut afresh = request(json!({}), kept(&after));
    afresh.full_refresh = true;
    database.run("INSERT INTO items VALUES (1, '2020-01-01')").await;
    let stream = connector(&database.manifest(fields)).read(&database.context(), afresh);
    assert_eq!(ids(&pages(stream.unwrap()).await.unwrap()), [1]);
}

#[tokio::test]
async fn rows_without_a_cursor_or_a_key_are_said() {
    let database = Database::new(CHANGING).await;
    database.run("INSERT INTO items VALUES (20, NULL)").await;
    let read = database
        .all("table: items\ncursor_column: at\npage_size: 100")
        .await;
    assert_eq!(ids(&read), (1..=10).collect::<Vec<_>>());
    assert!(
        read[0].notes[0].message.contains("\"at\" are not read"),
        "{:?}",
        read[0].notes
    );

    let error = database
        .error("query: SELECT * FROM items\nkey_columns: [at]")
        .await;
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(error.message.contains("key column \"at\""), "{error}");
    database.run("CREATE VIEW seen AS SELECT * FROM items").await;
    let error = database.error("table: seen").await;
    assert!(error.message.contains("key_columns"), "{error}");
    assert_eq!(ids(&database.all("table: seen\nprimary_key: id").await).len(), 11);
}

#[tokio::test]
async fn a_query_is_read_as_it_is_written() {
    let database = Database::new(NUMBERED).await;
    let fields = "query: |\n  SELECT id, count(*) OVER () AS total FROM items -- all of them\n  ;\nprimary_key: id\npage_size: 10";
    let read = database.all(fields).await;
    assert_eq!(records(&read)[24], json!({"id": 25, "total": 25}));
    let transformed =
        format!("{fields}\ntransformations:\n  - type: RemoveFields\n    field_pointers: [[total]]");
    assert_eq!(records(&database.all(&transformed).await)[0], json!({"id": 1}));
}

#[tokio::test]
async fn the_shipped_connector_reads_a_table_of_the_configurations() {
    let database = Database::new(CHANGING).await;
    let yaml = catalog::shipped()
        .iter()
        .find(|manifest| manifest.slug == "postgres")
        .unwrap()
        .yaml;
    let connector = connector(yaml);
    let mut config = json!({
        "host": database.address.ip().to_string(), "port": database.address.port(), "database": database.name,
        "username": "syncline", "password": "s3cret-pw", "tls_mode": "disable", "table": "items",
    });
    assert_eq!(connector.spec().validate(&config), []);
    let read = |config: Value, checkpoint: Checkpoint| {
        let request = ReadRequest {
            stream: "rows".to_owned(),
            ..request(config, checkpoint)
        };
        pages(connector.read(&database.context(), request).unwrap())
    };
    connector.check(&database.context(), &config).await.unwrap();
    let whole = read(config.clone(), Checkpoint::default()).await.unwrap();
    let keys: Vec<Value> = records(&whole)
        .iter()
        .map(|record| record["_key"].clone())
        .collect();
    assert_eq!(keys[..3], ["1", "2", "3"]);

    config["cursor_column"] = json!("at");
    let first = read(config.clone(), Checkpoint::default()).await.unwrap();
    assert_eq!(ids(&first).len(), 10);
    let second = read(config.clone(), kept(&first.last().unwrap().checkpoint))
        .await
        .unwrap();
    assert_eq!(ids(&second), [9, 10]);

    config["table"] = json!("nothing");
    let error = connector.check(&database.context(), &config).await.unwrap_err();
    assert_eq!(error.code, "POSTGRES_42P01");
    config.as_object_mut().unwrap().remove("table");
    let error = connector.check(&database.context(), &config).await.unwrap_err();
    assert_eq!(error.code, "CONFIG_INVALID");
}
