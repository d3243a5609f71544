//! Making integrations and changing them.

use std::sync::Arc;
use std::time::Duration;

use ::connectors::Connector;
use ::connectors::read::RetryMode;
use ::connectors::schema::compare;
use entity::Timestamp;
use entity::integration::{ActiveModel, Model};
use futures::future::{Either, select};
use sea_orm::Set;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::model::{Changed, Checked, CreateIntegration, Integration, UpdateIntegration};
use super::{Integrations, older, redirect, sealed, validation};
use crate::access::{Actor, Resource};
use crate::clients::ClientStatus;
use crate::connectors::{ChangeKind, breaking};
use crate::error::Result;
use crate::events::EventDraft;
use crate::ids::{IntegrationId, ScheduleId};
use crate::outcome::{Outcome, Patch, Refusal, RefusalCode};
use crate::protection::UpstreamGate;
use crate::runs::{ErrorKind, SyncError};
use crate::store::{clients, connectors, events, integrations as store, schedules, stored_json};
use crate::sync::sync_error;
use crate::{input, topics};

/// How long a check may take before it is given up.
const CHECK: Duration = Duration::from_secs(30);
/// How many connectors a refusal names.
const NAMED: u64 = 20;

impl Integrations<'_> {
    /// Connects a client to an API. Calls nobody: [`Integrations::check`] does.
    pub async fn create(&self, actor: &Actor, input: CreateIntegration) -> Result<Outcome<Integration>> {
        let scope = match actor.writes(Resource::Integrations) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        if !scope.includes(input.client_id) {
            return Ok(Refusal::not_found("client", "clientId").into());
        }
        let reader = self.0.db.reader();
        let mut refusals = Vec::new();
        let connector = connectors::latest(reader, &input.connector).await?;
        let plan = match &connector {
            Some(connector) => Some(self.0.connectors.compile(connector.id, &connector.manifest)?),
            None => {
                refusals.push(self.unknown_connector(&input.connector).await?);
                None
            }
        };
        let now = self.0.clock.now();
        let name = input::check_name(&input.name, "name", &mut refusals);
        let retry = validation::retry(&input.retry, &mut refusals);
        let requests_per_minute = validation::requests_per_minute(input.requests_per_minute, &mut refusals);
        if let Some(schedule) = &input.schedule {
            validation::check_schedule(schedule, now, &mut refusals);
        }
        let (mut streams, mut config) = (Vec::new(), input.config);
        if let Some(plan) = &plan {
            config = older::todays(self.0, plan, &config, &mut refusals);
            validation::check_config(plan.spec(), &config, &mut refusals);
            let wanted = input.streams.as_deref();
            streams = validation::streams(self.0, plan, &config, wanted, &mut refusals);
        }
        let (Some(connector), Some(plan), true) = (connector, plan, refusals.is_empty()) else {
            return Ok(Outcome::Refused(refusals));
        };
        let id = IntegrationId::new(self.0.new_uuid());
        let stored = sealed::seal(self.0, plan.spec(), id, &config)?;
        let row = Model {
            id,
            client_id: input.client_id,
            connector_id: connector.id,
            name,
            config: stored.config,
            secrets: stored.secrets,
            streams: json!(streams),
            paused_manually: false,
            paused_for_credential: false,
            paused_for_failure: false,
            retry: stored_json::write(&retry.unwrap_or_default())?,
            requests_per_minute,
            consecutive_failures: 0,
            last_run_status: None,
            change_counter: 0,
            deleted_at: None,
            created_at: now.into(),
            updated_at: now.into(),
        };
        let transaction = self.0.begin_accepted().await?;
        let client = clients::lock(&transaction, scope, input.client_id).await?;
        match client.map(|client| client.status) {
            None => return Ok(Refusal::not_found("client", "clientId").into()),
            Some(ClientStatus::Archived) => {
                let message = "The client is archived; nothing of it runs any more.";
                return Ok(Refusal::conflict(message, ["clientId"]).into());
            }
            Some(ClientStatus::Active) => {}
        }
        store::insert(&transaction, row.clone()).await?;
        if let Some(schedule) = &input.schedule {
            let schedule_id = ScheduleId::new(self.0.new_uuid());
            let schedule = validation::schedule_row(schedule_id, id, schedule, now);
            schedules::put(&transaction, schedule).await?;
        }
        let data = json!({ "name": row.name, "connector": connector.slug, "version": connector.version });
        let draft = EventDraft::about("integration.created", id, Some(row.client_id)).with(data);
        events::append(&transaction, self.0, draft).await?;
        transaction.commit().await?;
        self.changed(id).await;
        Ok(Outcome::Done(row.try_into()?))
    }

    /// Changes an integration; see [`Integrations::change`].
    pub async fn update(&self, actor: &Actor, input: UpdateIntegration) -> Result<Outcome<Integration>> {
        let changed = self.change(actor, input).await?;
        Ok(changed.map(|changed| changed.integration))
    }

    /// Changes an integration, and says what changes with it. The whole of it is checked as it would be afterwards, so a
    /// new version of the connector that asks for more than the old configuration has is refused, field by field.
    pub async fn change(&self, actor: &Actor, input: UpdateIntegration) -> Result<Outcome<Changed>> {
        let scope = match actor.writes(Resource::Integrations) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let transaction = self.0.begin_accepted().await?;
        let id = input.integration_id;
        let Some(row) = store::lock(&transaction, scope, id).await? else {
            return Ok(Refusal::not_found("integration", "integrationId").into());
        };
        let now = self.0.clock.now();
        let mut refusals = Vec::new();
        let mut change = ActiveModel {
            updated_at: Set(row.updated_at.then(now.into())),
            ..ActiveModel::default()
        };
        if let Some(name) = &input.name {
            change.name = Set(input::check_name(name, "name", &mut refusals));
        }
        if let Some(policy) = validation::retry(&input.retry, &mut refusals) {
            change.retry = Set(stored_json::write(&policy)?);
        }
        match input.requests_per_minute {
            Patch::Keep => {}
            Patch::Clear => change.requests_per_minute = Set(None),
            Patch::Set(limit) => {
                change.requests_per_minute = Set(validation::requests_per_minute(Some(limit), &mut refusals));
            }
        }
        if let Patch::Set(schedule) = &input.schedule {
            validation::check_schedule(schedule, now, &mut refusals);
        }
        let old = self.0.connectors.plan(&transaction, row.connector_id).await?;
        let mut plan = old.clone();
        if let Some(version) = &input.connector_version {
            if actor.client().is_some() && row.secrets.is_some() {
                refusals.push(redirect::another_version());
            }
            match self.version(&transaction, &row, version).await? {
                Ok((connector_id, new)) => {
                    change.connector_id = Set(connector_id);
                    plan = new;
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        let streams_change = input.streams != Patch::Keep || input.connector_version.is_some();
        let mut config = if input.config.is_some() || streams_change {
            sealed::full_config(self.0, &row)?
        } else {
            row.config.clone()
        };
        if input.config.is_some() || input.connector_version.is_some() {
            let before = config;
            // Before secrets are filled in: with them, an older form beside them may seem to fit.
            let entered = input.config.as_ref().unwrap_or(&before);
            let entered = older::todays(self.0, &plan, entered, &mut refusals);
            config = match &input.config {
                Some(_) if entered.is_object() => {
                    sealed::keep_secrets(old.spec(), plan.spec(), &before, &entered)
                }
                _ => entered.clone(),
            };
            validation::check_config(plan.spec(), &config, &mut refusals);
            if let (Some(_), Some(wanted)) = (actor.client(), input.config.as_ref().map(|_| &entered)) {
                refusals.extend(redirect::redirected(plan.spec(), &before, wanted, &config));
            }
            if refusals.is_empty() {
                let stored = sealed::seal(self.0, plan.spec(), id, &config)?;
                change.config = Set(stored.config);
                change.secrets = Set(stored.secrets);
                if config != before {
                    change.paused_for_credential = Set(false);
                }
            }
        }
        let kept: Vec<String> = stored_json::read(row.streams.clone())?;
        let wanted = match &input.streams {
            Patch::Keep => Some(&kept),
            Patch::Clear => None,
            Patch::Set(wanted) => Some(wanted),
        };
        let streams = if streams_change {
            let wanted = wanted.map(Vec::as_slice);
            validation::streams(self.0, &plan, &config, wanted, &mut refusals)
        } else {
            kept.clone()
        };
        change.streams = Set(json!(streams));
        if !refusals.is_empty() {
            return Ok(Outcome::Refused(refusals));
        }
        let mut connector_changes = compare(old.streams(), plan.streams());
        connector_changes.retain(|change| {
            change.kind == ChangeKind::StreamAdded
                || kept.contains(&change.stream)
                || streams.contains(&change.stream)
        });
        let seen = input.if_updated_at.map(Timestamp::from);
        let Some(row) = store::update_seen(&transaction, id, change, seen).await? else {
            return Ok(Refusal::changed_meanwhile("integration", row.updated_at.into()).into());
        };
        match &input.schedule {
            Patch::Keep => {}
            Patch::Clear => schedules::remove(&transaction, id).await?,
            Patch::Set(schedule) => {
                let schedule_id = ScheduleId::new(self.0.new_uuid());
                let schedule = validation::schedule_row(schedule_id, id, schedule, now);
                schedules::put(&transaction, schedule).await?;
            }
        }
        let changed = |row: Model| -> Result<Outcome<Changed>> {
            Ok(Outcome::Done(Changed {
                integration: row.try_into()?,
                connector_changes: connector_changes.clone(),
            }))
        };
        if input.dry_run {
            transaction.rollback().await?;
            return changed(row);
        }
        let mut data = json!({ "name": row.name });
        if let Some(version) = &input.connector_version {
            data["connectorVersion"] = json!(version);
            data["breakingChanges"] = breaking(&connector_changes);
        }
        let draft = EventDraft::about("integration.updated", id, Some(row.client_id));
        events::append(&transaction, self.0, draft.with(data)).await?;
        transaction.commit().await?;
        self.changed(id).await;
        changed(row)
    }

    async fn version(
        &self,
        connection: &impl sea_orm::ConnectionTrait,
        row: &Model,
        version: &str,
    ) -> Result<Result<(crate::ids::ConnectorId, Connector), Refusal>> {
        let slug = connectors::find(connection, row.connector_id)
            .await?
            .map(|connector| connector.slug);
        let slug = slug.unwrap_or_default();
        match connectors::version(connection, &slug, version).await? {
            Some(new) => Ok(Ok((new.id, self.0.connectors.compile(new.id, &new.manifest)?))),
            None => {
                let message = format!("There is no version {version:?} of the connector {slug}.");
                Ok(Err(Refusal::new(
                    RefusalCode::NotFound,
                    message,
                    ["connectorVersion"],
                )))
            }
        }
    }

    async fn unknown_connector(&self, slug: &str) -> Result<Refusal> {
        let known = connectors::slugs(self.0.db.reader(), NAMED).await?;
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let message = format!("There is no connector {slug:?}; installed are: {known}.");
        Ok(Refusal::new(RefusalCode::NotFound, message, ["connector"]))
    }

    /// Tries the connection now. What it finds changes nothing.
    pub async fn check(&self, actor: &Actor, id: IntegrationId) -> Result<Outcome<Checked>> {
        let scope = match actor.writes(Resource::Integrations) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let reader = self.0.db.reader();
        let Some(row) = store::find(reader, scope, id).await? else {
            return Ok(Refusal::not_found("integration", "integrationId").into());
        };
        let plan = self.0.connectors.plan(reader, row.connector_id).await?;
        let config = sealed::full_config(self.0, &row)?;
        let cancel = CancellationToken::new();
        let _stops_when_dropped = cancel.clone().drop_guard();
        let protection = self.0.connectors.protection();
        let owner = format!("check/{}", self.0.new_uuid());
        let gate = Arc::new(UpstreamGate::new(self.0, protection, &row, owner));
        let context = self
            .0
            .connectors
            .read_context(RetryMode::LeaveToCaller, cancel, Some(gate));
        let check = std::pin::pin!(plan.check(&context, &config));
        let error = match select(check, self.0.clock.sleep(CHECK)).await {
            Either::Left((Ok(()), _)) => None,
            Either::Left((Err(error), _)) => Some(sync_error(error, None)),
            Either::Right(_) => Some(SyncError {
                kind: ErrorKind::Timeout,
                code: "TIMEOUT".to_owned(),
                message: format!("The check did not end within {} seconds.", CHECK.as_secs()),
                retryable: true,
                stream: None,
                http_status: None,
                url: None,
            }),
        };
        Ok(Outcome::Done(Checked {
            succeeded: error.is_none(),
            error,
        }))
    }

    /// Keeps an integration from running. A run that has begun goes on.
    pub async fn pause(&self, actor: &Actor, id: IntegrationId) -> Result<Outcome<Integration>> {
        let change = ActiveModel {
            paused_manually: Set(true),
            ..ActiveModel::default()
        };
        self.set_pause(actor, id, "integration.paused", change, |row| {
            !row.paused_manually
        })
        .await
    }

    /// Lets an integration run again, whatever paused it.
    pub async fn resume(&self, actor: &Actor, id: IntegrationId) -> Result<Outcome<Integration>> {
        let change = ActiveModel {
            paused_manually: Set(false),
            paused_for_credential: Set(false),
            paused_for_failure: Set(false),
            ..ActiveModel::default()
        };
        let any = |row: &Model| row.paused_manually || row.paused_for_credential || row.paused_for_failure;
        let resumed = self
            .set_pause(actor, id, "integration.resumed", change, any)
            .await?;
        self.0.notify(topics::QUEUE, "").await;
        Ok(resumed)
    }

    async fn set_pause(
        &self,
        actor: &Actor,
        id: IntegrationId,
        event: &'static str,
        mut change: ActiveModel,
        would_change: impl FnOnce(&Model) -> bool,
    ) -> Result<Outcome<Integration>> {
        let scope = match actor.writes(Resource::Integrations) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let transaction = self.0.begin_accepted().await?;
        let Some(row) = store::lock(&transaction, scope, id).await? else {
            return Ok(Refusal::not_found("integration", "integrationId").into());
        };
        if !would_change(&row) {
            return Ok(Outcome::Done(row.try_into()?));
        }
        change.id = Set(id);
        change.updated_at = Set(row.updated_at.then(self.0.timestamp()));
        let row = store::update(&transaction, change).await?;
        let draft = EventDraft::about(event, id, Some(row.client_id));
        events::append(&transaction, self.0, draft.with(json!({ "reason": "MANUAL" }))).await?;
        transaction.commit().await?;
        self.changed(id).await;
        Ok(Outcome::Done(row.try_into()?))
    }

    async fn changed(&self, id: IntegrationId) {
        self.0.notify(topics::INTEGRATIONS, &id.to_string()).await;
        self.0.notify(topics::EVENTS, "").await;
    }
}
