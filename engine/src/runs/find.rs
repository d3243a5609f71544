//! Finding runs and what belongs to them.

use std::collections::{HashMap, HashSet};

use entity::sync_run::Model as Row;

use super::model::{LogEntry, LogLevel, StreamProgress, SyncAttempt, SyncRun, SyncRunFilter, SyncRunStatus};
use super::waiting::wait;
use crate::access::{Actor, Resource, Scope};
use crate::ids::RunId;
use crate::page::{self, Listing, PageRequest, Paged};
use crate::store::figures::{self, Whose};
use crate::store::waiting::{self, Waiting};
use crate::store::{attempts, batch, run_log, run_streams, runs, stored_json};
use crate::{Engine, Result};

const RUNS: &str = "run";
const LOGS: &str = "log";

/// What can be done with runs.
#[derive(Debug)]
pub struct Runs<'a>(pub(super) &'a Engine);

impl Engine {
    /// What can be done with runs.
    #[must_use]
    pub fn runs(&self) -> Runs<'_> {
        Runs(self)
    }
}

impl Runs<'_> {
    /// One run.
    pub async fn find(&self, actor: &Actor, run: RunId) -> Result<Option<SyncRun>> {
        let found = runs::find(self.0.db.reader(), actor.reads(Resource::Runs)?, run).await?;
        Ok(self.shown(found.into_iter().collect()).await?.pop())
    }

    /// These runs, as far as the actor may see them.
    pub async fn by_ids(&self, actor: &Actor, ids: &[RunId]) -> Result<HashMap<RunId, SyncRun>> {
        self.by_ids_within(actor.reads(Resource::Runs)?, ids).await
    }

    /// These runs, as far as they are in scope.
    pub(crate) async fn by_ids_within(&self, scope: Scope, ids: &[RunId]) -> Result<HashMap<RunId, SyncRun>> {
        let found = runs::by_ids(self.0.db.reader(), scope, ids).await?;
        Ok(self
            .shown(found)
            .await?
            .into_iter()
            .map(|run| (run.id, run))
            .collect())
    }

    /// A page of runs, newest first.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &SyncRunFilter,
        page: &PageRequest,
    ) -> Result<Paged<SyncRun>> {
        page::only(self.lists(actor, &[Listing::new(filter, page)]).await?)
    }

    /// Pages of runs, newest first, one for each listing.
    pub async fn lists(
        &self,
        actor: &Actor,
        listings: &[Listing<SyncRunFilter>],
    ) -> Result<Vec<Result<Paged<SyncRun>>>> {
        self.lists_within(actor.reads(Resource::Runs)?, listings).await
    }

    /// Pages of the runs that are in scope.
    pub(crate) async fn lists_within(
        &self,
        scope: Scope,
        listings: &[Listing<SyncRunFilter>],
    ) -> Result<Vec<Result<Paged<SyncRun>>>> {
        let windows = page::windows(RUNS, listings);
        let reader = self.0.db.reader();
        let siblings = page::siblings(listings, |filter| filter.integration_id.take());
        let rows = match (siblings, listings.first(), windows.first()) {
            (Some(integrations), Some(first), Some(Ok(window))) => {
                let list = |integration| {
                    let filter = SyncRunFilter {
                        integration_id: Some(integration),
                        ..first.of.clone()
                    };
                    runs::page(scope, &filter, window)
                };
                batch::rows_of(reader, &integrations, list).await?
            }
            _ => {
                let query = |filter: &SyncRunFilter, window: &_| runs::page(scope, filter, window);
                batch::rows(reader, page::queries(listings, &windows, query)).await?
            }
        };
        let sizes: Vec<usize> = rows.iter().map(Vec::len).collect();
        let mut shown = self
            .shown(rows.into_iter().flatten().collect())
            .await?
            .into_iter();
        let shown = sizes
            .into_iter()
            .map(|size| shown.by_ref().take(size).collect())
            .collect();
        Ok(page::pages(RUNS, windows, shown, |run: &SyncRun| run.id))
    }

    /// How many runs match each of these filters.
    pub async fn counts(&self, actor: &Actor, filters: &[SyncRunFilter]) -> Result<Vec<u64>> {
        let (reader, scope) = (self.0.db.reader(), actor.reads(Resource::Runs)?);
        let (kept, counted): (Vec<_>, Vec<_>) = filters
            .iter()
            .enumerate()
            .partition(|(_, filter)| filter.asks_what_is_kept());
        let mut found = vec![0; filters.len()];
        let lists = counted.iter().map(|(_, filter)| runs::matching(scope, filter));
        let counts = batch::counts(reader, lists.collect()).await?;
        for ((place, _), count) in counted.iter().zip(counts) {
            found[*place] = count;
        }
        let whose = |filter: &SyncRunFilter| Whose::within(scope, filter.client_id);
        let asked: HashSet<Whose> = kept.iter().filter_map(|(_, filter)| whose(filter)).collect();
        let standing = figures::standing(reader, &asked).await?;
        for (place, filter) in kept {
            let all = whose(filter).and_then(|whose| standing.get(&whose));
            let counts = all.into_iter().flatten();
            let wanted =
                counts.filter(|(status, _)| filter.status.is_empty() || filter.status.contains(status));
            found[place] = wanted.map(|(_, runs)| runs.unsigned_abs()).sum();
        }
        Ok(found)
    }

    /// The attempts at these runs, in order. The caller got the ids from runs it may see.
    pub async fn attempts_for(
        &self,
        actor: &Actor,
        ids: &[RunId],
    ) -> Result<HashMap<RunId, Vec<SyncAttempt>>> {
        actor.reads(Resource::Runs)?;
        let mut of_run: HashMap<RunId, Vec<SyncAttempt>> = HashMap::new();
        for row in attempts::of_runs(self.0.db.reader(), ids).await? {
            of_run.entry(row.run_id).or_default().push(row.into());
        }
        Ok(of_run)
    }

    /// The streams of these runs, in the order in which they are read. The caller got the ids from runs it may
    /// see.
    pub async fn streams_for(
        &self,
        actor: &Actor,
        ids: &[RunId],
    ) -> Result<HashMap<RunId, Vec<StreamProgress>>> {
        actor.reads(Resource::Runs)?;
        let mut of_run: HashMap<RunId, Vec<StreamProgress>> = HashMap::new();
        for row in run_streams::of_runs(self.0.db.reader(), ids).await? {
            of_run.entry(row.run_id).or_default().push(row.into());
        }
        for (run, order) in runs::stream_order(self.0.db.reader(), ids).await? {
            let order: Vec<String> = stored_json::read(order)?;
            if let Some(streams) = of_run.get_mut(&run) {
                streams.sort_by_key(|stream| order.iter().position(|name| *name == stream.stream));
            }
        }
        Ok(of_run)
    }

    /// Pages of runs' logs, oldest first, of lines at least so grave. The caller got the ids from runs it may
    /// see.
    pub async fn logs(
        &self,
        actor: &Actor,
        listings: &[Listing<(RunId, LogLevel)>],
    ) -> Result<Vec<Result<Paged<LogEntry>>>> {
        actor.reads(Resource::Runs)?;
        let windows = page::windows(LOGS, listings);
        let queries = page::queries(listings, &windows, |(run, level), window| {
            run_log::page(*run, *level, window)
        });
        let rows = batch::rows(self.0.db.reader(), queries).await?;
        let pages = page::pages(LOGS, windows, rows, |row| row.id);
        Ok(pages.into_iter().map(|page| Ok(page?.map(Into::into))).collect())
    }

    /// Rows as a caller sees them: those that wait say why.
    pub(super) async fn shown(&self, rows: Vec<Row>) -> Result<Vec<SyncRun>> {
        let queued: Vec<RunId> = rows
            .iter()
            .filter(|row| row.status == SyncRunStatus::Queued)
            .map(|row| row.id)
            .collect();
        let facts = waiting::waiting(self.0.db.reader(), &queued).await?;
        let protection = self.0.connectors.protection();
        let facts: HashMap<RunId, Waiting> = facts.into_iter().map(|fact| (fact.id, fact)).collect();
        let now = self.0.clock.now();
        Ok(rows
            .into_iter()
            .map(|row| {
                let (reason, until) = match row.status {
                    SyncRunStatus::Queued => wait(&row, facts.get(&row.id), protection, now),
                    _ => (None, None),
                };
                SyncRun {
                    wait_reason: reason,
                    wait_until: until,
                    ..SyncRun::from(row)
                }
            })
            .collect())
    }
}
