//! Jobs: records that the upstream prepares for a while, and that are downloaded once it has.
//!
//! A slice (a partition, and in it a window) is a job. The walk goes from slice to slice as it always does, and plans a
//! few ahead; this board starts their jobs, as many at once as the manifest allows, asks every five seconds how they
//! stand, and hands each slice its results when its turn comes. Slices are read in their order and not in the order in
//! which their jobs end, because a position means "all before this was read": what the upstream works on at the same
//! time is the same, and a checkpoint stays one place and not a set of them.
//!
//! What a job's creation answered is part of the position, and a page without records carries it out as soon as the job
//! exists. So a read that is cut off goes on with the jobs that run, instead of ordering them again. A job that is not
//! there any more when it does (it was deleted, it is too old) is started anew and read from its first target: records
//! may come twice then, none is lost. How a job stood is not kept: a poll tells.
//!
//! A job that fails or takes too long is started three times in all, as in the reference. After that the read ends; the
//! reference goes on with other slices and ends with an error then, which nobody could resume from.

mod drive;
mod job;
mod upstream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use self::drive::Drive;
use self::job::{Job, Stage, Written};
use super::slice::Slice;
use super::stream::StreamReader;
use super::{ErrorKind, ReadError};
use crate::manifest::components::AsyncRetriever;

pub(super) use self::upstream::Results;

/// Minutes until a job has taken too long, where the manifest does not say.
const TIMEOUT_MINUTES: i64 = 60;

/// The jobs of one walk.
pub(super) struct Board {
    jobs: Mutex<Jobs>,
    /// Held by whoever starts and polls.
    driving: tokio::sync::Mutex<()>,
    created: Notify,
}

#[derive(Default)]
struct Jobs {
    next: u64,
    planned: Vec<Job>,
    /// Read to their ends, and to be deleted.
    spent: Vec<Job>,
    /// Of the run that is being resumed, until their slices are planned.
    written: Vec<Written>,
}

/// A slice's place on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JobId(u64);

/// What became of a job.
pub(super) enum Outcome {
    /// There is something to download.
    Done(Arc<Results>),
    /// There is nothing to read, says the upstream.
    Skipped,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            jobs: Mutex::default(),
            driving: tokio::sync::Mutex::default(),
            created: Notify::new(),
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up jobs that ran when a position was written.
    pub(super) fn resume(&self, position: &Value) {
        self.jobs().written = Written::all(position);
    }

    /// Puts a slice's job on the board, behind the others.
    pub(super) fn plan(&self, slice: &Arc<Slice>) -> JobId {
        let mut jobs = self.jobs();
        jobs.next += 1;
        let id = JobId(jobs.next);
        let found = jobs.written.iter().position(|written| written.is_of(slice));
        let written = found.map(|at| jobs.written.swap_remove(at));
        jobs.planned.push(Job::new(id, slice, written));
        id
    }

    /// The slice was read to its end.
    pub(super) fn spend(&self, id: JobId) {
        let mut jobs = self.jobs();
        if let Some(at) = jobs.planned.iter().position(|job| job.id == id) {
            let job = jobs.planned.remove(at);
            if matches!(job.stage, Stage::Completed(_)) {
                jobs.spent.push(job);
            }
        }
    }

    /// What a position needs to find the jobs again.
    pub(super) fn position(&self) -> Value {
        self.jobs().planned.iter().filter_map(Job::written).collect()
    }

    /// Ends when a job was created that no position has yet.
    pub(super) async fn created(&self) {
        self.created.notified().await;
    }

    /// Waits for a job, and drives the others meanwhile.
    pub(super) async fn wait(&self, reader: &StreamReader, id: JobId) -> Result<Outcome, ReadError> {
        let Some(plan) = reader.plan.retriever.jobs() else {
            return Err(ReadError::new(
                ErrorKind::Internal,
                "INTERNAL",
                "The stream has no jobs.",
            ));
        };
        let drive = Drive {
            board: self,
            session: &reader.session,
            plan,
            timeout: minutes(reader, plan)?,
            again: pause(reader, plan)?,
        };
        let _driving = self.driving.lock().await;
        drive.delete_spent().await?;
        let outcome = drive.until(id).await;
        if let Err(error) = &outcome
            && !error.retryable
            && error.kind != ErrorKind::Cancelled
        {
            // Nobody comes back for them.
            drive.abort_all().await;
        }
        outcome
    }

    /// Deletes what is left to be deleted.
    pub(super) async fn clear(&self, reader: &StreamReader) -> Result<(), ReadError> {
        let Some(plan) = reader.plan.retriever.jobs() else {
            return Ok(());
        };
        let drive = Drive {
            board: self,
            session: &reader.session,
            plan,
            timeout: Duration::ZERO,
            again: None,
        };
        let _driving = self.driving.lock().await;
        drive.delete_spent().await
    }
}

fn minutes(reader: &StreamReader, plan: &AsyncRetriever) -> Result<Duration, ReadError> {
    let told = match &plan.polling_job_timeout {
        Some(minutes) => reader.session.integer(minutes, &[])?,
        None => 0,
    };
    // Zero is no limit that anybody means; the reference takes it for none given.
    let minutes = if told == 0 { TIMEOUT_MINUTES } else { told };
    let seconds = u64::try_from(minutes)
        .ok()
        .and_then(|minutes| minutes.checked_mul(60));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| ReadError::config("polling_job_timeout has to be a number of minutes above 0."))
}

fn pause(reader: &StreamReader, plan: &AsyncRetriever) -> Result<Option<Duration>, ReadError> {
    let Some(seconds) = &plan.failed_retry_wait_time_in_seconds else {
        return Ok(None);
    };
    let seconds = u64::try_from(reader.session.integer(seconds, &[])?).ok();
    seconds
        .filter(|seconds| *seconds > 0)
        .map(|seconds| Some(Duration::from_secs(seconds)))
        .ok_or_else(|| ReadError::config("failed_retry_wait_time_in_seconds has to be at least 1."))
}
