//! Finding integrations, and what belongs to them.

use std::collections::HashMap;

use entity::integration::Model;
use entity::{schedule, skipped_tick};
use sea_orm::DbErr;

use super::Integrations;
use super::health::Health;
use super::model::{
    Integration, IntegrationFilter, IntegrationOrder, IntegrationOrderField, IntegrationStatus, PauseReason,
    Schedule, SchemaDrift, SkippedTick,
};
use crate::access::{Actor, Resource, Scope};
use crate::error::{Error, Result};
use crate::ids::{ClientId, IntegrationId, RunId};
use crate::page::{self, Listing, OrderDirection, PageRequest, Paged, Window};
use crate::runs::SyncRun;
use crate::store::integrations::{Key, NEVER, OrderValue};
use crate::store::{batch, integrations as store, schedules, stored_json, stream_state};
use crate::sync::Watch;

const SKIPPED: &str = "skipped ticks";

impl TryFrom<Model> for Integration {
    type Error = DbErr;

    fn try_from(row: Model) -> Result<Self, DbErr> {
        let reasons = [
            (row.paused_manually, PauseReason::Manual),
            (row.paused_for_credential, PauseReason::Credential),
            (row.paused_for_failure, PauseReason::RepeatedFailure),
        ];
        let pause_reasons: Vec<_> = reasons
            .into_iter()
            .filter_map(|(set, reason)| set.then_some(reason))
            .collect();
        Ok(Self {
            id: row.id,
            client_id: row.client_id,
            connector_id: row.connector_id,
            name: row.name,
            config: row.config,
            streams: stored_json::read(row.streams)?,
            status: if pause_reasons.is_empty() {
                IntegrationStatus::Active
            } else {
                IntegrationStatus::Paused
            },
            pause_reasons,
            health: Health::of(
                row.last_run_status,
                row.consecutive_failures,
                row.paused_for_credential,
            ),
            retry: stored_json::read(row.retry)?,
            requests_per_minute: row.requests_per_minute.map(i32::unsigned_abs),
            consecutive_failures: row.consecutive_failures.unsigned_abs(),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

impl From<schedule::Model> for Schedule {
    fn from(row: schedule::Model) -> Self {
        Self {
            id: row.id,
            integration_id: row.integration_id,
            cron: row.cron,
            timezone: row.timezone,
            jitter_seconds: row.jitter_seconds.unsigned_abs(),
            overlap: row.overlap,
            catch_up_seconds: row.catch_up_seconds.unsigned_abs(),
            next_due_at: row.next_due_at.map(Into::into),
        }
    }
}

impl Integrations<'_> {
    /// One integration.
    pub async fn find(&self, actor: &Actor, id: IntegrationId) -> Result<Option<Integration>> {
        let found = store::find(self.0.db.reader(), actor.reads(Resource::Integrations)?, id).await?;
        Ok(found.map(Integration::try_from).transpose()?)
    }

    /// These integrations, as far as the actor may see them.
    pub async fn by_ids(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, Integration>> {
        self.by_ids_within(actor.reads(Resource::Integrations)?, ids)
            .await
    }

    /// These integrations, as far as they are in scope.
    pub(crate) async fn by_ids_within(
        &self,
        scope: Scope,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, Integration>> {
        let rows = store::by_ids(self.0.db.reader(), scope, ids).await?;
        rows.into_iter()
            .map(|row| Ok((row.id, row.try_into()?)))
            .collect()
    }

    /// What of these integrations' streams is not as their connector declares it.
    pub async fn schema_drift(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, Vec<SchemaDrift>>> {
        let mut of_integration: HashMap<IntegrationId, Vec<SchemaDrift>> = HashMap::new();
        for row in
            stream_state::watched(self.0.db.reader(), actor.reads(Resource::Integrations)?, ids).await?
        {
            let drifts = of_integration.entry(row.integration_id).or_default();
            for field in Watch::of(row.schema_watch).drift {
                drifts.push(SchemaDrift {
                    stream: row.stream.clone(),
                    field,
                });
            }
        }
        Ok(of_integration)
    }

    /// A page of integrations.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &IntegrationFilter,
        order: IntegrationOrder,
        page: &PageRequest,
    ) -> Result<Paged<Integration>> {
        page::only(self.lists(actor, order, &[Listing::new(filter, page)]).await?)
    }

    /// Pages of integrations in one order, one for each listing.
    pub async fn lists(
        &self,
        actor: &Actor,
        order: IntegrationOrder,
        listings: &[Listing<IntegrationFilter>],
    ) -> Result<Vec<Result<Paged<Integration>>>> {
        self.lists_within(actor.reads(Resource::Integrations)?, order, listings)
            .await
    }

    /// Pages of the integrations that are in scope.
    pub(crate) async fn lists_within(
        &self,
        scope: Scope,
        order: IntegrationOrder,
        listings: &[Listing<IntegrationFilter>],
    ) -> Result<Vec<Result<Paged<Integration>>>> {
        let tag = match (order.field, order.direction) {
            (IntegrationOrderField::CreatedAt, OrderDirection::Asc) => "integrations by creation",
            (IntegrationOrderField::CreatedAt, OrderDirection::Desc) => {
                "integrations by creation, last first"
            }
            (IntegrationOrderField::Name, OrderDirection::Asc) => "integrations by name",
            (IntegrationOrderField::Name, OrderDirection::Desc) => "integrations by name, last first",
            (IntegrationOrderField::NextRunAt, OrderDirection::Asc) => "integrations by next run",
            (IntegrationOrderField::NextRunAt, OrderDirection::Desc) => {
                "integrations by next run, last first"
            }
        };
        let mut windows = page::windows::<_, Key>(tag, listings);
        let fits = |key: &Key| {
            matches!(
                (order.field, &key.0),
                (IntegrationOrderField::CreatedAt, OrderValue::None(()))
                    | (IntegrationOrderField::Name, OrderValue::Name(_))
                    | (IntegrationOrderField::NextRunAt, OrderValue::Due(_))
            )
        };
        for window in &mut windows {
            let misfit = |window: &Window<Key>| !window.after.iter().chain(&window.before).all(fits);
            if window.as_ref().is_ok_and(misfit) {
                *window = Err(Error::BadCursor);
            }
        }
        let reader = self.0.db.reader();
        let siblings = page::siblings(listings, |filter| filter.client_id.take());
        let rows = match (siblings, listings.first(), windows.first()) {
            (Some(clients), Some(first), Some(Ok(window))) => {
                let list = |client| {
                    let filter = IntegrationFilter {
                        client_id: Some(client),
                        ..first.of.clone()
                    };
                    store::page(scope, &filter, order, window)
                };
                batch::rows_of(reader, &clients, list).await?
            }
            _ => {
                let query =
                    |filter: &IntegrationFilter, window: &_| store::page(scope, filter, order, window);
                batch::rows(reader, page::queries(listings, &windows, query)).await?
            }
        };
        let due = match order.field {
            IntegrationOrderField::NextRunAt => {
                let ids: Vec<_> = rows.iter().flatten().map(|row| row.id).collect();
                self.schedules_within(scope, &ids).await?
            }
            _ => HashMap::new(),
        };
        let integrations = rows
            .into_iter()
            .map(|rows| rows.into_iter().map(Integration::try_from).collect())
            .collect::<Result<Vec<Vec<Integration>>, DbErr>>()?;
        Ok(page::pages(
            tag,
            windows,
            integrations,
            |integration: &Integration| {
                let first = match order.field {
                    IntegrationOrderField::CreatedAt => OrderValue::None(()),
                    IntegrationOrderField::Name => OrderValue::Name(integration.name.clone()),
                    IntegrationOrderField::NextRunAt => {
                        let next = due.get(&integration.id).and_then(|schedule| schedule.next_due_at);
                        OrderValue::Due(next.map_or(NEVER, |next| next.timestamp_micros()))
                    }
                };
                Key(first, integration.id)
            },
        ))
    }

    /// How many integrations match each of these filters. Those that differ in their client alone, as the filters of a
    /// page of clients do, are counted by one plain statement: to plan fifty takes longer than to count.
    pub async fn counts(&self, actor: &Actor, filters: &[IntegrationFilter]) -> Result<Vec<u64>> {
        let (reader, scope) = (self.0.db.reader(), actor.reads(Resource::Integrations)?);
        let mut found = vec![0; filters.len()];
        let mut of_clients: HashMap<IntegrationFilter, Vec<(usize, ClientId)>> = HashMap::new();
        let mut others = Vec::new();
        for (place, filter) in filters.iter().enumerate() {
            let Some(client) = filter.client_id else {
                others.push((place, store::matching(scope, filter)));
                continue;
            };
            let rest = IntegrationFilter {
                client_id: None,
                ..filter.clone()
            };
            of_clients.entry(rest).or_default().push((place, client));
        }
        for (rest, clients) in of_clients {
            let ids: Vec<ClientId> = clients.iter().map(|(_, client)| *client).collect();
            let counts = store::counts_by_client(reader, scope, &rest, &ids).await?;
            for (place, client) in clients {
                found[place] = counts.get(&client).copied().unwrap_or_default();
            }
        }
        let (places, lists): (Vec<usize>, Vec<_>) = others.into_iter().unzip();
        for (place, count) in places.into_iter().zip(batch::counts(reader, lists).await?) {
            found[place] = count;
        }
        Ok(found)
    }

    /// The schedules of these integrations.
    pub async fn schedules_for(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, Schedule>> {
        self.schedules_within(actor.reads(Resource::Integrations)?, ids)
            .await
    }

    async fn schedules_within(
        &self,
        scope: Scope,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, Schedule>> {
        let rows = schedules::of_integrations(self.0.db.reader(), scope, ids).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.integration_id, row.into()))
            .collect())
    }

    /// For each of these integrations, the run that is running or else comes next.
    pub async fn active_runs(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, SyncRun>> {
        let runs = store::active_runs(self.0.db.reader(), actor.reads(Resource::Runs)?, ids).await?;
        self.by_integration(actor, &runs).await
    }

    /// For each of these integrations, the run that ended last.
    pub async fn last_runs(
        &self,
        actor: &Actor,
        ids: &[IntegrationId],
    ) -> Result<HashMap<IntegrationId, SyncRun>> {
        let runs = store::last_runs(self.0.db.reader(), actor.reads(Resource::Runs)?, ids).await?;
        self.by_integration(actor, &runs).await
    }

    async fn by_integration(&self, actor: &Actor, runs: &[RunId]) -> Result<HashMap<IntegrationId, SyncRun>> {
        let runs = self.0.runs().by_ids(actor, runs).await?;
        Ok(runs.into_values().map(|run| (run.integration_id, run)).collect())
    }

    /// Pages of the due times that did not become runs, newest first, one for each listing.
    pub async fn skipped_ticks(
        &self,
        actor: &Actor,
        listings: &[Listing<IntegrationId>],
    ) -> Result<Vec<Result<Paged<SkippedTick>>>> {
        let windows = page::windows(SKIPPED, listings);
        let scope = actor.reads(Resource::Integrations)?;
        let queries = page::queries(listings, &windows, |id, window| {
            schedules::skipped(scope, *id, window)
        });
        let rows = batch::rows(self.0.db.reader(), queries).await?;
        let tick = |tick: skipped_tick::Model| SkippedTick {
            due_at: tick.due_at.into(),
            reason: tick.reason,
        };
        let pages = page::pages(SKIPPED, windows, rows, |tick| tick.due_at.micros());
        Ok(pages.into_iter().map(|page| Ok(page?.map(tick))).collect())
    }
}
