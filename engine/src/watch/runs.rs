use std::collections::HashMap;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::BoxStream;

use super::Watch;
use super::feed::{Seen, Shown, feed};
use crate::access::{Actor, Resource, Scope};
use crate::error::Result;
use crate::ids::{ClientId, IntegrationId, RunId};
use crate::page::{self, Listing, MAX_PAGE, PageRequest};
use crate::runs::{SyncProgress, SyncRun, SyncRunFilter, SyncRunStatus, WaitReason};
use crate::store::{clients, integrations};
use crate::{Engine, topics};

/// Which runs to watch; all that the actor may see where nothing is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RunFeed {
    /// This one; the feed ends with it.
    pub run_id: Option<RunId>,
    /// Those of an integration.
    pub integration_id: Option<IntegrationId>,
    /// Those of a client.
    pub client_id: Option<ClientId>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Runs {
    scope: Scope,
    which: RunFeed,
}

impl Runs {
    fn wanted(&self, run: &SyncRun) -> bool {
        self.which.run_id.is_none_or(|id| id == run.id)
            && self
                .which
                .integration_id
                .is_none_or(|id| id == run.integration_id)
            && self.which.client_id.is_none_or(|id| id == run.client_id)
    }
}

impl Shown for Runs {
    type Id = RunId;
    type Item = SyncRun;

    fn look<'a>(
        &'a self,
        engine: &'a Engine,
        ids: &'a [RunId],
    ) -> BoxFuture<'a, Result<HashMap<RunId, SyncRun>>> {
        async move {
            let mut found = engine.runs().by_ids_within(self.scope, ids).await?;
            found.retain(|_, run| self.wanted(run));
            Ok(found)
        }
        .boxed()
    }

    fn present<'a>(&'a self, engine: &'a Engine) -> BoxFuture<'a, Result<Vec<(RunId, SyncRun)>>> {
        async move {
            if let Some(run) = self.which.run_id {
                return Ok(self.look(engine, &[run]).await?.into_iter().collect());
            }
            let filter = SyncRunFilter {
                client_id: self.which.client_id,
                integration_id: self.which.integration_id,
                status: vec![SyncRunStatus::Queued, SyncRunStatus::Running],
                ..SyncRunFilter::default()
            };
            let unfinished = Listing::new(&filter, &PageRequest::first(MAX_PAGE));
            let page = page::only(engine.runs().lists_within(self.scope, &[unfinished]).await?)?;
            let mut runs: Vec<_> = page.into_items().map(|run| (run.id, run)).collect();
            runs.reverse();
            Ok(runs)
        }
        .boxed()
    }

    /// A worker that is free takes a run within milliseconds, before anybody looks. Whoever watches would then
    /// never see that it was queued; so a run that is new to the feed is shown first as it was then. A run that
    /// has ended is not: it may be one that this feed has shown to its end before.
    fn beginning(&self, run: &SyncRun) -> Option<SyncRun> {
        (run.status == SyncRunStatus::Running && run.attempt == 1).then(|| SyncRun {
            status: SyncRunStatus::Queued,
            wait_reason: Some(WaitReason::Ready),
            started_at: None,
            progress: SyncProgress::default(),
            updated_at: run.queued_at,
            ..run.clone()
        })
    }

    /// A run that is ready waits until now, whenever that is looked at.
    fn is_news(&self, known: &SyncRun, run: &SyncRun) -> bool {
        let ready = Some(WaitReason::Ready);
        if known.wait_reason != ready || run.wait_reason != ready {
            return known != run;
        }
        let known = SyncRun {
            wait_until: run.wait_until,
            ..known.clone()
        };
        known != *run
    }

    fn is_over(&self, run: &SyncRun) -> bool {
        run.status.is_terminal()
    }

    fn ends(&self) -> bool {
        self.which.run_id.is_some()
    }
}

impl Watch<'_> {
    /// The runs that have not ended (of one run: as it is), and then each of them, and each new one, whenever
    /// it changes. None where what is asked for is not there, or not the actor's.
    pub async fn sync_runs(
        &self,
        actor: Actor,
        which: RunFeed,
    ) -> Result<Option<BoxStream<'static, Seen<SyncRun>>>> {
        let scope = actor.reads(Resource::Runs)?;
        let engine = self.engine;
        let runs = Runs { scope, which };
        if let Some(id) = which.run_id
            && !engine
                .runs()
                .find(&actor, id)
                .await?
                .is_some_and(|run| runs.wanted(&run))
        {
            return Ok(None);
        }
        if !self.exist(scope, which.integration_id, which.client_id).await? {
            return Ok(None);
        }
        Ok(Some(feed(engine, &self.watched.runs, topics::RUNS, runs)))
    }

    pub(super) async fn exist(
        &self,
        scope: Scope,
        integration: Option<IntegrationId>,
        client: Option<ClientId>,
    ) -> Result<bool> {
        if let Some(id) = integration
            && integrations::find(self.engine.db.reader(), scope, id)
                .await?
                .is_none()
        {
            return Ok(false);
        }
        if let Some(id) = client
            && clients::by_ids(self.engine.db.reader(), scope, &[id])
                .await?
                .is_empty()
        {
            return Ok(false);
        }
        Ok(true)
    }
}
