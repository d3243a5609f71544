use engine::clients::{
    ClientFilter, ClientOrder, ClientOrderField, ClientStatus, RegisterClient, UpdateClient,
};
use engine::ids::ClientId;
use engine::{Error, OrderDirection, PageRequest, RefusalCode};
use futures::future::join_all;
use serde_json::json;

use crate::world::{OPERATOR, World, done, new_id, on_both_databases, refused};

fn register(slug: &str, name: &str) -> RegisterClient {
    RegisterClient {
        slug: slug.to_owned(),
        name: name.to_owned(),
        metadata: None,
    }
}

fn by(field: ClientOrderField, direction: OrderDirection) -> ClientOrder {
    ClientOrder { field, direction }
}

async fn walk(world: &World, order: ClientOrder, count: u32, backward: bool) -> Vec<String> {
    let mut page = if backward {
        PageRequest {
            last: Some(count),
            ..PageRequest::default()
        }
    } else {
        PageRequest::first(count)
    };
    let mut slugs = Vec::new();
    loop {
        let found = world
            .engine
            .clients()
            .list(&OPERATOR, &ClientFilter::default(), order, &page)
            .await
            .unwrap();
        let (begin, end) = (found.items[0].0.clone(), found.end_cursor().unwrap().to_owned());
        let more = if backward {
            found.has_previous
        } else {
            found.has_next
        };
        let these: Vec<_> = found.into_items().map(|client| client.slug).collect();
        if backward {
            slugs.splice(0..0, these);
            page.before = Some(begin);
        } else {
            slugs.extend(these);
            page.after = Some(end);
        }
        if !more {
            return slugs;
        }
    }
}

on_both_databases! {
    async fn registered_and_found(world: World) {
        let input = RegisterClient { metadata: Some(json!({ "z": 1, "plan": "gold" })), ..register("acme", "  Acme ") };
        let client = done(world.engine.clients().register(&OPERATOR, input).await.unwrap());
        assert_eq!((client.slug.as_str(), client.name.as_str()), ("acme", "Acme"));
        assert_eq!(client.metadata, json!({ "z": 1, "plan": "gold" }));
        assert_eq!(client.status, ClientStatus::Active);
        let clients = world.engine.clients();
        assert_eq!(clients.find(&OPERATOR, client.id).await.unwrap().as_ref(), Some(&client));
        assert_eq!(clients.find_by_slug(&OPERATOR, "acme").await.unwrap().as_ref(), Some(&client));
        assert_eq!(clients.find_by_slug(&OPERATOR, "ACME\0").await.unwrap(), None);
        assert_eq!(clients.find(&OPERATOR, ClientId::new(new_id())).await.unwrap(), None);
    }

    async fn one_slug_one_client(world: World) {
        let clients = world.engine.clients();
        let asked = join_all((0..12).map(|_| clients.register(&OPERATOR, register("acme", "Acme")))).await;
        let (mut registered, mut taken) = (0, 0);
        for outcome in asked.into_iter().map(Result::unwrap) {
            if outcome.refusals().is_empty() {
                registered += 1;
            } else {
                assert_eq!(refused(&outcome), [(RefusalCode::Taken, "slug".to_owned())]);
                taken += 1;
            }
        }
        assert_eq!((registered, taken), (1, 11));
        let events = world.engine.events().relay().await.unwrap();
        assert_eq!(events, 1, "a refused registration tells nothing");
    }

    async fn every_mistake_at_once(world: World) {
        let input = RegisterClient { slug: "Not A Slug".to_owned(), name: " ".to_owned(), metadata: Some(json!([1])) };
        let outcome = world.engine.clients().register(&OPERATOR, input).await.unwrap();
        let fields: Vec<_> = refused(&outcome).into_iter().map(|(_, field)| field).collect();
        assert_eq!(fields, ["slug", "name", "metadata"]);
        let nul = RegisterClient { metadata: Some(json!({ "a": "\0" })), ..register("a", "A") };
        let outcome = world.engine.clients().register(&OPERATOR, nul).await.unwrap();
        assert_eq!(refused(&outcome), [(RefusalCode::Invalid, "metadata".to_owned())]);
    }

    async fn updated_and_archived(world: World) {
        let client = world.client("acme").await;
        let input = UpdateClient { client_id: client.id, name: Some("New".to_owned()), metadata: None, if_updated_at: None };
        let updated = done(world.engine.clients().update(&OPERATOR, input).await.unwrap());
        assert_eq!((updated.name.as_str(), &updated.metadata), ("New", &client.metadata));
        for _ in 0..2 {
            let archived = done(world.engine.clients().archive(&OPERATOR, client.id).await.unwrap());
            assert_eq!(archived.status, ClientStatus::Archived);
        }
        world.engine.events().relay().await.unwrap();
        let events = world.engine.events().list_after(&OPERATOR, 0, &[], 100).await.unwrap();
        let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["client.registered", "client.updated", "client.archived"]);
        let unknown = world.engine.clients().archive(&OPERATOR, ClientId::new(new_id())).await.unwrap();
        assert_eq!(refused(&unknown), [(RefusalCode::NotFound, "clientId".to_owned())]);
    }

    async fn a_client_sees_itself_and_changes_nothing(world: World) {
        let (own, other) = (world.client("own").await, world.client("other").await);
        let actor = crate::world::holder_of(own.id);
        let clients = world.engine.clients();
        assert_eq!(clients.find(&actor, other.id).await.unwrap(), None);
        assert_eq!(clients.find_by_slug(&actor, "other").await.unwrap(), None);
        assert_eq!(clients.by_ids(&actor, &[own.id, other.id]).await.unwrap().len(), 1);
        let page = clients.list(&actor, &ClientFilter::default(), ClientOrder::default(), &PageRequest::default()).await;
        assert_eq!(page.unwrap().into_items().map(|client| client.id).collect::<Vec<_>>(), [own.id]);
        assert_eq!(clients.count(&actor, &ClientFilter::default()).await.unwrap(), 1);
        for outcome in [
            clients.register(&actor, register("third", "Third")).await.unwrap(),
            clients.archive(&actor, own.id).await.unwrap(),
        ] {
            assert_eq!(refused(&outcome)[0].0, RefusalCode::Forbidden);
        }
    }

    async fn pages_in_every_order(world: World) {
        for slug in ["c", "a", "e", "b", "d"] {
            world.client(slug).await;
        }
        for count in [1, 2, 5, 100] {
            for backward in [false, true] {
                use ClientOrderField::{CreatedAt, Name, Slug};
                use OrderDirection::{Asc, Desc};
                assert_eq!(walk(&world, by(Slug, Asc), count, backward).await, ["a", "b", "c", "d", "e"]);
                assert_eq!(walk(&world, by(Slug, Desc), count, backward).await, ["e", "d", "c", "b", "a"]);
                assert_eq!(walk(&world, by(Name, Asc), count, backward).await, ["a", "b", "c", "d", "e"]);
                assert_eq!(walk(&world, by(CreatedAt, Asc), count, backward).await, ["c", "a", "e", "b", "d"]);
                assert_eq!(walk(&world, by(CreatedAt, Desc), count, backward).await, ["d", "b", "e", "a", "c"]);
            }
        }
    }

    async fn a_cursor_of_another_order_is_bad(world: World) {
        world.client("a").await;
        let clients = world.engine.clients();
        let filter = ClientFilter::default();
        let page = clients.list(&OPERATOR, &filter, ClientOrder::default(), &PageRequest::default()).await.unwrap();
        let again = PageRequest::after(5, page.end_cursor().unwrap());
        let slug = by(ClientOrderField::Slug, OrderDirection::Asc);
        assert!(matches!(clients.list(&OPERATOR, &filter, slug, &again).await, Err(Error::BadCursor)));
        assert!(clients.list(&OPERATOR, &filter, ClientOrder::default(), &again).await.unwrap().items.is_empty());
    }

    async fn searched(world: World) {
        for slug in ["acme", "100-percent", "under-score"] {
            world.client(slug).await;
        }
        let count = async |search: &str| {
            let filter = ClientFilter { search: Some(search.to_owned()), ..ClientFilter::default() };
            world.engine.clients().count(&OPERATOR, &filter).await.unwrap()
        };
        assert_eq!(count("ACM").await, 1);
        assert_eq!(count("the ").await, 3);
        assert_eq!(count("%").await, 0);
        assert_eq!(count("_").await, 0);
        assert_eq!(count("\\").await, 0);
        let archived = ClientFilter { status: Some(ClientStatus::Archived), ..ClientFilter::default() };
        assert_eq!(world.engine.clients().count(&OPERATOR, &archived).await.unwrap(), 0);
    }
}
