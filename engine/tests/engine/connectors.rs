use engine::connectors::InstallConnector;
use engine::{PageRequest, RefusalCode};
use futures::future::join_all;

use crate::world::{MANIFEST, OPERATOR, done, on_both_databases, refused};

fn install(manifest: &str, slug: Option<&str>) -> InstallConnector {
    InstallConnector {
        manifest: manifest.to_owned(),
        slug: slug.map(str::to_owned),
    }
}

on_both_databases! {
    async fn versions_count_up(world: World) {
        let connectors = world.engine.connectors();
        let first = done(connectors.install(&OPERATOR, install(MANIFEST, None)).await.unwrap());
        assert_eq!((first.slug.as_str(), first.version.as_str()), ("people-api", "1"));
        let streams: Vec<_> = first.streams.iter().map(|stream| (stream.name.as_str(), stream.primary_key.clone())).collect();
        assert_eq!(streams, [("users", vec!["id".to_owned()]), ("posts", vec!["id".to_owned()])]);
        let same = done(connectors.install(&OPERATOR, install(MANIFEST, None)).await.unwrap());
        assert_eq!(same.id, first.id, "the same text is the same version");
        let changed = format!("{MANIFEST}# changed\n");
        let second = done(connectors.install(&OPERATOR, install(&changed, None)).await.unwrap());
        assert_eq!(second.version, "2");
        assert_eq!(connectors.find_by_slug(&OPERATOR, "people-api").await.unwrap().unwrap().id, second.id);
        assert!(!connectors.find(&OPERATOR, first.id).await.unwrap().unwrap().latest);
        assert_eq!(connectors.count(&OPERATOR, None).await.unwrap(), 1);
    }

    async fn installed_at_once(world: World) {
        let manifests: Vec<_> = (0..6).map(|number| format!("{MANIFEST}# {number}\n")).collect();
        let connectors = world.engine.connectors();
        let all = join_all(manifests.iter().map(|text| connectors.install(&OPERATOR, install(text, Some("p"))))).await;
        let mut versions: Vec<_> = all.into_iter().map(|outcome| done(outcome.unwrap()).version).collect();
        versions.sort();
        assert_eq!(versions, ["1", "2", "3", "4", "5", "6"]);
    }

    async fn faults_say_where(world: World) {
        let broken = MANIFEST.replace("type: SimpleRetriever", "type: NoSuchComponent");
        let outcome = world.engine.connectors().install(&OPERATOR, install(&broken, None)).await.unwrap();
        assert_eq!(refused(&outcome)[0], (RefusalCode::Invalid, "manifest".to_owned()));
        let message = &outcome.refusals()[0].message;
        assert!(message.contains("line ") && message.contains("column "), "{message}");
    }

    async fn only_operators_install(world: World) {
        let client = world.client("acme").await;
        let actor = crate::world::holder_of(client.id);
        let outcome = world.engine.connectors().install(&actor, install(MANIFEST, None)).await.unwrap();
        assert_eq!(refused(&outcome)[0].0, RefusalCode::Forbidden);
        let bad = world.engine.connectors().install(&OPERATOR, install(MANIFEST, Some("Bad Slug"))).await.unwrap();
        assert_eq!(refused(&bad), [(RefusalCode::Invalid, "slug".to_owned())]);
    }

    async fn the_shipped_ones_are_seeded_once(world: World) {
        let connectors = world.engine.connectors();
        connectors.seed_shipped().await.unwrap();
        let count = connectors.count(&OPERATOR, None).await.unwrap();
        assert!(count > 0);
        connectors.seed_shipped().await.unwrap();
        let page = connectors.list(&OPERATOR, None, &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.len() as u64, count);
        for connector in page.into_items() {
            assert!(connector.shipped && connector.version == "1", "{connector:?}");
            let own = install(MANIFEST, Some(&connector.slug));
            let own = done(connectors.install(&OPERATOR, own).await.unwrap());
            connectors.seed_shipped().await.unwrap();
            assert_eq!(connectors.find_by_slug(&OPERATOR, &connector.slug).await.unwrap().unwrap().id, own.id);
        }
    }
}
