use engine::ids::{IntegrationId, RecordId};
use engine::records::{Record, RecordList};
use engine::runs::SyncMode;
use engine::{Actor, Error, Listing, PageRequest, Paged, Result};
use entity::record;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, Set, Statement};

use crate::upstream::{Step, Upstream, users};
use crate::world::{OPERATOR, World, new_id, on_both_databases};

fn list(integration_id: IntegrationId) -> RecordList {
    RecordList {
        integration_id,
        stream: "users".to_owned(),
        changed_after: None,
        include_deleted: false,
        keys: None,
    }
}

async fn page_of(
    world: &World,
    actor: &Actor,
    list: &RecordList,
    page: &PageRequest,
) -> Result<Paged<Record>> {
    let listing = Listing::new(list, page);
    world.engine.records().lists(actor, &[listing]).await?.remove(0)
}

/// All records of a listing, two a page, and the last cursor.
async fn walk(world: &World, list: &RecordList) -> (Vec<Record>, Option<String>) {
    let (mut records, mut page, mut last) = (Vec::new(), PageRequest::first(2), None);
    loop {
        let found = page_of(world, &OPERATOR, list, &page).await.unwrap();
        last = found.end_cursor().map(str::to_owned).or(last);
        let more = found.has_next;
        records.extend(found.into_items());
        if !more {
            return (records, last);
        }
        page.after = last.clone();
    }
}

fn keys(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.key.as_str()).collect()
}

on_both_databases! {
    async fn by_key_byte_by_byte(world: World) {
        let (_, integration) = world.furnished().await;
        let stream = world.stream(integration.id, "users").await;
        for (number, key) in ["b", "a", "B", "10", "9", "é"].into_iter().enumerate() {
            world.record(integration.id, stream, key, number as i64 + 1).await;
        }
        let (records, _) = walk(&world, &list(integration.id)).await;
        assert_eq!(keys(&records), ["10", "9", "B", "a", "b", "é"], "the same order on both databases");
        assert_eq!(records[3].data["text"], "a\0b", "what the source said, to the last character");
    }

    async fn changes_from_where_a_listing_began(world: World) {
        let (_, integration) = world.furnished().await;
        let stream = world.stream(integration.id, "users").await;
        let mut ids = Vec::new();
        for (number, key) in ["a", "b", "c"].into_iter().enumerate() {
            ids.push(world.record(integration.id, stream, key, number as i64 + 1).await);
        }
        let first = page_of(&world, &OPERATOR, &list(integration.id), &PageRequest::first(2)).await.unwrap();
        assert!(first.has_next);
        // Behind the reader's back: "a", which it has read, changes; and a new one comes.
        let transaction = world.begin().await;
        let change = record::ActiveModel { id: Set(ids[0]), change_number: Set(4), change: Set(1), ..Default::default() };
        change.update(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
        world.record(integration.id, stream, "d", 5).await;
        let rest = PageRequest::after(100, first.end_cursor().unwrap());
        let rest = page_of(&world, &OPERATOR, &list(integration.id), &rest).await.unwrap();
        let cursor = rest.end_cursor().unwrap().to_owned();
        let changes = RecordList { changed_after: Some(cursor), ..list(integration.id) };
        let (changed, cursor) = walk(&world, &changes).await;
        assert_eq!(keys(&changed), ["a", "d"]);
        let later = RecordList { changed_after: cursor.clone(), ..list(integration.id) };
        assert_eq!(walk(&world, &later).await.0, []);
        world.record(integration.id, stream, "e", 6).await;
        assert_eq!(keys(&walk(&world, &later).await.0), ["e"]);
        let all = RecordList { changed_after: Some(String::new()), ..list(integration.id) };
        assert_eq!(keys(&walk(&world, &all).await.0), ["b", "c", "a", "d", "e"]);
    }

    async fn deleted_ones_when_asked_for(world: World) {
        let (_, integration) = world.furnished().await;
        let stream = world.stream(integration.id, "users").await;
        let id = world.record(integration.id, stream, "a", 1).await;
        world.record(integration.id, stream, "b", 2).await;
        let transaction = world.begin().await;
        let deleted_at = Set(Some(world.engine.timestamp()));
        let change = record::ActiveModel { id: Set(id), change_number: Set(3), change: Set(2), deleted_at, ..Default::default() };
        change.update(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(keys(&walk(&world, &list(integration.id)).await.0), ["b"]);
        let all = RecordList { include_deleted: true, changed_after: Some("0".to_owned()), ..list(integration.id) };
        let (records, _) = walk(&world, &all).await;
        assert_eq!(keys(&records), ["b", "a"]);
        assert!(records[1].deleted_at.is_some());
        assert_eq!(records[1].change, engine::records::ChangeKind::Deleted);
    }

    async fn found_by_id(world: World) {
        let (_, integration) = world.furnished().await;
        let stream = world.stream(integration.id, "users").await;
        world.record(integration.id, stream, "a", 1).await;
        let (records, _) = walk(&world, &list(integration.id)).await;
        let id: RecordId = records[0].id.to_string().parse().unwrap();
        let service = world.engine.records();
        assert_eq!(service.find(&OPERATOR, id).await.unwrap().as_ref(), Some(&records[0]));
        let guessed = RecordId { first_seen_micros: id.first_seen_micros + 1, ..id };
        assert_eq!(service.find(&OPERATOR, guessed).await.unwrap(), None);
        let other = crate::world::holder_of(world.client("other").await.id);
        assert_eq!(service.find(&other, id).await.unwrap(), None);
        assert_eq!(page_of(&world, &other, &list(integration.id), &PageRequest::default()).await.unwrap().items, []);
    }

    async fn what_is_not_there_is_empty(world: World) {
        let (_, integration) = world.furnished().await;
        let nothing = RecordList { stream: "nothing".to_owned(), ..list(integration.id) };
        assert!(page_of(&world, &OPERATOR, &nothing, &PageRequest::default()).await.unwrap().items.is_empty());
        let unknown = list(IntegrationId::new(new_id()));
        assert!(page_of(&world, &OPERATOR, &unknown, &PageRequest::default()).await.unwrap().items.is_empty());
        let bad = RecordList { changed_after: Some("yesterday".to_owned()), ..list(integration.id) };
        assert!(matches!(page_of(&world, &OPERATOR, &bad, &PageRequest::default()).await, Err(Error::BadCursor)));
    }
}

/// What the database says it would do.
async fn plan(world: &World, sql: &str) -> String {
    let reader = world.engine.db.reader();
    let backend = reader.get_database_backend();
    let (explain, column) = match backend {
        DbBackend::Postgres => ("EXPLAIN", "QUERY PLAN"),
        _ => ("EXPLAIN QUERY PLAN", "detail"),
    };
    let statement = Statement::from_string(backend, format!("{explain} {sql}"));
    let rows = reader.query_all_raw(statement).await.unwrap();
    let lines = rows.iter().map(|row| row.try_get("", column).unwrap());
    lines.collect::<Vec<String>>().join("\n")
}

on_both_databases! {
    async fn a_stream_that_the_statistics_do_not_know_is_looked_up_by_key(world: World) {
        let (_, integration) = world.furnished().await;
        let known = world.stream(integration.id, "users").await;
        let (rows, bytes) = match world.engine.db.reader().get_database_backend() {
            DbBackend::Postgres => ("generate_series(1, 5000) AS n (n)", "bytea"),
            _ => (
                "(WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 5000) SELECT n FROM n) AS n",
                "blob",
            ),
        };
        let transaction = world.begin().await;
        transaction
            .execute_unprepared(&format!(
                "INSERT INTO record (stream_id, key, data, hash, change_number, change, first_seen_at, changed_at) \
                 SELECT {known}, 'key ' || n, '{{}}', CAST('0123456789abcdef' AS {bytes}), n, 0, 1, 1 FROM {rows}"
            ))
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        world.engine.db.for_migration().execute_unprepared("ANALYZE").await.unwrap();

        let unknown = known + 1;
        let by_key = plan(&world, &format!("SELECT hash FROM record WHERE stream_id = {unknown} AND key = 'a'")).await;
        assert!(by_key.contains("record_key"), "{by_key}");
        let by_change = plan(
            &world,
            &format!(
                "SELECT * FROM record WHERE stream_id = {known} AND change_number > 4000 AND change_number > 0 \
                 ORDER BY change_number LIMIT 10"
            ),
        )
        .await;
        assert!(by_change.contains("record_change"), "{by_change}");
    }
}

/// A statement's plan is kept as long as its connection, and the first one is made when there is next to nothing to read.
#[tokio::test]
async fn a_plan_from_when_the_table_was_small_still_looks_records_up_by_key() {
    let world = World::postgres().await;
    let (_, integration) = world.furnished().await;
    let upstream = |ids: std::ops::RangeInclusive<i64>| Upstream::of("users", vec![Step::Page(users(ids))]);
    let few = upstream(1..=3);
    world.sync(integration.id, SyncMode::Incremental, &few).await;
    // Without it the planner takes an unknown table for ten pages.
    world
        .engine
        .db
        .for_migration()
        .execute_unprepared("ANALYZE record")
        .await
        .unwrap();
    world.sync(integration.id, SyncMode::Incremental, &few).await;
    world.sync(integration.id, SyncMode::FullRefresh, &few).await;
    world
        .sync(integration.id, SyncMode::Incremental, &upstream(1..=2000))
        .await;
    world
        .sync(integration.id, SyncMode::Incremental, &upstream(1..=2000))
        .await;
    world
        .sync(integration.id, SyncMode::FullRefresh, &upstream(1..=2000))
        .await;

    // Each connection tells the server what it did when it is asked to, and all of them are held, so that each is asked.
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(world.begin().await);
    }
    for connection in connections {
        connection
            .execute_unprepared("SELECT pg_stat_force_next_flush()")
            .await
            .unwrap();
        connection.commit().await.unwrap();
    }
    let sql = "SELECT idx_scan, seq_tup_read FROM pg_stat_user_tables WHERE relname = 'record'";
    let reader = world.engine.db.reader();
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    let row = reader.query_one_raw(statement).await.unwrap().unwrap();
    let (by_index, read): (i64, i64) = (
        row.try_get("", "idx_scan").unwrap(),
        row.try_get("", "seq_tup_read").unwrap(),
    );
    assert!(by_index >= 4000, "{by_index} look-ups");
    assert!(read < 10_000, "{read} records were read one after the other");
}
