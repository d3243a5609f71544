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

mod job;
mod upstream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::Notify;

use self::job::{Job, Stage, Written};
use super::slice::Slice;
use super::stream::StreamReader;
use super::{ErrorKind, NoteLevel, ReadError, RetryMode};
use crate::http::session::Session;
use crate::manifest::components::{AsyncRetriever, JobStatus};

pub(super) use self::upstream::Results;

/// Between two looks at the jobs that run.
const POLL_EVERY: Duration = Duration::from_secs(5);
/// How often a job is started.
const ATTEMPTS: u32 = 3;
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

/// One turn at the wheel.
struct Drive<'d> {
    board: &'d Board,
    session: &'d Arc<Session>,
    plan: &'d AsyncRetriever,
    timeout: Duration,
    /// Before a job that failed is started anew.
    again: Option<Duration>,
}

impl Drive<'_> {
    async fn until(&self, id: JobId) -> Result<Outcome, ReadError> {
        loop {
            if self.change(id, |_| ()).is_none() {
                return Err(ReadError::new(
                    ErrorKind::Internal,
                    "INTERNAL",
                    "The job is not on the board.",
                ));
            }
            self.start(Some(id)).await?;
            self.poll().await?;
            if let Some(outcome) = self.outcome(id).await? {
                // Places may be free now. What goes wrong is told when it is that job's turn.
                let _ = self.start(None).await;
                return Ok(outcome);
            }
            tokio::select! {
                biased;
                () = self.session.context.cancel.cancelled() => return Err(ReadError::cancelled()),
                () = self.session.context.clock.sleep(POLL_EVERY) => {}
            }
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.session.context.clock.now()
    }

    /// Starts what waits, in order, as long as there are places. `turn` is the job that is waited for.
    async fn start(&self, turn: Option<JobId>) -> Result<(), ReadError> {
        loop {
            let next = {
                let jobs = self.board.jobs();
                let running = jobs.planned.iter().filter(|job| job.is_running()).count();
                let now = self.now();
                let waiting = jobs.planned.iter().find(|job| job.is_due(now));
                match (waiting, self.session.place_for_job(running)) {
                    (Some(job), Some(place)) => Some((job.id, Arc::clone(&job.slice), place)),
                    _ => None,
                }
            };
            let Some((id, slice, place)) = next else {
                return Ok(());
            };
            match upstream::create(self.session, self.plan, &slice).await {
                Ok(answer) => {
                    let now = self.now();
                    self.change(id, |job| job.begin(answer, now, place));
                    self.board.created.notify_one();
                }
                Err(error) if self.is_final(&error) => return Err(error),
                Err(error) => {
                    let attempts = self.change(id, |job| {
                        job.attempts += 1;
                        job.attempts
                    });
                    if turn.is_none() || attempts.is_none_or(|attempts| attempts >= ATTEMPTS) {
                        return Err(error);
                    }
                    let message = format!("A job could not be started and is tried again: {}", error.message);
                    self.session.note(NoteLevel::Warning, message);
                    return Ok(());
                }
            }
        }
    }

    /// Whether an error ends the read at once: the caller repeats, or nothing would help.
    fn is_final(&self, error: &ReadError) -> bool {
        self.session.context.retry == RetryMode::LeaveToCaller
            || matches!(
                error.kind,
                ErrorKind::Cancelled | ErrorKind::Auth | ErrorKind::Config | ErrorKind::Internal
            )
    }

    fn change<T>(&self, id: JobId, change: impl FnOnce(&mut Job) -> T) -> Option<T> {
        self.board
            .jobs()
            .planned
            .iter_mut()
            .find(|job| job.id == id)
            .map(change)
    }

    /// Asks how every running job stands.
    async fn poll(&self) -> Result<(), ReadError> {
        let running: Vec<_> = {
            let jobs = self.board.jobs();
            jobs.planned.iter().filter_map(Job::running).collect()
        };
        for (id, slice, run) in running {
            let (status, answer) = match upstream::poll(self.session, self.plan, &slice, &run.creation).await
            {
                Ok(polled) => polled,
                // A job of an earlier attempt may be gone.
                Err(error) if run.resumed && !error.retryable && error.http_status.is_some() => {
                    self.change(id, Job::forget);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let late = self.now() - run.since > chrono::TimeDelta::from_std(self.timeout).unwrap_or_default();
            match status {
                JobStatus::Completed => {
                    self.change(id, |job| job.complete(answer));
                }
                JobStatus::Skipped => {
                    self.change(id, |job| job.stage = Stage::Skipped);
                }
                JobStatus::Running if !late => {
                    self.change(id, |job| job.resumed = false);
                }
                JobStatus::Failed => {
                    let until = self.again.map(|pause| self.now() + pause);
                    self.failed(id, until, "JOB_FAILED", "The upstream's job failed")?;
                }
                JobStatus::Running | JobStatus::TimedOut => {
                    self.abort(&slice, &run.creation).await?;
                    self.failed(id, None, "JOB_TIMED_OUT", "The upstream's job took too long")?;
                }
            }
        }
        Ok(())
    }

    fn failed(
        &self,
        id: JobId,
        until: Option<DateTime<Utc>>,
        code: &str,
        what: &str,
    ) -> Result<(), ReadError> {
        let attempts = self.change(id, |job| {
            job.stage = Stage::Waiting(until);
            job.attempts
        });
        if attempts.is_some_and(|attempts| attempts < ATTEMPTS) {
            self.session
                .note(NoteLevel::Warning, format!("{what}; it is started again."));
            return Ok(());
        }
        let message = format!("{what}, {ATTEMPTS} times in a row.");
        Err(ReadError::new(ErrorKind::Upstream, code, message).retryable())
    }

    async fn outcome(&self, id: JobId) -> Result<Option<Outcome>, ReadError> {
        let done = self.change(id, |job| match &job.stage {
            Stage::Completed(done) => Some(Ok(Arc::clone(done))),
            Stage::Skipped => Some(Err(())),
            _ => None,
        });
        match done.flatten() {
            None => Ok(None),
            Some(Err(())) => Ok(Some(Outcome::Skipped)),
            Some(Ok(done)) => upstream::results(self.session, self.plan, done)
                .await
                .map(|results| Some(Outcome::Done(Arc::new(results)))),
        }
    }

    /// A job that cannot be aborted or deleted stops nothing.
    async fn abort(&self, slice: &Slice, creation: &Value) -> Result<(), ReadError> {
        let Some(requester) = &self.plan.abort_requester else {
            return Ok(());
        };
        self.lenient(
            upstream::tell(self.session, requester, slice, creation).await,
            "aborted",
        )
    }

    async fn abort_all(&self) {
        let running: Vec<_> = {
            let mut jobs = self.board.jobs();
            let running = jobs.planned.iter().filter_map(Job::running).collect();
            for job in jobs.planned.iter_mut().filter(|job| job.is_running()) {
                job.stage = Stage::Waiting(None);
            }
            running
        };
        for (_, slice, run) in running {
            // The error that is told is the one that ended the read.
            let _ = self.abort(&slice, &run.creation).await;
        }
    }

    async fn delete_spent(&self) -> Result<(), ReadError> {
        loop {
            let Some(job) = self.board.jobs().spent.pop() else {
                return Ok(());
            };
            if let (Some(requester), Stage::Completed(done)) = (&self.plan.delete_requester, &job.stage) {
                let told = upstream::tell(self.session, requester, &job.slice, &done.creation).await;
                self.lenient(told, "deleted")?;
            }
        }
    }

    fn lenient(&self, outcome: Result<(), ReadError>, what: &str) -> Result<(), ReadError> {
        match outcome {
            Err(error) if error.kind == ErrorKind::Cancelled => Err(error),
            Err(error) => {
                let message = format!("A job could not be {what}: {}", error.message);
                self.session.note(NoteLevel::Warning, message);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
