//! One job, and what is written of it into a position.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::JobId;
use crate::http::session::Place;
use crate::read::slice::Slice;

/// A creation's answer that is longer is not kept: the job is ordered again by a read that goes on.
const MAX_WRITTEN: usize = 64 * 1024;

/// See the module.
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) slice: Arc<Slice>,
    pub(super) stage: Stage,
    /// How often it was started, or was tried to.
    pub(super) attempts: u32,
    /// Started by an earlier attempt at the read, and not heard of since.
    pub(super) resumed: bool,
}

pub(super) enum Stage {
    /// Not before this.
    Waiting(Option<DateTime<Utc>>),
    Running(Running),
    Completed(Arc<Done>),
    Skipped,
}

pub(super) struct Running {
    creation: Arc<Value>,
    since: DateTime<Utc>,
    /// Given back when the job ends; a job of an earlier attempt has none.
    place: Option<Place>,
}

/// A job whose results are there.
pub(super) struct Done {
    pub(super) creation: Arc<Value>,
    pub(super) since: DateTime<Utc>,
    pub(super) polled: super::upstream::Told,
    /// Started by this read, and not by an earlier attempt at it.
    pub(super) fresh: bool,
}

/// A running job as a poll needs it.
pub(super) struct Run {
    pub(super) creation: Arc<Value>,
    pub(super) since: DateTime<Utc>,
    pub(super) resumed: bool,
}

/// What a position says of a job.
pub(super) struct Written {
    slice: Value,
    creation: Value,
    since: DateTime<Utc>,
    attempts: u32,
}

impl Written {
    pub(super) fn all(position: &Value) -> Vec<Self> {
        let read = |job: &Value| {
            Some(Self {
                slice: job.get("slice")?.clone(),
                creation: job.get("creation")?.clone(),
                since: DateTime::from_timestamp_micros(job.get("since")?.as_i64()?)?,
                attempts: u32::try_from(job.get("attempts")?.as_u64()?).ok()?,
            })
        };
        position
            .as_array()
            .map_or_else(Vec::new, |jobs| jobs.iter().filter_map(read).collect())
    }

    pub(super) fn is_of(&self, slice: &Slice) -> bool {
        self.slice == named(slice)
    }
}

/// A slice as it is found again.
fn named(slice: &Slice) -> Value {
    json!([slice.partition, slice.cursor])
}

impl Job {
    pub(super) fn new(id: JobId, slice: &Arc<Slice>, written: Option<Written>) -> Self {
        let (stage, attempts, resumed) = match written {
            None => (Stage::Waiting(None), 0, false),
            Some(written) => {
                let running = Running {
                    creation: Arc::new(written.creation),
                    since: written.since,
                    place: None,
                };
                (Stage::Running(running), written.attempts, true)
            }
        };
        Self {
            id,
            slice: Arc::clone(slice),
            stage,
            attempts,
            resumed,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running(_))
    }

    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        matches!(self.stage, Stage::Waiting(until) if until.is_none_or(|until| until <= now))
    }

    pub(super) fn running(&self) -> Option<(JobId, Arc<Slice>, Run)> {
        let Stage::Running(running) = &self.stage else {
            return None;
        };
        let run = Run {
            creation: Arc::clone(&running.creation),
            since: running.since,
            resumed: self.resumed,
        };
        Some((self.id, Arc::clone(&self.slice), run))
    }

    pub(super) fn begin(&mut self, creation: Value, now: DateTime<Utc>, place: Place) {
        self.attempts += 1;
        self.resumed = false;
        self.stage = Stage::Running(Running {
            creation: Arc::new(creation),
            since: now,
            place: Some(place),
        });
    }

    pub(super) fn complete(&mut self, polled: super::upstream::Told) {
        if let Stage::Running(running) = &self.stage {
            self.stage = Stage::Completed(Arc::new(Done {
                creation: Arc::clone(&running.creation),
                since: running.since,
                fresh: running.place.is_some(),
                polled,
            }));
        }
    }

    /// The upstream does not know it any more.
    pub(super) fn forget(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
        self.resumed = false;
        self.stage = Stage::Waiting(None);
    }

    pub(super) fn written(&self) -> Option<Value> {
        let (creation, since) = match &self.stage {
            Stage::Running(running) => (&running.creation, running.since),
            Stage::Completed(done) => (&done.creation, done.since),
            Stage::Waiting(_) | Stage::Skipped => return None,
        };
        if creation.to_string().len() > MAX_WRITTEN {
            return None;
        }
        Some(json!({
            "slice": named(&self.slice),
            "creation": **creation,
            "since": since.timestamp_micros(),
            "attempts": self.attempts,
        }))
    }
}
