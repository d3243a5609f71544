//! `GET /export/clients/{clientId}`: everything that is kept of a client, a thing a line: `{"type": …, "data": …}`.
//!
//! Every line is what the API shows to this caller, read by the same services: secrets are masked, and API keys have
//! none. Who may not read all of it gets nothing, so that nobody takes a part for the whole. The last line is of the type
//! `end` and says how many there were before it. An erasure that begins meanwhile cuts the export.
//!
//! It is no snapshot: what changes while it is read is there as it was or as it is.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::Response;
use engine::access::{ApiKeyFilter, Resource};
use engine::deadletters::DeadLetterFilter;
use engine::ids::{ClientId, IntegrationId, RunId};
use engine::integrations::{IntegrationFilter, IntegrationOrder};
use engine::records::ExportRequest;
use engine::runs::{LogLevel, SyncRunFilter};
use engine::{Actor, Engine, Error, Listing, PageRequest, Paged};
use serde_json::{Value, json};
use tracing::Instrument;

use super::body::{Cut, Writer, say};
use super::places::Places;
use super::{failed, file, jsonl, not_there, portrait, query, too_many, unreadable};
use crate::auth::Admitted;
use crate::http::Api;
use crate::http::request_id::Id;

/// What a client has.
const EVERYTHING: [Resource; 7] = [
    Resource::Clients,
    Resource::ApiKeys,
    Resource::Integrations,
    Resource::Runs,
    Resource::Records,
    Resource::DeadLetters,
    Resource::Events,
];
/// Things read at once.
const PAGE: u32 = engine::MAX_PAGE;
const EVENTS: u64 = 500;

pub(super) async fn handle(
    State(api): State<Api>,
    Extension(places): Extension<Arc<Places>>,
    id: Id,
    Path(client): Path<String>,
    RawQuery(query): RawQuery,
    Extension(admitted): Extension<Admitted>,
) -> Response<Body> {
    let id = id.0;
    if let Err(message) = query::read(query.as_deref(), &[]) {
        return unreadable(&message, &id);
    }
    let found = match find(&api.engine, &admitted.actor, &client).await {
        Ok(found) => found,
        Err(error) => return failed(error, &id),
    };
    let Some(client) = found else {
        return not_there("such client", &id);
    };
    let Some(place) = places.take(&admitted.actor) else {
        return too_many(&id);
    };
    let session = api.sessions.open(&api.engine, &admitted);
    let (writer, body) = Writer::new(&api, session, place);
    let name = format!("{}.jsonl", client.id);
    let export = Export {
        engine: api.engine.clone(),
        actor: admitted.actor,
        client: client.id,
        writer,
        lines: 0,
    };
    tokio::spawn(async move { say(&export.write(&client).await) }.in_current_span());
    file(body, "application/x-ndjson", &name)
}

async fn find(
    engine: &Engine,
    actor: &Actor,
    client: &str,
) -> engine::Result<Option<engine::clients::Client>> {
    for resource in EVERYTHING {
        actor.reads(resource)?;
    }
    let Ok(id) = client.parse() else { return Ok(None) };
    if engine.erasures().has_begun(id).await? {
        return Ok(None);
    }
    engine.clients().find(actor, id).await
}

struct Export {
    engine: Engine,
    actor: Actor,
    client: ClientId,
    writer: Writer,
    lines: u64,
}

/// Goes through the pages of a list.
macro_rules! pages {
    ($self:ident, $page:ident => $list:expr, $each:ident => $then:block) => {{
        let mut $page = PageRequest::first(PAGE);
        loop {
            let engine = $self.engine.clone();
            let (found, after, more): (Vec<_>, _, _) = {
                let listed: Paged<_> = $self.writer.unless_cut($list(&engine, $page.clone())).await?;
                let after = listed.end_cursor().map(str::to_owned);
                let more = listed.has_next;
                (listed.into_items().collect(), after, more)
            };
            for $each in found $then
            if !more {
                break;
            }
            $page.after = after;
        }
    }};
}

impl Export {
    async fn write(mut self, client: &engine::clients::Client) -> Result<(), Cut> {
        self.line("client", &portrait::client(client)).await?;
        self.keys().await?;
        let integrations = self.integrations().await?;
        self.runs().await?;
        self.dead_letters().await?;
        self.events().await?;
        for integration in integrations {
            self.records(integration).await?;
        }
        let engine = self.engine.clone();
        if self
            .writer
            .unless_cut(engine.erasures().has_begun(self.client))
            .await?
        {
            let gone = "the client was erased while it was exported";
            return Err(Cut::Failed(Error::Unavailable(gone.into())));
        }
        let lines = self.lines;
        self.line("end", &json!({ "lines": lines })).await?;
        self.writer.finish().await
    }

    async fn line(&mut self, kind: &str, data: &Value) -> Result<(), Cut> {
        let line = json!({ "type": kind, "data": data });
        self.writer
            .buffer()
            .extend_from_slice(line.to_string().as_bytes());
        self.writer.buffer().push(b'\n');
        self.lines += 1;
        self.writer.flush_full().await
    }

    async fn keys(&mut self) -> Result<(), Cut> {
        let (actor, client) = (self.actor, self.client);
        let list = |engine: &Engine, page: PageRequest| {
            let engine = engine.clone();
            let filter = ApiKeyFilter {
                client_id: Some(client),
                ..ApiKeyFilter::default()
            };
            async move { engine.api_keys().list(&actor, &filter, &page).await }
        };
        pages!(self, page => list, key => { self.line("apiKey", &portrait::api_key(&key)).await?; });
        Ok(())
    }

    async fn integrations(&mut self) -> Result<Vec<IntegrationId>, Cut> {
        let (actor, client) = (self.actor, self.client);
        let list = |engine: &Engine, page: PageRequest| {
            let engine = engine.clone();
            async move {
                let filter = IntegrationFilter {
                    client_id: Some(client),
                    ..IntegrationFilter::default()
                };
                let order = IntegrationOrder::default();
                engine.integrations().list(&actor, &filter, order, &page).await
            }
        };
        let mut ids = Vec::new();
        pages!(self, page => list, integration => {
            ids.push(integration.id);
            self.line("integration", &portrait::integration(&integration)).await?;
            self.schedule(integration.id).await?;
        });
        Ok(ids)
    }

    async fn schedule(&mut self, of: IntegrationId) -> Result<(), Cut> {
        let (engine, actor) = (self.engine.clone(), self.actor);
        let found = self
            .writer
            .unless_cut(engine.integrations().schedules_for(&actor, &[of]))
            .await?;
        for schedule in found.values() {
            self.line("schedule", &portrait::schedule(schedule)).await?;
        }
        let list = |engine: &Engine, page: PageRequest| {
            let engine = engine.clone();
            async move {
                first(
                    engine
                        .integrations()
                        .skipped_ticks(&actor, &[Listing { of, page }])
                        .await?,
                )
            }
        };
        pages!(self, page => list, tick => { self.line("skippedTick", &portrait::skipped_tick(of, &tick)).await?; });
        Ok(())
    }

    async fn runs(&mut self) -> Result<(), Cut> {
        let (actor, client) = (self.actor, self.client);
        let list = |engine: &Engine, page: PageRequest| {
            let engine = engine.clone();
            async move {
                let filter = SyncRunFilter {
                    client_id: Some(client),
                    ..SyncRunFilter::default()
                };
                let found = engine.runs().list(&actor, &filter, &page).await?;
                let ids: Vec<RunId> = found.items.iter().map(|(_, run)| run.id).collect();
                let attempts = engine.runs().attempts_for(&actor, &ids).await?;
                let streams = engine.runs().streams_for(&actor, &ids).await?;
                Ok(found.map(|run| {
                    let attempts = attempts.get(&run.id).map(Vec::as_slice).unwrap_or_default();
                    let streams = streams.get(&run.id).map(Vec::as_slice).unwrap_or_default();
                    (run.id, portrait::run(&run, attempts, streams))
                }))
            }
        };
        pages!(self, page => list, run => {
            self.line("syncRun", &run.1).await?;
            self.log(run.0).await?;
        });
        Ok(())
    }

    async fn log(&mut self, run: RunId) -> Result<(), Cut> {
        let actor = self.actor;
        let list = |engine: &Engine, page: PageRequest| {
            let engine = engine.clone();
            async move {
                let listing = Listing::new(&(run, LogLevel::Debug), &page);
                first(engine.runs().logs(&actor, &[listing]).await?)
            }
        };
        pages!(self, page => list, entry => { self.line("log", &portrait::log(run, &entry)).await?; });
        Ok(())
    }

    async fn dead_letters(&mut self) -> Result<(), Cut> {
        let (actor, client) = (self.actor, self.client);
        let list = |engine: &Engine, page: PageRequest| {
            let engine = engine.clone();
            async move {
                let filter = DeadLetterFilter {
                    client_id: Some(client),
                    ..DeadLetterFilter::default()
                };
                engine.dead_letters().list(&actor, &filter, &page).await
            }
        };
        pages!(self, page => list, letter => { self.line("deadLetter", &portrait::dead_letter(&letter)).await?; });
        Ok(())
    }

    async fn events(&mut self) -> Result<(), Cut> {
        let (engine, actor) = (self.engine.clone(), self.actor);
        let mut after = 0;
        loop {
            let events = engine.events();
            let found = events.of_client(&actor, self.client, after, EVENTS);
            let found = self.writer.unless_cut(found).await?;
            let Some(last) = found.last().and_then(|event| event.sequence) else {
                return Ok(());
            };
            after = last;
            for event in found {
                self.line("event", &portrait::event(&event)).await?;
            }
        }
    }

    async fn records(&mut self, of: IntegrationId) -> Result<(), Cut> {
        let (engine, actor) = (self.engine.clone(), self.actor);
        let streams = self
            .writer
            .unless_cut(engine.records().streams(&actor, of))
            .await?;
        for stream in streams {
            let request = ExportRequest {
                integration_id: of,
                stream: stream.clone(),
                changed_after: None,
                include_deleted: true,
            };
            let begun = self
                .writer
                .unless_cut(engine.records().export(&actor, request))
                .await?;
            let Some(mut export) = begun else { continue };
            while let Some(records) = self.writer.unless_cut(export.next()).await? {
                for record in records {
                    let head = json!({ "integrationId": of, "stream": stream }).to_string();
                    let out = self.writer.buffer();
                    out.extend_from_slice(b"{\"type\":\"record\",\"data\":");
                    out.extend_from_slice(head.trim_end_matches('}').as_bytes());
                    out.extend_from_slice(b",\"record\":");
                    jsonl::write(&record, out).map_err(Error::internal)?;
                    // Its own end of the line comes after ours.
                    out.pop();
                    out.extend_from_slice(b"}}\n");
                    self.lines += 1;
                    self.writer.flush_full().await?;
                }
            }
        }
        Ok(())
    }
}

/// The page of a list that was asked for alone.
fn first<T>(pages: Vec<engine::Result<Paged<T>>>) -> engine::Result<Paged<T>> {
    pages.into_iter().next().unwrap_or_else(|| Ok(Paged::empty()))
}
