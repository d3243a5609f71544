//! What is to become of a schedule's due times: decided from rows, before anything is written.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::schedule::Model as Schedule;
use entity::words::{ClientStatus, OverlapPolicy, SkipReason, SyncRunStatus};

use super::{Calendar, ScheduleFault};
use crate::store::runs::Active;
use crate::store::ticks::Owner;

/// What is seen to within this was not missed: a new version being rolled out may leave nobody there for a moment.
const ON_TIME: TimeDelta = TimeDelta::minutes(1);
/// How many of a schedule's missed due times are recorded at a time: a schedule of every second would have 600,000
/// after a week.
const RECORDED: usize = 1_000;

/// What is to become of a schedule's due times.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// The due time that a run, or a reason, stands for: the latest that has passed.
    pub(super) due: DateTime<Utc>,
    /// When it is due again.
    pub(super) next: Option<DateTime<Utc>>,
    /// The due times before, and why they are no runs.
    pub(super) earlier: Vec<(DateTime<Utc>, SkipReason)>,
    pub(super) fate: Fate,
}

/// What is to become of the latest due time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing, and it is not due again.
    #[default]
    End,
    Skip(SkipReason),
    Run,
    /// A run, in the place of those that are active.
    Replace,
}

/// Decides. `first` is the first due time that nobody saw to; `owner` is none where the integration is gone.
pub(super) fn decide(
    schedule: &Schedule,
    first: DateTime<Utc>,
    owner: Option<&Owner>,
    active: &[Active],
    now: DateTime<Utc>,
) -> Result<Decision, ScheduleFault> {
    let Some((integration, client)) = owner else {
        return Ok(Decision::default());
    };
    let calendar = Calendar::parse(&schedule.cron, &schedule.timezone)?;
    let (due, earlier) = calendar.owed(first, now, RECORDED);
    let window = ON_TIME.max(TimeDelta::seconds(schedule.catch_up_seconds.into()));
    let missed = |due: DateTime<Utc>| now - due > window;
    let paused =
        integration.paused_manually || integration.paused_for_credential || integration.paused_for_failure;
    let fate = if missed(due) {
        Fate::Skip(SkipReason::MissedOutsideCatchUp)
    } else if *client == ClientStatus::Archived {
        Fate::Skip(SkipReason::ClientArchived)
    } else if paused {
        Fate::Skip(SkipReason::Paused)
    } else {
        overlap(schedule.overlap, active)
    };
    let earlier = earlier.into_iter().map(|due| match missed(due) {
        true => (due, SkipReason::MissedOutsideCatchUp),
        false => (due, SkipReason::Coalesced),
    });
    Ok(Decision {
        due,
        next: calendar.next_after(now),
        earlier: earlier.collect(),
        fate,
    })
}

fn overlap(policy: OverlapPolicy, active: &[Active]) -> Fate {
    let queued = active.iter().any(|run| run.status == SyncRunStatus::Queued);
    match policy {
        _ if active.is_empty() => Fate::Run,
        OverlapPolicy::Skip => Fate::Skip(SkipReason::Overlap),
        OverlapPolicy::BufferOne if queued => Fate::Skip(SkipReason::Overlap),
        OverlapPolicy::BufferOne => Fate::Run,
        OverlapPolicy::CancelRunning => Fate::Replace,
    }
}

/// When a run may begin: its due time, and up to the schedule's jitter later. `unit` is a random number in `0..1`.
pub(super) fn not_before(schedule: &Schedule, due: DateTime<Utc>, unit: f64) -> DateTime<Utc> {
    let jitter = Duration::from_secs(u64::try_from(schedule.jitter_seconds).unwrap_or(0));
    super::calendar::jittered(due, jitter, unit)
}
