//! Putting a run into the queue.

use chrono::{DateTime, Utc};
use entity::ids::{ClientId, IntegrationId, RunId, ScheduleId};
use entity::sync_run::{ActiveModel, Model as Run};
use entity::words::{SyncMode, SyncRunStatus, SyncTrigger, WaitReason};
use sea_orm::{ConnectionTrait, DbErr, Set, TryIntoModel};
use serde_json::json;

use super::{tell, tell_all};
use crate::store::{run_streams, runs};
use crate::{Engine, correlation};

/// A run to be.
#[derive(Debug)]
pub(crate) struct NewRun {
    pub(crate) client_id: ClientId,
    pub(crate) integration_id: IntegrationId,
    pub(crate) trigger: SyncTrigger,
    pub(crate) mode: SyncMode,
    pub(crate) streams: Vec<String>,
    /// The caller's key, and the hash of what came with it.
    pub(crate) idempotency: Option<(String, Vec<u8>)>,
    pub(crate) max_attempts: i32,
    /// The schedule and the due time that it stands for.
    pub(crate) tick: Option<(ScheduleId, DateTime<Utc>)>,
    pub(crate) not_before: DateTime<Utc>,
}

/// Writes the run, its streams and its event, in the caller's transaction. None when a run with its key, or
/// for its due time, is there already; nothing was written then.
pub(crate) async fn enqueue(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    new: NewRun,
) -> Result<Option<Run>, DbErr> {
    let streams = new.streams.clone();
    let row = row(engine, new, correlation::current(&*engine.random));
    let run = row.clone().try_into_model()?;
    if !runs::insert(connection, row).await? {
        return Ok(None);
    }
    run_streams::insert(connection, run.id, &streams).await?;
    tell(connection, engine, &run).await?;
    Ok(Some(run))
}

/// As [`enqueue`], for many at once: in as many statements as one takes. Each run gets a correlation id of its
/// own. Those that were there already are missing in what it gives.
pub(crate) async fn enqueue_all(
    connection: &impl ConnectionTrait,
    engine: &Engine,
    new: Vec<NewRun>,
) -> Result<Vec<Run>, DbErr> {
    let mut rows = Vec::with_capacity(new.len());
    let mut queued = Vec::with_capacity(new.len());
    for new in new {
        let streams = new.streams.clone();
        let row = row(engine, new, correlation::fresh(&*engine.random));
        queued.push((row.clone().try_into_model()?, streams));
        rows.push(row);
    }
    if let Some(written) = runs::insert_all(connection, rows).await? {
        queued.retain(|(run, _)| written.contains(&run.id));
    }
    run_streams::insert_all(
        connection,
        queued.iter().map(|(run, streams)| (run.id, &**streams)),
    )
    .await?;
    let queued: Vec<Run> = queued.into_iter().map(|(run, _)| run).collect();
    tell_all(connection, engine, &queued).await?;
    Ok(queued)
}

fn row(engine: &Engine, new: NewRun, correlation_id: String) -> ActiveModel {
    let now = engine.clock.now();
    let (idempotency_key, input_hash) = new.idempotency.unzip();
    let (schedule_id, scheduled_for) = new.tick.unzip();
    let waits = new.not_before > now;
    ActiveModel {
        id: Set(RunId::new(engine.new_uuid())),
        client_id: Set(new.client_id),
        integration_id: Set(new.integration_id),
        trigger: Set(new.trigger),
        mode: Set(new.mode),
        status: Set(SyncRunStatus::Queued),
        streams: Set(json!(new.streams)),
        idempotency_key: Set(idempotency_key),
        input_hash: Set(input_hash),
        correlation_id: Set(correlation_id),
        attempt: Set(1),
        max_attempts: Set(new.max_attempts.max(1)),
        fence: Set(0),
        lease_owner: Set(None),
        lease_until: Set(None),
        not_before: Set(new.not_before.into()),
        wait_reason: Set(waits.then_some(WaitReason::NotDue)),
        cancel_requested: Set(false),
        schedule_id: Set(schedule_id),
        scheduled_for: Set(scheduled_for.map(Into::into)),
        queued_at: Set(now.into()),
        started_at: Set(None),
        finished_at: Set(None),
        requests: Set(0),
        pages: Set(0),
        records_read: Set(0),
        records_added: Set(0),
        records_updated: Set(0),
        records_unchanged: Set(0),
        records_deleted: Set(0),
        records_failed: Set(0),
        bytes_read: Set(0),
        error: Set(None),
        held_deletions: Set(None),
        deletions_approved: Set(false),
        updated_at: Set(now.into()),
    }
}
