//! Two people who change one thing: the second one is told, where they say what they saw.

use chrono::{DateTime, TimeDelta, Utc};
use engine::Outcome;
use engine::RefusalCode;
use engine::clients::{Client, UpdateClient};
use engine::integrations::{Integration, UpdateIntegration};
use futures::future::join_all;

use crate::world::{OPERATOR, World, done, on_both_databases, refused};

async fn rename_client(
    world: &World,
    client: &Client,
    name: &str,
    seen: Option<DateTime<Utc>>,
) -> Outcome<Client> {
    let input = UpdateClient {
        client_id: client.id,
        name: Some(name.to_owned()),
        metadata: None,
        if_updated_at: seen,
    };
    world.engine.clients().update(&OPERATOR, input).await.unwrap()
}

async fn rename(
    world: &World,
    of: &Integration,
    name: &str,
    seen: Option<DateTime<Utc>>,
) -> Outcome<Integration> {
    let input = UpdateIntegration {
        name: Some(name.to_owned()),
        if_updated_at: seen,
        ..UpdateIntegration::of(of.id)
    };
    world
        .engine
        .integrations()
        .update(&OPERATOR, input)
        .await
        .unwrap()
}

fn conflict() -> [(RefusalCode, String); 1] {
    [(RefusalCode::Conflict, "ifUpdatedAt".to_owned())]
}

/// One was done, and the others were told that it was.
fn one_of<T: std::fmt::Debug + Clone>(outcomes: &[Outcome<T>]) -> T {
    let mut won = Vec::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Done(done) => won.push(done.clone()),
            Outcome::Refused(_) => assert_eq!(refused(outcome), conflict()),
        }
    }
    assert_eq!(won.len(), 1, "{outcomes:?}");
    won.remove(0)
}

on_both_databases! {
    async fn of_many_who_saw_the_same_one_changes_it(world: World) {
        let (client, integration) = world.furnished().await;
        let names: Vec<String> = (0..12).map(|number| format!("name {number}")).collect();
        let seen = Some(client.updated_at);
        let asked = join_all(names.iter().map(|name| rename_client(&world, &client, name, seen))).await;
        let won = one_of(&asked);
        assert_eq!(world.engine.clients().find(&OPERATOR, client.id).await.unwrap(), Some(won));

        let seen = Some(integration.updated_at);
        let asked = join_all(names.iter().map(|name| rename(&world, &integration, name, seen))).await;
        let won = one_of(&asked);
        assert_eq!(world.engine.integrations().find(&OPERATOR, integration.id).await.unwrap(), Some(won));
    }

    async fn who_reads_again_may_write(world: World) {
        let (client, integration) = world.furnished().await;
        let first = done(rename_client(&world, &client, "first", Some(client.updated_at)).await);
        let stale = rename_client(&world, &client, "stale", Some(client.updated_at)).await;
        assert_eq!(refused(&stale), conflict());
        let text = first.updated_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        assert!(stale.refusals()[0].message.contains(&text), "it says since when: {stale:?}");
        done(rename_client(&world, &client, "second", Some(first.updated_at)).await);
        done(rename_client(&world, &client, "who asks nothing wins", None).await);

        let first = done(rename(&world, &integration, "first", Some(integration.updated_at)).await);
        assert_eq!(refused(&rename(&world, &integration, "stale", Some(integration.updated_at)).await), conflict());
        done(rename(&world, &integration, "second", Some(first.updated_at)).await);
        done(rename(&world, &integration, "who asks nothing wins", None).await);
    }

    async fn an_update_that_would_change_nothing_is_stale_all_the_same(world: World) {
        let (client, integration) = world.furnished().await;
        let before = client.updated_at - TimeDelta::microseconds(1);
        assert_eq!(refused(&rename_client(&world, &client, &client.name, Some(before)).await), conflict());
        let same = done(rename_client(&world, &client, &client.name, Some(client.updated_at)).await);
        assert_eq!(same, client, "nothing changed, so it is not said to have");
        let trial = UpdateIntegration {
            dry_run: true,
            if_updated_at: Some(integration.updated_at - TimeDelta::microseconds(1)),
            ..UpdateIntegration::of(integration.id)
        };
        let trial = world.engine.integrations().update(&OPERATOR, trial).await.unwrap();
        assert_eq!(refused(&trial), conflict());
    }

    /// However fast they follow one another, and also when the clock was set back.
    async fn two_changes_never_have_the_same_time(world: World) {
        let (client, integration) = world.furnished().await;
        let mut world = world;
        let clock = platform::clock::ManualClock::at(client.created_at - TimeDelta::days(1));
        world.engine.clock = clock.shared();
        let (mut last, mut of_integration) = (client.updated_at, integration.updated_at);
        for name in ["a", "b", "c"] {
            let changed = done(rename_client(&world, &client, name, Some(last)).await);
            assert!(changed.updated_at > last);
            last = changed.updated_at;
            let changed = done(rename(&world, &integration, name, Some(of_integration)).await);
            assert!(changed.updated_at > of_integration);
            of_integration = changed.updated_at;
        }
    }
}
