//! Lists that are asked for together are what each of them is alone.

use engine::ids::IntegrationId;
use engine::records::RecordList;
use engine::runs::{SyncRun, SyncRunFilter, SyncRunStatus};
use engine::{Actor, Error, Listing, PageRequest};

use crate::world::{OPERATOR, World, on_both_databases};

fn runs_of(integration: IntegrationId, page: PageRequest) -> Listing<SyncRunFilter> {
    let of = SyncRunFilter {
        integration_id: Some(integration),
        ..SyncRunFilter::default()
    };
    Listing { of, page }
}

async fn together(
    world: &World,
    actor: &Actor,
    listings: &[Listing<SyncRunFilter>],
) -> Vec<engine::Result<engine::Paged<SyncRun>>> {
    world.engine.runs().lists(actor, listings).await.unwrap()
}

on_both_databases! {
    async fn pages_of_many_lists(world: World) {
        let (client, first) = world.furnished().await;
        let second = world.integration(client.id, "second").await;
        let idle = world.integration(client.id, "idle").await;
        for integration in [first.id, second.id, first.id, first.id, second.id] {
            world.run(integration).await;
        }
        let (_, cursor) = {
            let page = world.engine.runs().list(&OPERATOR, &runs_of(first.id, PageRequest::default()).of, &PageRequest::first(1)).await.unwrap();
            (page.items.len(), page.end_cursor().unwrap().to_owned())
        };
        let last = PageRequest { last: Some(2), ..PageRequest::default() };
        let queued = SyncRunFilter { status: vec![SyncRunStatus::Queued], ..SyncRunFilter::default() };
        let succeeded = SyncRunFilter { status: vec![SyncRunStatus::Succeeded], ..SyncRunFilter::default() };
        let mut listings = vec![
            runs_of(first.id, PageRequest::default()),
            runs_of(second.id, PageRequest::first(1)),
            runs_of(idle.id, PageRequest::default()),
            runs_of(first.id, PageRequest::after(1, cursor)),
            runs_of(second.id, last.clone()),
            Listing { of: queued, page: last },
            Listing { of: succeeded, page: PageRequest::default() },
        ];
        // More than go into one statement.
        for _ in 0..40 {
            listings.extend_from_within(0..7);
        }
        let found = together(&world, &OPERATOR, &listings).await;
        assert_eq!(found.len(), listings.len());
        for (listing, found) in listings.iter().zip(found) {
            let alone = world.engine.runs().list(&OPERATOR, &listing.of, &listing.page).await.unwrap();
            let found = found.unwrap();
            let ids = |page: &engine::Paged<SyncRun>| page.items.iter().map(|(cursor, run)| (cursor.clone(), run.id)).collect::<Vec<_>>();
            assert_eq!(ids(&found), ids(&alone), "{listing:?}");
            assert_eq!((found.has_next, found.has_previous), (alone.has_next, alone.has_previous), "{listing:?}");
            assert!(found.items.iter().all(|(_, run)| run.wait_reason.is_some()), "those that wait say why");
        }
        let filters: Vec<SyncRunFilter> = listings.into_iter().map(|listing| listing.of).collect();
        let counts = world.engine.runs().counts(&OPERATOR, &filters).await.unwrap();
        assert_eq!(counts[..7], [3, 2, 0, 3, 2, 5, 0]);
        assert_eq!(counts[7 * 40..], counts[..7]);
    }

    async fn lists_that_differ_in_their_parent_alone(world: World) {
        let (client, first) = world.furnished().await;
        let (second, idle) = (world.integration(client.id, "second").await, world.integration(client.id, "idle").await);
        let stranger = world.client("stranger").await;
        let others = world.integration(stranger.id, "others").await;
        for integration in [first.id, second.id, others.id, first.id, first.id, second.id] {
            world.run(integration).await;
        }
        let all = runs_of(first.id, PageRequest::default());
        let page = world.engine.runs().list(&OPERATOR, &all.of, &PageRequest::first(1)).await.unwrap();
        let pages = [
            PageRequest::default(),
            PageRequest::first(1),
            PageRequest { last: Some(1), ..PageRequest::default() },
            PageRequest::after(5, page.end_cursor().unwrap()),
        ];
        let parents = [others.id, first.id, idle.id, second.id, first.id];
        let holder = crate::world::holder_of(client.id);
        for (actor, page) in [OPERATOR, holder].iter().flat_map(|actor| pages.iter().map(move |page| (actor, page))) {
            let listings: Vec<_> = parents.iter().map(|parent| runs_of(*parent, page.clone())).collect();
            for (listing, found) in listings.iter().zip(together(&world, actor, &listings).await) {
                let alone = world.engine.runs().list(actor, &listing.of, page).await.unwrap();
                let found = found.unwrap();
                let ids = |page: &engine::Paged<SyncRun>| page.items.iter().map(|(cursor, run)| (cursor.clone(), run.id)).collect::<Vec<_>>();
                assert_eq!(ids(&found), ids(&alone), "{listing:?}");
                assert_eq!((found.has_next, found.has_previous), (alone.has_next, alone.has_previous), "{listing:?}");
            }
        }
        let listings: Vec<_> = parents.iter().map(|parent| runs_of(*parent, PageRequest::default())).collect();
        let sizes = |found: Vec<engine::Result<engine::Paged<SyncRun>>>| found.into_iter().map(|page| page.unwrap().items.len()).collect::<Vec<_>>();
        assert_eq!(sizes(together(&world, &OPERATOR, &listings).await), [1, 3, 0, 2, 3]);
        assert_eq!(sizes(together(&world, &holder, &listings).await), [0, 3, 0, 2, 3], "what is another's is not there");
    }

    async fn a_bad_cursor_is_the_error_of_its_own_list(world: World) {
        let (_, integration) = world.furnished().await;
        let run = world.run(integration.id).await;
        let good = runs_of(integration.id, PageRequest::default());
        let bad = runs_of(integration.id, PageRequest::after(1, "nonsense"));
        let mut found = together(&world, &OPERATOR, &[bad, good]).await;
        assert_eq!(found.pop().unwrap().unwrap().into_items().map(|found| found.id).collect::<Vec<_>>(), [run]);
        assert!(matches!(found.pop().unwrap(), Err(Error::BadCursor)));
    }

    async fn a_stranger_finds_nothing_in_any_of_them(world: World) {
        let (_, integration) = world.furnished().await;
        world.run(integration.id).await;
        let stranger = crate::world::holder_of(world.client("other").await.id);
        let listing = runs_of(integration.id, PageRequest::default());
        let found = together(&world, &stranger, &[listing.clone(), listing.clone()]).await;
        assert!(found.into_iter().all(|page| page.unwrap().items.is_empty()));
        let filters = [listing.of.clone(), listing.of];
        assert_eq!(world.engine.runs().counts(&stranger, &filters).await.unwrap(), [0, 0]);
    }

    async fn records_of_several_streams_in_both_orders(world: World) {
        let (client, first) = world.furnished().await;
        let second = world.integration(client.id, "second").await;
        let of = |integration_id, stream: &str, changed_after: Option<&str>| {
            let stream = stream.to_owned();
            RecordList { integration_id, stream, changed_after: changed_after.map(str::to_owned), include_deleted: false, keys: None }
        };
        for (integration, stream, keys) in [
            (first.id, "users", ["b", "a"]), (first.id, "posts", ["p", "q"]), (second.id, "users", ["z", "y"]),
        ] {
            let row = world.stream(integration, stream).await;
            for (number, key) in keys.into_iter().enumerate() {
                world.record(integration, row, key, number as i64 + 1).await;
            }
        }
        let listings = [
            of(first.id, "users", None), of(second.id, "users", Some("")), of(second.id, "posts", None),
            of(first.id, "posts", Some("nonsense")), of(first.id, "users", Some("")), of(first.id, "posts", None),
        ];
        let listings = listings.map(|of| Listing { of, page: PageRequest::default() });
        let found = world.engine.records().lists(&OPERATOR, &listings).await.unwrap();
        let keys: Vec<Option<Vec<String>>> = found
            .into_iter()
            .map(|page| Some(page.ok()?.into_items().map(|record| record.key).collect()))
            .collect();
        let some = |keys: &[&str]| Some(keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            keys,
            [some(&["a", "b"]), some(&["z", "y"]), some(&[]), None, some(&["b", "a"]), some(&["p", "q"])]
        );
        let stranger = crate::world::holder_of(world.client("other").await.id);
        let found = world.engine.records().lists(&stranger, &listings).await.unwrap();
        assert!(found.into_iter().flatten().all(|page| page.items.is_empty()));
    }
}
