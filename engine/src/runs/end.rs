//! Cancelling runs, and approving what they held back.

use entity::sync_run::Model as Row;

use super::find::Runs;
use super::model::SyncRun;
use crate::access::{Actor, Resource};
use crate::events::EventDraft;
use crate::ids::RunId;
use crate::outcome::{Outcome, Refusal};
use crate::queue::{tell, told};
use crate::store::{deletions, events, queue, run_streams, runs};
use crate::sync::apply_approved;
use crate::{Error, Result, topics};

impl Runs<'_> {
    /// Cancels a run: at once where it waits, within a second where it runs. Cancelling a cancelled run
    /// changes nothing and is no fault: two people may press the button.
    pub async fn cancel(&self, actor: &Actor, run: RunId) -> Result<Outcome<SyncRun>> {
        let scope = match actor.writes(Resource::Runs) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let transaction = self.0.begin_accepted().await?;
        let now = self.0.clock.now();
        if runs::find(&transaction, scope, run).await?.is_none() {
            return Ok(Refusal::not_found("run", "runId").into());
        }
        if let Some(row) = queue::cancel_queued(&transaction, run, now).await? {
            tell(&transaction, self.0, &row).await?;
            run_streams::close(&transaction, run, row.status, row.status).await?;
            transaction.commit().await?;
            told(self.0, &row).await;
            return self.answer(row).await;
        }
        if let Some(row) = queue::request_cancel(&transaction, run, now).await? {
            transaction.commit().await?;
            self.0.notify(topics::CANCEL, &run.to_string()).await;
            self.0.notify(topics::RUNS, &run.to_string()).await;
            return self.answer(row).await;
        }
        let row = runs::find(&transaction, scope, run).await?;
        transaction.rollback().await?;
        match row {
            Some(row) if row.status == super::SyncRunStatus::Cancelled => self.answer(row).await,
            Some(row) => {
                let message = format!("The run has ended: it is {}.", row.status);
                Ok(Refusal::conflict(message, ["runId"]).into())
            }
            None => Ok(Refusal::not_found("run", "runId").into()),
        }
    }

    /// Lets a full refresh delete what it held back because the share was suspicious.
    pub async fn approve_deletions(&self, actor: &Actor, run: RunId) -> Result<Outcome<SyncRun>> {
        let scope = match actor.writes(Resource::Runs) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(refusal.into()),
        };
        let Some(row) = runs::find(self.0.db.reader(), scope, run).await? else {
            return Ok(Refusal::not_found("run", "runId").into());
        };
        let conflict = |message: &str| Ok(Refusal::conflict(message, ["runId"]).into());
        if row.deletions_approved {
            return self.answer(row).await;
        }
        if row.held_deletions.is_none() {
            return conflict("The run holds no deletions back.");
        }
        if !row.status.is_terminal() {
            return conflict("The run has not ended; approve its deletions when it has.");
        }
        if runs::refreshed_since(self.0.db.reader(), &row).await? {
            return conflict("A later full refresh has replaced this one; approve what that one holds back.");
        }
        apply_approved(self.0, &row).await?;
        let transaction = self.0.begin_accepted().await?;
        deletions::approved(&transaction, run, self.0.clock.now()).await?;
        let row = runs::find(&transaction, scope, run).await?;
        let row = row.ok_or_else(|| Error::internal("the run is gone"))?;
        let draft = EventDraft::about("sync_run.deletions_approved", run, Some(row.client_id)).with(
            serde_json::json!({ "integrationId": row.integration_id, "recordsDeleted": row.records_deleted }),
        );
        events::append(&transaction, self.0, draft).await?;
        transaction.commit().await?;
        told(self.0, &row).await;
        self.answer(row).await
    }

    async fn answer(&self, row: Row) -> Result<Outcome<SyncRun>> {
        let shown = self.shown(vec![row]).await?.pop();
        Ok(Outcome::Done(
            shown.ok_or_else(|| Error::internal("a run is not shown"))?,
        ))
    }
}
