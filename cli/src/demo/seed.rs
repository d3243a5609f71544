//! The client and its three integrations, registered as anybody would register theirs.
//!
//! Each step looks before it does, so that a demo that is started again finds its things, with what the user has changed
//! about them, and mends only what a restart can break: the address of the sample API.

use engine::clients::{Client, RegisterClient};
use engine::integrations::{
    CreateIntegration, Integration, IntegrationFilter, IntegrationOrder, OverlapPolicy, RetryInput,
    ScheduleInput, UpdateIntegration,
};
use engine::runs::{SyncMode, SyncTrigger, TriggerSync};
use engine::{Actor, Engine, Outcome, PageRequest};
use serde_json::{Value, json};

use super::upstream::API_KEY;
use crate::exit::Failure;

const CONNECTOR: &str = "sample";
const CLIENT: &str = "acme";

/// Name and streams.
const INTEGRATIONS: [(&str, &[&str]); 3] = [
    ("User directory", &["users"]),
    ("Blog", &["posts", "comments"]),
    ("Web shop", &["orders"]),
];

const ACTOR: Actor = Actor::System;

pub(super) struct Seeded {
    pub(super) client: Client,
    pub(super) integrations: Vec<Integration>,
}

pub(super) async fn seed(engine: &Engine, base_url: &str) -> Result<Seeded, Failure> {
    let client = client(engine).await?;
    let filter = IntegrationFilter {
        client_id: Some(client.id),
        ..IntegrationFilter::default()
    };
    let page = PageRequest {
        first: Some(100),
        ..PageRequest::default()
    };
    let existing = engine
        .integrations()
        .list(&ACTOR, &filter, IntegrationOrder::default(), &page)
        .await
        .map_err(failed)?;
    let mut existing: Vec<Integration> = existing
        .items
        .into_iter()
        .map(|(_, integration)| integration)
        .collect();

    let mut integrations = Vec::with_capacity(INTEGRATIONS.len());
    for (name, streams) in INTEGRATIONS {
        let found = existing.iter().position(|integration| integration.name == name);
        let integration = match found {
            Some(at) => moved(engine, existing.swap_remove(at), base_url).await?,
            None => created(engine, &client, name, streams, base_url).await?,
        };
        first_sync(engine, &integration).await;
        integrations.push(integration);
    }
    Ok(Seeded { client, integrations })
}

async fn client(engine: &Engine) -> Result<Client, Failure> {
    if let Some(client) = engine
        .clients()
        .find_by_slug(&ACTOR, CLIENT)
        .await
        .map_err(failed)?
    {
        return Ok(client);
    }
    let acme = RegisterClient {
        slug: CLIENT.to_owned(),
        name: "Acme Ltd".to_owned(),
        metadata: None,
    };
    done(engine.clients().register(&ACTOR, acme).await.map_err(failed)?)
}

async fn created(
    engine: &Engine,
    client: &Client,
    name: &str,
    streams: &[&str],
    base_url: &str,
) -> Result<Integration, Failure> {
    let every_minute = ScheduleInput {
        cron: "* * * * *".to_owned(),
        timezone: "UTC".to_owned(),
        jitter_seconds: 0,
        overlap: OverlapPolicy::Skip,
        catch_up_seconds: 0,
    };
    let integration = CreateIntegration {
        client_id: client.id,
        connector: CONNECTOR.to_owned(),
        name: name.to_owned(),
        config: config(base_url),
        streams: Some(streams.iter().map(|stream| (*stream).to_owned()).collect()),
        schedule: Some(every_minute),
        retry: RetryInput::default(),
        requests_per_minute: None,
    };
    done(
        engine
            .integrations()
            .create(&ACTOR, integration)
            .await
            .map_err(failed)?,
    )
}

/// The sample API may listen on another port than last time.
async fn moved(engine: &Engine, integration: Integration, base_url: &str) -> Result<Integration, Failure> {
    if integration.config.get("base_url").and_then(Value::as_str) == Some(base_url) {
        return Ok(integration);
    }
    let mut update = UpdateIntegration::of(integration.id);
    update.config = Some(config(base_url));
    done(
        engine
            .integrations()
            .update(&ACTOR, update)
            .await
            .map_err(failed)?,
    )
}

fn config(base_url: &str) -> Value {
    json!({ "base_url": base_url, "api_key": API_KEY })
}

/// At once, so that there is something to see. One that is refused, because the user paused it, is none of our business.
async fn first_sync(engine: &Engine, integration: &Integration) {
    let trigger = TriggerSync {
        integration_id: integration.id,
        idempotency_key: None,
        mode: SyncMode::Incremental,
        streams: None,
        trigger: SyncTrigger::Manual,
    };
    if let Err(error) = engine.runs().trigger(&ACTOR, trigger).await {
        tracing::warn!(integration = %integration.id, error = error.chain(), "the first sync could not be triggered");
    }
}

fn done<T>(outcome: Outcome<T>) -> Result<T, Failure> {
    match outcome {
        Outcome::Done(done) => Ok(done),
        Outcome::Refused(refusals) => {
            let told: Vec<String> = refusals.into_iter().map(|refusal| refusal.message).collect();
            Err(Failure::failed(format!(
                "The demo's own data does not fit this version: {} Delete its data directory and start again.",
                told.join(" ")
            )))
        }
    }
}

fn failed(error: engine::Error) -> Failure {
    Failure::failed(format!("The demo cannot be set up: {}.", error.chain()))
}
