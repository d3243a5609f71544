//! An integration.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use engine::Listing;
use engine::protection::RequestBudget;
use engine::records::RecordList;
use serde_json::Value;

use super::{
    CircuitState, Client, Connector, DateTime, Health, IntegrationStatus, PauseReason, RecordConnection,
    Schedule, SchemaDriftKind, SkippedTickConnection, SyncRun, SyncRunConnection, list_cost, page,
};
use crate::graphql::context::{loaders, owner};
use crate::graphql::inputs::SyncRunFilter;
use crate::graphql::loaders::{ActiveRunOf, BudgetOf, CircuitOf, DriftOf, LastRunOf, ScheduleOf};

pub(crate) struct Integration(pub(crate) engine::integrations::Integration);

impl From<engine::integrations::Integration> for Integration {
    fn from(integration: engine::integrations::Integration) -> Self {
        Self(integration)
    }
}

/// What is left of the requests that an integration may make.
#[derive(SimpleObject)]
pub(crate) struct RateBudget {
    /// The most that it may ask of the upstream in a minute.
    requests_per_minute: i32,
    /// How many it may ask right now.
    remaining: i32,
    /// When the whole budget is there again; null when it is now.
    resets_at: Option<DateTime>,
}

impl From<RequestBudget> for RateBudget {
    fn from(budget: RequestBudget) -> Self {
        let count = |count| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            requests_per_minute: count(budget.requests_per_minute),
            remaining: count(budget.remaining),
            resets_at: budget.resets_at.map(DateTime),
        }
    }
}

/// A field whose records are not what the connector's schema says. It stops nothing: the records are kept as they come.
#[derive(SimpleObject)]
pub(crate) struct SchemaDrift {
    /// The stream.
    stream: String,
    /// The field, one of the outermost of a record.
    field: String,
    /// How it drifted.
    kind: SchemaDriftKind,
    /// The declared type, for people.
    expected: String,
    /// What records had there besides, for people; null when the field is gone.
    found: Option<String>,
    /// When it was first noticed.
    since: DateTime,
}

impl From<engine::integrations::SchemaDrift> for SchemaDrift {
    fn from(drift: engine::integrations::SchemaDrift) -> Self {
        Self {
            stream: drift.stream,
            field: drift.field.field,
            kind: drift.field.kind.into(),
            expected: drift.field.expected,
            found: drift.field.found,
            since: drift.field.since.into(),
        }
    }
}

/// A client's connection to one API: what is read, with which configuration, and when.
#[Object]
impl Integration {
    /// `int_…`
    pub(crate) async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Whose it is.
    async fn client(&self, ctx: &Context<'_>) -> Result<Client> {
        Ok(Client(owner(loaders(ctx).load_one(self.0.client_id).await?)?))
    }

    /// The version of the connector that it runs on.
    async fn connector(&self, ctx: &Context<'_>) -> Result<Connector> {
        Ok(Connector(owner(
            loaders(ctx).load_one(self.0.connector_id).await?,
        )?))
    }

    /// For people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What the connector's configSchema asks for. Secret values are masked.
    async fn config(&self) -> &Value {
        &self.0.config
    }

    /// The names of the streams that it reads.
    async fn streams(&self) -> &[String] {
        &self.0.streams
    }

    /// Whether it runs.
    async fn status(&self) -> IntegrationStatus {
        self.0.status.into()
    }

    /// Why it does not run; empty while it is ACTIVE.
    async fn pause_reasons(&self) -> Vec<PauseReason> {
        self.0
            .pause_reasons
            .iter()
            .copied()
            .map(PauseReason::from)
            .collect()
    }

    /// How its last runs ended.
    async fn health(&self) -> Health {
        self.0.health.into()
    }

    /// When it runs by itself; null when only on request.
    async fn schedule(&self, ctx: &Context<'_>) -> Result<Option<Schedule>> {
        Ok(loaders(ctx).load_one(ScheduleOf(self.0.id)).await?.map(Schedule))
    }

    /// The schedule's next due time; null without a schedule and while paused.
    async fn next_run_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>> {
        if self.0.status == engine::integrations::IntegrationStatus::Paused {
            return Ok(None);
        }
        let schedule = loaders(ctx).load_one(ScheduleOf(self.0.id)).await?;
        Ok(schedule.and_then(|schedule| schedule.next_due_at).map(DateTime))
    }

    /// Due times that did not become a run, newest first, with the reason.
    #[graphql(complexity = "list_cost(first, None, child_complexity)")]
    async fn skipped_ticks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when not given")] first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
    ) -> Result<SkippedTickConnection> {
        let listing = Listing {
            of: self.0.id,
            page: page(first, after, None, None)?,
        };
        let found = loaders(ctx).load_one(listing).await?;
        Ok(SkippedTickConnection::new(owner(found)??))
    }

    /// Whether calls to its upstream are let through; CLOSED is the good state. OPEN after repeated failures of the
    /// upstream, whichever integration of the connector met them; HALF_OPEN while one call finds out.
    async fn circuit(&self, ctx: &Context<'_>) -> Result<CircuitState> {
        let circuit = loaders(ctx).load_one(CircuitOf(self.0.id)).await?;
        Ok(circuit.unwrap_or_default().into())
    }

    /// What is left of the requests that it may make. Null only once it is gone.
    async fn rate_budget(&self, ctx: &Context<'_>) -> Result<Option<RateBudget>> {
        let budget = loaders(ctx).load_one(BudgetOf(self.0.id)).await?;
        Ok(budget.map(RateBudget::from))
    }

    /// Where the records of the streams that it reads are not what the connector's schema says, as the last run of
    /// each stream showed. Empty is the good state. A few records of each page are looked at.
    #[graphql(complexity = "child_complexity.saturating_mul(10).saturating_add(1).min(1_000_000_000)")]
    async fn schema_drift(&self, ctx: &Context<'_>) -> Result<Vec<SchemaDrift>> {
        let drift = loaders(ctx).load_one(DriftOf(self.0.id)).await?;
        let of_streams = drift.unwrap_or_default().into_iter();
        let mine = of_streams.filter(|drift| self.0.streams.contains(&drift.stream));
        Ok(mine.map(SchemaDrift::from).collect())
    }

    /// The run that is RUNNING or comes next; null when none waits.
    async fn active_run(&self, ctx: &Context<'_>) -> Result<Option<SyncRun>> {
        Ok(loaders(ctx).load_one(ActiveRunOf(self.0.id)).await?.map(SyncRun))
    }

    /// The run that ended last; null when none has.
    async fn last_run(&self, ctx: &Context<'_>) -> Result<Option<SyncRun>> {
        Ok(loaders(ctx).load_one(LastRunOf(self.0.id)).await?.map(SyncRun))
    }

    /// Its runs, newest first.
    #[graphql(complexity = "list_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn sync_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when neither this nor last is given")]
        first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(desc = "Items of the page counted from the end, 1 to 100, instead of first")] last: Option<
            i32,
        >,
        #[graphql(desc = "A startCursor: the page before it")] before: Option<String>,
        #[graphql(desc = "Which ones; an integrationId in it must be this integration's")] filter: Option<
            SyncRunFilter,
        >,
    ) -> Result<SyncRunConnection> {
        let request = page(first, after, last, before)?;
        SyncRunConnection::of_integration(ctx, self.0.id, filter, request).await
    }

    /// The records of one of its streams. In key order without changedAfter; with it, in change order: a reader
    /// that keeps the last endCursor, and gives it as changedAfter the next time, misses no change.
    #[graphql(complexity = "list_cost(first, None, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn records(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name of the stream; of one that is not known there are no records")]
        stream: String,
        #[graphql(desc = "Items of the page, 1 to 100; 20 when not given")] first: Option<i32>,
        #[graphql(desc = "An endCursor: the page after it")] after: Option<String>,
        #[graphql(
            desc = "Only what changed after this endCursor of an earlier list in change order; the empty text for the first such list"
        )]
        changed_after: Option<String>,
        #[graphql(default_with = "Some(false)", desc = "Whether deleted records are listed too")]
        include_deleted: Option<bool>,
        #[graphql(desc = "Only those with one of these keys, at most 100; a key is a Record's key")]
        keys: Option<Vec<String>>,
    ) -> Result<RecordConnection> {
        let page = page(first, after, None, None)?;
        let of = RecordList {
            integration_id: self.0.id,
            stream,
            changed_after,
            include_deleted: include_deleted.unwrap_or(false),
            keys,
        };
        let found = loaders(ctx).load_one(Listing { of, page }).await?;
        Ok(RecordConnection::new(owner(found)??))
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// When somebody last changed it, for `ifUpdatedAt`. How its runs end is not a change.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}
