use engine::RefusalCode;
use engine::ids::{IntegrationId, RunId};
use engine::runs::LogEntry;
use engine::runs::{LogLevel, SyncMode, SyncRunStatus};
use engine::{Listing, PageRequest, Paged};
use entity::{dead_letter, record_seen, stream_state};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::upstream::{Step, Upstream, nothing_stops, unavailable, users};
use crate::work::LEASE;
use crate::world::{OPERATOR, World, done, on_both_databases, refused};

fn pages(ids: std::ops::RangeInclusive<i64>) -> Upstream {
    let all: Vec<i64> = ids.collect();
    Upstream::of(
        "users",
        all.chunks(7)
            .map(|ids| Step::Page(users(ids.iter().copied())))
            .collect(),
    )
}

async fn log_of(world: &World, run: RunId, level: LogLevel, first: u32) -> Paged<LogEntry> {
    let listing = Listing::new(&(run, level), &PageRequest::first(first));
    let found = world.engine.runs().logs(&OPERATOR, &[listing]).await.unwrap();
    found.into_iter().next().unwrap().unwrap()
}

async fn refresh(world: &World, integration: IntegrationId, upstream: &Upstream) -> engine::runs::SyncRun {
    world.sync(integration, SyncMode::FullRefresh, upstream).await
}

on_both_databases! {
    async fn what_is_new_what_changed_and_what_did_not(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.sync(integration.id, SyncMode::Incremental, &pages(1..=30)).await;
        assert_eq!(run.status, SyncRunStatus::Succeeded);
        let progress = run.progress;
        assert_eq!((progress.pages, progress.requests, progress.bytes_read), (5, 5, 500));
        assert_eq!((progress.records_read, progress.records_added, progress.records_updated), (30, 30, 0));
        let before = world.records().await;
        assert_eq!(before.len(), 30);
        let numbers: std::collections::HashSet<i64> = before.iter().map(|row| row.change_number).collect();
        assert_eq!(numbers.len(), 30, "every change has a number of its own");

        let mut again = users(1..=30);
        again[4] = json!({ "id": 5, "name": "renamed" });
        again[5] = json!({ "name": "user 6", "id": 6.0 });
        again.push(json!({ "id": 31, "name": "new" }));
        let upstream = Upstream::of("users", vec![Step::Page(again)]);
        let run = world.sync(integration.id, SyncMode::Incremental, &upstream).await;
        let progress = run.progress;
        assert_eq!((progress.records_read, progress.records_added, progress.records_updated), (31, 1, 1));
        assert_eq!(progress.records_unchanged, 29);
        for (old, new) in before.iter().zip(world.records().await.iter().filter(|row| row.key != "31")) {
            assert_eq!(old.id, new.id);
            assert_eq!(old != new, new.key == "5", "{}: only what changed is written", new.key);
            assert_eq!(old.first_seen_at, new.first_seen_at);
        }
        let renamed = world.records().await.into_iter().find(|row| row.key == "5").unwrap();
        assert_eq!(serde_json::from_str::<Value>(&renamed.data).unwrap()["name"], "renamed");
        assert!(renamed.change_number > 30);
    }

    async fn of_a_key_that_comes_twice_the_last_counts(world: World) {
        let (_, integration) = world.furnished().await;
        let upstream = Upstream::of("users", vec![
            Step::Page(vec![json!({"id": 1, "v": "a"}), json!({"id": 2, "v": "a"}), json!({"id": 1, "v": "b"})]),
            Step::Page(vec![json!({"id": 2, "v": "b"}), json!({"id": 1, "v": "b"})]),
        ]);
        let run = world.sync(integration.id, SyncMode::Incremental, &upstream).await;
        let progress = run.progress;
        assert_eq!(progress.records_read, 5);
        assert_eq!((progress.records_added, progress.records_updated, progress.records_unchanged), (2, 1, 2));
        assert!(world.records().await.iter().all(|row| row.data.contains("\"b\"")));
    }

    /// The first page is a group by itself, and what comes after it repeats records of a stream that was thought to be new.
    async fn a_first_sync_that_repeats_records_of_an_earlier_group_loses_none(world: World) {
        let (_, integration) = world.furnished().await;
        let mut second = users([7, 5_001, 5_002]);
        second.push(json!({ "id": 8, "name": "renamed" }));
        let upstream = Upstream::of("users", vec![
            Step::Page(users(1..=5_000)),
            Step::Mixed(second, vec![json!({ "id": null })]),
            Step::Page(users(5_003..=5_004)),
        ]);
        let run = world.sync(integration.id, SyncMode::Incremental, &upstream).await;
        let progress = run.progress;
        assert_eq!((run.status, progress.pages), (SyncRunStatus::PartiallySucceeded, 3));
        assert_eq!((progress.records_added, progress.records_updated), (5_004, 1));
        assert_eq!((progress.records_unchanged, progress.records_failed), (1, 1));
        let records = world.records().await;
        let renamed: Vec<&str> = records.iter().filter(|row| row.data.contains("renamed")).map(|row| row.key.as_str()).collect();
        assert_eq!((records.len(), renamed), (5_004, vec!["8"]));
        let numbers: std::collections::HashSet<i64> = records.iter().map(|row| row.change_number).collect();
        assert_eq!(numbers.len(), 5_004, "every change has a number of its own");
        assert_eq!(dead_letter::Entity::find().count(world.engine.db.reader()).await.unwrap(), 1);
    }

    async fn the_streams_of_a_run_come_in_order_and_each_has_its_own_count(world: World) {
        let (_, integration) = world.furnished().await;
        let upstream = pages(1..=3).and("posts", vec![Step::Page(users(1..=4))]);
        let run = world.sync(integration.id, SyncMode::Incremental, &upstream).await;
        let asked: Vec<String> = upstream.asked.lock().unwrap().iter().map(|(stream, ..)| stream.clone()).collect();
        assert_eq!(asked, ["users", "posts"]);
        let streams = world.engine.runs().streams_for(&OPERATOR, &[run.id]).await.unwrap().remove(&run.id).unwrap();
        let counts: Vec<_> = streams.iter().map(|stream| (stream.stream.as_str(), stream.progress.records_added)).collect();
        assert_eq!(counts, [("users", 3), ("posts", 4)], "in the order in which they are read");
        assert!(streams.iter().all(|stream| stream.status == SyncRunStatus::Succeeded));
        assert_eq!(streams[0].cursor, Some(json!({ "seen": 1 })));
        let log = log_of(&world, run.id, LogLevel::Debug, 3).await;
        assert_eq!(log.items.len(), 3);
        assert!(log.has_next);
    }

    async fn a_run_goes_on_where_it_was_and_another_one_from_the_state(world: World) {
        let (_, integration) = world.furnished().await;
        let mut steps: Vec<Step> = (0..4).map(|page| Step::Page(users(page * 5..page * 5 + 5))).collect();
        steps.insert(2, Step::Fail(unavailable()));
        let upstream = pages(1..=3).and("posts", steps.clone());
        world.retrying(integration.id, 5).await;
        let first = world.sync(integration.id, SyncMode::Incremental, &upstream).await;
        assert_eq!((first.status, first.progress.records_added), (SyncRunStatus::Queued, 13));
        world.due().await;
        steps[2] = Step::Page(Vec::new());
        let healed = pages(1..=3).and("posts", steps);
        let run = world.work(&healed, &nothing_stops()).await;
        assert_eq!((run.id, run.status), (first.id, SyncRunStatus::Succeeded));
        assert_eq!((run.progress.records_read, run.progress.records_added), (23, 23), "nothing was read twice");
        let asked = healed.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 1, "a stream that had ended is not read again");
        assert_eq!(asked[0].1.resume, Some(json!({ "step": 2 })));
        assert_eq!(asked[0].1.state, Some(json!({ "seen": 2 })));

        let next = pages(1..=3).and("posts", vec![Step::Page(Vec::new())]);
        world.sync(integration.id, SyncMode::Incremental, &next).await;
        let asked = next.asked.lock().unwrap().clone();
        assert!(asked.iter().all(|(_, checkpoint, refresh)| checkpoint.resume.is_none() && !refresh));
        assert_eq!(asked[1].1.state, Some(json!({ "seen": 5 })));
    }

    async fn a_position_is_not_handed_to_another_run(world: World) {
        let (_, integration) = world.furnished().await;
        world.retrying(integration.id, 1).await;
        let failing = Upstream::of("users", vec![Step::Page(users(1..=5)), Step::Fail(unavailable())]);
        let run = world.sync(integration.id, SyncMode::Incremental, &failing).await;
        assert_eq!(run.status, SyncRunStatus::Failed);
        let next = pages(1..=5);
        world.sync(integration.id, SyncMode::Incremental, &next).await;
        let asked = next.asked.lock().unwrap().clone();
        assert_eq!((asked[0].1.resume.clone(), asked[0].1.state.clone()), (None, Some(json!({ "seen": 1 }))));
    }

    async fn what_cannot_be_mapped_becomes_a_dead_letter_within_the_budget(world: World) {
        let (_, integration) = world.furnished().await;
        let bad: Vec<Value> = (0..9).map(|id| json!({ "bad": id, "text": "a\u{0}b" })).collect();
        let mut mixed = users(1..=5);
        mixed.push(json!({ "name": "without a key \u{0}" }));
        let upstream = Upstream::of("users", vec![Step::Mixed(mixed, bad.clone()), Step::Page(users(6..=8))]);
        let run = world.sync(integration.id, SyncMode::Incremental, &upstream).await;
        assert_eq!(run.status, SyncRunStatus::PartiallySucceeded);
        assert_eq!((run.progress.records_read, run.progress.records_added, run.progress.records_failed), (18, 8, 10));
        let letters = dead_letter::Entity::find().all(world.engine.db.reader()).await.unwrap();
        assert_eq!(letters.len(), 10);
        assert!(letters.iter().all(|letter| letter.stream.as_deref() == Some("users") && letter.run_id == Some(run.id)));

        let worse = Upstream::of("users", vec![Step::Mixed(users(1..=5), [bad.clone(), bad].concat())]);
        let run = world.sync(integration.id, SyncMode::Incremental, &worse).await;
        assert_eq!((run.status, run.error.unwrap().code), (SyncRunStatus::Failed, "ERROR_BUDGET".to_owned()));
    }

    async fn a_full_refresh_marks_what_is_gone_and_what_comes_back(world: World) {
        let (_, integration) = world.furnished().await;
        refresh(&world, integration.id, &pages(1..=40)).await;
        let run = refresh(&world, integration.id, &pages(5..=42)).await;
        assert_eq!(run.status, SyncRunStatus::Succeeded);
        let progress = run.progress;
        assert_eq!((progress.records_added, progress.records_unchanged, progress.records_deleted), (2, 36, 4));
        assert_eq!(run.held_deletions, None);
        assert_eq!(world.live_keys().await.len(), 38);
        let gone = world.records().await.into_iter().find(|row| row.key == "1").unwrap();
        assert!(gone.deleted_at.is_some() && gone.change == 2 && gone.change_number > 40);
        assert_eq!(record_seen::Entity::find().count(world.engine.db.reader()).await.unwrap(), 0);

        let run = refresh(&world, integration.id, &pages(1..=42)).await;
        assert_eq!((run.progress.records_added, run.progress.records_deleted), (4, 0));
        let back = world.records().await.into_iter().find(|row| row.key == "1").unwrap();
        assert_eq!((back.deleted_at, back.change, back.id), (None, 0, gone.id));
        assert_eq!(back.first_seen_at, gone.first_seen_at);
    }

    async fn a_refresh_that_does_not_come_to_its_end_deletes_nothing(world: World) {
        let (_, integration) = world.furnished().await;
        world.retrying(integration.id, 2).await;
        refresh(&world, integration.id, &pages(1..=40)).await;
        let cut = Upstream::of("users", vec![Step::Page(users(1..=20)), Step::Fail(unavailable())]);
        let run = refresh(&world, integration.id, &cut).await;
        assert_eq!(world.live_keys().await.len(), 40);
        // Its second attempt goes on, and what the first one saw was seen.
        world.due().await;
        let rest = Upstream::of("users", vec![Step::Page(Vec::new()), Step::Page(users(21..=36))]);
        let ended = world.work(&rest, &nothing_stops()).await;
        assert_eq!((ended.id, ended.status, ended.progress.records_deleted), (run.id, SyncRunStatus::Succeeded, 4));
        assert_eq!(world.live_keys().await.len(), 36);
    }

    async fn a_suspicious_refresh_holds_its_deletions_until_they_are_approved(world: World) {
        let (_, integration) = world.furnished().await;
        refresh(&world, integration.id, &pages(1..=100)).await;
        let run = refresh(&world, integration.id, &pages(39..=100)).await;
        assert_eq!((run.status, run.held_deletions), (SyncRunStatus::Succeeded, Some(38)));
        assert_eq!(run.progress.records_deleted, 0);
        let log = log_of(&world, run.id, LogLevel::Warn, 9).await;
        let lines: Vec<_> = log.into_items().map(|line| line.message).collect();
        assert_eq!(lines, ["would delete 38 % of the records: held until approved"]);
        assert_eq!(world.live_keys().await.len(), 100);

        // What later runs see is not deleted by a late approval.
        world.sync(integration.id, SyncMode::Incremental, &pages(1..=8)).await;
        let runs = world.engine.runs();
        let approved = done(runs.approve_deletions(&OPERATOR, run.id).await.unwrap());
        assert_eq!((approved.held_deletions, approved.progress.records_deleted), (None, 30));
        assert_eq!(world.live_keys().await.len(), 70);
        assert_eq!(record_seen::Entity::find().count(world.engine.db.reader()).await.unwrap(), 0);
        let again = done(runs.approve_deletions(&OPERATOR, run.id).await.unwrap());
        assert_eq!(again.progress.records_deleted, 30);
        let nothing = refresh(&world, integration.id, &pages(1..=100)).await;
        let answer = runs.approve_deletions(&OPERATOR, nothing.id).await.unwrap();
        assert_eq!(refused(&answer), [(RefusalCode::Conflict, "runId".to_owned())]);
    }

    async fn a_later_refresh_replaces_what_was_held(world: World) {
        let (_, integration) = world.furnished().await;
        refresh(&world, integration.id, &pages(1..=100)).await;
        let held = refresh(&world, integration.id, &pages(1..=10)).await;
        assert_eq!(held.held_deletions, Some(90));
        refresh(&world, integration.id, &pages(1..=100)).await;
        let answer = world.engine.runs().approve_deletions(&OPERATOR, held.id).await.unwrap();
        assert_eq!(refused(&answer), [(RefusalCode::Conflict, "runId".to_owned())]);
        assert_eq!(world.live_keys().await.len(), 100);
        assert_eq!(record_seen::Entity::find().count(world.engine.db.reader()).await.unwrap(), 0);
    }

    async fn a_claim_that_is_lost_between_two_pages_stops_there(world: World) {
        let (_, integration) = world.furnished().await;
        world.trigger(integration.id, SyncMode::Incremental).await;
        let claim = world.claim(LEASE).await.unwrap();
        let lost = tokio_util::sync::CancellationToken::new();
        let steps = vec![Step::Page(users(1..=5)), Step::Trip(lost.clone()), Step::Page(users(6..=9))];
        let stop = engine::sync::StopSignals { abort: lost, ..Default::default() };
        let settlement = engine::sync::execute_from(&world.engine, &claim, &Upstream::of("users", steps), &stop).await;
        assert_eq!(settlement.ending, engine::sync::Ending::Lost);
        assert_eq!(world.records().await.len(), 5);
    }

    async fn thirty_thousand_records_in_small_pages(world: World) {
        let (_, integration) = world.furnished().await;
        let all: Vec<i64> = (1..=30_000).collect();
        let steps = || all.chunks(100).map(|ids| Step::Page(users(ids.iter().copied()))).collect();
        let run = world.sync(integration.id, SyncMode::FullRefresh, &Upstream::of("users", steps())).await;
        assert_eq!((run.progress.pages, run.progress.records_added), (300, 30_000));
        let run = world.sync(integration.id, SyncMode::FullRefresh, &Upstream::of("users", steps())).await;
        assert_eq!((run.progress.records_unchanged, run.progress.records_deleted), (30_000, 0));
        let states = stream_state::Entity::find().all(world.engine.db.reader()).await.unwrap();
        assert!(states.iter().all(|state| !state.marking && state.resume.is_none()));
    }
}
