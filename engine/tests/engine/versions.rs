use engine::connectors::{ChangeKind, InstallConnector};
use engine::integrations::UpdateIntegration;
use engine::{PageRequest, Patch, RefusalCode};
use serde_json::json;

use crate::world::{MANIFEST, OPERATOR, World, done, on_both_databases, refused};

async fn install(world: &World, manifest: &str) -> engine::connectors::ConnectorInfo {
    let input = InstallConnector {
        manifest: manifest.to_owned(),
        slug: Some("people".to_owned()),
    };
    done(world.engine.connectors().install(&OPERATOR, input).await.unwrap())
}

/// The schema's type and the second stream's name are others.
fn changed() -> String {
    MANIFEST
        .replace(
            "properties: { id: { type: integer } }",
            "properties: { id: { type: string }, name: { type: string } }",
        )
        .replace("name: posts", "name: articles")
}

on_both_databases! {
    async fn what_a_version_changes_is_said_when_it_is_installed(world: World) {
        let first = install(&world, MANIFEST).await;
        let second = install(&world, &changed()).await;
        let third = install(&world, &format!("{}# only a comment\n", changed())).await;
        let connectors = world.engine.connectors();
        let changes = connectors.changes_of(&OPERATOR, &[first.id, second.id, third.id]).await.unwrap();
        assert!(changes[&first.id].is_empty() && changes[&third.id].is_empty(), "{changes:?}");
        let told: Vec<_> = changes[&second.id]
            .iter()
            .map(|change| (change.stream.as_str(), change.field.as_deref(), change.kind))
            .collect();
        assert_eq!(told, [
            ("users", Some("id"), ChangeKind::TypeChanged),
            ("users", Some("name"), ChangeKind::FieldAdded),
            ("posts", None, ChangeKind::StreamRemoved),
            ("articles", None, ChangeKind::StreamAdded),
        ]);
        let compared = connectors.compare(&OPERATOR, "people", "1", None).await.unwrap().unwrap();
        assert_eq!((compared.to.version.as_str(), compared.changes.len()), ("3", 4));
        let back = connectors.compare(&OPERATOR, "people", "2", Some("1")).await.unwrap().unwrap();
        assert!(back.changes.iter().any(|change| change.kind == ChangeKind::FieldRemoved));
        for (slug, from) in [("people", "9"), ("nobody", "1"), ("Bad Slug", "1")] {
            assert_eq!(connectors.compare(&OPERATOR, slug, from, None).await.unwrap(), None);
        }
    }

    async fn versions_are_listed_newest_first(world: World) {
        for number in 0..12 {
            install(&world, &format!("{MANIFEST}# {number}\n")).await;
        }
        let connectors = world.engine.connectors();
        let page = connectors.versions(&OPERATOR, "people", &PageRequest::first(5)).await.unwrap();
        let after = page.items.last().map(|(cursor, _)| cursor.clone());
        let versions: Vec<String> = page.into_items().map(|version| version.version).collect();
        assert_eq!(versions, ["12", "11", "10", "9", "8"]);
        let next = PageRequest { after, ..PageRequest::first(2) };
        let next = connectors.versions(&OPERATOR, "people", &next).await.unwrap();
        assert_eq!(next.into_items().map(|version| version.version).collect::<Vec<_>>(), ["7", "6"]);
        assert_eq!(connectors.count_versions(&OPERATOR, "people").await.unwrap(), 12);
        assert_eq!(connectors.count_versions(&OPERATOR, "nobody").await.unwrap(), 0);
    }

    async fn a_dry_run_says_what_a_move_would_do_and_moves_nothing(world: World) {
        let (_, made) = world.furnished().await;
        let wants_more = changed().replace("required: [baseUrl, apiKey]", "required: [baseUrl, apiKey, region]");
        install(&world, &wants_more).await;
        let integrations = world.engine.integrations();
        let to_second = || UpdateIntegration {
            connector_version: Some("2".to_owned()),
            ..UpdateIntegration::of(made.id)
        };
        let dry = UpdateIntegration { dry_run: true, ..to_second() };
        let refusals = integrations.change(&OPERATOR, dry.clone()).await.unwrap();
        assert_eq!(refused(&refusals), refused(&integrations.change(&OPERATOR, to_second()).await.unwrap()));
        assert_eq!(refused(&refusals), [
            (RefusalCode::Invalid, "config.region".to_owned()),
            (RefusalCode::Invalid, "streams.1".to_owned()),
        ]);
        let fits = UpdateIntegration {
            config: Some(json!({ "baseUrl": "https://people.example", "apiKey": "s3cret", "region": "eu" })),
            streams: Patch::Clear,
            ..to_second()
        };
        let before = world.engine.integrations().find(&OPERATOR, made.id).await.unwrap();
        let dry = UpdateIntegration { dry_run: true, ..fits.clone() };
        let would = done(integrations.change(&OPERATOR, dry).await.unwrap());
        assert_eq!(would.integration.streams, ["users", "articles"]);
        assert_eq!(world.engine.integrations().find(&OPERATOR, made.id).await.unwrap(), before);
        let moved = done(integrations.change(&OPERATOR, fits).await.unwrap());
        assert_eq!(moved.connector_changes, would.connector_changes);
        let breaking = moved.connector_changes.iter().filter(|change| change.kind.is_breaking()).count();
        assert_eq!(breaking, 2, "{:?}", moved.connector_changes);
        assert_ne!(moved.integration.connector_id, made.connector_id);
        let renamed = UpdateIntegration { name: Some("new".to_owned()), ..UpdateIntegration::of(made.id) };
        assert!(done(integrations.change(&OPERATOR, renamed).await.unwrap()).connector_changes.is_empty());
    }
}
