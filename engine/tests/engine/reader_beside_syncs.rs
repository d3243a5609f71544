//! Whoever keeps a copy by the changes has it whole, whatever is committed while they read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::Engine;
use engine::ids::IntegrationId;
use engine::records::{ChangeKind, ExportRequest, RecordList};
use engine::runs::{SyncMode, SyncRunStatus};
use engine::{Listing, PageRequest};
use serde_json::{Value, json};

use crate::upstream::{Step, Upstream, users};
use crate::world::{OPERATOR, on_both_databases};

/// What the reader has of each key: its data, or that it was deleted.
type Copy = BTreeMap<String, Option<Value>>;

fn list(of: IntegrationId, changed_after: &str) -> RecordList {
    RecordList {
        integration_id: of,
        stream: "users".to_owned(),
        changed_after: Some(changed_after.to_owned()),
        include_deleted: true,
        keys: None,
    }
}

/// Reads what changed after this cursor, three a page as a frontend would; gives where to go on, and how much there was.
async fn page_on(engine: &Engine, of: IntegrationId, copy: &mut Copy, cursor: &mut String) -> usize {
    let list = list(of, cursor);
    let (mut page, mut read) = (PageRequest::first(3), 0);
    loop {
        let listing = Listing::new(&list, &page);
        let found = engine
            .records()
            .lists(&OPERATOR, &[listing])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        let (more, end) = (found.has_next, found.end_cursor().map(str::to_owned));
        for record in found.into_items() {
            let gone = record.change == ChangeKind::Deleted;
            assert_eq!(gone, record.deleted_at.is_some());
            copy.insert(record.key, (!gone).then_some(record.data));
            read += 1;
        }
        let Some(end) = end else { return read };
        *cursor = end;
        if !more {
            return read;
        }
        page.after = Some(cursor.clone());
    }
}

/// The same by an export.
async fn export_on(engine: &Engine, of: IntegrationId, copy: &mut Copy, cursor: &mut String) -> usize {
    let request = ExportRequest {
        integration_id: of,
        stream: "users".to_owned(),
        changed_after: Some(cursor.clone()),
        include_deleted: true,
    };
    let mut read = 0;
    // Before its first sync there is nothing that an export could be of.
    let Some(mut export) = engine.records().export(&OPERATOR, request).await.unwrap() else {
        return read;
    };
    *cursor = export.cursor();
    while let Some(records) = export.next().await.unwrap() {
        for record in records {
            let gone = record.change == ChangeKind::Deleted;
            let data = serde_json::from_str(&record.data).unwrap();
            copy.insert(record.key, (!gone).then_some(data));
            read += 1;
        }
    }
    read
}

on_both_databases! {
    async fn a_copy_made_of_changes_is_whole(world: World) {
        let (_, integration) = world.furnished().await;
        let of = integration.id;
        let done = Arc::new(AtomicBool::new(false));
        let reader = |by_export: bool| {
            let (engine, done) = (world.engine.clone(), done.clone());
            tokio::spawn(async move {
                let (mut copy, mut cursor, mut looks) = (Copy::new(), String::new(), 0);
                loop {
                    // Asked before the look, so that the last one comes after the last commit.
                    let last = done.load(Ordering::SeqCst);
                    let read = if by_export {
                        export_on(&engine, of, &mut copy, &mut cursor).await
                    } else {
                        page_on(&engine, of, &mut copy, &mut cursor).await
                    };
                    looks += usize::from(read > 0);
                    if last {
                        return (copy, looks);
                    }
                    tokio::task::yield_now().await;
                }
            })
        };
        let readers = [reader(false), reader(true)];

        let named = |ids: std::ops::RangeInclusive<i64>, name: &str| -> Vec<Step> {
            let ids: Vec<i64> = ids.collect();
            let pages = ids.chunks(5).map(|ids| ids.iter().map(|id| json!({ "id": id, "name": name })).collect());
            pages.map(Step::Page).collect()
        };
        for (mode, steps) in [
            (SyncMode::Incremental, named(1..=100, "first")),
            (SyncMode::Incremental, named(31..=120, "second")),
            (SyncMode::FullRefresh, named(11..=120, "third")),
            (SyncMode::Incremental, vec![Step::Page(users(5..=8)), Step::Page(users(119..=125))]),
        ] {
            let run = world.sync(of, mode, &Upstream::of("users", steps)).await;
            assert_eq!(run.status, SyncRunStatus::Succeeded);
        }
        done.store(true, Ordering::SeqCst);

        let there: Copy = world
            .records()
            .await
            .into_iter()
            .map(|row| (row.key, row.deleted_at.is_none().then(|| serde_json::from_str(&row.data).unwrap())))
            .collect();
        assert_eq!(there.len(), 125);
        assert_eq!(there.values().filter(|data| data.is_none()).count(), 6, "1 to 4, 9 and 10 were deleted");
        for (reader, way) in readers.into_iter().zip(["pages", "exports"]) {
            let (copy, looks) = reader.await.unwrap();
            assert_eq!(copy, there, "by {way}");
            assert!(looks > 1, "by {way}: it read while syncs ran");
        }
    }

    async fn an_export_ends_where_the_changes_stood_when_it_began(world: World) {
        let (_, integration) = world.furnished().await;
        let of = integration.id;
        let first = Upstream::of("users", vec![Step::Page(users(1..=250))]);
        world.sync(of, SyncMode::Incremental, &first).await;
        let request = |changed_after: Option<String>| ExportRequest {
            integration_id: of,
            stream: "users".to_owned(),
            changed_after,
            include_deleted: false,
        };
        let mut export = world.engine.records().export(&OPERATOR, request(None)).await.unwrap().unwrap();
        assert_eq!(export.fields(), ["id"], "as the connector's schema has them");
        let mut keys: Vec<String> = export.next().await.unwrap().unwrap().into_iter().map(|record| record.key).collect();
        assert_eq!(keys.len(), 100, "the first page");
        // What was read changes, what was not changes, and something new comes.
        let renamed: Vec<Value> = [1, 240, 300].map(|id| json!({ "id": id, "name": "renamed" })).to_vec();
        world.sync(of, SyncMode::Incremental, &Upstream::of("users", vec![Step::Page(renamed)])).await;
        let mut last = String::new();
        while let Some(records) = export.next().await.unwrap() {
            last = records.last().unwrap().cursor.clone();
            keys.extend(records.into_iter().map(|record| record.key));
        }
        assert_eq!(keys.len(), 249, "240 left the range and nothing came into it");
        assert_eq!(export.cursor(), last, "the cursor that was known from the beginning");
        let mut next = world.engine.records().export(&OPERATOR, request(Some(last))).await.unwrap().unwrap();
        let changed: Vec<String> = next.next().await.unwrap().unwrap().into_iter().map(|record| record.key).collect();
        assert_eq!(changed, ["1", "240", "300"]);

        // A deleted integration's records go in the background: its export must not look whole.
        let mut cut = world.engine.records().export(&OPERATOR, request(None)).await.unwrap().unwrap();
        cut.next().await.unwrap();
        crate::world::done(world.engine.integrations().delete(&OPERATOR, of).await.unwrap());
        assert!(cut.next().await.is_err());
        assert!(world.engine.records().export(&OPERATOR, request(None)).await.unwrap().is_none());
    }
}
