use std::time::Duration;

use chrono::TimeDelta;
use engine::access::{ApiKey, ApiKeyFilter, CreateApiKey, IssuedKey, Resource, RotateApiKey};
use engine::ids::{ApiKeyId, ClientId};
use engine::integrations::UpdateIntegration;
use engine::records::RecordList;
use engine::{Actor, Engine, Error, Listing, PageRequest, RefusalCode, Scope};
use platform::clock::ManualClock;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::world::{OPERATOR, World, config, done, holder_of, new_id, on_both_databases, refused, soon};

fn key(client: Option<ClientId>, scopes: &[&str]) -> CreateApiKey {
    CreateApiKey {
        name: "a key".to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        client_id: client,
        expires_at: None,
    }
}

async fn issue(engine: &Engine, maker: &Actor, input: CreateApiKey) -> IssuedKey {
    done(engine.api_keys().create(maker, input).await.unwrap())
}

async fn shown(engine: &Engine, issued: &IssuedKey) -> Option<Actor> {
    let secret = issued.secret.expose_secret();
    engine
        .api_keys()
        .authenticate(secret)
        .await
        .unwrap()
        .map(|presented| presented.actor)
}

async fn holder(engine: &Engine, client: Option<ClientId>, scopes: &[&str]) -> Actor {
    let issued = issue(engine, &OPERATOR, key(client, scopes)).await;
    shown(engine, &issued).await.expect("the key counts")
}

fn rotate(key: &ApiKey, overlap_seconds: i64) -> RotateApiKey {
    RotateApiKey {
        api_key_id: key.id,
        overlap_seconds,
    }
}

/// The world on a clock of the test's own.
fn timed(world: &World) -> (Engine, ManualClock) {
    let clock = ManualClock::default();
    (
        Engine {
            clock: clock.shared(),
            ..world.engine.clone()
        },
        clock,
    )
}

on_both_databases! {
    async fn a_key_is_its_secret_and_is_bound_to_its_client(world: World) {
        let client = world.client("acme").await;
        let issued = issue(&world.engine, &OPERATOR, key(Some(client.id), &["runs:read", "*:read", "runs:read"])).await;
        let secret = issued.secret.expose_secret();
        assert!(secret.starts_with(&issued.key.prefix) && issued.key.prefix.starts_with("syn_"), "{secret}");
        assert!(!format!("{issued:?}").contains(&secret[issued.key.prefix.len()..]), "it is not in a log");
        assert_eq!(issued.key.scopes, ["*:read", "runs:read"]);
        let actor = shown(&world.engine, &issued).await.unwrap();
        assert_eq!(actor.client(), Some(client.id));
        assert_eq!(actor.reads(Resource::Runs).unwrap(), Scope::Client(client.id));
        assert_eq!(actor.writes(Resource::Runs).unwrap_err().code, RefusalCode::Forbidden);
        let mut wrong = secret.to_owned();
        let last = if wrong.pop() == Some('0') { '1' } else { '0' };
        wrong.push(last);
        for wrong in [wrong.as_str(), &issued.key.prefix, "", "syn_", &secret.to_uppercase()] {
            assert_eq!(world.engine.api_keys().authenticate(wrong).await.unwrap(), None, "{wrong}");
        }
        // Nothing from which the secret could be had is in the tables.
        let found = world.engine.api_keys().find(&OPERATOR, issued.key.id).await.unwrap().unwrap();
        assert!(!format!("{found:?}").contains(&secret[issued.key.prefix.len()..]));
    }

    async fn a_rotated_key_has_both_secrets_for_the_overlap(world: World) {
        let (engine, clock) = timed(&world);
        let first = issue(&engine, &OPERATOR, key(None, &["*"])).await;
        let second = done(engine.api_keys().rotate(&OPERATOR, rotate(&first.key, 60)).await.unwrap());
        assert_ne!(first.key.prefix, second.key.prefix);
        assert_eq!(first.key.id, second.key.id);
        assert!(shown(&engine, &first).await.is_some() && shown(&engine, &second).await.is_some());
        clock.advance(Duration::from_secs(59));
        assert!(shown(&engine, &first).await.is_some(), "it overlaps");
        clock.advance(Duration::from_secs(1));
        assert!(shown(&engine, &first).await.is_none() && shown(&engine, &second).await.is_some());
        // A longer overlap later brings nothing back, and none ends the secret at once.
        let third = done(engine.api_keys().rotate(&OPERATOR, rotate(&first.key, 3600)).await.unwrap());
        assert!(shown(&engine, &first).await.is_none() && shown(&engine, &second).await.is_some());
        let fourth = done(engine.api_keys().rotate(&OPERATOR, rotate(&first.key, 0)).await.unwrap());
        for ended in [&first, &second, &third] {
            assert!(shown(&engine, ended).await.is_none());
        }
        assert!(shown(&engine, &fourth).await.is_some());
        for overlap in [-1, 30 * 24 * 3600 + 1] {
            let outcome = engine.api_keys().rotate(&OPERATOR, rotate(&first.key, overlap)).await.unwrap();
            assert_eq!(refused(&outcome), [(RefusalCode::Invalid, "overlapSeconds".to_owned())]);
        }
    }

    async fn a_key_ends_by_its_time_or_by_somebody(world: World) {
        let (engine, clock) = timed(&world);
        let end = engine.clock.now() + TimeDelta::seconds(60);
        let expiring = issue(&engine, &OPERATOR, CreateApiKey { expires_at: Some(end), ..key(None, &["*"]) }).await;
        let revoked = issue(&engine, &OPERATOR, key(None, &["*"])).await;
        let prefixes = [expiring.key.prefix.as_str(), revoked.key.prefix.as_str(), "syn_unknown"];
        assert_eq!(engine.api_keys().standing(&prefixes).await.unwrap().len(), 2);
        for _ in 0..2 {
            let key = done(engine.api_keys().revoke(&OPERATOR, revoked.key.id).await.unwrap());
            assert!(key.revoked_at.is_some());
        }
        assert!(shown(&engine, &revoked).await.is_none());
        assert!(shown(&engine, &expiring).await.is_some());
        clock.advance(Duration::from_secs(60));
        assert!(shown(&engine, &expiring).await.is_none());
        assert_eq!(engine.api_keys().standing(&prefixes).await.unwrap().len(), 0);
        for ended in [&expiring, &revoked] {
            let outcome = engine.api_keys().rotate(&OPERATOR, rotate(&ended.key, 0)).await.unwrap();
            assert_eq!(refused(&outcome), [(RefusalCode::Conflict, "apiKeyId".to_owned())]);
        }
        let past = CreateApiKey { expires_at: Some(end), ..key(None, &["*"]) };
        let outcome = engine.api_keys().create(&OPERATOR, past).await.unwrap();
        assert_eq!(refused(&outcome), [(RefusalCode::Invalid, "expiresAt".to_owned())]);
        engine.events().relay().await.unwrap();
        let events = engine.events().list_after(&OPERATOR, 0, &[], 100).await.unwrap();
        let mut types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
        // Of one moment of this clock, so in no order.
        types.sort_unstable();
        assert_eq!(types, ["api_key.created", "api_key.created", "api_key.revoked"]);
    }

    async fn they_are_filtered_by_their_times(world: World) {
        let (engine, clock) = timed(&world);
        let client = world.client("acme").await.id;
        let begun = engine.clock.now();
        let at = |seconds: i64| Some(begun + TimeDelta::seconds(seconds));
        let idle = issue(&engine, &OPERATOR, key(Some(client), &["*"])).await.key.id;
        clock.advance(Duration::from_secs(1_000));
        let expiring = issue(&engine, &OPERATOR, CreateApiKey { expires_at: at(9_000), ..key(None, &["*"]) }).await;
        clock.advance(Duration::from_secs(1_000));
        shown(&engine, &expiring).await.unwrap();
        let expiring = expiring.key.id;
        soon(async {
            while engine.api_keys().find(&OPERATOR, expiring).await.unwrap().unwrap().last_used_at.is_none() {
                tokio::task::yield_now().await;
            }
        }).await;
        let any = ApiKeyFilter::default;
        for (filter, expected) in [
            (any(), vec![expiring, idle]),
            (ApiKeyFilter { client_id: Some(client), ..any() }, vec![idle]),
            (ApiKeyFilter { client_id: Some(client), created_after: at(0), ..any() }, vec![]),
            (ApiKeyFilter { created_after: at(0), ..any() }, vec![expiring]),
            (ApiKeyFilter { created_before: at(1_000), ..any() }, vec![idle]),
            (ApiKeyFilter { created_after: at(-1), created_before: at(1_001), ..any() }, vec![expiring, idle]),
            (ApiKeyFilter { expires_before: at(9_001), ..any() }, vec![expiring]),
            (ApiKeyFilter { expires_before: at(9_000), ..any() }, vec![]),
            (ApiKeyFilter { expires_after: at(8_999), ..any() }, vec![expiring]),
            (ApiKeyFilter { last_used_after: at(1_999), ..any() }, vec![expiring]),
            (ApiKeyFilter { last_used_after: at(2_000), ..any() }, vec![]),
            (ApiKeyFilter { last_used_before: at(2_000), ..any() }, vec![idle]),
            (ApiKeyFilter { last_used_before: at(2_001), ..any() }, vec![expiring, idle]),
        ] {
            let found = engine.api_keys().list(&OPERATOR, &filter, &PageRequest::default()).await.unwrap();
            let ids: Vec<_> = found.into_items().map(|key| key.id).collect();
            assert_eq!(ids, expected, "{filter:?}");
            assert_eq!(engine.api_keys().count(&OPERATOR, &filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        }
        let own = holder_of(client);
        let found = engine.api_keys().list(&own, &any(), &PageRequest::default()).await.unwrap();
        assert_eq!(found.into_items().map(|key| key.id).collect::<Vec<_>>(), [idle], "a filter widens no scope");
    }

    async fn a_use_is_noted_and_not_every_one(world: World) {
        let (engine, clock) = timed(&world);
        let issued = issue(&engine, &OPERATOR, key(None, &["*"])).await;
        let last_used = async || {
            let key = engine.api_keys().find(&OPERATOR, issued.key.id).await.unwrap().unwrap();
            key.last_used_at
        };
        let noted_at = async |at| soon(async {
            while last_used().await != Some(at) {
                tokio::task::yield_now().await;
            }
        }).await;
        assert_eq!(last_used().await, None);
        let first = engine.clock.now();
        shown(&engine, &issued).await.unwrap();
        noted_at(first).await;
        clock.advance(Duration::from_secs(299));
        shown(&engine, &issued).await.unwrap();
        clock.advance(Duration::from_secs(2));
        shown(&engine, &issued).await.unwrap();
        // Had the use before been noted, this one would not be.
        noted_at(engine.clock.now()).await;
    }

    async fn nobody_hands_out_more_than_they_have(world: World) {
        let (own, other) = (world.client("own").await, world.client("other").await);
        let keys = world.engine.api_keys();
        let maker = holder(&world.engine, Some(own.id), &["api_keys:*", "runs:read"]).await;
        let bound = issue(&world.engine, &maker, key(None, &["runs:read"])).await;
        assert_eq!(bound.key.client_id, Some(own.id), "bound as its maker is");
        for scopes in [&["runs:write"][..], &["*"], &["*:read"], &["runs:read", "records:read"]] {
            let outcome = keys.create(&maker, key(None, scopes)).await.unwrap();
            assert_eq!(refused(&outcome), [(RefusalCode::Forbidden, "scopes".to_owned())], "{scopes:?}");
        }
        let outcome = keys.create(&maker, key(Some(other.id), &["runs:read"])).await.unwrap();
        let unknown = keys.create(&maker, key(Some(ClientId::new(new_id())), &["runs:read"])).await.unwrap();
        assert_eq!(refused(&outcome), [(RefusalCode::NotFound, "clientId".to_owned())]);
        assert_eq!(outcome.refusals(), unknown.refusals());
        // Whoever rotates a key comes to know its secret.
        let broad = issue(&world.engine, &OPERATOR, key(Some(own.id), &["*"])).await;
        let outcome = keys.rotate(&maker, rotate(&broad.key, 0)).await.unwrap();
        assert_eq!(refused(&outcome), [(RefusalCode::Forbidden, "apiKeyId".to_owned())]);
        assert!(shown(&world.engine, &broad).await.is_some());
        for scope in ["clients:write", "connectors:write"] {
            let outcome = keys.create(&OPERATOR, key(Some(own.id), &[scope])).await.unwrap();
            assert_eq!(refused(&outcome), [(RefusalCode::Invalid, "scopes".to_owned())], "{scope}");
        }
        let everything = shown(&world.engine, &broad).await.unwrap();
        assert_eq!(everything.operates(Resource::Connectors).unwrap_err().code, RefusalCode::Forbidden);
        let staff = holder(&world.engine, None, &["clients:write"]).await;
        assert_eq!(staff.operates(Resource::Clients), Ok(Scope::All));
        assert!(staff.operates(Resource::Connectors).is_err());
        for scopes in [&[][..], &["runs"], &["run:read"]] {
            let outcome = keys.create(&OPERATOR, key(None, scopes)).await.unwrap();
            assert_eq!(refused(&outcome), [(RefusalCode::Invalid, "scopes".to_owned())], "{scopes:?}");
        }
    }

    async fn somebody_else_s_key_is_not_there(world: World) {
        let (own, other) = (world.client("own").await, world.client("other").await);
        let keys = world.engine.api_keys();
        let theirs = issue(&world.engine, &OPERATOR, key(Some(own.id), &["*"])).await;
        let operators = issue(&world.engine, &OPERATOR, key(None, &["*"])).await;
        let stranger = holder(&world.engine, Some(other.id), &["*"]).await;
        let nobodys = ApiKeyId::new(new_id());
        for id in [theirs.key.id, operators.key.id, nobodys] {
            assert_eq!(keys.find(&stranger, id).await.unwrap(), None);
            let rotated = keys.rotate(&stranger, RotateApiKey { api_key_id: id, overlap_seconds: 0 }).await.unwrap();
            let revoked = keys.revoke(&stranger, id).await.unwrap();
            let not_found = [(RefusalCode::NotFound, "apiKeyId".to_owned())];
            assert_eq!((refused(&rotated), refused(&revoked)), (not_found.to_vec(), not_found.to_vec()));
        }
        assert!(shown(&world.engine, &theirs).await.is_some() && shown(&world.engine, &operators).await.is_some());
        let of_own = ApiKeyFilter { client_id: Some(own.id), ..ApiKeyFilter::default() };
        let listed = keys.list(&stranger, &ApiKeyFilter::default(), &PageRequest::default()).await.unwrap();
        assert!(listed.into_items().all(|key| key.client_id == Some(other.id)));
        assert_eq!(keys.count(&stranger, &of_own).await.unwrap(), 0, "a filter widens no scope");
        assert_eq!(keys.count(&OPERATOR, &of_own).await.unwrap(), 1);
        assert_eq!(keys.count(&OPERATOR, &ApiKeyFilter::default()).await.unwrap(), 3);
    }

    async fn a_right_that_is_lacking_is_missed_before_anything_is_looked_up(world: World) {
        let (client, integration) = world.furnished().await;
        let narrow = holder(&world.engine, Some(client.id), &["integrations:read"]).await;
        assert!(world.engine.integrations().find(&narrow, integration.id).await.unwrap().is_some());
        let of = RecordList {
            integration_id: integration.id, stream: "users".to_owned(), changed_after: None, include_deleted: false, keys: None,
        };
        let records = world.engine.records().lists(&narrow, &[Listing::new(&of, &PageRequest::default())]).await;
        assert!(matches!(records, Err(Error::Forbidden(text)) if text.contains("records:read")));
        for id in [integration.id, engine::ids::IntegrationId::new(new_id())] {
            let paused = world.engine.integrations().pause(&narrow, id).await.unwrap();
            assert_eq!(refused(&paused), [(RefusalCode::Forbidden, String::new())], "whether it is there or not");
        }
    }

    async fn a_client_cannot_send_a_secret_that_it_does_not_know_elsewhere(world: World) {
        let (client, integration) = world.furnished().await;
        let writer = holder(&world.engine, Some(client.id), &["integrations:write"]).await;
        let integrations = world.engine.integrations();
        let with = |config| UpdateIntegration { config: Some(config), ..UpdateIntegration::of(integration.id) };
        let elsewhere = json!({ "baseUrl": "https://evil.example" });
        let masked = json!({ "baseUrl": "https://evil.example", "apiKey": integration.config["apiKey"] });
        for config in [elsewhere.clone(), masked] {
            let outcome = integrations.update(&writer, with(config)).await.unwrap();
            assert_eq!(refused(&outcome), [(RefusalCode::Forbidden, "config.baseUrl".to_owned())]);
        }
        let version = UpdateIntegration { connector_version: Some("1".to_owned()), ..UpdateIntegration::of(integration.id) };
        let outcome = integrations.update(&writer, version).await.unwrap();
        assert_eq!(refused(&outcome), [(RefusalCode::Forbidden, "connectorVersion".to_owned())]);
        let found = integrations.find(&OPERATOR, integration.id).await.unwrap().unwrap();
        assert_eq!(found.config["baseUrl"], config()["baseUrl"], "nothing was changed");
        // With a secret of their own it is their own affair, and an operator may anyway.
        let own = json!({ "baseUrl": "https://own.example", "apiKey": "their-own-secret" });
        assert!(integrations.update(&writer, with(own)).await.unwrap().refusals().is_empty());
        assert!(integrations.update(&OPERATOR, with(elsewhere)).await.unwrap().refusals().is_empty());
    }
}
