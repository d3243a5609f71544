//! Driving the jobs of a board: starting what waits, asking how the others stand, giving up what takes too long.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::job::{Job, Stage};
use super::{Board, JobId, Outcome, upstream};
use crate::http::session::Session;
use crate::manifest::components::{AsyncRetriever, JobStatus};
use crate::read::slice::Slice;
use crate::read::{ErrorKind, NoteLevel, ReadError, RetryMode};

/// Between two looks at the jobs that run.
const POLL_EVERY: Duration = Duration::from_secs(5);
/// How often a job is started.
const ATTEMPTS: u32 = 3;

/// One turn at the wheel.
pub(super) struct Drive<'d> {
    pub(super) board: &'d Board,
    pub(super) session: &'d Arc<Session>,
    pub(super) plan: &'d AsyncRetriever,
    pub(super) timeout: Duration,
    /// Before a job that failed is started anew.
    pub(super) again: Option<Duration>,
}

impl Drive<'_> {
    pub(super) async fn until(&self, id: JobId) -> Result<Outcome, ReadError> {
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

    pub(super) async fn abort_all(&self) {
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

    pub(super) async fn delete_spent(&self) -> Result<(), ReadError> {
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
