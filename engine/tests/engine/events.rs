use std::collections::BTreeSet;

use engine::{Error, correlation, ids::EventId};
use futures::StreamExt;
use futures::future::join_all;

use crate::world::{OPERATOR, World, new_id, on_both_databases, soon};

on_both_databases! {
    async fn sequences_have_no_gap_and_no_double(world: World) {
        let slugs: Vec<_> = (0..20).map(|number| format!("client-{number}")).collect();
        let writers = join_all(slugs.iter().map(|slug| world.client(slug)));
        let relays = join_all((0..20).map(|_| async {
            world.engine.events().relay().await.unwrap();
        }));
        futures::future::join(writers, relays).await;
        world.engine.events().relay().await.unwrap();
        let events = world.engine.events().list_after(&OPERATOR, 0, &[], 1_000).await.unwrap();
        let sequences: Vec<_> = events.iter().map(|event| event.sequence.unwrap()).collect();
        assert_eq!(sequences, (1..=20).collect::<Vec<_>>());
        let subjects: BTreeSet<_> = events.iter().map(|event| &event.subject).collect();
        assert_eq!(subjects.len(), 20);
    }

    async fn the_request_s_correlation_id(world: World) {
        correlation::scope("request-7".to_owned(), world.client("acme")).await;
        world.engine.events().relay().await.unwrap();
        let events = world.engine.events().list_after(&OPERATOR, 0, &[], 10).await.unwrap();
        assert_eq!(events[0].correlation_id, "request-7");
        assert_eq!(world.engine.events().find(&OPERATOR, events[0].id).await.unwrap().as_ref(), Some(&events[0]));
    }

    async fn followed_without_a_gap(world: World) {
        let own = world.client("own").await;
        world.client("other").await;
        world.engine.events().relay().await.unwrap();
        let events = world.engine.events();
        let first = events.list_after(&OPERATOR, 0, &[], 1).await.unwrap().remove(0);
        let mut resumed = events.subscribe(OPERATOR, None, Some(first.id)).await.unwrap();
        let mut fresh = events.subscribe(OPERATOR, Some(vec!["client.registered".to_owned()]), None).await.unwrap();
        let mut scoped = events.subscribe(crate::world::holder_of(own.id), None, Some(first.id)).await.unwrap();
        let second = soon(resumed.next()).await.unwrap().unwrap();
        assert_eq!(second.sequence, Some(2));
        let third = world.client("third").await;
        done_archive(&world, own.id).await;
        world.engine.events().relay().await.unwrap();
        assert_eq!(soon(fresh.next()).await.unwrap().unwrap().subject, third.id.to_string());
        assert_eq!(soon(resumed.next()).await.unwrap().unwrap().subject, third.id.to_string());
        let archived = soon(scoped.next()).await.unwrap().unwrap();
        assert_eq!((archived.event_type.as_str(), archived.subject), ("client.archived", own.id.to_string()));
        let gone = events.subscribe(OPERATOR, None, Some(EventId::new(new_id()))).await;
        assert!(matches!(gone.err(), Some(Error::BadInput(_))));
    }

    async fn of_some_types_only(world: World) {
        let client = world.client("acme").await;
        done_archive(&world, client.id).await;
        world.engine.events().relay().await.unwrap();
        let events = world.engine.events();
        let archived = events.list_after(&OPERATOR, 0, &["client.archived".to_owned()], 10).await.unwrap();
        assert_eq!(archived.len(), 1);
        let other = crate::world::holder_of(world.client("other").await.id);
        assert!(events.list_after(&other, 0, &[], 10).await.unwrap().is_empty());
    }
}

async fn done_archive(world: &World, client: engine::ids::ClientId) {
    crate::world::done(world.engine.clients().archive(&OPERATOR, client).await.unwrap());
}
