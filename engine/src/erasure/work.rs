use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::erasure::Model;
use entity::words::ErasureStage;
use platform::database::{Durability, WriteTransaction};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::request::Erasures;
use crate::error::Result;
use crate::events::EventDraft;
use crate::ids::ErasureId;
use crate::store::erasing::{self, Answers};
use crate::store::purge::Deleted;
use crate::store::{erasures as store, events, figures};
use crate::topics;

/// How long runs have to stop by themselves.
pub(super) const PATIENCE: TimeDelta = TimeDelta::seconds(5);
/// How long a worker is believed after its last batch.
const LEASE: Duration = Duration::from_secs(15);
/// Between two looks at runs that are stopping.
const LOOK: Duration = Duration::from_millis(100);

/// What a step came to.
enum Step {
    /// There is more to do, at once.
    More,
    /// There is more to do, after a while.
    Wait,
    /// There is nothing left, or the work is somebody else's.
    Ended,
}

impl Erasures<'_> {
    /// Works on erasures until there is none left that nobody works on; gives how many it worked on. `worker`
    /// must be unique among those who work.
    pub async fn work(&self, worker: &str, stop: &CancellationToken) -> Result<u64> {
        let mut worked_on = 0;
        while !stop.is_cancelled() {
            let transaction = self.0.db.begin(Durability::Page).await?;
            let now = self.0.clock.now();
            let Some(erasure) = store::claim(&transaction, worker, LEASE, now).await? else {
                transaction.rollback().await?;
                break;
            };
            transaction.commit().await?;
            worked_on += 1;
            let mut answers = Answers::default();
            loop {
                if stop.is_cancelled() {
                    self.release(erasure.id, worker).await?;
                    return Ok(worked_on);
                }
                match self.step(erasure.id, worker, &mut answers).await? {
                    Step::More => {}
                    Step::Wait => self.0.clock.sleep(LOOK).await,
                    Step::Ended => break,
                }
            }
        }
        Ok(worked_on)
    }

    /// Another worker need not wait for the lease.
    async fn release(&self, id: ErasureId, worker: &str) -> Result<()> {
        let transaction = self.0.db.begin(Durability::Page).await?;
        store::release(&transaction, id, worker).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn step(&self, id: ErasureId, worker: &str, answers: &mut Answers) -> Result<Step> {
        if let Some(ErasureStage::Events) = self.stage(id).await? {
            // Whatever was told about the client has a sequence before the last event, which is ours.
            self.0.events().relay().await?;
        }
        let transaction = self.0.db.begin(Durability::Page).await?;
        let now = self.0.clock.now();
        let Some(erasure) = store::hold(&transaction, id, worker, LEASE, now).await? else {
            transaction.rollback().await?;
            return Ok(Step::Ended);
        };
        let (step, told) = match erasure.stage {
            ErasureStage::Cancelling => self.cancel(&transaction, &erasure, now).await?,
            ErasureStage::Answers => {
                let step = self.forget_answers(&transaction, &erasure, answers).await?;
                (step, Vec::new())
            }
            ErasureStage::Rows => (self.delete_rows(&transaction, &erasure).await?, Vec::new()),
            ErasureStage::Events => (self.delete_events(&transaction, &erasure).await?, Vec::new()),
        };
        transaction.commit().await?;
        for (topic, payload) in told {
            self.0.notify(topic, &payload).await;
        }
        if matches!(step, Step::Ended) {
            self.0.notify(topics::EVENTS, "").await;
            tracing::info!(erasure = %id, "a client was erased");
        }
        Ok(step)
    }

    async fn stage(&self, id: ErasureId) -> Result<Option<ErasureStage>> {
        let found = store::find(self.0.db.reader(), id).await?;
        Ok(found.map(|erasure| erasure.stage))
    }

    /// Stops the client's runs; gives whom to tell.
    async fn cancel(
        &self,
        transaction: &WriteTransaction,
        erasure: &Model,
        now: DateTime<Utc>,
    ) -> Result<(Step, Vec<(&'static str, String)>)> {
        let patience_ends = DateTime::<Utc>::from(erasure.requested_at) + PATIENCE;
        let also_running = now >= patience_ends;
        let ended = erasing::end_runs(transaction, erasure.client_id, also_running, now.into()).await?;
        let mut told: Vec<_> = ended.iter().map(|run| (topics::RUNS, run.to_string())).collect();
        if !ended.is_empty() {
            return Ok((Step::More, told));
        }
        if also_running {
            store::enter(transaction, erasure.id, ErasureStage::Answers).await?;
            return Ok((Step::More, told));
        }
        let asked = erasing::ask_runs_to_stop(transaction, erasure.client_id, now.into()).await?;
        told.extend(asked.iter().map(|run| (topics::CANCEL, run.to_string())));
        if erasing::any_running(transaction, erasure.client_id).await? {
            return Ok((Step::Wait, told));
        }
        store::enter(transaction, erasure.id, ErasureStage::Answers).await?;
        Ok((Step::More, told))
    }

    /// Takes the client out of what is kept under idempotency keys.
    async fn forget_answers(
        &self,
        transaction: &WriteTransaction,
        erasure: &Model,
        answers: &mut Answers,
    ) -> Result<Step> {
        let own = erasing::delete_own_answers(transaction, erasure.client_id).await?;
        if own.rows > 0 {
            return self.counted(transaction, erasure, own).await;
        }
        let names = answers.names(transaction, erasure.client_id).await?;
        let page = answers.page(transaction, erasure.requested_at).await?;
        if page.is_empty() {
            store::enter(transaction, erasure.id, ErasureStage::Rows).await?;
            return Ok(Step::More);
        }
        let mut rows = 0;
        for kept in page {
            // One that cannot be opened is of another master key: nobody can read it, and it goes within a day.
            let plain = self.0.idempotency().open_kept(&kept).unwrap_or_default();
            if names.iter().any(|name| plain.contains(name.as_str())) {
                rows += erasing::forget_answer(transaction, &kept).await?;
            }
        }
        let table = "idempotency_answer";
        self.counted(transaction, erasure, Deleted { table, rows }).await
    }

    async fn delete_rows(&self, transaction: &WriteTransaction, erasure: &Model) -> Result<Step> {
        let deleted = erasing::delete_rows(transaction, erasure.client_id).await?;
        if deleted.rows > 0 {
            return self.counted(transaction, erasure, deleted).await;
        }
        // That its runs are gone has still to be taken from everybody's figures.
        if figures::forget(transaction, erasure.client_id).await? > 0 {
            return Ok(Step::More);
        }
        // With it the client's last event is not the last of all, from which the sequence goes on.
        let draft = EventDraft::about("erasure.rows_deleted", erasure.id, None);
        events::append(transaction, self.0, draft).await?;
        store::enter(transaction, erasure.id, ErasureStage::Events).await?;
        Ok(Step::More)
    }

    async fn delete_events(&self, transaction: &WriteTransaction, erasure: &Model) -> Result<Step> {
        let deleted = erasing::delete_events(transaction, erasure.client_id).await?;
        if deleted.rows > 0 {
            return self.counted(transaction, erasure, deleted).await;
        }
        // Whoever changes the client does it under this row's lock, and tells of it in the same transaction.
        erasing::lock_client(transaction, erasure.client_id).await?;
        if erasing::any_left(transaction, erasure.client_id).await? {
            store::enter(transaction, erasure.id, ErasureStage::Rows).await?;
            return Ok(Step::More);
        }
        let deleted = erasing::delete_client(transaction, erasure.client_id).await?;
        let erased = added(&erasure.erased, deleted);
        store::finish(transaction, erasure.id, &erased, self.0.timestamp()).await?;
        let draft = EventDraft::about("erasure.done", erasure.id, None).with(json!({ "erased": erased }));
        events::append(transaction, self.0, draft).await?;
        Ok(Step::Ended)
    }

    async fn counted(
        &self,
        transaction: &WriteTransaction,
        erasure: &Model,
        deleted: Deleted,
    ) -> Result<Step> {
        if deleted.rows > 0 {
            let erased = added(&erasure.erased, deleted);
            store::count_erased(transaction, erasure.id, &erased).await?;
        }
        Ok(Step::More)
    }
}

fn added(erased: &Value, deleted: Deleted) -> Value {
    let mut erased = erased.clone();
    let before = erased[deleted.table].as_u64().unwrap_or_default();
    erased[deleted.table] = json!(before + deleted.rows);
    erased
}
