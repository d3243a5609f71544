//! Why a queued run waits, and until when as far as anybody can know.
//!
//! What a person would have to undo comes before what passes by itself, and what has a time before what is only
//! estimated. An estimate is what the integration's last runs took: nobody can know what this one will read.

use chrono::{DateTime, TimeDelta, Utc};
use entity::Timestamp;
use entity::sync_run::Model as Row;

use super::model::WaitReason;
use crate::protection::Protection;
use crate::store::waiting::Waiting;

/// Why, and until when.
pub(super) fn wait(
    row: &Row,
    facts: Option<&Waiting>,
    protection: Protection,
    now: DateTime<Utc>,
) -> (Option<WaitReason>, Option<DateTime<Utc>>) {
    let (reason, until) = judge(row, facts, protection, now);
    (Some(reason), until)
}

fn judge(
    row: &Row,
    facts: Option<&Waiting>,
    protection: Protection,
    now: DateTime<Utc>,
) -> (WaitReason, Option<DateTime<Utc>>) {
    let not_before: DateTime<Utc> = row.not_before.into();
    let timed = || (row.wait_reason.unwrap_or(WaitReason::NotDue), Some(not_before));
    let Some(facts) = facts else {
        return if not_before > now {
            timed()
        } else {
            (WaitReason::Ready, Some(now))
        };
    };
    let usual = facts.usual.map(|micros| TimeDelta::microseconds(micros.max(0)));
    // When what has been running since then has run as long as usual; an overdue one may end any moment.
    let end_of = |since: i64| usual.map(|usual| (DateTime::from(Timestamp(since)) + usual).max(now));
    if facts.credential {
        return (WaitReason::Credential, None);
    }
    if facts.paused {
        return (WaitReason::Paused, None);
    }
    if facts.ahead > 0 || facts.running_since.is_some() {
        let free = facts.running_since.map_or(Some(now), end_of);
        let ahead = i32::try_from(facts.ahead).unwrap_or(i32::MAX);
        let until = free
            .zip(usual)
            .and_then(|(free, usual)| free.checked_add_signed(usual.checked_mul(ahead)?));
        return (WaitReason::QueuedBehind, until);
    }
    if not_before > now {
        return timed();
    }
    let full = |running: i64, cap: u32| running >= i64::from(cap);
    if full(facts.client_running, protection.runs_per_client) {
        return (WaitReason::ConcurrencyLimit, facts.client_since.and_then(end_of));
    }
    if protection
        .runs_per_connector
        .is_some_and(|cap| full(facts.connector_running, cap))
    {
        return (WaitReason::ConcurrencyLimit, None);
    }
    (WaitReason::Ready, Some(now))
}
