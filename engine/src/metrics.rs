//! What is counted, for whoever watches many processes.
//!
//! | metric | is | of |
//! |---|---|---|
//! | `syncline_scheduler_lag_seconds` | age of the first due time that nobody saw to | the installation |
//! | `syncline_runs_queued`, `syncline_runs_running` | runs that have not ended | the installation |
//! | `syncline_schedules_fired_total` | due times that became runs | the process |
//! | `syncline_ticks_skipped_total{reason}` | due times that did not | the process |
//! | `syncline_run_wait_seconds` | from when a run might begin until its first claim | the process |
//! | `syncline_runs_ended_total{status}` | runs that ended | the process |
//!
//! The first three are read from the database when they are asked for, so every process says the same: take their
//! maximum, and the sum of the others. Labels are words of ours and never an id: a series for each client is what
//! brings a metrics store down.
//!
//! A wait begins when the run was asked for, or, where it came with a jitter, when that had passed: the jitter was
//! wanted, and what comes after it is what more workers would shorten.

use entity::sync_run::Model as Run;
use entity::words::{SkipReason, SyncRunStatus};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::overview::Gauges;

const LAG: &str = "syncline_scheduler_lag_seconds";
const QUEUED: &str = "syncline_runs_queued";
const RUNNING: &str = "syncline_runs_running";
const FIRED: &str = "syncline_schedules_fired_total";
const SKIPPED: &str = "syncline_ticks_skipped_total";
const WAIT: &str = "syncline_run_wait_seconds";
const ENDED: &str = "syncline_runs_ended_total";

const REASONS: [SkipReason; 5] = [
    SkipReason::Overlap,
    SkipReason::Paused,
    SkipReason::MissedOutsideCatchUp,
    SkipReason::ClientArchived,
    SkipReason::Coalesced,
];
const ENDS: [SyncRunStatus; 4] = [
    SyncRunStatus::Succeeded,
    SyncRunStatus::PartiallySucceeded,
    SyncRunStatus::Failed,
    SyncRunStatus::Cancelled,
];

/// Describes everything and sets every counter to 0, once a recorder is there: the first failure must be an increase
/// and not a series that appears with 1.
pub fn begin() {
    describe_gauge!(
        LAG,
        Unit::Seconds,
        "Age of the first due time that no scheduler has seen to; NaN while the database is away."
    );
    describe_gauge!(
        QUEUED,
        "Runs that wait, for whatever reason; NaN while the database is away."
    );
    describe_gauge!(RUNNING, "Runs that run; NaN while the database is away.");
    describe_counter!(FIRED, "Due times that became runs.");
    describe_counter!(SKIPPED, "Due times that did not become runs, by why.");
    describe_histogram!(
        WAIT,
        Unit::Seconds,
        "From when a run might begin, its jitter over, until its first claim."
    );
    describe_counter!(ENDED, "Runs that ended, by how.");
    fired(0);
    for reason in REASONS {
        skipped(reason, 0);
    }
    for status in ENDS {
        counter!(ENDED, "status" => status.as_str()).increment(0);
    }
}

/// Sets what was read of the whole installation; none where it could not be read, since an old figure looks like a
/// present one.
pub fn observe(gauges: Option<Gauges>) {
    let (lag, queued, running) = gauges.map_or((f64::NAN, f64::NAN, f64::NAN), |gauges| {
        (
            gauges.scheduler_lag_seconds,
            gauges.queued as f64,
            gauges.running as f64,
        )
    });
    gauge!(LAG).set(lag);
    gauge!(QUEUED).set(queued);
    gauge!(RUNNING).set(running);
}

pub(crate) fn fired(count: usize) {
    counter!(FIRED).increment(count as u64);
}

pub(crate) fn skipped(reason: SkipReason, count: u64) {
    counter!(SKIPPED, "reason" => reason.as_str()).increment(count);
}

/// Counts a transition that was committed.
pub(crate) fn told(run: &Run) {
    if run.status.is_terminal() {
        counter!(ENDED, "status" => run.status.as_str()).increment(1);
    } else if run.status == SyncRunStatus::Running
        && run.fence == 1
        // Asking a running run to stop is told of as well.
        && !run.cancel_requested
        && let Some(started) = run.started_at
    {
        let ready = run.queued_at.max(run.not_before);
        // The two may come from the clocks of two machines.
        let waited = (started.micros() - ready.micros()).max(0);
        histogram!(WAIT).record(waited as f64 / 1e6);
    }
}
